//! A ceremony of four homes, command by command, and each command again with the process killed at
//! one of its changes to the disk.
//!
//! The ceremony is played once, undisturbed; of each command are kept the desk before it, the desk
//! after it, and what it asked of the disk. A trial starts from the desk before.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use age::secrecy::ExposeSecret as _;
use conclave::store::disk::RealDisk;
use conclave::store::home::Home;
use conclave::store::vault::Vault;
use conclave::store::wrap::Unlock;
use conclave::wire::card::VerifiedCard;

use crate::harness::binary::example;
use crate::harness::disk::{copy_tree, every_file};
use crate::harness::schema;

pub(crate) const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

const PLAN: &str = "pool.plan.json";

/// What a command does, and so what a repeat of it may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Makes a home.
    Identity,
    /// Makes a card.
    Card,
    /// Writes the plan.
    Plan,
    /// Takes part: deals.
    Deal,
    /// Takes part: confirms, or deals and confirms.
    Confirm,
    /// Takes part: writes the operator's files.
    Finalise,
    /// Writes a backup of the home.
    Backup,
    /// Makes another home of a backup.
    Restore,
    /// Writes a proof of all shares.
    Prove,
    /// Writes a backup of shares.
    ShareBackup,
    /// Checks it, and notes that; where the plan requires it, marks it.
    CheckBackup,
    /// Puts shares into a home that has none.
    ShareRestore,
}

/// A command as it was given in the undisturbed ceremony.
pub(crate) struct Step {
    pub(crate) operator: &'static str,
    pub(crate) task: Task,
    args: Vec<String>,
    code: i32,
    before: tempfile::TempDir,
    after: tempfile::TempDir,
    /// Its changes, a letter each; see `tests/faulty`.
    pub(crate) changes: String,
    /// How many calls read.
    pub(crate) reads: u64,
}

/// The undisturbed ceremony.
pub(crate) struct Played {
    pub(crate) steps: Vec<Step>,
    keys: BTreeMap<&'static str, age::x25519::Identity>,
}

/// One way to disturb one step.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) step: usize,
    /// The flags of `conclave-faulty`.
    pub(crate) flags: Vec<String>,
}

impl Point {
    fn new(step: usize, flags: &[&str]) -> Self {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Self { step, flags }
    }

    /// Whether it ends the process.
    fn is_death(&self) -> bool {
        let deaths = ["before:", "after:", "torn:", "cut:"];
        let dies = |flag: &String| deaths.iter().any(|death| flag.starts_with(death));
        self.flags.iter().any(dies)
    }
}

/// A file of a desk: mode and contents. Contents that are not the same each time are left out.
type Tree = BTreeMap<String, (u32, Option<Vec<u8>>)>;

fn tree(desk: &Path) -> Tree {
    fn walk(root: &Path, directory: &Path, files: &mut Tree) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
            if path.is_dir() {
                files.insert(format!("{name}/"), (0, None));
                walk(root, &path, files);
            } else {
                let random = name.ends_with(".age")
                    || name.ends_with(".proof.json")
                    || name.contains("/validator_keys/");
                // The name of the directory that holds the operator's files; the rest is the desk's.
                let place = |bytes: Vec<u8>| bytes.rsplit(|b| *b == b'/').next().unwrap().to_vec();
                let bytes = (!random).then(|| fs::read(&path).unwrap());
                let bytes = match name.ends_with("/artifacts") {
                    true => bytes.map(place),
                    false => bytes,
                };
                files.insert(name.to_owned(), (mode & 0o777, bytes));
            }
        }
    }
    let mut files = Tree::new();
    walk(desk, desk, &mut files);
    files
}

/// A command on a desk, without environment or terminal.
fn command(program: &Path, desk: &Path, faulty: &[&str], args: &[String]) -> Command {
    let scratch = desk.with_extension("scratch");
    fs::create_dir_all(&scratch).unwrap();
    let mut command = Command::new(program);
    command
        .args(faulty)
        .args(args)
        .env_clear()
        .env("TMPDIR", scratch)
        .current_dir(desk)
        .stdin(Stdio::null());
    command
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_conclave"))
}

