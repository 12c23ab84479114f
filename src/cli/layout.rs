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
            let full = std::mem::replace(&mut line, format!("{indent}  "));
            lines.push(full.trim_end().to_owned());
            empty = true;
        }
        // The gap between two columns goes with the line's end.
        if empty && word.is_empty() {
            continue;
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

/// Breaks the lines of a page that are too long, each by its own indentation.
pub(super) fn fit(page: &str, wide: usize) -> String {
    let mut lines = Vec::new();
    for line in page.split('\n') {
        if line.chars().count() <= wide {
            lines.push(line.to_owned());
            continue;
        }
        let text = line.trim_start_matches(' ');
        let indent = line.len().saturating_sub(text.len());
        lines.extend(wrap(text, &" ".repeat(indent), wide));
    }
    lines.join("\n")
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
    fn a_page_is_broken_between_its_columns() {
        let page = "Title\n\n  1  Alice  conclave1xyz  conclave 0.1.0\n  short\n";
        assert_eq!(fit(page, 80), page);
        assert_eq!(
            fit(page, 20),
            "Title\n\n  1  Alice\n    conclave1xyz\n    conclave 0.1.0\n  short\n"
        );
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
