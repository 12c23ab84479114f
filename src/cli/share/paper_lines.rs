//! Lines of shares on paper: from pictures, from text, and from a keyboard.

use std::path::{Path, PathBuf};

use crate::ceremony::paper::PREFIX;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::courier::qr::sight::{MAX_PICTURE_BYTES, Picture, PictureError};
use crate::secret::Secret;

/// The most lines of one call.
const MAX_LINES: usize = 1000;

/// The most that is typed for one line, in bytes.
const MAX_TYPED: usize = 1 << 11;

/// A line, and the file that it comes from.
pub(super) struct Line {
    /// Nothing for what was typed.
    pub(super) file: Option<String>,
    pub(super) text: Secret<String>,
}

/// Refuses at once what would have to be asked for where nobody can be asked.
pub(super) fn require(files: &[PathBuf], cx: &Context) -> Result<(), CommandError> {
    if files.is_empty() && !cx.has_terminal() {
        return Err(CommandError::of(
            ErrorCode::NO_TERMINAL,
            "the line on the paper is needed, and there is no terminal to ask at",
        )
        .hint("name a picture of the page, or a text file that holds the line"));
    }
    Ok(())
}

/// The lines in these files; of a picture, that of its code.
pub(super) fn in_files(files: &[PathBuf], cx: &Context) -> Result<Vec<Line>, CommandError> {
    let mut lines = Vec::new();
    for file in files {
        let text = text_of(cx, file)?;
        let name = file.display().to_string();
        lines.extend(split(&text).into_iter().map(|text| Line {
            file: Some(name.clone()),
            text,
        }));
        if lines.len() > MAX_LINES {
            return Err(CommandError::usage(format!(
                "these are more than {MAX_LINES} lines; one call takes so many"
            )));
        }
    }
    Ok(lines)
}

/// What a file says: the text of the code in a picture, or the file as text.
fn text_of(cx: &Context, file: &Path) -> Result<Secret<String>, CommandError> {
    let bytes = Secret::new(cx.read(file, MAX_PICTURE_BYTES)?);
    let invalid = |why: &str| {
        CommandError::of(
            ErrorCode::QR_UNREADABLE,
            format!("{}: {why}", file.display()),
        )
    };
    let text = bytes.expose(|bytes| match Picture::read(bytes) {
        Ok(picture) => picture
            .text()
            .ok_or_else(|| invalid("no QR code can be read in the picture")),
        Err(PictureError::Format) => std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| invalid("is neither a PNG or JPEG picture nor text")),
        Err(error) => Err(invalid(&error.to_string())),
    })?;
    Ok(Secret::new(text))
}

/// The lines in a text: each from its prefix on to the next one.
fn split(text: &Secret<String>) -> Vec<Secret<String>> {
    let begin = format!("{PREFIX}1");
    text.expose(|text| {
        let lower = Secret::new(text.to_ascii_lowercase());
        lower.expose(|lower| {
            let starts: Vec<usize> = lower.match_indices(&begin).map(|(at, _)| at).collect();
            let ends = starts.iter().copied().skip(1).chain([lower.len()]);
            starts
                .iter()
                .zip(ends)
                .filter_map(|(start, end)| lower.get(*start..end))
                .map(|line| Secret::new(line.to_owned()))
                .collect()
        })
    })
}

/// Says once how lines are typed.
pub(super) fn explain(cx: &mut Context) {
    cx.ui
        .warn("what you type is shown: let nobody look on, and close the terminal afterwards");
    cx.ui
        .note("type the line as it stands on the paper, row by row; an empty row ends it");
}

/// Asks for a line, in as many pieces as it takes; nothing if none was typed.
pub(super) fn typed(cx: &mut Context) -> Result<Option<Line>, CommandError> {
    let mut typed = Secret::new(String::with_capacity(1 << 12));
    loop {
        let row = cx
            .typed_line("> ")
            .map_err(|error| CommandError::failed(format!("cannot read the line: {error}")))?
            .map(Secret::new);
        let Some(row) = row.filter(|row| row.expose(|row| !row.is_empty())) else {
            let text = split(&typed).into_iter().next();
            return Ok(text.map(|text| Line { file: None, text }));
        };
        typed.expose_mut(|typed| {
            row.expose(|row| typed.push_str(row));
            typed.push('\n');
        });
        if typed.expose(String::len) > MAX_TYPED {
            return Err(CommandError::usage(
                "this is longer than any share on paper",
            ));
        }
    }
}
