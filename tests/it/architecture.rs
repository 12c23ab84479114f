//! Holds the house together: who may know whom, and what may stand where.
//!
//! The checks read the text of the source tree. The floors are textual on purpose, comments and doc
//! links included: who explains itself by a higher floor knows that floor. Everything else looks at
//! code alone. Every rule is a function from files to breaches, so that a planted breach can show
//! that it would be found.

use std::collections::BTreeSet;

use conclave::hash::Tag;

use crate::source::{File, code_only, files_in, line_of, names_under, positions};

/// The modules of each floor, lowest first. A module refers only to itself and to floors below.
const FLOORS: &[&[&str]] = &[
    &["secret", "json", "hash", "ambient", "memory"],
    &["crypto"],
    &["ethereum", "wire", "protocol"],
    &["formats"],
    &["ceremony"],
    &["audit", "store", "relay"],
    &["courier", "artifacts", "live"],
    &["driver"],
    &["rehearsal"],
    &["cli"],
];

/// The only edges inside a floor, (from, to): the ground floor is five files, not five houses.
const GROUND_EDGES: &[(&str, &str)] =
    &[("ambient", "secret"), ("hash", "json"), ("hash", "secret")];

/// Names that only their owner may use, with where the owner lives.
const FENCES: &[(&str, &str)] = &[
    ("blst", "src/crypto"),
    ("unsafe", "src/crypto"),
    ("getrandom", "src/ambient.rs"),
    ("std::fs", "src/store/disk"),
    ("rustix::fs", "src/store/medium.rs"),
    ("rustix::mm", "src/memory.rs"),
    ("sysinfo", "src/cli/doctor/host.rs"),
];

/// The most lines of one file in src.
const MAX_LINES: usize = 600;

/// Modules that stay small whatever happens, in lines, a folder of the same name included.
const MAX_MODULE_LINES: &[(&str, usize)] = &[
    ("src/main", 15),
    ("src/ceremony/session", 300),
    ("src/driver", 200),
];

#[track_caller]
fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

/// Plants one file and expects exactly one breach that starts with `expected`.
#[track_caller]
fn assert_caught(rule: fn(&[File]) -> Vec<String>, path: &str, text: &str, expected: &str) {
    let breaches = rule(&[File::new(path, text)]);
    assert!(
        breaches.len() == 1 && breaches.iter().all(|breach| breach.starts_with(expected)),
        "{path}: {text:?}: {breaches:?}"
    );
}

#[track_caller]
fn assert_passes(rule: fn(&[File]) -> Vec<String>, path: &str, text: &str) {
    assert_none(&rule(&[File::new(path, text)]));
}

// The floors.

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn may_know(from: &str, to: &str) -> bool {
    from == to
        || GROUND_EDGES.contains(&(from, to))
        || matches!((floor(from), floor(to)), (Some(above), Some(below)) if below < above)
}

fn floor_breaches(files: &[File]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in files {
        let Some(module) = file.module() else {
            continue;
        };
        if floor(module).is_none() {
            breaches.push(file.at(1, &format!("`{module}` is on no floor")));
            continue;
        }
        let mut known = names_under(&file.text, "crate");
        // These reach the root only when a floor's name follows: inside, they are inner modules.
        let mut others = names_under(&file.text, "conclave");
        if file.module_path() == format!("src/{module}") {
            others.extend(names_under(&file.text, "super"));
        }
        known.extend(others.into_iter().filter(|(_, name)| floor(name).is_some()));
        for (line, name) in known {
            if !may_know(module, &name) {
                breaches.push(file.at(line, &format!("`{module}` may not know `{name}`")));
            }
        }
        for line in positions(&code_only(&file.text), "crate")
            .filter(|at| {
                file.text[at + "crate".len()..]
                    .trim_start()
                    .starts_with("as ")
            })
            .map(|at| line_of(&file.text, at))
        {
            breaches.push(file.at(line, "the crate has one name"));
        }
    }
    breaches
}

#[test]
fn a_module_knows_only_the_floors_below() {
    assert_none(&floor_breaches(&files_in("src")));
}

