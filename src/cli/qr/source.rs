//! Where codes come from: picture files, text lines, a camera.

use std::io::{self, BufRead, Read as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::courier::qr::collect::MAX_FRAME_CHARS;
use crate::courier::qr::sight::{MAX_PICTURE_BYTES, Picture};
use crate::store::disk::Kind;

/// The most pictures of one call.
const MAX_PICTURES: usize = 20_000;

/// What one look gave.
#[derive(Debug)]
pub(super) enum Look {
    /// The text of a code, whatever it says.
    Text(String),
    /// No code was seen in this file.
    Nothing(String),
    /// The file cannot be looked at, for this reason.
    Unreadable(String),
}

/// Finds the picture files that these paths name: files as they are, of folders all that end in
/// `.png`, `.jpg` or `.jpeg`, sorted by name.
pub(super) fn pictures(cx: &Context, paths: &[&Path]) -> Result<Vec<PathBuf>, CommandError> {
    let mut pictures = Vec::new();
    for path in paths {
        match cx.disk.kind(path)? {
            Some(Kind::Directory) => {
                for entry in cx.disk.list(path)? {
                    let name = entry.name.to_ascii_lowercase();
                    let ends = [".png", ".jpg", ".jpeg"]
                        .iter()
                        .any(|end| name.ends_with(end));
                    if ends && entry.kind == Kind::File && !name.starts_with('.') {
                        pictures.push(path.join(entry.name));
                    }
                }
            }
            _ => pictures.push(path.to_path_buf()),
        }
    }
    if pictures.len() > MAX_PICTURES {
        return Err(CommandError::usage(format!(
            "these are {} pictures; one call takes {MAX_PICTURES}",
            pictures.len()
        )));
    }
    Ok(pictures)
}

/// What takes looks, and says whether more are wanted.
pub(super) type More<'a> = &'a mut dyn FnMut(Look) -> Result<bool, CommandError>;

/// Looks at pictures, on all cores, and hands over what it saw in their order until `more` says that
/// it is enough.
pub(super) fn look(cx: &Context, pictures: &[PathBuf], more: More<'_>) -> Result<(), CommandError> {
    // As many at a time as there are cores: a picture can take hundreds of megabytes.
    let at_once = rayon::current_num_threads().max(1);
    for some in pictures.chunks(at_once) {
        let files: Vec<_> = some
            .iter()
            .map(|path| (path, cx.read(path, MAX_PICTURE_BYTES)))
            .collect();
        let looks: Vec<Look> = files
            .into_par_iter()
            .map(|(path, file)| {
                let picture = file.map_err(|error| error.to_string()).and_then(|bytes| {
                    Picture::read(&bytes).map_err(|error| format!("{}: {error}", path.display()))
                });
                match picture {
                    Ok(picture) => match picture.text() {
                        Some(text) => Look::Text(text),
                        None => Look::Nothing(path.display().to_string()),
                    },
                    Err(why) => Look::Unreadable(why),
                }
            })
            .collect();
        for look in looks {
            if !more(look)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads a text line a code, as barcode scanners type them, until the input ends or `more` says that
/// it is enough.
pub(super) fn lines(more: More<'_>) -> Result<(), CommandError> {
    let failed = |error: io::Error| {
        CommandError::of(
            ErrorCode::DISK_FAILED,
            format!("cannot read standard input: {error}"),
        )
    };
    let mut input = io::stdin().lock();
    // A line longer than any code is read in pieces, which are no frames.
    let limit = u64::try_from(MAX_FRAME_CHARS)
        .unwrap_or(u64::MAX)
        .saturating_add(2);
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(limit).read_until(b'\n', &mut line);
        if read.map_err(failed)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line);
        let text = line.trim();
        if !text.is_empty() && !more(Look::Text(text.to_owned()))? {
            return Ok(());
        }
    }
}

/// A source of pictures that never ends by itself.
#[cfg(all(feature = "camera", target_os = "linux"))]
pub(super) trait Frames {
    /// The next picture.
    fn next(&mut self) -> Result<Picture, CommandError>;
}

/// Looks at a camera's pictures until `more` says that it is enough. A picture that comes while
/// another one is looked at is dropped, never kept waiting.
#[cfg(all(feature = "camera", target_os = "linux"))]
pub(super) fn watch(frames: &mut dyn Frames, more: More<'_>) -> Result<(), CommandError> {
    loop {
        let picture = frames.next()?;
        let look = match picture.text() {
            Some(text) => Look::Text(text),
            None => Look::Nothing(String::new()),
        };
        if !more(look)? {
            return Ok(());
        }
    }
}
