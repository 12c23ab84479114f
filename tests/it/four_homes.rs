//! A ceremony of four homes with the real commands, one folder as the stick.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::binary::{Desk, Ended};
use crate::harness::disk::{copy_tree, every_file};
use crate::harness::schema;
use crate::harness::story::lighten;

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
const PASSPHRASE: &str = "six words are easy to remember";

/// Four operators at one desk, each with a home of its own.
pub(crate) struct Ceremony {
    pub(crate) desk: Desk,
    pub(crate) code: String,
}

impl Ceremony {
    /// A copy of four homes with cards and a plan, made once and opened with little work.
    pub(crate) fn prepare() -> Self {
        static ONCE: OnceLock<Ceremony> = OnceLock::new();
        let made = ONCE.get_or_init(Self::make);
        let desk = Desk::new();
        copy_tree(&made.desk.path("."), &desk.path("."));
        Self {
            desk,
            code: made.code.clone(),
        }
    }

    fn make() -> Self {
        let desk = Desk::new();
        desk.write("passphrase", format!("{PASSPHRASE}\n"));
        fs::create_dir(desk.path("stick")).unwrap();
        let ceremony = Self {
            desk,
            code: String::new(),
        };
        for name in NAMES {
            ceremony.ok(name, &["identity", "new"]);
            let key = format!("home-{name}/home-key.age");
            lighten(&ceremony.desk.path(&key), PASSPHRASE);
            ceremony.ok(name, &["card", "--name", name]);
        }
        let mut plan = vec![
            "plan",
            "new",
            "keygen",
            "--name",
            "Pool",
            "--network",
            "hoodi",
        ];
        for card in [
            "alice.card.json",
            "bob.card.json",
            "carol.card.json",
            "dave.card.json",
        ] {
            plan.extend(["--card", card]);
        }
        plan.extend(["--validators", "1"]);
        plan.extend(["--withdrawal", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"]);
        plan.extend(["--keystores", "pbkdf2", "-o", "pool.plan.json"]);
        ceremony.desk.ok(&plan);
        ceremony.desk.ok(&["plan", "check", "pool.plan.json"]);
        let page: serde_json::Value =
            serde_json::from_str(
                &ceremony
                    .desk
                    .ok(&["plan", "show", "--json", "pool.plan.json"]),
            )
            .unwrap();
        let code = page["plan_code"].as_str().unwrap().to_owned();
        Self { code, ..ceremony }
    }

    /// Runs a command with an operator's home.
    pub(crate) fn by(&self, name: &str, args: &[&str]) -> Ended {
        Ended::of(self.command(name, args).output().unwrap())
    }

    /// The same, not run yet.
    pub(crate) fn command(&self, name: &str, args: &[&str]) -> Command {
        let home = format!("home-{name}");
        let mut all = vec!["--home", &home, "--passphrase-file", "passphrase"];
        all.extend(args);
        self.desk.command(&all)
    }

    #[track_caller]
    pub(crate) fn ok(&self, name: &str, args: &[&str]) -> Ended {
        let ended = self.by(name, args);
        assert_eq!(ended.code, 0, "{name} {args:?}: {ended:?}");
        ended
    }

    /// Takes part with the plan code, over the stick.
    #[track_caller]
    pub(crate) fn run(&self, name: &str, code: i32, words: &[&str]) -> Ended {
        let out = format!("files-{name}");
        let args = [
            "run",
            "pool.plan.json",
            "--via",
            "stick",
            "--accept-plan",
            &self.code,
            "--out",
            &out,
        ];
        let ended = self.by(name, &args);
        assert_eq!(ended.code, code, "{name}: {ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "{name}: {word}: {ended:?}");
        }
        ended
    }

    pub(crate) fn stick(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for directory in fs::read_dir(self.desk.path("stick")).unwrap() {
            let directory = directory.unwrap().path();
            if directory.is_dir() {
                files.extend(fs::read_dir(directory).unwrap().map(|file| {
                    let file = file.unwrap();
                    (
                        file.file_name().into_string().unwrap(),
                        fs::read(file.path()).unwrap(),
                    )
                }));
            }
        }
        files.sort();
        files
    }

    fn ceremony_directory(&self) -> String {
        let mut entries = fs::read_dir(self.desk.path("stick")).unwrap();
        let name = entries
            .next()
            .unwrap()
            .unwrap()
            .file_name()
            .into_string()
            .unwrap();
        format!("stick/{name}")
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn from_nothing_to_deposit_data_and_keystores() {
    let ceremony = Ceremony::prepare();
    let desk = &ceremony.desk;

    // Before the first message: the code, and nothing without it.
    let asked = ceremony.by("alice", &["run", "pool.plan.json", "--via", "stick"]);
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(asked.stderr.contains("--accept-plan"), "{asked:?}");
    assert!(!asked.stderr.contains(&ceremony.code) && !asked.stdout.contains(&ceremony.code));
    let wrong = "zoo zoo zoo zoo zoo zoo zoo zoo";
    let refused = ceremony.by(
        "alice",
        &[
            "run",
            "pool.plan.json",
            "--via",
            "stick",
            "--accept-plan",
            wrong,
        ],
    );
    assert_eq!(refused.code, 5, "{refused:?}");
    let unmounted = ceremony.by(
        "alice",
        &[
            "run",
            "pool.plan.json",
            "--via",
            "nowhere",
            "--accept-plan",
            &ceremony.code,
        ],
    );
    assert_eq!(unmounted.code, 1, "{unmounted:?}");
    assert!(
        unmounted.stderr.contains("nothing was lost"),
        "{unmounted:?}"
    );
    assert!(ceremony.stick().is_empty());

    // Any order; a second run changes nothing.
    ceremony.run(
        "dave",
        3,
        &[
            "waiting for the deal of alice (1), bob (2), carol (3)",
            "hint: ",
        ],
    );
    let first = ceremony.stick();
    assert_eq!(first.len(), 2, "plan and deal");
    // Who was accepted by a compared code is known from now on; before it, nobody was.
    let book: serde_json::Value =
        serde_json::from_slice(&desk.read("home-dave.known.json")).unwrap();
    assert_eq!(book["entries"].as_array().unwrap().len(), 4);
    assert_eq!(book["entries"][0]["how"], "accepted");
    assert!(!desk.path("home-carol.known.json").exists());
    ceremony.run(
        "dave",
        3,
        &["waiting for the deal of alice (1), bob (2), carol (3)"],
    );
    assert_eq!(ceremony.stick(), first);
    ceremony.run("alice", 3, &["bob (2), carol (3)"]);
    ceremony.run(
        "bob",
        3,
        &["waiting for the deal of carol (3); nothing is wrong"],
    );

    // What else lies on a stick is passed over, in words.
    let directory = ceremony.ceremony_directory();
    let deals = ceremony.stick();
    let (name, bytes) = deals
        .iter()
        .find(|(name, _)| name.contains("dave"))
        .unwrap();
    desk.write(
        &format!("{directory}/half-{name}"),
        &bytes[..bytes.len() / 2],
    );
    desk.write(&format!("{directory}/renamed.json"), bytes);
    desk.write("stick/holiday.jpg", "not ours");
    let ran = ceremony.run("carol", 3, &["the confirm of alice (1), bob (2), dave (4)"]);
    assert!(ran.stderr.contains("half-"), "{ran:?}");

    // The table, without a passphrase.
    let status = desk.run(&["--home", "home-alice", "status"]);
    assert_eq!(status.code, 0, "{status:?}");
    for words in [
        "Pool",
        "waiting since round 1, deal for bob (2), carol (3)",
        "(you)",
        "conclave --home home-alice run pool.plan.json --via FOLDER",
    ] {
        assert!(status.stdout.contains(words), "{words}: {status:?}");
    }
    let status = desk.ok(&["--home", "home-carol", "status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let row = &status["ceremonies"][0];
    assert_eq!(row["state"], "pending", "{status}");
    assert_eq!(row["operators"][2]["confirm"], "yes");

    // Who confirmed cannot leave; who did not, could.
    let cid = row["cid"].as_str().unwrap().get(..8).unwrap();
    let left = ceremony.by(
        "carol",
        &[
            "ceremony", "abandon", cid, "--name", "Pool", "--via", "stick",
        ],
    );
    assert_eq!(left.code, 5, "{left:?}");

    ceremony.run("alice", 3, &["bob (2), dave (4)"]);
    ceremony.run("bob", 3, &["dave (4)"]);
    let mut codes = Vec::new();
    for name in ["dave", "alice", "bob", "carol"] {
        let ended = ceremony.run(name, 0, &["the ceremony is complete"]);
        codes.push(ended.stdout.lines().last().unwrap().to_owned());
    }
    assert!(
        codes
            .iter()
            .all(|code| *code == codes[0] && code.split(' ').count() == 8),
        "{codes:?}"
    );

    // What each one got.
    for name in NAMES {
        let files = format!("files-{name}");
        let found: Vec<String> = fs::read_dir(desk.path(&files))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let deposit = found
            .iter()
            .find(|file| file.starts_with("deposit_data-"))
            .unwrap();
        desk.ok(&[
            "deposit",
            "check",
            &format!("{files}/{deposit}"),
            "--network",
            "hoodi",
        ]);
        desk.ok(&["keystore", "check", &format!("{files}/validator_keys")]);
        for file in fs::read_dir(desk.path(&format!("{files}/validator_keys"))).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
        let audited = desk.ok(&["audit", &format!("{files}/record")]);
        assert!(
            audited.contains("all 4 operators confirmed one transcript"),
            "{audited}"
        );
        assert!(audited.contains(&codes[0]), "{audited}");
    }
    let deposits: Vec<Vec<u8>> = NAMES
        .iter()
        .map(|name| {
            let directory = desk.path(&format!("files-{name}"));
            let deposit = fs::read_dir(directory).unwrap().find_map(|file| {
                let path = file.unwrap().path();
                path.file_name()?
                    .to_str()?
                    .starts_with("deposit_data-")
                    .then_some(path)
            });
            fs::read(deposit.unwrap()).unwrap()
        })
        .collect();
    assert!(deposits.iter().all(|deposit| *deposit == deposits[0]));
    // The stick alone is a record too, and so is an operator's whole directory.
    let audited = desk.run(&["audit", &directory]);
    assert_eq!(audited.code, 0, "{audited:?}");
    desk.ok(&["audit", "files-bob", "--json"]);

    // Once more: verified, not written again; and the card is used up.
    let again = ceremony.run("alice", 0, &["verified"]);
    assert_eq!(again.stdout.lines().last().unwrap(), codes[0]);
    // Without --out it knows where they went, from any folder; gone, they are not made again unasked.
    let plan = desk.path("pool.plan.json").display().to_string();
    let stick = desk.path("stick").display().to_string();
    let ended = ceremony.by("bob", &["run", &plan, "--via", &stick]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("files-bob"), "{ended:?}");
    fs::rename(desk.path("files-bob"), desk.path("client")).unwrap();
    let gone = ceremony.by("bob", &["run", &plan, "--via", &stick]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.stderr.contains("where they are no more"), "{gone:?}");
    let spent = fs::read_dir(desk.path("home-alice/cards"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert!(spent.join("card.json").exists() && !spent.join("secret.age").exists());

    // What was put on the stick to be in the way is none of ours.
    for (path, _) in every_file(&desk.path("stick")) {
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("half-")
        {
            fs::remove_file(path).unwrap();
        }
    }
    // Everything that came of it, in homes, on the stick and beside them, keeps to its schema.
    let counts = schema::assert_files(&desk.path("."));
    for kind in [
        "home",
        "card",
        "plan",
        "envelope",
        "outcome",
        "cluster",
        "deposit-data",
        "keystore",
    ] {
        assert!(counts.contains_key(kind), "{kind}: {counts:?}");
    }
}

#[test]
fn who_abandons_ends_it_for_all_and_nobody_is_blamed() {
    let ceremony = Ceremony::prepare();
    ceremony.run("alice", 3, &[]);
    ceremony.run("bob", 3, &[]);
    let status = ceremony
        .desk
        .ok(&["--home", "home-bob", "status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let cid = status["ceremonies"][0]["cid"].as_str().unwrap();
    let abandon = ["ceremony", "abandon", cid, "--via", "stick", "--name"];
    let other = ceremony.by("bob", &[&abandon[..], &["Poll"]].concat());
    assert_eq!(other.code, 5, "{other:?}");
    ceremony.ok("bob", &[&abandon[..], &["Pool"]].concat());
    for name in ["alice", "bob"] {
        let ended = ceremony.run(name, 1, &["abandoned by bob (2)"]);
        assert!(!ended.stderr.contains("proved"), "{ended:?}");
    }
    let audited = ceremony
        .desk
        .run(&["audit", &ceremony.ceremony_directory()]);
    assert_eq!(audited.code, 1, "{audited:?}");
    assert!(
        audited.stdout.contains("abandoned by operator 2 (bob)"),
        "{audited:?}"
    );
}

#[test]
fn a_home_that_was_not_invited_sends_nothing() {
    let ceremony = Ceremony::prepare();
    ceremony.ok("erin", &["identity", "new"]);
    ceremony.run(
        "erin",
        1,
        &[
            "does not name this home's identity",
            "hint: give the organiser your card",
        ],
    );
    // A card of this identity that this home did not make: a copy of the identity elsewhere.
    fs::remove_dir_all(ceremony.desk.path("home-alice/cards")).unwrap();
    ceremony.run(
        "alice",
        5,
        &["a card with this home's identity that this home did not make"],
    );
    assert!(ceremony.stick().is_empty());
}
