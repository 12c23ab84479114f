//! What a person reads who made a mistake: real calls, both streams and the exit code, in goldens.

use std::fs;

use conclave::ceremony::plan::Plan;

use crate::harness::binary::{Desk, Ended, assert_golden, draft, plan_file};
use crate::harness::story::{lighten, second_deal};
use crate::harness::terminal::Terminal;

/// A topic, and the calls of its golden file tests/cli/errors/<topic>.txt.
const TOPICS: &[(&str, &[&[&str]])] = &[
    (
        "calls",
        &[
            &["nonsense"],
            &["--nonsense"],
            &["plan", "shwo", "plan.json"],
            &["run"],
            &["card"],
            &["card", "--name", " Ana"],
            &["status", "--json", "--no-such-flag"],
            &["run", "plan.json", "--json", "--out"],
            &["--passphrase-file", "a", "--passphrase-fd", "3", "status"],
        ],
    ),
    (
        "files",
        &[
            &["plan", "check", "none.json"],
            &["plan", "check", "none.json", "--json"],
            &["plan", "check", "folder"],
            &["plan", "check", "broken.json"],
            &["plan", "check", "large.json"],
            &["plan", "show", "broken.json", "--json"],
            &["plan", "show", "plan.json", "--expect", "broken.json"],
            &["plan", "show", "plan.json", "--expect", "none.txt"],
            &["audit", "none"],
            &["audit", "folder"],
            &["audit", "broken.json"],
            &["keystore", "check", "broken.json"],
            &["keystore", "check", "folder"],
            &["deposit", "check", "broken.json"],
            &["rehearse", "broken.json"],
        ],
    ),
    (
        "homes",
        &[
            &["identity", "show"],
            &["--home", "none", "identity", "show"],
            &["--home", "none", "identity", "show", "--json"],
            &["--home", "none", "card", "--name", "Ana"],
            &["--home", "none", "status"],
            &["--home", "none", "identity", "new"],
            &[
                "--home",
                "none",
                "--passphrase-file",
                "short",
                "identity",
                "new",
            ],
            &[
                "--home",
                "none",
                "--passphrase-file",
                "empty",
                "identity",
                "new",
            ],
            &[
                "--home",
                "folder",
                "--passphrase-file",
                "long",
                "identity",
                "new",
            ],
            &["--home", "damaged", "identity", "show"],
            &["--home", "none", "run", "plan.json", "--via", "folder"],
            &["--home", "none", "ceremony", "abandon", "Pool"],
        ],
    ),
    (
        "codes",
        &[
            &["qr", "scan"],
            &["qr", "show", "large.json", "--png", "shown"],
            &["qr", "show", "broken.json"],
            &["qr", "show", "folder"],
            &["qr", "show", "plan.json"],
            &["qr", "show", "plan.json", "--all"],
            &["qr", "scan", "folder"],
            &["qr", "scan", "hash", "--expect", "broken.json"],
            &["qr", "scan", "hash"],
            &["qr", "scan", "hash", "--json"],
            &["qr", "scan", "shown/plan-001.png", "--into", "read"],
        ],
    ),
    #[cfg(all(feature = "net", feature = "server"))]
    (
        "relays",
        &[
            &["relay", "serve"],
            &["relay", "serve", "--store", "folder"],
            &["relay", "serve", "--store", "s3://"],
            &[
                "relay",
                "serve",
                "--store",
                "file:s",
                "--listen",
                "0.0.0.0:0",
            ],
            &[
                "relay",
                "serve",
                "--store",
                "file:s",
                "--tls-cert",
                "broken.json",
            ],
            &[
                "relay",
                "serve",
                "--store",
                "file:s",
                "--tls-cert",
                "broken.json",
                "--tls-key",
                "broken.json",
            ],
            &["relay", "serve", "--store", "s3://b/p", "--s3-keys", "long"],
            &["status", "plan.json", "--via", "http://relay.example"],
            &[
                "status",
                "plan.json",
                "--via",
                "https://me:secret@relay.example",
            ],
            &["status", "plan.json", "--via", "gopher://relay.example"],
        ],
    ),
];

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write(
        "plan.json",
        plan_file(draft(&["Alice", "Bob", "Carol", "Dave"])),
    );
    desk.write("broken.json", "{\"kind\": ");
    desk.write("large.json", vec![b' '; 70 * 1024 * 1024]);
    desk.write("folder/note.txt", "not ours");
    desk.write("damaged/home.json", "{}");
    desk.write("short", "eleven char");
    desk.write("long", "six words that nobody else uses");
    desk.write("empty", "");
    desk.ok(&["qr", "show", "plan.json", "--png", "shown"]);
    desk.ok(&["qr", "show", "--hash", "plan.json", "--png", "hash"]);
    desk
}

