//! What a person reads who made a mistake: real calls, both streams and the exit code, in goldens.

use crate::harness::binary::{Desk, assert_golden, draft, plan_file};

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
