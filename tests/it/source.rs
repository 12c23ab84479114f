//! Reads the source tree as far as the rules of `architecture` need it: files, names, and what is
//! code among comments and literals.

use std::path::Path;

/// One Rust file.
pub(crate) struct File {
    /// From the package's root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The path without `.rs` and `/mod.rs`.
    pub(crate) fn module_path(&self) -> &str {
        let path = self.path.strip_suffix(".rs").unwrap();
        path.strip_suffix("/mod").unwrap_or(path)
    }

    /// The top-level module that the file belongs to; none for the two roots.
    pub(crate) fn module(&self) -> Option<&str> {
        let inside = self.module_path().strip_prefix("src/")?;
        let module = inside.split('/').next()?;
        (!["lib", "main"].contains(&inside)).then_some(module)
    }

    pub(crate) fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// Every Rust file under `folder`, sorted by path.
pub(crate) fn files_in(folder: &str) -> Vec<File> {
    fn walk(root: &Path, folder: &Path, files: &mut Vec<File>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap();
                files.push(File::new(&path.replace('\\', "/"), &text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(root, &root.join(folder), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!files.is_empty());
    files
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

fn first_word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// Where `name` stands as whole words.
pub(crate) fn positions<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(name)
        .map(|(offset, _)| offset)
        .filter(move |offset| {
            !text[..*offset].ends_with(is_word) && !text[offset + name.len()..].starts_with(is_word)
        })
}

/// The names that follow `root::` directly, whether alone or in a group, each with its line.
///
/// What is no name (a glob, `self`, `as` after the root) comes out as what stands there.
pub(crate) fn names_under(text: &str, root: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for start in positions(text, root) {
        let Some(rest) = text[start + root.len()..].trim_start().strip_prefix("::") else {
            continue;
        };
        let rest = rest.trim_start();
        let offset = text.len() - rest.len();
        let Some(group) = rest.strip_prefix('{') else {
            let name = if rest.starts_with('*') {
                "*"
            } else {
                first_word(rest)
            };
            names.push((line_of(text, offset), name.to_owned()));
            continue;
        };
        let mut depth = 0usize;
        let mut expects_name = true;
        for (place, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => expects_name = true,
                _ if character.is_whitespace() || !expects_name => {}
                _ => {
                    expects_name = false;
                    let name = match first_word(&group[place..]) {
                        "" => "*",
                        name => name,
                    };
                    names.push((line_of(text, offset + 1 + place), name.to_owned()));
                }
            }
        }
    }
    names
}

/// The text with every comment, string and character literal blanked, line for line.
pub(crate) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let literal = literal_length(rest, code.chars().next_back());
        if literal == 0 {
            code.push(character);
            rest = &rest[character.len_utf8()..];
        } else {
            code.extend(
                rest[..literal]
                    .chars()
                    .map(|c| if c == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[literal..];
        }
    }
    code
}

/// How many bytes of comment or literal `text` starts with.
fn literal_length(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        let mut depth = 0usize;
        let mut at = 0;
        while at < text.len() {
            let step = &text[at..];
            if step.starts_with("/*") {
                depth += 1;
                at += 2;
            } else if step.starts_with("*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            } else {
                at += step.chars().next().map_or(1, char::len_utf8);
            }
        }
        return text.len();
    }
    if let Some(rest) = text.strip_prefix('"') {
        return 1 + quoted_length(rest, '"');
    }
    if let Some(rest) = text.strip_prefix('\'') {
        // 'a' and '\n' are characters, 'a alone is a lifetime.
        let mut characters = rest.chars();
        let is_character = match characters.next() {
            Some('\\') => true,
            Some(_) => characters.next() == Some('\''),
            None => false,
        };
        return if is_character {
            1 + quoted_length(rest, '\'')
        } else {
            0
        };
    }
    if text.starts_with('r') && !before.is_some_and(|c| is_word(c) && c != 'b') {
        let marks = text[1..].chars().take_while(|c| *c == '#').count();
        if text[1 + marks..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(marks));
            let start = 2 + marks;
            return text[start..]
                .find(&end)
                .map_or(text.len(), |length| start + length + end.len());
        }
    }
    0
}

/// The bytes up to and with the closing `quote`, escapes skipped.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (place, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return place + 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn code_is_told_from_comments_and_literals() {
    let text =
        "a // x\n/* x /* x */ x */ b \"x\\\"x\" c 'x' '\\'' <'d> br#\"x\"x\"# e 'f: r\"x\\\" g";
    let code = code_only(text);
    assert_eq!(code.len(), text.len());
    assert_eq!(code.lines().count(), text.lines().count());
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "b", "c", "<'d>", "b", "e", "'f:", "g"]);
}

#[test]
fn names_are_read_alone_and_in_groups() {
    let text =
        "use crate::a::b;\nuse crate::{\n  c::{d, crate_x::e},\n  f as g, *, self};\nsubcrate::h";
    assert_eq!(
        names_under(text, "crate"),
        [(1, "a"), (3, "c"), (4, "f"), (4, "*"), (4, "self")]
            .map(|(line, name)| (line, name.to_owned()))
    );
    assert_eq!(names_under("crate::*", "crate"), [(1, "*".to_owned())]);
}