#[test]
fn a_reference_upwards_or_sideways_is_caught() {
    let upwards = [
        (
            "src/wire/card.rs",
            "use crate::hash::Tag;\nuse crate::ceremony::Plan;",
            "src/wire/card.rs:2: ",
        ),
        (
            "src/wire/card.rs",
            "use crate::{\n    crypto::bls,\n    protocol::deal,\n};",
            "src/wire/card.rs:3: ",
        ),
        (
            "src/protocol/mod.rs",
            "/// See [`crate::driver`].",
            "src/protocol/mod.rs:1: ",
        ),
        (
            "src/json.rs",
            "crate::secret::Secret::new(1)",
            "src/json.rs:1: ",
        ),
        (
            "src/secret.rs",
            "use super::json::Hex;",
            "src/secret.rs:1: ",
        ),
        (
            "src/crypto/mod.rs",
            "use super::{wire::card, hash};",
            "src/crypto/mod.rs:1: ",
        ),
        (
            "src/hash.rs",
            "/// ```\n/// conclave::ambient::OsRandomness\n/// ```",
            "src/hash.rs:2: ",
        ),
        (
            "src/crypto/bls.rs",
            "use crate::*;",
            "src/crypto/bls.rs:1: ",
        ),
        (
            "src/crypto/bls.rs",
            "use crate as house;",
            "src/crypto/bls.rs:1: ",
        ),
        ("src/attic/mod.rs", "", "src/attic/mod.rs:1: "),
        ("src/attic.rs", "", "src/attic.rs:1: "),
    ];
    for (path, text, expected) in upwards {
        assert_caught(floor_breaches, path, text, expected);
    }
    for (path, text) in [
        (
            "src/wire/card.rs",
            "use crate::{hash::Tag, crypto::bls, wire::envelope};\npub(crate) fn f() {}",
        ),
        (
            "src/hash.rs",
            "use crate::json::Hex;\nuse crate::secret::Secret;",
        ),
        (
            "src/crypto/bls.rs",
            "use super::proof::wire;\nmod tests { use super::*; }",
        ),
        ("src/lib.rs", "//! [`crate::cli`]"),
        ("src/main.rs", "conclave::cli::run()"),
    ] {
        assert_passes(floor_breaches, path, text);
    }
}

// Ways around the floors, and around the lints.

fn detour_breaches(files: &[File]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in files {
        let code: String = code_only(&file.text);
        for (text, needle) in [
            (&file.text, "super::super::"),
            (&code, "#[path"),
            (&code, "#[allow("),
            (&code, "#![allow("),
        ] {
            for (offset, _) in text.match_indices(needle) {
                breaches.push(file.at(line_of(text, offset), needle));
            }
        }
        for (line, text) in code.lines().enumerate() {
            if text.contains("cfg_attr(") && (text.contains("allow(") || text.contains("path =")) {
                breaches.push(file.at(line + 1, "cfg_attr"));
            }
        }
    }
    breaches
}

#[test]
fn there_is_no_way_around_the_floors_and_the_lints() {
    assert_none(&detour_breaches(&files_in("src")));
}

#[test]
fn a_way_around_is_caught() {
    for text in [
        "\nuse super::super::deal;",
        "\n/// [`super::super::deal`]",
        "\n#[path = \"../x.rs\"]\nmod x;",
        "\n#[allow(dead_code)]",
        "\n#![allow(dead_code)]",
        "\n#[cfg_attr(test, allow(dead_code))]",
    ] {
        assert_caught(
            detour_breaches,
            "src/wire/card.rs",
            text,
            "src/wire/card.rs:2: ",
        );
    }
    assert_passes(
        detour_breaches,
        "src/a.rs",
        "// no #[allow(x)] here\n#[expect(x)]",
    );
}

// Fences: what has one owner.

fn fence_breaches(files: &[File]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in files {
        let code = code_only(&file.text);
        for (name, owner) in FENCES {
            let inside = file.path == *owner
                || file.module_path() == *owner
                || file.path.starts_with(&format!("{owner}/"));
            if inside {
                continue;
            }
            let lines: BTreeSet<usize> = match name.split_once("::") {
                Some((root, name)) => names_under(&code, root)
                    .into_iter()
                    .filter(|(_, found)| found == name)
                    .map(|(line, _)| line)
                    .collect(),
                None => positions(&code, name)
                    .map(|offset| line_of(&code, offset))
                    .collect(),
            };
            for line in lines {
                breaches.push(file.at(line, &format!("`{name}` belongs to {owner}")));
            }
        }
    }
    breaches
}

