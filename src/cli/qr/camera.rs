//! A camera of Linux (V4L2) as a source of pictures. The thinnest that works: what a picture shows is
//! for others to find.

use std::path::Path;

use linuxvideo::format::{PixFormat, PixelFormat};
use linuxvideo::stream::ReadStream;
use linuxvideo::{BufType, Device};

use super::source::Frames;
use crate::cli::error::{CommandError, ErrorCode};
use crate::courier::qr::sight::Picture;

/// Asked for; cameras give what is nearest. More costs time for each picture and reads no better.
const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// Pictures one after another that are damaged before a camera counts as broken.
const DAMAGED: usize = 30;

/// The forms of pictures that are read, the cheapest first.
const FORMATS: [PixelFormat; 3] = [PixelFormat::YUYV, PixelFormat::MJPG, PixelFormat::JPEG];

/// An open camera.
pub(super) struct Camera {
    name: String,
    stream: ReadStream,
    format: PixFormat,
}

impl Camera {
    /// Opens a device and starts it.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        let name = path.display().to_string();
        let failed = |error: std::io::Error| failed(&name, &error.to_string());
        let device = Device::open(path).map_err(failed)?;
        let offered: Vec<PixelFormat> = device
            .formats(BufType::VIDEO_CAPTURE)
            .filter_map(|format| Some(format.ok()?.pixel_format()))
            .collect();
        let Some(format) = FORMATS.into_iter().find(|format| offered.contains(format)) else {
            let why = format!("it gives pictures in no form that is known, but in {offered:?}");
            return Err(self::failed(&name, &why));
        };
        let capture = device
            .video_capture(PixFormat::new(WIDTH, HEIGHT, format))
            .map_err(failed)?;
        let format = capture.format();
        let format = PixFormat::new(format.width(), format.height(), format.pixel_format());
        let stream = capture.into_stream().map_err(failed)?;
        Ok(Self {
            name,
            stream,
            format,
        })
    }

    /// Takes the newest picture's bytes: those that waited while another one was looked at are old.
    fn newest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut taken = Vec::new();
        loop {
            self.stream.dequeue(|view| {
                taken.clear();
                if !view.is_error() {
                    taken.extend_from_slice(&view);
                }
                Ok(())
            })?;
            if self.stream.will_block()? {
                return Ok(taken);
            }
        }
    }

    fn picture(&self, bytes: &[u8]) -> Option<Picture> {
        let format = &self.format;
        if format.pixel_format() == PixelFormat::YUYV {
            Picture::of_yuyv(
                format.width(),
                format.height(),
                format.bytes_per_line(),
                bytes,
            )
        } else {
            Picture::read(bytes).ok()
        }
    }
}

impl Frames for Camera {
    fn next(&mut self) -> Result<Picture, CommandError> {
        for _ in 0..DAMAGED {
            let taken = self
                .newest()
                .map_err(|error| failed(&self.name, &error.to_string()))?;
            if let Some(picture) = self.picture(&taken) {
                return Ok(picture);
            }
        }
        Err(failed(&self.name, "its pictures are damaged"))
    }
}

fn failed(name: &str, why: &str) -> CommandError {
    CommandError::of(
        ErrorCode::CAMERA_FAILED,
        format!("the camera {name} cannot be used: {why}"),
    )
    .hint("name another one: --camera /dev/video2")
    .hint("or take photos: `conclave qr scan photos`")
    .hint("or let another program look: `zbarcam --raw | conclave qr scan -`")
}
