//! Text for lines of any width, and the parts of a command's notes.

/// Breaks a text at spaces; what follows the first line is indented by two more. A word that is
/// longer than a line stays whole.
pub(super) fn wrap(text: &str, indent: &str, wide: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = indent.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        let needed = line
            .chars()
            .count()
            .saturating_add(usize::from(!empty))
            .saturating_add(word.chars().count());
        if !empty && needed > wide {
            lines.push(std::mem::replace(&mut line, format!("{indent}  ")));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// A part of the notes that end a command's long help.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Words, in one line: they are broken where there is an end to a screen.
    Words(String),
    /// A command to be copied: never broken.
    Command(&'a str),
    /// The gap between two paragraphs.
    Gap,
}

/// Takes notes apart. A line goes on with the one before, which was broken for the source file's
/// width, unless a label such as "Reads:" starts it or either of them is a command.
pub(super) fn parts(notes: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for line in notes.lines() {
        if line.trim().is_empty() {
            parts.push(Part::Gap);
        } else if line.starts_with(' ') {
            parts.push(Part::Command(line));
        } else {
            match parts.last_mut() {
                Some(Part::Words(words)) if !has_label(line) => {
                    words.push(' ');
                    words.push_str(line);
                }
                _ => parts.push(Part::Words(line.to_owned())),
            }
        }
    }
    parts
}

fn has_label(line: &str) -> bool {
    let first = line.split(' ').next().unwrap_or_default();
    first.ends_with(':') && first.starts_with(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fits_or_stands_alone() {
        assert_eq!(
            wrap("a word andanothermuchlonger b", "  ", 10),
            ["  a word", "    andanothermuchlonger", "    b"]
        );
        assert_eq!(wrap("one line", "", usize::MAX), ["one line"]);
    }

    #[test]
    fn notes_are_joined_where_the_source_broke_them() {
        let notes = "Reads: a\nfile.\nWrites: none.\n\nExample:\n  conclave x\n  conclave y\nEnd.";
        assert_eq!(
            parts(notes),
            [
                Part::Words("Reads: a file.".to_owned()),
                Part::Words("Writes: none.".to_owned()),
                Part::Gap,
                Part::Words("Example:".to_owned()),
                Part::Command("  conclave x"),
                Part::Command("  conclave y"),
                Part::Words("End.".to_owned()),
            ]
        );
    }
}