#[test]
fn what_has_an_owner_stays_with_it() {
    assert_none(&fence_breaches(&files_in("src")));
}

#[test]
fn a_climbed_fence_is_caught() {
    for text in [
        "\nuse blst::blst_p1;",
        "\nunsafe { f() }",
        "\ngetrandom::fill(out)",
        "\nuse std::fs;",
        "\nuse std::{\nfmt, io};\nuse std::{fmt, fs::File};",
        "\nstd::fs::read(path)",
        "\nrustix::fs::statvfs(path)",
        "\nuse sysinfo::System;",
    ] {
        assert_caught(
            fence_breaches,
            "src/store/home.rs",
            text,
            "src/store/home.rs:",
        );
    }
    for (path, text) in [
        ("src/crypto/point.rs", "unsafe { blst::blst_p1_add() }"),
        ("src/crypto.rs", "use blst::blst_p1;"),
        ("src/ambient.rs", "getrandom::fill(out)"),
        ("src/store/disk.rs", "use std::fs::File;"),
        (
            "src/secret.rs",
            "//! blst's memory, unsafe, std::fs\n#![expect(unsafe_code)]",
        ),
    ] {
        assert_passes(fence_breaches, path, text);
    }
    assert_caught(
        fence_breaches,
        "src/cryptography.rs",
        "use blst::x;",
        "src/cryptography.rs:1: ",
    );
}

// Sizes.

fn size_breaches(files: &[File]) -> Vec<String> {
    let lines = |file: &File| file.text.lines().count();
    let mut breaches = Vec::new();
    for file in files {
        if lines(file) > MAX_LINES {
            breaches.push(file.at(MAX_LINES, &format!("{} lines", lines(file))));
        }
    }
    for (module, limit) in MAX_MODULE_LINES {
        let folder = format!("{module}/");
        let sum: usize = files
            .iter()
            .filter(|file| file.module_path() == *module || file.path.starts_with(&folder))
            .map(lines)
            .sum();
        if sum > *limit {
            breaches.push(format!("{module}: {sum} lines, at most {limit}"));
        }
    }
    breaches
}

#[test]
fn files_stay_readable() {
    assert_none(&size_breaches(&files_in("src")));
}

#[test]
fn an_outgrown_file_is_caught() {
    assert_caught(
        size_breaches,
        "src/wire/card.rs",
        &"\n".repeat(601),
        "src/wire/card.rs:600: ",
    );
    assert_caught(
        size_breaches,
        "src/main.rs",
        &"\n".repeat(16),
        "src/main: 16 lines",
    );
    assert_caught(
        size_breaches,
        "src/driver.rs",
        &"\n".repeat(201),
        "src/driver: 201 lines",
    );
    assert_caught(
        size_breaches,
        "src/driver/mod.rs",
        &"\n".repeat(201),
        "src/driver: 201",
    );
    assert_caught(
        size_breaches,
        "src/ceremony/session.rs",
        &"\n".repeat(301),
        "src/ceremony/",
    );
    assert_passes(size_breaches, "src/wire/card.rs", &"\n".repeat(600));
}

// Nothing forgotten: files, tests, tags.

fn forgotten_files(files: &[File]) -> Vec<String> {
    let roots = ["src/lib", "src/main", "tests/it/main"];
    let mut breaches = Vec::new();
    for file in files
        .iter()
        .filter(|file| !roots.contains(&file.module_path()))
    {
        let (folder, name) = file.module_path().rsplit_once('/').unwrap();
        let declared = files.iter().any(|parent| {
            (parent.module_path() == folder
                || roots.contains(&parent.module_path())
                    && parent.module_path().rsplit_once('/').unwrap().0 == folder)
                && positions(&code_only(&parent.text), &format!("mod {name}"))
                    .next()
                    .is_some()
        });
        if !declared {
            breaches.push(file.at(1, "no module declares this file"));
        }
    }
    breaches
}

#[test]
fn every_file_is_declared() {
    assert_none(&forgotten_files(&files_in("src")));
    assert_none(&forgotten_files(&files_in("tests/it")));
}

