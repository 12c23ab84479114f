//! The command line: its help, its streams, and an operator's identity and cards.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use conclave::store::disk::RealDisk;
use conclave::store::home::Home;
use conclave::wire::card::VerifiedCard;
use serde_json::{Value, json};

use crate::harness::binary::{Desk, assert_golden, draft, plan_file};

const PASSPHRASE: &str = "six words that nobody else uses";

/// The commands that the first page of help lists.
pub(crate) fn listed() -> Vec<String> {
    let page = Desk::new().ok(&["--help"]);
    let groups = page.split("\nOptions:").next().unwrap();
    let commands: Vec<String> = groups
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .map(|line| line.split("  ").next().unwrap().to_owned())
        .collect();
    assert!(commands.len() >= 8, "{page}");
    commands
}

/// Both pages of every command, and no golden page of a command that is gone.
#[test]
fn help_is_what_it_was() {
    let desk = Desk::new();
    let mut pages = BTreeSet::new();
    for command in desk.commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let name = match words.as_slice() {
            [] => "conclave".to_owned(),
            words => words.join("-"),
        };
        for (flag, page) in [
            ("--help", format!("help/{name}.txt")),
            ("-h", format!("help/short/{name}.txt")),
        ] {
            let help = desk.ok(&[&words[..], &[flag]].concat());
            assert_golden(&page, &help);
            pages.insert(page);
        }
    }
    for folder in ["help", "help/short"] {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/cli")
            .join(folder);
        for entry in std::fs::read_dir(golden).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = name == "short" || pages.contains(&format!("{folder}/{name}"));
            assert!(known, "{folder}/{name} is the page of no command");
        }
    }
    let version = concat!("conclave ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(desk.ok(&["--version"]), version);
}

