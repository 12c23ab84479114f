//! No question when the flags are complete, also on a terminal; no wait when there is none.
//!
//! Every command is walked: a new one fails the test until it stands in the tables below.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::cli::listed;
use crate::four_homes::Ceremony;
use crate::harness::binary::Ended;

/// Far more than any command here takes; a command that asks takes for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// The home and passphrase that most commands need.
const ALICE: &[&str] = &["--home", "home-alice", "--passphrase-file", "passphrase"];

/// A call of a command: its name as help lists it, its arguments, its exit code.
type Call<'a> = (&'a str, Vec<&'a str>, i32);

/// Complete calls, in an order in which later ones find what earlier ones made.
fn complete(code: &str) -> Vec<Call<'_>> {
    let by_alice = |args: &[&'static str]| [ALICE, args].concat();
    let mut run = by_alice(&["run", "pool.plan.json", "--via", "stick", "--accept-plan"]);
    run.push(code);
    let by_played =
        |args: &[&'static str]| [&["sign"], args, &["--cluster", "played/record"]].concat();
    let new_home = ["--home", "home-new", "--passphrase-file", "passphrase"];
    vec![
        (
            "identity new",
            [&new_home[..], &["identity", "new"]].concat(),
            0,
        ),
        (
            "identity show",
            vec!["--home", "home-new", "identity", "show"],
            0,
        ),
        (
            "home change-passphrase",
            [
                &new_home[..],
                &["home", "change-passphrase", "--new-passphrase-file"],
                &["passphrase"],
            ]
            .concat(),
            0,
        ),
        (
            "home backup",
            [
                &new_home[..],
                &["home", "backup", "-o", "backup.age"],
                &["--backup-passphrase-file", "passphrase"],
            ]
            .concat(),
            0,
        ),
        (
            "home restore",
            [
                &["--home", "home-restored", "home", "restore", "backup.age"][..],
                &["--backup-passphrase-file", "passphrase"],
            ]
            .concat(),
            0,
        ),
        (
            "ceremony list",
            vec!["--home", "home-alice", "ceremony", "list"],
            0,
        ),
        // One more card: `--yes` is the twin of its question.
        ("card", by_alice(&["--yes", "card", "--name", "Zoe"]), 0),
        ("plan new keygen", PLAN_NEW.to_vec(), 0),
        ("plan show", vec!["plan", "show", "pool.plan.json"], 0),
        ("plan check", vec!["plan", "check", "pool.plan.json"], 0),
        (
            "rehearse",
            vec!["rehearse", "pool.plan.json", "--out", "played"],
            0,
        ),
        ("run", run, 3),
        ("status", vec!["--home", "home-alice", "status"], 0),
        (
            "ceremony abandon",
            by_alice(&["ceremony", "abandon", "Pool", "--name", "Pool"]),
            0,
        ),
        (
            "ceremony archive",
            by_alice(&["ceremony", "archive", "Pool"]),
            0,
        ),
        (
            "qr show",
            vec!["qr", "show", "alice.card.json", "--png", "codes"],
            0,
        ),
        ("qr scan", vec!["qr", "scan", "codes", "--into", "desk"], 0),
        ("audit", vec!["audit", "played/record"], 0),
        (
            "share list",
            vec!["--home", "home-alice", "share", "list"],
            0,
        ),
        // There are no shares yet, and the backup is a home's: that is said without a question.
        ("share show", by_alice(&["share", "show", "Pool"]), 1),
        (
            "share prove",
            by_alice(&["share", "prove", "Pool", "-o", "alice.proof.json"]),
            1,
        ),
        (
            "share check-proof",
            vec![
                "share",
                "check-proof",
                "alice.card.json",
                "--cluster",
                "played/1-alice/cluster.json",
            ],
            1,
        ),
        (
            "share backup",
            by_alice(&[
                "share",
                "backup",
                "Pool",
                "-o",
                "shares.age",
                "--backup-passphrase-file",
                "passphrase",
            ]),
            1,
        ),
        (
            "share check-backup",
            by_alice(&[
                "share",
                "check-backup",
                "backup.age",
                "--backup-passphrase-file",
                "passphrase",
            ]),
            1,
        ),
        (
            "share restore",
            by_alice(&[
                "share",
                "restore",
                "backup.age",
                "--backup-passphrase-file",
                "passphrase",
            ]),
            1,
        ),
        // The keystores are a rehearsal's, of an identity that is gone: that is said without a question.
        (
            "share import",
            by_alice(&[
                "share",
                "import",
                "--cluster",
                "played/record",
                "--keystores",
                "played/1-alice/validator_keys",
                "--keystore-passphrase-file",
                "passphrase",
            ]),
            5,
        ),
        (
            "share paper",
            by_alice(&[
                "share",
                "paper",
                "Pool",
                "--out",
                "pages",
                "--danger-in-clear",
            ]),
            1,
        ),
        (
            "share check-paper",
            vec![
                "share",
                "check-paper",
                "alice.card.json",
                "--cluster",
                "played/1-alice/cluster.json",
            ],
            1,
        ),
        (
            "share restore-paper",
            by_alice(&["share", "restore-paper", "played/record", "alice.card.json"]),
            1,
        ),
        ("doctor", vec!["--home", "home-alice", "doctor"], 0),
        (
            "keystore check",
            vec!["keystore", "check", "played/1-alice/validator_keys"],
            0,
        ),
        // A rehearsal's deposits are valid on no chain, and that is said without a question.
        (
            "deposit check",
            vec!["deposit", "check", "deposits.json"],
            1,
        ),
        // A rehearsal's cluster signs nothing, and that is said without a question.
        (
            "sign exit",
            by_played(&["exit", "--validator", "0=1", "--epoch", "1"]),
            5,
        ),
        (
            "sign bls-change",
            by_played(&["bls-change", "--validator", "0=1"]),
            5,
        ),
        (
            "sign registration",
            by_played(&["registration", "--validator", "0"]),
            5,
        ),
        (
            "sign deposit",
            by_played(&["deposit", "--validator", "0"]),
            5,
        ),
        (
            "sign verify",
            vec!["sign", "verify", "deposits.json", "--network", "hoodi"],
            1,
        ),
        // It would serve for ever: what it refuses at once asks nothing either.
        #[cfg(feature = "server")]
        (
            "relay serve",
            vec![
                "relay",
                "serve",
                "--listen",
                "0.0.0.0:0",
                "--store",
                "file:s",
            ],
            2,
        ),
        ("completions", vec!["completions", "bash"], 0),
        ("man", vec!["man", "--out", "man1"], 0),
    ]
}

/// A plan with every flag that it needs.
const PLAN_NEW: &[&str] = &[
    "plan",
    "new",
    "keygen",
    "--name",
    "Second",
    "--network",
    "hoodi",
    "--card",
    "alice.card.json",
    "--card",
    "bob.card.json",
    "--card",
    "carol.card.json",
    "--card",
    "dave.card.json",
    "--validators",
    "1",
    "--withdrawal",
    "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
    "-o",
    "second.plan.json",
];

/// Calls that lack something: name, arguments, and what has to be named, all at once.
const INCOMPLETE: &[(&str, &[&str], &[&str])] = &[
    (
        "identity new",
        &["--home", "none", "identity", "new"],
        &["--passphrase-file", "--passphrase-fd"],
    ),
    (
        "card",
        &["--home", "home-alice", "card", "--name", "Zoe"],
        &["--passphrase-file", "--passphrase-fd"],
    ),
    ("card", &["card"], &["--name"]),
    (
        "home change-passphrase",
        &["--home", "home-alice", "home", "change-passphrase"],
        &["--passphrase-file", "--new-passphrase-file", "--recipient"],
    ),
    (
        "home backup",
        &["--home", "home-alice", "home", "backup", "-o", "b.age"],
        &[
            "--passphrase-file",
            "--backup-passphrase-file",
            "--recipient",
        ],
    ),
    ("home backup", &["home", "backup"], &["--output"]),
    ("home restore", &["home", "restore"], &["<FILE>"]),
    (
        "ceremony archive",
        &["--home", "home-alice", "ceremony", "archive", "Pool"],
        &["--passphrase-file", "--passphrase-fd"],
    ),
    (
        "plan new keygen",
        &["plan", "new"],
        &[
            "--name",
            "--network",
            "--card",
            "--validators",
            "--withdrawal",
        ],
    ),
    ("plan show", &["plan", "show"], &["<FILE>"]),
    ("plan check", &["plan", "check"], &["<FILE>"]),
    ("rehearse", &["rehearse"], &["<PLAN>"]),
    ("run", &["run"], &["<PLAN>"]),
    (
        "run",
        &["--home", "home-alice", "run", "pool.plan.json"],
        &[
            "--via",
            "--passphrase-file",
            "--passphrase-fd",
            "--accept-plan",
        ],
    ),
    (
        "run",
        &[
            "--home",
            "home-alice",
            "run",
            "pool.plan.json",
            "--via",
            "stick",
        ],
        &["--passphrase-file", "--accept-plan"],
    ),
    (
        "ceremony abandon",
        &["--home", "home-bob", "ceremony", "abandon", "Pool"],
        &["--name", "--passphrase-file"],
    ),
    ("audit", &["audit"], &["<RECORD>"]),
    (
        "share show",
        &["--home", "home-alice", "share", "show", "Pool"],
        &["--passphrase-file", "--passphrase-fd"],
    ),
    (
        "share paper",
        &[
            "--home",
            "home-alice",
            "share",
            "paper",
            "Pool",
            "--out",
            "pages",
        ],
        &["--passphrase-file", "--passphrase-fd"],
    ),
    ("share paper", &["share", "paper", "Pool"], &["--out"]),
    (
        "share check-paper",
        &["share", "check-paper"],
        &["--cluster"],
    ),
    (
        "share restore-paper",
        &["share", "restore-paper"],
        &["<RECORD>"],
    ),
    (
        "share prove",
        &[
            "--home",
            "home-alice",
            "share",
            "prove",
            "Pool",
            "-o",
            "p.json",
        ],
        &["--passphrase-file", "--passphrase-fd"],
    ),
    ("share prove", &["share", "prove", "Pool"], &["--output"]),
    (
        "share check-proof",
        &["share", "check-proof", "p.json"],
        &["--cluster"],
    ),
    (
        "share backup",
        &[
            "--home",
            "home-alice",
            "share",
            "backup",
            "Pool",
            "-o",
            "s.age",
        ],
        &[
            "--passphrase-file",
            "--backup-passphrase-file",
            "--recipient",
        ],
    ),
    (
        "share check-backup",
        &["share", "check-backup"],
        &["<FILE>"],
    ),
    (
        "share restore",
        &["--home", "home-alice", "share", "restore", "s.age"],
        &["--passphrase-file", "--passphrase-fd"],
    ),
    (
        "share import",
        &["share", "import"],
        &["--cluster", "--keystores"],
    ),
    ("keystore check", &["keystore", "check"], &["<FILE|DIR>"]),
    ("deposit check", &["deposit", "check"], &["<FILE>"]),
    ("sign exit", &["sign", "exit"], &["--cluster"]),
    ("sign bls-change", &["sign", "bls-change"], &["--cluster"]),
    (
        "sign registration",
        &["sign", "registration"],
        &["--cluster"],
    ),
    ("sign deposit", &["sign", "deposit"], &["--cluster"]),
    ("sign verify", &["sign", "verify"], &["<FILE>"]),
    ("qr show", &["qr", "show"], &["<FILE|CEREMONY>"]),
    ("qr scan", &["qr", "scan"], &["PICTURES"]),
    #[cfg(feature = "server")]
    ("relay serve", &["relay", "serve"], &["--store"]),
    ("completions", &["completions"], &["<SHELL>"]),
];

/// Commands that need nothing but what they find.
const NEVER_INCOMPLETE: &[&str] = &[
    "ceremony list",
    "doctor",
    "identity show",
    "man",
    "share list",
    "status",
];

fn names<'a>(calls: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    calls.map(str::to_owned).collect()
}