#[test]
fn errors_read_as_they_did() {
    let desk = desk();
    for (topic, calls) in TOPICS {
        let mut text = String::new();
        for args in *calls {
            let ended = desk.run(args);
            let call = args.join(" ");
            assert_ne!(ended.code, 0, "{call}");
            assert!(!ended.stderr.contains('\u{1b}'), "{call}: colour");
            assert!(!ended.stderr.contains("panicked"), "{call}");
            // The words end with the code, so that a log can be searched for it.
            let last = ended.stderr.lines().last().unwrap_or_default();
            assert!(last.starts_with("code: "), "{call}: {}", ended.stderr);
            text.push_str(&format!("$ conclave {call}\n"));
            for (name, stream) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
                for line in stream.lines() {
                    text.push_str(format!("{name}: {line}").trim_end());
                    text.push('\n');
                }
            }
            text.push_str(&format!("exit: {}\n\n", ended.code));
        }
        assert_golden(&format!("errors/{topic}.txt"), &text);
    }
}

const PASSPHRASE: &str = "six words that nobody else uses";
const WRONG_CODE: &str = "abandon ability able about above absent absorb abstract";

/// Two operators with their homes, a stick, and a golden that grows call by call.
struct Ceremonies {
    desk: Desk,
    text: String,
}

impl Ceremonies {
    fn new() -> Self {
        let desk = Desk::new();
        desk.write("passphrase", PASSPHRASE);
        desk.write("wrong", "six words that somebody else uses");
        desk.write("list.txt", "0x00000000219ab540356cBB839Cbe05303d7705Fa\n");
        desk.write("no-list.txt", "alice and bob\n");
        let key = age::x25519::Identity::generate();
        desk.write(
            "key",
            age::secrecy::ExposeSecret::expose_secret(&key.to_string()),
        );
        fs::create_dir(desk.path("stick")).unwrap();
        let made = Self {
            desk,
            text: String::new(),
        };
        for name in ["alice", "bob"] {
            assert_eq!(made.by(name, &["identity", "new"]).code, 0);
            lighten(
                &made.desk.path(&format!("home-{name}/home-key.age")),
                PASSPHRASE,
            );
            assert_eq!(made.by(name, &["card", "--name", name]).code, 0);
        }
        made
    }

    /// Runs a command with an operator's home and passphrase.
    fn by(&self, name: &str, args: &[&str]) -> Ended {
        let home = format!("home-{name}");
        let given = ["--home", &home, "--passphrase-file", "passphrase"];
        self.desk.run(&[&given, args].concat())
    }

    /// Writes a plan of both operators; returns it with its code.
    fn plan(&self, file: &str, name: &str, addresses: usize) -> (Plan, String) {
        let validators = addresses.to_string();
        let mut args = vec![
            "plan",
            "new",
            "keygen",
            "--name",
            name,
            "--network",
            "hoodi",
        ];
        args.extend(["--card", "alice.card.json", "--card", "bob.card.json"]);
        args.extend([
            "--validators",
            &validators,
            "--keystores",
            "pbkdf2",
            "-o",
            file,
        ]);
        let addresses: Vec<String> = (1..=addresses).map(|n| format!("0x{n:040}")).collect();
        for address in &addresses {
            args.extend(["--withdrawal", address]);
        }
        self.desk.ok(&args);
        let plan = Plan::parse(&self.desk.read(file)).unwrap();
        let code = plan.code().unwrap().to_string();
        (plan, code)
    }

    fn run(&self, name: &str, file: &str, code: &str) -> Ended {
        let args = [
            "run",
            file,
            "--via",
            "stick",
            "--accept-plan",
            code,
            "--out",
        ];
        self.by(
            name,
            &[&args, [format!("files-{name}").as_str()].as_slice()].concat(),
        )
    }

