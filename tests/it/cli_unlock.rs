//! Homes that an age key opens: a native one, and one behind a plugin, as hardware keys are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use age::secrecy::ExposeSecret as _;

use crate::harness::binary::Desk;
use crate::harness::plugin::{self, Behaviour};
use crate::harness::terminal::Terminal;

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// A desk whose `PATH` holds the plugin.
fn desk() -> Desk {
    Desk::new().variable("PATH", &plugin::path())
}

/// Runs a command at a terminal, with answers to what is asked; returns exit code and screen.
fn at_terminal(desk: &Desk, args: &[&str], answers: &[(&str, &str)]) -> (u32, String) {
    let path = plugin::path();
    let mut terminal = Terminal::with(&desk.path("."), args, &[("PATH", &path)]);
    for (question, answer) in answers {
        terminal.wait_for(question);
        // Whoever answers at once is not shown what is secret.
        assert!(!question.contains("PIN") || !terminal.is_sane());
        terminal.keys(&format!("{answer}\r"));
    }
    let (status, shown) = terminal.end();
    (status.exit_code(), shown)
}

fn identity_file(desk: &Desk, file: &str, text: &str) {
    desk.write(file, text);
    fs::set_permissions(desk.path(file), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_native_age_key_opens_a_home_and_another_does_not() {
    let desk = Desk::new();
    let key = age::x25519::Identity::generate();
    let public = key.to_public().to_string();
    desk.ok(&["--home", "h", "identity", "new", "--recipient", &public]);
    let shown = desk.ok(&["--home", "h", "identity", "show", "--json"]);
    assert!(shown.contains(&public), "{shown}");
    identity_file(
        &desk,
        "key",
        &format!("# mine\n{}\n", key.to_string().expose_secret()),
    );
    let card = ["--home", "h", "--unlock", "key", "card", "--name", "A"];
    let made = desk.run(&card);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(!made.stderr.contains("warning"), "{made:?}");

    fs::set_permissions(desk.path("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let warned = desk.run(&["--home", "h", "--unlock", "key", "card", "--name", "B"]);
    assert!(warned.stderr.contains("chmod 600"), "{warned:?}");

    let other = age::x25519::Identity::generate();
    identity_file(&desk, "other", other.to_string().expose_secret());
    let before = crate::harness::disk::every_file(&desk.path("h"));
    let wrong = ["--home", "h", "--unlock", "other", "card", "--name", "C"];
    desk.refused(
        &wrong,
        1,
        &[
            "no key of that identity file",
            &public,
            "code: wrong-identity",
        ],
    );
    desk.refused(
        &["--home", "h", "card", "--name", "C"],
        1,
        &["not with a passphrase", "--unlock FILE"],
    );
    desk.write("garbage", "AGE-SECRET-KEY-1NOTONE\n");
    let garbage = desk.run(&["--home", "h", "--unlock", "garbage", "card", "--name", "C"]);
    assert_eq!(garbage.code, 1);
    assert!(garbage.stderr.contains("line 1 is neither"), "{garbage:?}");
    assert!(!garbage.stderr.contains("NOTONE"), "{garbage:?}");
    desk.write("large", vec![b'\n'; 65 << 10]);
    desk.refused(
        &["--home", "h", "--unlock", "large", "card", "--name", "C"],
        1,
        &["large"],
    );
    assert_eq!(crate::harness::disk::every_file(&desk.path("h")), before);

    for (recipient, words) in [
        ("age1nonsense", "no age recipient"),
        ("AGE-SECRET-KEY-1ABC", "is secret"),
    ] {
        desk.refused(
            &["--home", "new", "identity", "new", "--recipient", recipient],
            2,
            &[words],
        );
    }
    assert!(!desk.path("new").exists());
}

#[test]
fn a_passphrase_home_says_that_it_is_one() {
    let desk = Desk::new();
    desk.write("p", "six words are easy to remember");
    desk.ok(&["--home", "h", "--passphrase-file", "p", "identity", "new"]);
    let key = age::x25519::Identity::generate();
    identity_file(&desk, "key", key.to_string().expose_secret());
    desk.refused(
        &["--home", "h", "--unlock", "key", "card", "--name", "A"],
        1,
        &["opens with a passphrase", "code: home-key-kind"],
    );
    desk.refused(
        &[
            "--home",
            "h",
            "--unlock",
            "key",
            "--passphrase-file",
            "p",
            "card",
            "--name",
            "A",
        ],
        2,
        &["cannot be used with"],
    );
}

#[test]
fn what_a_plugin_wants_is_said_and_its_failure_changes_nothing() {
    let desk = desk();
    let public = plugin::recipient("one");
    desk.ok(&["--home", "h", "identity", "new", "--recipient", &public]);
    let before = crate::harness::disk::every_file(&desk.path("h"));
    let with = |behaviour| {
        identity_file(&desk, "key", &plugin::identity("one", behaviour));
        [
            "--home", "h", "--unlock", "key", "--quiet", "card", "--name", "A",
        ]
    };
    desk.refused(
        &with(Behaviour::NeverTouched),
        1,
        &[
            "please touch the key",
            "not touched in time",
            "code: plugin-failed",
        ],
    );
    desk.refused(&with(Behaviour::Dies), 1, &["ended before it had answered"]);
    desk.refused(
        &with(Behaviour::WantsPin),
        2,
        &[
            "there is no terminal",
            "PIN of the key",
            "code: no-terminal",
        ],
    );
    desk.refused(
        &with(Behaviour::WantsYes),
        2,
        &["there is no terminal", "Use the key?"],
    );
    identity_file(
        &desk,
        "key",
        &plugin::identity("two", Behaviour::WantsTouch),
    );
    desk.refused(
        &["--home", "h", "--unlock", "key", "card", "--name", "A"],
        1,
        &["no key of that identity file", &public],
    );
    assert_eq!(crate::harness::disk::every_file(&desk.path("h")), before);

    let touched = desk.run(&with(Behaviour::WantsTouch));
    assert_eq!(touched.code, 0, "{touched:?}");
    assert!(
        touched.stderr.contains("age plugin: please touch the key"),
        "{touched:?}"
    );
}

#[test]
fn a_missing_plugin_is_named() {
    let desk = Desk::new();
    let public = plugin::recipient("one");
    let made = ["--home", "h", "identity", "new", "--recipient", &public];
    let words = ["age-plugin-conclavetest", "install", "code: plugin-missing"];
    desk.refused(&made, 1, &words);
    assert!(!desk.path("h").exists());
    let with = Desk::new().variable("PATH", &plugin::path());
    with.ok(&made);
    identity_file(
        &with,
        "key",
        &plugin::identity("one", Behaviour::WantsTouch),
    );
    let card = ["--home", "h", "--unlock", "key", "card", "--name", "A"];
    let without = with.variable("PATH", "/nowhere");
    without.refused(&card, 1, &words);
}

#[test]
fn a_pin_is_asked_at_the_terminal_without_echo() {
    let desk = desk();
    let public = plugin::recipient("one");
    desk.ok(&["--home", "h", "identity", "new", "--recipient", &public]);
    identity_file(&desk, "key", &plugin::identity("one", Behaviour::WantsPin));
    let card = ["--home", "h", "--unlock", "key", "card", "--name", "A"];
    let (code, screen) = at_terminal(&desk, &card, &[("PIN of the key:", plugin::PIN)]);
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(plugin::PIN), "{screen}");
    let card = [&card[..6], &["B"]].concat();
    let (code, screen) = at_terminal(&desk, &card, &[("PIN of the key:", "999")]);
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("the PIN is wrong"), "{screen}");

    identity_file(&desk, "key", &plugin::identity("one", Behaviour::WantsYes));
    let (code, screen) = at_terminal(
        &desk,
        &["--home", "h", "--unlock", "key", "card", "--name", "B"],
        &[("y: use it", "y"), ("one more?", "y")],
    );
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("n: leave it"), "{screen}");
}

#[test]
fn a_whole_ceremony_with_hardware_keys() {
    let desk = desk();
    fs::create_dir(desk.path("stick")).unwrap();
    for name in NAMES {
        let public = plugin::recipient(name);
        desk.ok(&["--home", name, "identity", "new", "--recipient", &public]);
        let key = plugin::identity(name, Behaviour::WantsTouch);
        identity_file(&desk, &format!("{name}.key"), &key);
    }
    let by = |name: &str, args: &[&str]| {
        let key = format!("{name}.key");
        let mut all = vec!["--home", name, "--unlock", &key];
        all.extend(args);
        desk.run(&all)
    };
    let mut plan = vec!["plan", "new", "keygen", "--name", "P", "--network", "hoodi"];
    let cards: Vec<String> = NAMES
        .iter()
        .map(|name| format!("{name}.card.json"))
        .collect();
    for (name, card) in NAMES.iter().zip(&cards) {
        assert_eq!(by(name, &["card", "--name", name]).code, 0);
        plan.extend(["--card", card]);
    }
    plan.extend([
        "--validators",
        "1",
        "--keystores",
        "pbkdf2",
        "-o",
        "plan.json",
    ]);
    plan.extend(["--withdrawal", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"]);
    desk.ok(&plan);
    let page = desk.ok(&["plan", "show", "--json", "plan.json"]);
    let page: serde_json::Value = serde_json::from_str(&page).unwrap();
    let code = page["plan_code"].as_str().unwrap();
    for round in 0..3 {
        for name in NAMES {
            let run = ["run", "plan.json", "--via", "stick", "--accept-plan", code];
            let ended = by(
                name,
                &[&run[..], &["--out", &format!("{name}-out")]].concat(),
            );
            assert!(
                ended.code == 0 || (ended.code == 3 && round < 2),
                "{ended:?}"
            );
            assert!(ended.stderr.contains("please touch the key"), "{ended:?}");
        }
    }
    for name in NAMES {
        assert!(desk.path(&format!("{name}-out/cluster.json")).exists());
    }
}