/// Runs a program on a terminal of its own on which nobody types.
#[track_caller]
fn on_a_terminal(ceremony: &Ceremony, program: &str, args: &[&str]) -> (i32, String) {
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(program);
    command.args(args);
    command.env_clear();
    command.env("PATH", "/usr/bin:/bin");
    command.cwd(ceremony.desk.path("."));
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let screen = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // The other end closes with an error on Linux.
        let _ = reader.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    drop(pair.master);
    let screen = screen.join().unwrap();
    let status = status.unwrap_or_else(|| panic!("{args:?} waits for somebody: {screen}"));
    (i32::try_from(status.exit_code()).unwrap(), screen)
}

/// Runs a command with an open standard input into which nobody writes.
#[track_caller]
fn on_a_silent_pipe(ceremony: &Ceremony, args: &[&str]) -> Ended {
    let mut child = ceremony
        .desk
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let silent = child.stdin.take();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{args:?} waits for its standard input");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(silent);
    Ended::of(child.wait_with_output().unwrap())
}

#[test]
fn complete_flags_ask_nothing_on_a_terminal() {
    let ceremony = Ceremony::prepare();
    let code = ceremony.code.clone();
    let calls = complete(&code);
    assert_eq!(
        names(calls.iter().map(|(name, ..)| *name)),
        names(listed().iter().map(String::as_str)),
        "every command stands in this table once"
    );
    for (name, args, expected) in calls {
        if name == "deposit check" {
            let played = ceremony.desk.path("played/1-alice");
            let file = std::fs::read_dir(played)
                .unwrap()
                .map(|file| file.unwrap().path())
                .find(|path| path.to_string_lossy().contains("deposit_data"))
                .unwrap();
            std::fs::copy(file, ceremony.desk.path("deposits.json")).unwrap();
        }
        let (code, screen) = on_a_terminal(&ceremony, env!("CARGO_BIN_EXE_conclave"), &args);
        // What `doctor` finds on this machine is not the subject here.
        let found = name == "doctor" && code == 1;
        assert!(code == expected || found, "{name}: {code}: {screen}");
        assert!(!screen.contains("[y/N]"), "{name}: {screen}");
    }
}

