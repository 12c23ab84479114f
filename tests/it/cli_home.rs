//! The life of a home with the real binary: its passphrase, backups, and what is archived.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::OnceLock;

use age::secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::harness::binary::{Desk, Ended};
use crate::harness::disk::{copy_tree, every_file};

const NAMES: [&str; 2] = ["alice", "bob"];

/// Two operators whose homes open with age keys, so that no passphrase costs time, and their plan.
pub(crate) struct Pair {
    pub(crate) desk: Desk,
    pub(crate) code: String,
}

impl Pair {
    /// A copy of the two, who are made once.
    pub(crate) fn new() -> Self {
        static ONCE: OnceLock<Pair> = OnceLock::new();
        ONCE.get_or_init(Self::make).copied()
    }

    /// The two with a complete ceremony, which is held once.
    pub(crate) fn complete() -> Self {
        static ONCE: OnceLock<Pair> = OnceLock::new();
        let made = ONCE.get_or_init(|| {
            let pair = Self::new();
            for name in ["alice", "bob", "alice", "bob", "alice"] {
                pair.run(name, &[]);
            }
            pair
        });
        made.copied()
    }

    fn copied(&self) -> Self {
        let desk = Desk::new();
        copy_tree(&self.desk.path("."), &desk.path("."));
        let code = self.code.clone();
        Self { desk, code }
    }

    /// Two others.
    pub(crate) fn make() -> Self {
        let desk = Desk::new();
        fs::create_dir(desk.path("stick")).unwrap();
        for name in NAMES {
            let key = age::x25519::Identity::generate();
            private(
                &desk,
                &format!("{name}.key"),
                key.to_string().expose_secret(),
            );
            let public = key.to_public().to_string();
            desk.ok(&["--home", name, "identity", "new", "--recipient", &public]);
        }
        let mut pair = Self {
            desk,
            code: String::new(),
        };
        for name in NAMES {
            pair.ok(name, &["card", "--name", name]);
        }
        pair.code = pair.plan("Pool", "pool.json");
        pair
    }

    /// Writes a plan with both cards; returns its code.
    pub(crate) fn plan(&self, name: &str, file: &str) -> String {
        self.plan_with(name, file, &[])
    }