/// Wrong calls end with 2 and say so on standard error alone.
#[test]
fn wrong_calls_are_usage_errors() {
    let desk = Desk::new();
    for args in [
        &["nonsense"][..],
        &["plan", "show"],
        &["plan", "new", "keygen"],
        &["card", "--name", " Alice"],
        &["card", "--name", "Al\u{202e}ice"],
        &[
            "identity",
            "new",
            "--passphrase-file",
            "a",
            "--passphrase-fd",
            "3",
        ],
        &["deposit", "check", "a.json", "--network", "goerli"],
        &[
            "keystore",
            "check",
            "a.json",
            "--no-decrypt",
            "--passphrase-file",
            "b",
        ],
    ] {
        let ended = desk.refused(args, 2, &[]);
        assert_eq!(ended.stdout, "", "{args:?}");
    }
    let ended = desk.run(&[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    desk.refused(
        &["identity", "show"],
        2,
        &["no data folder", "hint: name the home with --home DIR"],
    );
}

#[test]
fn an_operator_makes_an_identity_and_cards() {
    let desk = Desk::new().variable("CONCLAVE_HOME", "home");
    desk.write("pass", format!("{PASSPHRASE}\n"));
    desk.write("short", "eleven char");
    desk.write("wrong", "six words that somebody else uses");
    desk.write("latin", b"gr\xfc\xdfe aus der alten welt");
    let mut said = String::new();

    let no_home = "hint: make one with `conclave identity new`";
    desk.refused(
        &["identity", "show"],
        1,
        &["there is no home at home", no_home],
    );
    desk.refused(&["card", "--name", "Alice"], 1, &[no_home]);
    // Nobody can be asked: an error at once, never a wait.
    let flags = "hint: give --passphrase-file FILE or --passphrase-fd N";
    desk.refused(&["identity", "new"], 2, &["no terminal to ask at", flags]);
    for (file, why) in [
        ("short", "shorter than 12 characters; nothing was made"),
        ("latin", "not UTF-8"),
        ("absent", "does not exist"),
        ("/dev/null", "not opened"),
    ] {
        desk.refused(&["identity", "new", "--passphrase-file", file], 1, &[why]);
    }
    assert!(!desk.path("home").exists());

    let made = desk.run(&["identity", "new", "--passphrase-file", "pass"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.stdout.starts_with("conclave1") && made.stdout.len() == 68);
    assert!(
        made.stderr
            .contains("the newline at the end of pass is not part"),
        "{made:?}"
    );
    said.push_str(&format!("{made:?}"));

    assert_eq!(desk.ok(&["identity", "show"]), made.stdout);
    let shown: Value = serde_json::from_str(&desk.ok(&["identity", "show", "--json"])).unwrap();
    assert_eq!(
        shown,
        json!({"home": "home", "identity": made.stdout.trim(), "wrapped_by": "passphrase"})
    );
    let again = ["identity", "new", "--passphrase-file", "pass"];
    desk.refused(
        &again,
        1,
        &["stands at home already", "hint: show its identity"],
    );

    desk.refused(&["card", "--name", "Alice"], 2, &[flags]);
    let wrong = ["card", "--name", "Alice", "--passphrase-file", "wrong"];
    desk.refused(
        &wrong,
        1,
        &["the passphrase does not open the home at home"],
    );
    assert!(!desk.path("alice.card.json").exists());

    // A passphrase by descriptor: here standard input, which is a pipe.
    let by_descriptor = ["card", "--name", "Alice", "--passphrase-fd", "0"];
    let first = desk.run_with_input(&by_descriptor, PASSPHRASE);
    assert_eq!(
        (first.code, first.stdout.as_str()),
        (0, "alice.card.json\n"),
        "{first:?}"
    );
    assert!(
        first.stderr.contains("now holds 1 unspent card\n"),
        "{first:?}"
    );
    let taken = desk.run_with_input(&by_descriptor, PASSPHRASE);
    assert_eq!(taken.code, 1);
    assert!(
        taken.stderr.contains("alice.card.json exists already"),
        "{taken:?}"
    );
    desk.refused(
        &[
            "card",
            "--name",
            "Alice",
            "-o",
            "b",
            "--passphrase-fd",
            "77",
        ],
        1,
        &["/dev/fd/77"],
    );

    let second = desk.run(&[
        "card",
        "--name",
        "Alice",
        "-o",
        "b.json",
        "--passphrase-file",
        "pass",
        "--quiet",
    ]);
    // A machine that swaps is warned of, also with --quiet.
    let told: Vec<&str> = second.stderr.lines().collect();
    let told: Vec<_> = told
        .iter()
        .filter(|line| !line.starts_with("warning: swap is on"))
        .collect();
    assert!(second.code == 0 && told.is_empty(), "{second:?}");
    let cards =
        ["alice.card.json", "b.json"].map(|file| VerifiedCard::parse(&desk.read(file)).unwrap());
    assert_ne!(cards[0].encryption_key(), cards[1].encryption_key());
    for card in &cards {
        assert_eq!(card.identity().to_string(), made.stdout.trim());
    }
    said.push_str(&format!("{first:?}{second:?}{taken:?}"));
    assert!(!said.contains("nobody else"), "{said}");

    // While another process changes what ceremonies share, for longer than anyone waits.
    let unlock = conclave::store::wrap::Unlock::Passphrase(
        conclave::secret::Passphrase::new(PASSPHRASE.to_owned()).unwrap(),
    );
    let disk = std::sync::Arc::new(RealDisk);
    let home = Home::open(disk, &desk.path("home"), &unlock).unwrap();
    assert_eq!(home.cards().unwrap().len(), 2);
    let _lock = home.lock().unwrap();
    let busy = [
        "card",
        "--name",
        "Alice",
        "-o",
        "c",
        "--passphrase-file",
        "pass",
    ];
    desk.refused(&busy, 1, &["another conclave process is using this home"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_pipe_is_no_error_and_a_full_disk_is() {
    let desk = Desk::new();
    desk.write(
        "plan.json",
        plan_file(draft(&["Alice", "Bob", "Carol", "Dave"])),
    );
    for args in [&["plan", "show", "plan.json"][..], &["--help"]] {
        let mut child = desk
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), output.stderr.as_slice()),
            (Some(0), &b""[..])
        );
    }
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = desk
        .command(&["plan", "check", "plan.json"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("cannot write to standard output"), "{words}");
}
