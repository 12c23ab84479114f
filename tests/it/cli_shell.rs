//! What `completions` and `man` give to other programs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::binary::Desk;

const SHELLS: &[&str] = &["bash", "elvish", "fish", "powershell", "zsh"];

/// The names of a folder's files, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Whether a program is installed here; what needs it is left out elsewhere.
fn installed(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .is_ok();
    if !found {
        eprintln!("{program} is not installed: left out");
    }
    found
}

/// The flags that a page of help lists: `-o`, `--out`.
fn flags(help: &str) -> BTreeSet<String> {
    help.lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'))
        .flat_map(|line| line.split([' ', ',']).filter(|word| word.starts_with('-')))
        .filter(|word| word.len() > 1 && !word.starts_with("---"))
        .map(ToOwned::to_owned)
        .collect()
}

/// What bash offers after these words.
fn offers(desk: &Desk, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let script = format!(
        "source ./conclave.bash; COMP_WORDS=({}); COMP_CWORD={last}\n\
         _conclave conclave '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[last],
        words[last - 1]
    );
    let output = Command::new("bash")
        .args(["--norc", "-euc", &script])
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn every_shell_has_a_script_with_every_command() {
    let desk = Desk::new();
    for shell in SHELLS {
        let ended = desk.run(&["completions", shell]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{shell}");
        let script = ended.stdout;
        assert!(
            script
                .chars()
                .all(|c| c == '\n' || c == '\t' || !c.is_control()),
            "{shell}"
        );
        for word in ["keygen", "rehearse", "passphrase-file", "accept-plan"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        assert_eq!(script, desk.ok(&["completions", shell]), "{shell}");
    }
    desk.refused(&["completions", "csh"], 2, &["'csh'", "bash"]);
    desk.refused(&["completions"], 2, &["<SHELL>"]);
}

#[test]
fn bash_completes_commands_and_flags() {
    if !installed("bash") {
        return;
    }
    let desk = Desk::new();
    desk.write("conclave.bash", desk.ok(&["completions", "bash"]));
    assert_eq!(offers(&desk, &["conclave", "pl"]), ["plan"]);
    assert_eq!(offers(&desk, &["conclave", "plan", "s"]), ["show"]);
    let flag = offers(&desk, &["conclave", "plan", "new", "keygen", "--thr"]);
    assert_eq!(flag, ["--threshold"]);
    // Global flags stand in every command, once.
    let home = offers(&desk, &["conclave", "run", "--ho"]);
    assert_eq!(home, ["--home"]);
    let values = offers(&desk, &["conclave", "completions", ""]);
    assert!(
        SHELLS
            .iter()
            .all(|shell| values.iter().any(|value| value == shell))
    );
}

#[test]
fn every_command_has_a_manual_page_with_every_flag() {
    let desk = Desk::new();
    let told = desk.ok(&["man", "--out", "share/man1"]);
    let mut expected = Vec::new();
    for command in desk.commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let name = [&["conclave"], &words[..]].concat().join("-");
        let page = format!("{name}.1");
        let text = String::from_utf8(desk.read(&format!("share/man1/{page}"))).unwrap();
        let text = text.replace("\\-", "-");
        let help = desk.ok(&[&words[..], &["--help"]].concat());
        let flags = flags(&help);
        assert!(
            flags.contains("--home") && flags.contains("-h"),
            "{flags:?}"
        );
        for flag in &flags {
            let heads = text
                .lines()
                .filter(|line| {
                    line.starts_with("\\fB-") && line.contains(&format!("\\fB{flag}\\fR"))
                })
                .count();
            assert_eq!(heads, 1, "{page}: {flag}");
        }
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"EXIT STATUS\"",
        ] {
            assert!(
                text.contains(&format!("\n.SH {section}\n")),
                "{page}: {section}"
            );
        }
        assert!(text.contains(&format!("\n{name} - ")), "{page}");
        // One page alone is the page in the folder.
        let alone = desk.ok(&[&["man"], &words[..]].concat());
        assert_eq!(alone.replace("\\-", "-"), text, "{page}");
        expected.push(page);
    }
    expected.sort();
    assert_eq!(names(&desk.path("share/man1")), expected);
    assert_eq!(told.lines().count(), expected.len());
}

#[test]
fn pages_are_written_once_and_render_without_a_warning() {
    let desk = Desk::new();
    let first = desk.ok(&["man", "-o", "a"]);
    assert_eq!(
        desk.ok(&["man", "-o", "a"]),
        first,
        "the same again is fine"
    );
    desk.ok(&["man", "-o", "b"]);
    let pages = names(&desk.path("a"));
    assert_eq!(pages, names(&desk.path("b")));
    for page in &pages {
        let bytes = desk.read(&format!("a/{page}"));
        assert!(!bytes.contains(&0x1b));
        assert_eq!(bytes, desk.read(&format!("b/{page}")), "{page}");
    }

    // Another version's page is left as it is, and nothing is written beside it.
    desk.write("c/conclave-run.1", "of another version");
    let refused = desk.refused(&["man", "-o", "c"], 1, &["conclave-run.1", "hint: "]);
    assert_eq!(refused.stdout, "");
    assert_eq!(names(&desk.path("c")), ["conclave-run.1"]);
    desk.write("file", "");
    desk.refused(&["man", "-o", "file"], 1, &["file"]);
    desk.refused(
        &["man", "plan", "sing"],
        2,
        &["there is no command \"plan sing\""],
    );
    desk.refused(&["man", "run", "-o", "d"], 2, &["cannot be used with"]);

    if !installed("man") {
        return;
    }
    for page in &pages {
        let output = Command::new("man")
            .args(["--warnings", "-l"])
            .arg(desk.path("a").join(page))
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
        assert!(output.stdout.len() > 500, "{page}");
    }
}