#[test]
fn a_forgotten_file_is_caught() {
    let mut files = vec![
        File::new(
            "tests/it/main.rs",
            "mod used;\n// mod forgotten;\nmod forgotten_not;",
        ),
        File::new("tests/it/used/mod.rs", "mod inner;"),
        File::new("tests/it/used/inner.rs", ""),
    ];
    assert_none(&forgotten_files(&files));
    files.push(File::new("tests/it/forgotten.rs", ""));
    assert_eq!(forgotten_files(&files).len(), 1);
    files.push(File::new("tests/it/used/forgotten.rs", ""));
    assert_eq!(forgotten_files(&files).len(), 2);
}

/// Files of `crypto` that hold a function but no test, and whose name stands in no integration test.
fn untested_crypto(files: &[File]) -> Vec<String> {
    let named: BTreeSet<String> = files
        .iter()
        .filter(|file| file.path.starts_with("tests/it/"))
        .map(|file| code_only(&file.text))
        .filter(|code| code.contains("#[test]"))
        .flat_map(|code| names_under(&code, "crypto"))
        .map(|(_, name)| name)
        .collect();
    files
        .iter()
        .filter(|file| file.module() == Some("crypto"))
        .filter(|file| {
            let code = code_only(&file.text);
            let stem = file.module_path().rsplit('/').next().unwrap();
            positions(&code, "fn").next().is_some()
                && !code.contains("#[test]")
                && !named.contains(stem)
        })
        .map(|file| file.at(1, "no test in the file, and none in tests/it names it"))
        .collect()
}

#[test]
fn every_crypto_file_is_tested() {
    let mut files = files_in("src");
    files.extend(files_in("tests/it"));
    assert_none(&untested_crypto(&files));
}

#[test]
fn an_untested_crypto_file_is_caught() {
    let path = "src/crypto/bls.rs";
    assert_caught(
        untested_crypto,
        path,
        "fn f() {} // #[test]",
        "src/crypto/bls.rs:1: ",
    );
    assert_passes(untested_crypto, path, "fn f() {}\n#[test]\nfn g() {}");
    assert_passes(untested_crypto, "src/crypto/mod.rs", "pub mod bls;");
    let test = "use conclave::crypto::{bls, proof};\n#[test]\nfn t() {}";
    assert_none(&untested_crypto(&[
        File::new(path, "fn f() {}"),
        File::new("tests/it/bls.rs", test),
    ]));
}

/// The names in `tags!` of `src/hash.rs` that no code outside that file and outside tests uses.
fn dead_tags(files: &[File]) -> Vec<String> {
    let hash = files
        .iter()
        .find(|file| file.path == "src/hash.rs")
        .unwrap();
    let used: BTreeSet<String> = files
        .iter()
        .filter(|file| file.path != "src/hash.rs")
        .map(|file| code_only(&file.text))
        .flat_map(|code| {
            // House rule: tests last.
            let end = positions(&code, "mod tests").next().unwrap_or(code.len());
            names_under(&code[..end], "Tag")
        })
        .map(|(_, name)| name)
        .collect();
    tag_names(&hash.text)
        .into_iter()
        .filter(|(_, name)| !used.contains(name))
        .map(|(line, name)| hash.at(line, &format!("Tag::{name} is used nowhere")))
        .collect()
}

fn tag_names(hash: &str) -> Vec<(usize, String)> {
    hash.lines()
        .enumerate()
        .skip_while(|(_, line)| *line != "tags! {")
        .take_while(|(_, line)| *line != "}")
        .filter_map(|(line, text)| Some((line + 1, text.trim().split_once(" = \"")?.0.to_owned())))
        .collect()
}

#[test]
fn every_tag_is_used() {
    let files = files_in("src");
    let hash = files
        .iter()
        .find(|file| file.path == "src/hash.rs")
        .unwrap();
    assert_eq!(tag_names(&hash.text).len(), Tag::ALL.len());
    assert_none(&dead_tags(&files));
}

#[test]
fn a_dead_tag_is_caught() {
    let hash = "tags! {\n    /// One.\n    ONE = \"1\";\n    TWO = \"2\";\n    THREE = \"3\";\n}\n";
    let user = "H(Tag::ONE)\n// Tag::TWO\n#[cfg(test)]\nmod tests { H(Tag::THREE) }";
    let files = [
        File::new("src/hash.rs", hash),
        File::new("src/wire/card.rs", user),
    ];
    assert_eq!(
        dead_tags(&files),
        [
            "src/hash.rs:4: Tag::TWO is used nowhere",
            "src/hash.rs:5: Tag::THREE is used nowhere"
        ]
    );
}
