//! What the documents say in words: one meaning each, links that lead somewhere, tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const GLOSSARY: &str = include_str!("../../docs/glossary.md");
const THREATS: &str = include_str!("../../docs/threat-model.md");

/// Words that other tools use for ours, or for something we do not have. A reader who meets two
/// words looks for two things.
const NOT_OURS: [(&str, &str); 8] = [
    ("participant", "operator"),
    ("coordinator", "organiser"),
    ("shareholder", "operator"),
    ("master key", "group key"),
    ("validator secret", "share"),
    ("identity element", "infinity"),
    ("identity point", "infinity"),
    ("usb key", "stick"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown page of the project, and every golden help.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = Vec::new();
    for (folder, extension) in [("", "md"), ("docs", "md"), ("tests/cli/help", "txt")] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(&path).unwrap();
                pages.push((path, text));
            }
        }
    }
    pages.sort();
    assert!(pages.len() > 20, "{}", pages.len());
    pages
}

/// The cells of the rows of a page's tables, without heads.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let mut rows = Vec::new();
    for line in page.lines() {
        if line.starts_with("| ---") {
            rows.pop();
        } else if let Some(row) = line.strip_prefix("| ") {
            rows.push(
                row.trim_end_matches('|')
                    .split(" | ")
                    .map(str::trim)
                    .collect(),
            );
        }
    }
    rows
}

/// Every piece of a page between backticks, code blocks excepted.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

#[test]
fn documents_use_the_words_of_the_project() {
    for (path, text) in pages() {
        // What was written under the words of its time stays as it is.
        if path.ends_with("CHANGELOG.md") {
            continue;
        }
        let text = text.to_lowercase();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (word, ours) in NOT_OURS {
            assert!(
                !words.contains(word),
                "{}: `{word}`: we say {ours}",
                path.display()
            );
        }
    }
}

#[test]
fn the_glossary_explains_each_word_once_and_only_words_in_use() {
    let rows = rows(GLOSSARY);
    assert!(rows.len() > 40, "{}", rows.len());
    let mut seen = BTreeSet::new();
    let others: Vec<String> = pages()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("glossary.md"))
        .map(|(_, text)| text.to_lowercase())
        .collect();
    for row in rows {
        let [words, meaning, place] = row.as_slice() else {
            panic!("{row:?}");
        };
        assert!(meaning.ends_with('.') && !place.is_empty(), "{row:?}");
        for word in words.split(", ") {
            assert!(seen.insert(word), "{word} is explained twice");
            assert!(
                others
                    .iter()
                    .any(|text| text.contains(&word.to_lowercase())),
                "nothing speaks of {word}"
            );
        }
    }
}

#[test]
fn links_lead_to_files_and_sections() {
    for (path, text) in pages() {
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, section) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() {
                path.clone()
            } else {
                path.parent().unwrap().join(file)
            };
            assert!(file.exists(), "{}: {target}", path.display());
            if !section.is_empty() {
                let heads = fs::read_to_string(&file).unwrap();
                assert!(
                    heads
                        .lines()
                        .any(|line| anchor(line).as_deref() == Some(section)),
                    "{}: {target}",
                    path.display()
                );
            }
        }
    }
}

/// The anchor of a heading, as forges make it.
fn anchor(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let title = title.to_lowercase();
    let kept = title.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    Some(kept.collect())
}

#[test]
fn tests_that_the_threat_model_names_exist() {
    let mut named = 0;
    for name in quoted(THREATS).filter(|name| name.contains("::")) {
        let (module, function) = name.split_once("::").unwrap();
        let found = ["tests/it", "tests/it/protocol", "tests/it/adversary"]
            .iter()
            .any(|folder| {
                let path = root().join(folder).join(format!("{module}.rs"));
                fs::read_to_string(path)
                    .is_ok_and(|source| source.contains(&format!("fn {function}(")))
            });
        assert!(found, "there is no test {name}");
        named += 1;
    }
    assert!(named > 30, "{named}");
    for path in quoted(THREATS).filter(|name| name.starts_with("src/")) {
        let source = fs::read_to_string(root().join(path)).unwrap();
        assert!(source.contains("#[test]"), "{path}");
    }
}

#[test]
fn the_helpers_see_what_they_should() {
    let page = "| a | b |\n| --- | --- |\n| x, y | z |\n\n| c |\n| --- |\n| `d::e` |\n";
    assert_eq!(rows(page), [vec!["x, y", "z"], vec!["`d::e`"]]);
    assert_eq!(quoted(page).collect::<Vec<_>>(), ["d::e"]);
    assert_eq!(
        anchor("## 4. What it does").as_deref(),
        Some("4-what-it-does")
    );
    assert_eq!(anchor("text"), None);
}