impl Step {
    /// A copy, under `place`, of the desk before it.
    pub(crate) fn desk_before(&self, place: &Path) -> PathBuf {
        let desk = place.join("desk");
        copy_tree(self.before.path(), &desk);
        desk
    }

    /// A copy, under `place`, of the desk after it.
    pub(crate) fn desk_after(&self, place: &Path) -> PathBuf {
        let desk = place.join("desk");
        copy_tree(self.after.path(), &desk);
        desk
    }

    /// Gives its command on a desk.
    pub(crate) fn run(&self, desk: &Path) -> Output {
        self.command(desk).output().unwrap()
    }

    /// The same, not run yet.
    pub(crate) fn command(&self, desk: &Path) -> Command {
        command(binary(), desk, &[], &self.args)
    }

    /// Its exit code.
    pub(crate) fn code(&self) -> i32 {
        self.code
    }

    /// The folder of its operator's home.
    pub(crate) fn home(&self) -> &str {
        &self.args[1]
    }
}

impl Played {
    /// Plays it; the keystores, if any, are as the flag says.
    pub(crate) fn play(keystores: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let desk = place.path().join("desk");
        fs::create_dir_all(desk.join("stick")).unwrap();
        let mut played = Self {
            steps: Vec::new(),
            keys: BTreeMap::new(),
        };
        for name in NAMES {
            let key = age::x25519::Identity::generate();
            let file = desk.join(format!("{name}.key"));
            fs::write(&file, key.to_string().expose_secret()).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            let public = key.to_public().to_string();
            played.keys.insert(name, key);
            let new = ["identity", "new", "--recipient", &public];
            played.step(&desk, name, Task::Identity, &new);
            played.step(&desk, name, Task::Card, &["card", "--name", name]);
        }
        let cards = NAMES.map(|name| format!("{name}.card.json"));
        let mut plan = vec!["plan", "new", "keygen", "--name", "Pool", "-o", PLAN];
        plan.extend(["--network", "hoodi", "--validators", "1"]);
        plan.extend(["--keystores", "pbkdf2", "--created", "1790000000"]);
        plan.extend(["--withdrawal", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"]);
        cards.iter().for_each(|card| plan.extend(["--card", card]));
        played.step(&desk, "alice", Task::Plan, &plan);
        let shown = command(
            binary(),
            &desk,
            &[],
            &["plan", "show", "--json", PLAN].map(str::to_owned),
        );
        let shown: serde_json::Value =
            serde_json::from_slice(&{ shown }.output().unwrap().stdout).unwrap();
        let code = shown["plan_code"].as_str().unwrap().to_owned();
        for round in 0..3 {
            for name in NAMES {
                let done = played.steps.iter();
                let mut done = done.filter(|step| step.operator == name);
                if done.any(|step| step.task == Task::Finalise) {
                    continue;
                }
                let out = format!("files-{name}");
                let mut run = vec!["run", PLAN, "--via", "stick", "--out", &out];
                run.extend(["--accept-plan", &code, "--keystores", keystores]);
                let task = [Task::Deal, Task::Confirm, Task::Finalise][round];
                played.step(&desk, name, task, &run);
            }
            if round == 1 {
                for name in NAMES {
                    let key = played.keys[name].to_public().to_string();
                    let file = format!("{name}.backup.age");
                    let backup = ["home", "backup", "-o", &file, "--recipient", &key];
                    played.step(&desk, name, Task::Backup, &backup);
                    let restore = ["home", "restore", &file];
                    played.step(&desk, name, Task::Restore, &restore);
                }
            }
        }
        played.keep_shares(&desk);
        played.require_backup(&desk);
        played
    }

    /// What an operator does for its shares afterwards, in the order of a year.
    fn keep_shares(&mut self, desk: &Path) {
        let key = self.keys["alice"].to_public().to_string();
        let file = "alice.shares.age";
        let prove = ["share", "prove", "Pool", "--challenge", "a drill"];
        let prove = [&prove[..], &["-o", "alice.proof.json"]].concat();
        self.step(desk, "alice", Task::Prove, &prove);
        let backup = ["share", "backup", "Pool", "-o", file, "--recipient", &key];
        self.step(desk, "alice", Task::ShareBackup, &backup);
        let check = ["share", "check-backup", file];
        self.step(desk, "alice", Task::CheckBackup, &check);
        // A home that has the identity and nothing else.
        for lost in ["ceremonies", "vault", "cards"] {
            fs::remove_dir_all(desk.join("restored-alice").join(lost)).unwrap();
        }
        let restore = ["share", "restore", file];
        self.step(desk, "alice", Task::ShareRestore, &restore);
    }

    /// A second ceremony, whose plan requires backups, up to the confirm that waited for one.
    fn require_backup(&mut self, desk: &Path) {
        let give = |name: &str, code: i32, args: &[&str]| {
            let home = format!("home-{name}");
            let key = format!("{name}.key");
            let mut all = vec!["--home", &home, "--unlock", &key];
            all.extend(args);
            let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
            let ended = command(binary(), desk, &[], &all).output().unwrap();
            assert_eq!(ended.status.code(), Some(code), "{name}: {ended:?}");
            String::from_utf8(ended.stdout).unwrap()
        };
        let mut plan = vec!["plan", "new", "keygen", "--name", "Guarded", "-o"];
        plan.extend(["guarded.plan.json", "--backups", "required"]);
        plan.extend(["--network", "hoodi", "--validators", "1"]);
        plan.extend(["--keystores", "pbkdf2", "--created", "1790000000"]);
        plan.extend(["--withdrawal", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"]);
        for (name, card) in [("carol", "carol.2.json"), ("dave", "dave.2.json")] {
            give(name, 0, &["card", "--name", name, "-o", card]);
            plan.extend(["--card", card]);
        }
        give("carol", 0, &plan);
        let shown = ["plan", "show", "--json", "guarded.plan.json"];
        let shown: serde_json::Value = serde_json::from_str(&give("carol", 0, &shown)).unwrap();
        let code = shown["plan_code"].as_str().unwrap().to_owned();
        fs::create_dir(desk.join("second-stick")).unwrap();
        let mut run = vec!["run", "guarded.plan.json", "--via", "second-stick"];
        run.extend(["--accept-plan", &code]);
        give("carol", 3, &run);
        give("dave", 3, &run);
        let key = self.keys["dave"].to_public().to_string();
        let mut backup = vec!["share", "backup", "Guarded", "-o", "dave.shares.age"];
        backup.extend(["--recipient", &key]);
        give("dave", 0, &backup);
        let check = ["share", "check-backup", "dave.shares.age"];
        self.step(desk, "dave", Task::CheckBackup, &check);
        self.step(desk, "dave", Task::Confirm, &run);
    }

    fn step(&mut self, desk: &Path, operator: &'static str, task: Task, args: &[&str]) {
        let before = tempfile::tempdir().unwrap();
        copy_tree(desk, before.path());
        let home = match task {
            Task::Restore | Task::ShareRestore => format!("restored-{operator}"),
            _ => format!("home-{operator}"),
        };
        let mut all = vec!["--home".to_owned(), home];
        if !matches!(task, Task::Identity | Task::Plan) {
            all.extend(["--unlock".to_owned(), format!("{operator}.key")]);
        }
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let count = before.path().with_extension("count");
        let faulty = ["--count", count.to_str().unwrap(), "--"];
        let ended = command(&example("conclave-faulty"), desk, &faulty, &all)
            .output()
            .unwrap();
        let counted = fs::read_to_string(&count).unwrap();
        fs::remove_file(&count).unwrap();
        let (changes, reads) = counted.trim_end().split_once('\n').unwrap();
        let code = ended.status.code().unwrap();
        // Whoever comes last in a round finds all that the next one needs.
        let task = match (task, code) {
            (Task::Confirm, 0) => Task::Finalise,
            (task, _) => task,
        };
        let expected = match task {
            Task::Deal | Task::Confirm => 3,
            _ => 0,
        };
        assert_eq!(code, expected, "{operator} {task:?}: {ended:?}");
        let after = tempfile::tempdir().unwrap();
        copy_tree(desk, after.path());
        self.steps.push(Step {
            operator,
            task,
            args: all,
            code,
            before,
            after,
            changes: changes.to_owned(),
            reads: reads.parse().unwrap(),
        });
    }

    /// Every kill point: before each change, in the middle of each write, after the last change; and
    /// the power cut after each change.
    pub(crate) fn kill_points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for (step, played) in self.steps.iter().enumerate() {
            let mut add = |fault: String| points.push(Point::new(step, &["--fault", &fault]));
            for (at, letter) in played.changes.char_indices() {
                add(format!("before:{at}"));
                if letter == 'w' {
                    add(format!("torn:{at}"));
                }
                add(format!("cut:{at}"));
            }
            if let Some(last) = played.changes.len().checked_sub(1) {
                add(format!("after:{last}"));
            }
        }
        points
    }

    /// Every single call that fails: a change of any kind, or one that needs space and all after it.
    /// On the stick, the stick pulled out there, and files that are read in part.
    pub(crate) fn failing_points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for (step, played) in self.steps.iter().enumerate() {
            let changes = played.changes.len() as u64;
            let mut add = |flags: &[&str], what: &str, calls: u64| {
                for at in 0..calls {
                    let fault = format!("{what}:{at}");
                    points.push(Point::new(step, &[flags, &["--fault", &fault]].concat()));
                }
            };
            add(&[], "eio", changes);
            add(&[], "full", changes);
            add(&[], "read-eio", played.reads);
            if matches!(played.task, Task::Deal | Task::Confirm | Task::Finalise) {
                // More than there are: what does not come does no harm.
                add(&["--below", "stick"], "gone", 24);
                add(&["--below", "stick"], "read-gone", 24);
                add(&["--below", "stick"], "read-short", 24);
            }
        }
        points
    }

    /// Every step under clocks that stand: in 1970, then, and so far away that no calendar goes there. A
    /// proof says when it was made, and is made at no time that is none.
    pub(crate) fn clock_points(&self) -> Vec<Point> {
        let clocks = |step: &Step| match step.task {
            Task::Prove => &["1"][..],
            _ => &["0", "1", "253402300800"],
        };
        let steps = self.steps.iter().enumerate();
        steps
            .flat_map(|(at, step)| {
                let clocks = clocks(step).iter();
                clocks.map(move |clock| Point::new(at, &["--clock", clock]))
            })
            .collect()
    }

    /// The steps of an operator that take part, in order.
    pub(crate) fn runs_of(&self, operator: &str) -> Vec<&Step> {
        let runs = |step: &&Step| {
            step.operator == operator
                && matches!(step.task, Task::Deal | Task::Confirm | Task::Finalise)
        };
        self.steps.iter().filter(runs).collect()
    }

    /// Disturbs a step as the point says, then gives the same command again, undisturbed, and compares
    /// with the undisturbed ceremony.
    pub(crate) fn try_at(&self, point: &Point) {
        let step = &self.steps[point.step];
        let what = format!("{} {:?} {:?}", step.operator, step.task, point.flags);
        let place = tempfile::tempdir().unwrap();
        let desk = step.desk_before(place.path());
        let mut flags: Vec<&str> = point.flags.iter().map(String::as_str).collect();
        flags.push("--");
        let faulty = example("conclave-faulty");
        let first = command(&faulty, &desk, &flags, &step.args)
            .output()
            .unwrap();
        if point.is_death() {
            assert_eq!(first.status.signal(), Some(9), "{what}: {first:?}");
        } else if flags[0] == "--clock" {
            assert_eq!(first.status.code(), Some(step.code), "{what}: {first:?}");
        } else {
            let code = first.status.code();
            assert!(code.is_some_and(|code| code != 70), "{what}: {first:?}");
        }
        self.status(step, &desk, &what);
        let again = step.run(&desk);
        self.check(step, &desk, &again, &what);
    }

    /// Whatever stands there, `status` can say so.
    fn status(&self, step: &Step, desk: &Path, what: &str) {
        let mut args = step.args[..2].to_vec();
        args.extend(["status", "--json"].map(str::to_owned));
        let told = command(binary(), desk, &[], &args).output().unwrap();
        let stands = desk.join(&args[1]).join("home.json").exists();
        let code = told.status.code().unwrap();
        assert_eq!(code == 1, !stands, "{what}: {told:?}");
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = String::from_utf8(told.stdout).unwrap();
        schema::assert_report(&words, code, &said);
    }

    /// Whether the desk is as it was after the step when nothing disturbed it.
    pub(crate) fn check(&self, step: &Step, desk: &Path, again: &Output, what: &str) {
        let code = again.status.code();
        let said = String::from_utf8_lossy(&again.stderr);
        let makes = !matches!(step.task, Task::Deal | Task::Confirm | Task::Finalise);
        // Who was killed when all was done is told that it is there.
        let stood = makes && code != Some(0) && said.contains("already");
        assert!(stood || code == Some(step.code), "{what}: {again:?}");
        let mut found = tree(desk);
        let mut wanted = tree(step.after.path());
        // A note for people of how messages came, which a crash may cost, and which tells of own messages
        // that a home forgot and then was brought.
        // Notes of upkeep have the time in their names, and are for people, too.
        let is_note = |name: &str| name.ends_with("/arrivals.json") || name.contains("/upkeep/");
        if !stood {
            self.check_kept(step, desk, what);
        }
        found.retain(|name, _| !is_note(name));
        wanted.retain(|name, _| !is_note(name));
        match step.task {
            Task::Identity | Task::Restore => {
                forget_contents(&mut found);
                forget_contents(&mut wanted);
            }
            Task::Card => {
                self.check_cards(step, desk, what);
                forget_cards(&mut found);
                forget_cards(&mut wanted);
            }
            Task::Plan => {
                forget_contents(&mut found);
                forget_contents(&mut wanted);
                // Advice, which comes with the plan's acceptance too.
                wanted.retain(|name, _| !name.contains(".known."));
                found.retain(|name, _| !name.contains(".known."));
            }
            _ => {}
        }
        for (name, file) in &wanted {
            assert!(
                found.get(name) == Some(file),
                "{what}: {name} is not the same"
            );
        }
        let more: Vec<&String> = found
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .collect();
        assert!(more.is_empty(), "{what}: left behind: {more:?}");
        if step.task != Task::Plan {
            assert_eq!(
                self.secrets(step, desk),
                self.secrets(step, step.after.path()),
                "{what}"
            );
        }
        // A repeat of the repeat takes as long again: at some points only.
        if step.task == Task::Finalise && what.contains("torn:") {
            let third = command(binary(), desk, &[], &step.args).output().unwrap();
            assert_eq!(third.status.code(), Some(0), "{what}: {third:?}");
            let mut third = tree(desk);
            third.retain(|name, _| !is_note(name));
            assert!(third == found, "{what}: a repeat changed something");
        }
    }

    /// What was made for shares is whole, and noted.
    fn check_kept(&self, step: &Step, desk: &Path, what: &str) {
        let files: &[&str] = match step.task {
            Task::Prove => &[
                "check-proof",
                "alice.proof.json",
                "--cluster",
                "files-alice/cluster.json",
            ],
            Task::ShareBackup => &["check-backup", "alice.shares.age"],
            Task::CheckBackup => &[],
            _ => return,
        };
        if !files.is_empty() {
            let mut args = vec!["--unlock", "alice.key", "share"];
            args.extend(files);
            let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
            let checked = command(binary(), desk, &[], &args).output().unwrap();
            assert_eq!(checked.status.code(), Some(0), "{what}: {checked:?}");
        }
        if step.task == Task::ShareBackup {
            return;
        }
        let home = desk.join(&step.args[1]).join("ceremonies");
        let notes: Vec<_> = every_file(&home)
            .into_iter()
            .filter(|(path, _)| path.to_string_lossy().contains("/upkeep/"))
            .collect();
        assert!(!notes.is_empty(), "{what}: nothing is noted");
        for (_, note) in notes {
            schema::assert_valid_json("upkeep", note);
        }
    }

    /// Opens the operator's home and returns the shares of every ceremony; of another identity the
    /// rest differs each time.
    fn secrets(&self, step: &Step, desk: &Path) -> Vec<Vec<u8>> {
        let unlock = Unlock::Identity(self.keys[step.operator].clone());
        let home = Home::open(Arc::new(RealDisk), &desk.join(&step.args[1]), &unlock).unwrap();
        home.identity_seed().unwrap();
        let vault = Vault::new(&home);
        vault
            .ceremonies()
            .unwrap()
            .iter()
            .filter_map(|cid| vault.shares(cid).unwrap())
            .map(|shares| shares.expose(Clone::clone))
            .collect()
    }

    /// The card that was given out is whole, and its secret is in the home.
    fn check_cards(&self, step: &Step, desk: &Path, what: &str) {
        let bytes = fs::read(desk.join(format!("{}.card.json", step.operator))).unwrap();
        let card = VerifiedCard::parse(&bytes).unwrap();
        let unlock = Unlock::Identity(self.keys[step.operator].clone());
        let home = Home::open(Arc::new(RealDisk), &desk.join(&step.args[1]), &unlock).unwrap();
        let key = card.encryption_key().to_bytes();
        assert!(home.ceremony_secret(&key).unwrap().is_some(), "{what}");
        // At most the one that was not given out stands beside it.
        assert!(home.cards().unwrap().len() <= 2, "{what}");
    }
}

fn forget_contents(tree: &mut Tree) {
    tree.values_mut().for_each(|file| file.1 = None);
}

/// A card has another key each time, and its directory another name.
fn forget_cards(tree: &mut Tree) {
    tree.retain(|name, _| !name.contains("/cards/") || name.contains("/.tmp-"));
    forget_contents(tree);
}

/// Tries points on all cores; fails with all that went wrong. Returns how many there were for each
/// operator and task.
pub(crate) fn try_all(played: &Played, points: &[Point]) -> BTreeMap<(Task, &'static str), usize> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get());
    let failed: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    played.try_at(point);
                }));
                if tried.is_err() {
                    failed.push(format!("{point:?}"));
                }
                let tried = done.fetch_add(1, Ordering::Relaxed) + 1;
                if tried.is_multiple_of(250) {
                    println!("{tried} of {} points", points.len());
                }
            }
            failed
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    assert!(
        failed.is_empty(),
        "{} of {} points: {failed:#?}",
        failed.len(),
        points.len()
    );
    let mut counts = BTreeMap::new();
    for point in points {
        let step = &played.steps[point.step];
        *counts.entry((step.task, step.operator)).or_default() += 1;
    }
    counts
}

/// A number of points, as many of each step as of any other and evenly spread in it; the same ones
/// each time.
pub(crate) fn spread(played: &Played, points: &[Point], count: usize) -> Vec<Point> {
    let steps = played.steps.len();
    let mut chosen = Vec::new();
    for step in 0..steps {
        let of: Vec<&Point> = points.iter().filter(|point| point.step == step).collect();
        let wanted = (count * (step + 1) / steps - count * step / steps).min(of.len());
        // Shifted from step to step, so that steps that are alike are tried at different places.
        let place = |at: usize| (at * of.len() + step * of.len() / steps) / wanted;
        chosen.extend((0..wanted).map(|at| of[place(at) % of.len()].clone()));
    }
    chosen
}