    /// Adds how a call ended: from the error's first line on, without what differs from run to run.
    fn keep(&mut self, call: &str, ended: &Ended) {
        assert_ne!(ended.code, 0, "{call}");
        let lines: Vec<&str> = ended.stderr.lines().collect();
        let starts = |line: &&str| line.starts_with("error: ") || line.starts_with("waiting for ");
        let first = lines.iter().rposition(starts).unwrap_or(0);
        let last = lines.last().unwrap();
        assert!(last.starts_with("code: "), "{call}: {}", ended.stderr);
        self.text.push_str(&format!("$ {call}\n"));
        for line in &lines[first..] {
            self.text.push_str(&format!("{}\n", self.plain(line)));
        }
        self.text.push_str(&format!("exit: {}\n\n", ended.code));
    }

    /// Ids and hashes differ from run to run, and so does the desk's place.
    fn plain(&self, line: &str) -> String {
        let folder = self.desk.path("").display().to_string();
        let line = line.replace(folder.trim_end_matches('/'), "DESK");
        let mut plain = String::new();
        let mut word = String::new();
        for c in line.chars().chain(['\n']) {
            if c.is_ascii_alphanumeric() {
                word.push(c);
                continue;
            }
            let hex = word.len() >= 8 && word.bytes().all(|c| c.is_ascii_hexdigit());
            plain.push_str(if hex { "HEX" } else { &word });
            word.clear();
            plain.push(c);
        }
        plain.trim_end().to_owned()
    }
}

/// What operators meet who mistype, forget, wait, or have a cheat among them.
#[test]
fn errors_of_a_ceremony_read_as_they_did() {
    let mut all = Ceremonies::new();
    let (north, north_code) = all.plan("north.plan.json", "Pool North", 1);
    let (_, again_code) = all.plan("again.plan.json", "Pool North", 1);
    let (south, south_code) = all.plan("south.plan.json", "Pool South", 1);
    let (_, wide_code) = all.plan("wide.plan.json", "Pool Wide", 21);

    let asked = all
        .desk
        .run(&["--home", "home-alice", "card", "--name", "Ana"]);
    all.keep("card, and nobody to ask", &asked);
    let args = ["--home", "home-alice", "--passphrase-file", "wrong"];
    let wrong = all
        .desk
        .run(&[&args, ["card", "--name", "Ana"].as_slice()].concat());
    all.keep("card, with a wrong passphrase", &wrong);
    let args = [
        "--home",
        "home-alice",
        "--unlock",
        "key",
        "card",
        "--name",
        "Ana",
    ];
    let key = all.desk.run(&args);
    all.keep("card, with a key that the home is not wrapped to", &key);
    let backup = [
        "home",
        "backup",
        "--backup-passphrase-file",
        "passphrase",
        "-o",
    ];
    let made = all.by("alice", &[&backup, ["early.age"].as_slice()].concat());
    assert_eq!(made.code, 0, "{made:?}");

    let call = all.run("alice", "north.plan.json", WRONG_CODE);
    all.keep("run, with the code of another plan", &call);
    let call = all.run("alice", "north.plan.json", "one two three");
    all.keep("run, with no code", &call);
    let call = all.run("alice", "wide.plan.json", &wide_code);
    all.keep("run, with 21 addresses", &call);
    for list in ["list.txt", "no-list.txt"] {
        let args = ["run", "wide.plan.json", "--via", "stick", "--expect", list];
        let given = ["--accept-plan", &wide_code];
        let call = all.by("alice", &[&args, given.as_slice()].concat());
        all.keep(&format!("run --expect {list}"), &call);
    }
    let call = all.run("alice", "north.plan.json", &north_code);
    all.keep("run, the first of two", &call);

    let restore = [
        "home",
        "restore",
        "early.age",
        "--backup-passphrase-file",
        "passphrase",
    ];
    let made = all
        .desk
        .run(&[&["--home", "home-copy"], restore.as_slice()].concat());
    assert_eq!(made.code, 0, "{made:?}");
    let call = all.run("copy", "south.plan.json", &south_code);
    all.keep("run, in a restored home", &call);

    let call = all.by("alice", &["ceremony", "archive", "north.plan.json"]);
    all.keep("ceremony archive, under way", &call);
    let call = all.by("alice", &["status", "Pool East"]);
    all.keep("status Pool East", &call);
    assert_eq!(all.run("alice", "again.plan.json", &again_code).code, 3);
    let call = all.by("alice", &["status", "Pool North"]);
    all.keep("status Pool North", &call);
    let args = ["ceremony", "abandon", "again.plan.json", "--via", "stick"];
    let call = all.by("alice", &[&args, ["--name", "Pool"].as_slice()].concat());
    all.keep("ceremony abandon, with another name", &call);
    let done = all.by(
        "alice",
        &[&args, ["--name", "Pool North"].as_slice()].concat(),
    );
    assert_eq!(done.code, 0, "{done:?}");
    let call = all.run("bob", "again.plan.json", &again_code);
    all.keep("run, where another abandoned", &call);
    let folder = |plan: &Plan| format!("stick/{}-{}", plan.name().file_stem(), plan.cid().short());
    let again = Plan::parse(&all.desk.read("again.plan.json")).unwrap();
    let call = all.desk.run(&["audit", &folder(&again)]);
    all.keep("audit, where one abandoned", &call);

    // Bob deals twice: first where the ceremony goes on, then where it is complete.
    assert_eq!(all.run("alice", "south.plan.json", &south_code).code, 3);
    assert_eq!(all.run("bob", "south.plan.json", &south_code).code, 3);
    let second = second_deal(&all.desk.path("home-bob"), PASSPHRASE, &south);
    all.desk
        .write(&format!("{}/second.json", folder(&south)), second);
    let call = all.run("alice", "south.plan.json", &south_code);
    all.keep("run, where bob dealt twice", &call);
    let call = all.desk.run(&["audit", &folder(&south)]);
    all.keep("audit, where bob dealt twice", &call);
    let second = second_deal(&all.desk.path("home-bob"), PASSPHRASE, &north);
    assert_eq!(all.run("bob", "north.plan.json", &north_code).code, 3);
    assert_eq!(all.run("alice", "north.plan.json", &north_code).code, 0);
    all.desk
        .write(&format!("{}/second.json", folder(&north)), second);
    let call = all.desk.run(&["audit", &folder(&north)]);
    all.keep("audit, where bob dealt twice and it is complete", &call);

    assert_golden("errors/ceremonies.txt", &all.text);
}