#[test]
fn without_a_terminal_nothing_waits_and_all_that_lacks_is_named() {
    let ceremony = Ceremony::prepare();
    let walked = INCOMPLETE.iter().map(|(name, ..)| *name);
    assert_eq!(
        names(walked.chain(NEVER_INCOMPLETE.iter().copied())),
        names(listed().iter().map(String::as_str)),
        "every command stands in one of the tables"
    );
    for (name, args, flags) in INCOMPLETE {
        let closed = ceremony.desk.run(args);
        let silent = on_a_silent_pipe(&ceremony, args);
        for ended in [&closed, &silent] {
            assert_eq!(ended.code, 2, "{name}: {ended:?}");
            assert_eq!(ended.stdout, "", "{name}");
            for flag in *flags {
                assert!(ended.stderr.contains(flag), "{name}: {flag}: {ended:?}");
            }
        }
        assert_eq!(closed.stderr, silent.stderr, "{name}");
        // A script at a person's terminal, whose standard input is not that terminal.
        let script = "exec \"$0\" \"$@\" < /dev/null";
        let mut call = vec!["-c", script, env!("CARGO_BIN_EXE_conclave")];
        call.extend(*args);
        let (code, screen) = on_a_terminal(&ceremony, "/bin/sh", &call);
        assert_eq!(code, 2, "{name}: {screen}");
        assert_eq!(screen.replace("\r\n", "\n"), closed.stderr, "{name}");
    }
    // What never lacks anything waits for nothing either.
    for name in NEVER_INCOMPLETE {
        let mut args = vec!["--home", "home-alice"];
        args.extend(name.split(' '));
        // What `doctor` finds on this machine is not the subject here.
        let ended = on_a_silent_pipe(&ceremony, &args);
        assert!(matches!(ended.code, 0 | 1), "{name}: {ended:?}");
    }
}