    /// [`Self::plan`] with more flags.
    pub(crate) fn plan_with(&self, name: &str, file: &str, more: &[&str]) -> String {
        let plan = [
            "plan",
            "new",
            "keygen",
            "--name",
            name,
            "--network",
            "hoodi",
            "--validators",
            "1",
            "--card",
            "alice.card.json",
            "--card",
            "bob.card.json",
            "--keystores",
            "pbkdf2",
            "--withdrawal",
            "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
            "-o",
            file,
        ];
        self.desk.ok(&[&plan[..], more].concat());
        let page = self.desk.ok(&["plan", "show", "--json", file]);
        let page: Value = serde_json::from_str(&page).unwrap();
        page["plan_code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn with(&self, home: &str, key: &str, args: &[&str]) -> Ended {
        let mut all = vec!["--home", home, "--unlock", key];
        all.extend(args);
        self.desk.run(&all)
    }

    pub(crate) fn by(&self, name: &str, args: &[&str]) -> Ended {
        self.with(name, &format!("{name}.key"), args)
    }

    #[track_caller]
    pub(crate) fn ok(&self, name: &str, args: &[&str]) -> Ended {
        let ended = self.by(name, args);
        assert_eq!(ended.code, 0, "{name} {args:?}: {ended:?}");
        ended
    }

    pub(crate) fn run(&self, name: &str, more: &[&str]) -> Ended {
        self.run_in(name, &format!("{name}.key"), more)
    }

    pub(crate) fn run_in(&self, home: &str, key: &str, more: &[&str]) -> Ended {
        let out = format!("files-{home}");
        let run = [
            "run",
            "pool.json",
            "--via",
            "stick",
            "--accept-plan",
            &self.code,
        ];
        self.with(home, key, &[&run[..], &["--out", &out], more].concat())
    }
}

pub(crate) fn private(desk: &Desk, file: &str, text: &str) {
    desk.write(file, text);
    fs::set_permissions(desk.path(file), fs::Permissions::from_mode(0o600)).unwrap();
}

#[track_caller]
fn list(desk: &Desk, home: &str) -> Vec<Value> {
    let report = desk.ok(&["--home", home, "ceremony", "list", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let schema = include_str!("../../schemas/ceremony-list.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&report), "{report:#}");
    report["ceremonies"].as_array().unwrap().clone()
}

#[test]
fn what_opens_a_home_can_be_changed_in_every_direction() {
    let desk = Desk::new();
    desk.write("old", "the first passphrase");
    desk.write("new", "the second passphrase\n");
    desk.write("short", "short");
    desk.ok(&["--home", "h", "--passphrase-file", "old", "identity", "new"]);
    let identity = fs::read(desk.path("h/identity.age")).unwrap();
    let change = |old: &[&str], new: &[&str]| {
        desk.run(&[&["--home", "h"], old, &["home", "change-passphrase"], new].concat())
    };
    let old = ["--passphrase-file", "old"];
    let before = every_file(&desk.path("h"));
    let short = change(&old, &["--new-passphrase-file", "short"]);
    assert_eq!(short.code, 1, "{short:?}");
    let nobody = change(&old, &[]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
    assert!(
        nobody.stderr.contains("--new-passphrase-file"),
        "{nobody:?}"
    );
    assert_eq!(every_file(&desk.path("h")), before);

    let done = change(&old, &["--new-passphrase-file", "new"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("copies and backups"), "{done:?}");
    let wrong = change(&old, &["--new-passphrase-file", "old"]);
    assert!(wrong.stderr.contains("code: wrong-passphrase"), "{wrong:?}");

    // To an age key, which is tried first.
    let new = ["--passphrase-file", "new"];
    let key = age::x25519::Identity::generate();
    let public = key.to_public().to_string();
    private(&desk, "key", key.to_string().expose_secret());
    private(
        &desk,
        "other",
        age::x25519::Identity::generate()
            .to_string()
            .expose_secret(),
    );
    let tried = change(&new, &["--recipient", &public, "--new-unlock", "other"]);
    assert_eq!(tried.code, 1, "{tried:?}");
    assert!(tried.stderr.contains("code: wrong-identity"), "{tried:?}");
    let done = change(&new, &["--recipient", &public, "--new-unlock", "key"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!done.stderr.contains("warning"), "{done:?}");
    let shown = desk.ok(&["--home", "h", "identity", "show", "--json"]);
    assert!(shown.contains(&public), "{shown}");
    // And untried, to the same: that is warned of.
    let done = change(&["--unlock", "key"], &["--recipient", &public]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("was not tried"), "{done:?}");
    assert_eq!(fs::read(desk.path("h/identity.age")).unwrap(), identity);
    assert!(!desk.path("h/home-key.next").exists());
}

#[test]
fn a_backup_in_the_middle_of_a_ceremony_goes_on_elsewhere() {
    let pair = Pair::new();
    let desk = &pair.desk;
    assert_eq!(pair.run("alice", &[]).code, 3);
    let spare = age::x25519::Identity::generate();
    private(desk, "spare.key", spare.to_string().expose_secret());
    let backup = [
        "home",
        "backup",
        "-o",
        "home.age",
        "--recipient",
        &spare.to_public().to_string(),
    ];
    let made = pair.ok("alice", &backup);
    assert_eq!(made.stdout, "home.age\n");
    assert!(
        made.stderr.contains("1 card (1 unspent), 1 ceremony"),
        "{made:?}"
    );
    let mode = fs::metadata(desk.path("home.age"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = pair.by("alice", &backup);
    assert!(again.stderr.contains("code: file-exists"), "{again:?}");
    let file = desk.read("home.age");
    for clear in [&b"home.json"[..], b"alice", b"conclave1"] {
        assert!(!file.windows(clear.len()).any(|window| window == clear));
    }

    // It opens with its own key only, and lands only where nothing stands.
    let restore = |home: &str, key: &str| pair.with(home, key, &["home", "restore", "home.age"]);
    assert!(
        restore("alice", "spare.key")
            .stderr
            .contains("code: home-exists")
    );
    assert!(
        restore("new", "bob.key")
            .stderr
            .contains("code: wrong-identity")
    );
    let asked = desk.run(&["--home", "new", "home", "restore", "home.age"]);
    assert!(asked.stderr.contains("--unlock FILE"), "{asked:?}");
    let mut damaged = file.clone();
    *damaged.last_mut().unwrap() ^= 1;
    desk.write("damaged.age", damaged);
    let refused = pair.with("new", "spare.key", &["home", "restore", "damaged.age"]);
    assert!(
        refused.stderr.contains("code: backup-invalid"),
        "{refused:?}"
    );
    let refused = pair.with("new", "spare.key", &["home", "restore", "pool.json"]);
    assert!(
        refused.stderr.contains("code: backup-invalid"),
        "{refused:?}"
    );
    assert!(!desk.path("new").exists());
    let done = restore("new", "spare.key");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.stderr.contains("never use this home beside"),
        "{done:?}"
    );

    // The restored home asks before it says something new, and goes on when it is told.
    assert_eq!(pair.run("bob", &[]).code, 3);
    let asks = pair.run_in("new", "alice.key", &[]);
    assert_eq!(asks.code, 2, "{asks:?}");
    assert!(asks.stderr.contains("--danger-restored"), "{asks:?}");
    let goes = pair.run_in("new", "alice.key", &["--danger-restored"]);
    assert_eq!(goes.code, 0, "{goes:?}");
    assert_eq!(pair.run("bob", &[]).code, 0);
    // It knows now what it said, and does not ask again.
    let ends = pair.run_in("new", "alice.key", &[]);
    assert_eq!(ends.code, 0, "{ends:?}");
    // A card that is newer than the backup was never the lost home's.
    assert_eq!(
        pair.with("new", "alice.key", &["card", "--name", "alice", "-o", "c"])
            .code,
        0
    );
}

#[test]
fn a_backup_has_its_own_passphrase() {
    let pair = Pair::new();
    let desk = &pair.desk;
    desk.write("p", "the passphrase of the backup");
    desk.write("q", "another passphrase of no use");
    let missing = pair.by("alice", &["home", "backup", "-o", "b.age"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(
        missing.stderr.contains("--backup-passphrase-file"),
        "{missing:?}"
    );
    let backup = [
        "home",
        "backup",
        "-o",
        "b.age",
        "--backup-passphrase-file",
        "p",
    ];
    pair.ok("alice", &backup);
    let restore = |file: &str| {
        let restore = ["home", "restore", "b.age", "--backup-passphrase-file", file];
        desk.run(&[&["--home", "new"], &restore[..]].concat())
    };
    let wrong = restore("q");
    assert!(wrong.stderr.contains("code: wrong-passphrase"), "{wrong:?}");
    let done = restore("p");
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        desk.ok(&["--home", "new", "identity", "show"]),
        desk.ok(&["--home", "alice", "identity", "show"])
    );
    let card = pair.with("new", "alice.key", &["card", "--name", "a", "-o", "c"]);
    assert_eq!(card.code, 0, "{card:?}");
}

#[test]
fn only_what_has_ended_is_archived_and_it_never_deals_again() {
    let pair = Pair::new();
    let desk = &pair.desk;
    assert!(list(desk, "alice").is_empty());
    let code = pair.plan("Other", "other.json");
    let other = [
        "run",
        "other.json",
        "--via",
        "stick",
        "--accept-plan",
        &code,
    ];
    assert_eq!(pair.by("alice", &other).code, 3);
    assert_eq!(pair.run("alice", &[]).code, 3);
    let states = |home: &str| -> Vec<(String, String, bool)> {
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let mut rows: Vec<_> = list(desk, home)
            .iter()
            .map(|row| {
                let archived = row["archived"].as_bool().unwrap();
                (text(row, "name"), text(row, "state"), archived)
            })
            .collect();
        rows.sort();
        rows
    };
    let row = |name: &str, state: &str, archived| (name.to_owned(), state.to_owned(), archived);
    assert_eq!(
        states("alice"),
        [
            row("Other", "under_way", false),
            row("Pool", "under_way", false)
        ]
    );
    let open = pair.by("alice", &["ceremony", "archive", "Pool"]);
    assert_eq!(open.code, 5, "{open:?}");
    assert!(open.stderr.contains("ceremony abandon"), "{open:?}");

    pair.ok(
        "alice",
        &[
            "ceremony", "abandon", "Other", "--name", "Other", "--via", "stick",
        ],
    );
    for name in ["bob", "alice", "bob", "alice"] {
        pair.run(name, &[]);
    }
    assert_eq!(
        states("alice"),
        [
            row("Other", "abandoned", false),
            row("Pool", "complete", false)
        ]
    );
    let files = |home: &str| -> Vec<_> {
        let mut files = every_file(&desk.path(home));
        files.retain(|(path, _)| !path.ends_with("archived"));
        files
    };
    let before = files("alice");
    pair.ok("alice", &["ceremony", "archive", "Pool"]);
    pair.ok("alice", &["ceremony", "archive", "Pool"]);
    pair.ok("alice", &["ceremony", "archive", "Other"]);
    assert_eq!(files("alice"), before);
    assert_eq!(
        states("alice"),
        [
            row("Other", "abandoned", true),
            row("Pool", "complete", true)
        ]
    );
    let shown = desk.ok(&["--home", "alice", "ceremony", "list"]);
    assert!(
        shown.contains("Pool: complete, files written, archived"),
        "{shown}"
    );
    let daily = desk.ok(&["--home", "alice", "status", "--json"]);
    assert!(!daily.contains("Pool"), "{daily}");
    let all = desk.ok(&["--home", "alice", "status", "--all", "--json"]);
    assert!(all.contains("Pool") && all.contains("Other"), "{all}");
    assert!(
        desk.ok(&["--home", "alice", "status", "Pool"])
            .contains("Pool")
    );

    // On an empty stick, both say again what they said, and nothing else.
    let said = every_file(&desk.path("alice/ceremonies"));
    fs::create_dir(desk.path("fresh")).unwrap();
    let rerun = ["run", "pool.json", "--via", "fresh", "--out", "files-alice"];
    assert_eq!(pair.by("alice", &rerun).code, 0);
    let other = ["run", "other.json", "--via", "fresh"];
    assert_eq!(pair.by("alice", &other).code, 1);
    assert_eq!(every_file(&desk.path("alice/ceremonies")), said);
    let own: Vec<Vec<u8>> = said.into_iter().map(|(_, bytes)| bytes).collect();
    for (path, bytes) in every_file(&desk.path("fresh")) {
        assert!(own.contains(&bytes), "{}", path.display());
    }
}