/// What is asked at a terminal and answered wrong or with no.
#[test]
fn errors_at_a_terminal_read_as_they_did() {
    let all = Ceremonies::new();
    let mut terminal = Terminal::new(&all.desk.path(""), &["--home", "new", "identity", "new"]);
    terminal.answer("characters): ", PASSPHRASE);
    terminal.answer("the same again: ", "six words that somebody else uses");
    let (_, shown) = terminal.end();
    assert!(
        shown.contains("error: the two passphrases differ; nothing was made"),
        "{shown}"
    );
    assert!(shown.contains("code: passphrases-differ"), "{shown}");
    assert!(!all.desk.path("new").exists());

    let given = ["--home", "home-alice", "--passphrase-file", "passphrase"];
    let args = [&given, ["card", "--name", "Ana"].as_slice()].concat();
    let mut terminal = Terminal::new(&all.desk.path(""), &args);
    terminal.answer("make one more? [y/N]", "n");
    let (_, shown) = terminal.end();
    assert!(shown.contains("error: no card was made"), "{shown}");
    assert!(shown.contains("code: declined"), "{shown}");

    let (_, code) = all.plan("south.plan.json", "Pool South", 1);
    let backup = [
        "home",
        "backup",
        "--backup-passphrase-file",
        "passphrase",
        "-o",
        "early.age",
    ];
    assert_eq!(all.by("alice", &backup).code, 0);
    all.desk.ok(&[
        "--home",
        "home-copy",
        "home",
        "restore",
        "early.age",
        "--backup-passphrase-file",
        "passphrase",
    ]);
    let args = [
        "--home",
        "home-copy",
        "--passphrase-file",
        "passphrase",
        "run",
    ];
    let rest = ["south.plan.json", "--via", "stick", "--accept-plan", &code];
    let mut terminal = Terminal::new(&all.desk.path(""), &[&args, rest.as_slice()].concat());
    terminal.answer("or if nothing was sent:", "no");
    let (_, shown) = terminal.end();
    assert!(shown.contains("code: home-restored"), "{shown}");
    assert!(
        fs::read_dir(all.desk.path("stick"))
            .unwrap()
            .next()
            .is_none()
    );
}

/// A full disk behind standard output.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_takes_nothing_is_an_error() {
    let desk = Desk::new();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = desk.command(&["completions", "bash"]);
    let output = command.stdout(full).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.ends_with("code: output-failed\n"), "{words}");
}
