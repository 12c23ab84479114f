//! Plays the commands of a Markdown page, in order, as its readers would.
//!
//! **Blocks.** Every `sh` block is a script. A comment before it says on whose machines in turn, and
//! how its last line ends: `<!-- alice 3, bob 3, carol -->` (no number: 0; no comment: on the
//! organiser's). A block that begins with alice is written for alice: bob puts his name for hers.
//! `<!-- not run: REASON -->` leaves a block out. A `text` block that follows is what the last machine shows: `…` stands for
//! anything in a line, and alone for any lines. After `<!-- file NAME: alice -->` any block is a file
//! there. `<!-- dave deals twice: PLAN -->` makes him cheat. Each machine has a user's folder, with the
//! home where it is by default; all share `/media/stick`.
//!
//! **What a person types** is on the page a line that ends in `____`. The test gives it by flag: the
//! passphrase, the code of the plan that is run, the name of the ceremony that is left. Keystores are
//! encrypted the quick way, and homes opened with little work once they are made.
//!
//! **Stand-ins** of the page, such as its ceremony id, stand for what the ceremony really has.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64ct::{Base64, Encoding as _};
use conclave::ceremony::plan::Plan;
use conclave::crypto::identity::IdentityKey;
use conclave::json;
use conclave::protocol::deal;
use conclave::secret::{Passphrase, Secret};
use conclave::store::disk::RealDisk;
use conclave::store::home::Home;
use conclave::store::wrap::Unlock;
use conclave::wire::envelope::{Envelope, Kind, Place};

/// The stand-ins of a page for its plans, by the plan's name: ceremony id, time, plan code.
const PLANS: [(&str, [&str; 3]); 3] = [
    (
        "Pool North",
        [
            "1f2e3d4c",
            "1767225600",
            "maple suffer size shift market mom drift deny",
        ],
    ),
    (
        "Pool South",
        [
            "5a6b7c8d",
            "1767312000",
            "merit lunar direct fit delay poverty between hover",
        ],
    ),
    (
        "Pool North exits",
        [
            "9c8b7a6d",
            "1767398400",
            "panda verify crop tide bonus lucky pencil hire",
        ],
    ),
];

/// What a page shows of a run, each learned where it is shown first: outcome codes, a time of day, a
/// duration.
const LEARNED: [&str; 4] = [
    "video increase refuse snow move spike seat track",
    "envelope donkey office goose hood tennis human nasty",
    "20261122T194036Z",
    "0.9 s",
];

const STICK: &str = "/media/stick";
/// The card of a camera that takes a picture of each page that is printed.
const CAMERA: &str = "/media/camera";
const PASSPHRASE: &str = "six words are easy to remember";

/// A block of a page that matters to its story.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Run {
        line: usize,
        turns: Vec<(&'a str, i32)>,
        commands: Vec<String>,
        shows: Option<Vec<&'a str>>,
    },
    Write {
        name: &'a str,
        machines: Vec<&'a str>,
        text: Vec<&'a str>,
    },
    DealTwice {
        machine: &'a str,
        plan: &'a str,
    },
}

/// A page being played.
pub(crate) struct Story {
    folder: tempfile::TempDir,
    stand_ins: BTreeMap<&'static str, String>,
    /// Plan codes by ceremony id: each costs a second.
    codes: BTreeMap<String, String>,
}

/// Plays a page; panics at the first line that is not as promised. Returns the number of commands.
pub(crate) fn play(page: &str) -> usize {
    let mut story = Story::new();
    let mut played = 0;
    for step in steps(page) {
        match step {
            Step::Write {
                name,
                machines,
                text,
            } => {
                for machine in machines {
                    let text = text.join("\n") + "\n";
                    fs::write(story.machine(machine).join(name), text).unwrap();
                }
            }
            Step::DealTwice { machine, plan } => story.deal_twice(machine, plan),
            Step::Run {
                line,
                turns,
                commands,
                shows,
            } => {
                let mut shown = String::new();
                let for_alice = turns[0].0 == "alice";
                let as_read_by = |machine: &str, text: &str| match for_alice {
                    true => text.replace("alice", machine),
                    false => text.to_owned(),
                };
                let mut last = "";
                for (machine, expected) in turns {
                    let commands: Vec<String> = commands
                        .iter()
                        .map(|command| as_read_by(machine, command))
                        .collect();
                    let (code, output) = story.run(machine, &commands);
                    assert_eq!(
                        code,
                        expected,
                        "line {line}, on {machine}'s machine: {}\n{output}",
                        commands.join("\n")
                    );
                    shown = output;
                    played += commands.len();
                    last = machine;
                }
                if let Some(shows) = shows {
                    let shows: Vec<String> =
                        shows.iter().map(|text| as_read_by(last, text)).collect();
                    story.compare(line, &shows, &shown);
                }
            }
        }
    }
    played
}

impl Story {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("stick")).unwrap();
        fs::write(folder.path().join("passphrase"), PASSPHRASE).unwrap();
        Self {
            folder,
            stand_ins: BTreeMap::new(),
            codes: BTreeMap::new(),
        }
    }

    fn machine(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn stick(&self) -> String {
        self.folder.path().join("stick").display().to_string()
    }

    fn camera(&self) -> PathBuf {
        self.folder.path().join("camera")
    }

    /// The text with what stands for the page's stand-ins.
    fn real(&self, text: &str) -> String {
        let text = text.replace(STICK, &self.stick());
        let text = text.replace(CAMERA, &self.camera().display().to_string());
        let text = text.replace(
            " ceremonies/",
            concat!(" ", env!("CARGO_MANIFEST_DIR"), "/ceremonies/"),
        );
        self.stand_ins
            .iter()
            .fold(text, |text, (stand_in, real)| text.replace(stand_in, real))
    }

    /// Runs a script; returns its exit code and what a terminal would have shown.
    fn run(&mut self, name: &str, commands: &[String]) -> (i32, String) {
        let machine = self.machine(name);
        let mut folder = machine.clone();
        let mut script = "set -e\n".to_owned();
        for command in commands {
            let command = self.real(command);
            if let Some(other) = command.strip_prefix("cd ") {
                folder = folder.join(other);
            }
            script.push_str(&self.answered(&folder, &command));
            script.push('\n');
        }
        let log = self.folder.path().join("log");
        let shown = File::create(&log).unwrap();
        let binaries = Path::new(env!("CARGO_BIN_EXE_conclave")).parent().unwrap();
        let status = Command::new("sh")
            .args(["-c", &script])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", binaries.display()))
            .env("HOME", &machine)
            .current_dir(&machine)
            .stdin(Stdio::null())
            .stdout(shown.try_clone().unwrap())
            .stderr(shown)
            .status()
            .unwrap();
        let code = status.code().unwrap();
        if code == 0
            && commands
                .iter()
                .any(|line| line.starts_with("conclave plan new") || makes_signing_plan(line))
        {
            self.learn_plan(&folder, &script);
        }
        if code == 0 && commands.iter().any(|line| line == "conclave identity new") {
            lighten(
                &machine.join(".local/share/conclave/home-key.age"),
                PASSPHRASE,
            );
        }
        for command in commands {
            if let Some((_, out)) = command
                .split_once("share paper ")
                .and_then(|(_, args)| args.split_once("--out "))
            {
                self.photograph(&folder.join(out.split(' ').next().unwrap()));
            }
        }
        (code, fs::read_to_string(log).unwrap())
    }

    /// Takes a picture of the code on each page.
    fn photograph(&self, pages: &Path) {
        fs::create_dir_all(self.camera()).unwrap();
        for page in fs::read_dir(pages).unwrap() {
            let page = page.unwrap();
            let name = page.file_name().into_string().unwrap();
            let validator = name.split('-').nth(3).unwrap();
            let text = fs::read_to_string(page.path()).unwrap();
            let picture = picture(&text);
            fs::write(self.camera().join(format!("page-{validator}.png")), picture).unwrap();
        }
    }

    /// The command with flags for what a person would type.
    fn answered(&self, folder: &Path, line: &str) -> String {
        let line = line.replace("cargo run --release --locked -- ", "conclave ");
        let Some(rest) = line.strip_prefix("conclave ") else {
            return line;
        };
        let typed = [
            "identity new",
            "card ",
            "run ",
            "ceremony a",
            "home backup",
            "share show",
            "share prove",
            "share backup",
            "share check-backup",
            "share restore ",
            "share restore-paper",
            "share import",
            "share paper",
        ];
        let mut answered = line.clone();
        if typed.iter().any(|command| rest.starts_with(command)) {
            let file = self.folder.path().join("passphrase");
            answered = format!("conclave --passphrase-file {} {rest}", file.display());
        }
        let sealed = [
            "home ",
            "share backup",
            "share check-backup",
            "share restore ",
        ];
        if sealed.iter().any(|command| rest.starts_with(command)) {
            let file = self.folder.path().join("passphrase");
            answered.push_str(&format!(" --backup-passphrase-file {}", file.display()));
        }
        // A plan that is no plan is refused before anything is asked.
        let named = rest
            .split_whitespace()
            .find(|word| word.ends_with(".plan.json"));
        let plan = named.and_then(|name| fs::read(folder.join(name)).ok());
        let plan = plan.and_then(|bytes| Plan::parse(&bytes).ok());
        let signs = plan.as_ref().is_some_and(|plan| plan.sign().is_some());
        if (rest.starts_with("run ") && !signs) || rest.starts_with("rehearse ") {
            answered.push_str(" --keystores pbkdf2");
        }
        if let Some(plan) = plan {
            if rest.starts_with("run ") && !rest.contains("--accept-plan") {
                let code = &self.codes[&plan.cid().to_string()];
                answered.push_str(&format!(" --accept-plan '{code}'"));
            }
            if rest.starts_with("ceremony abandon") {
                answered.push_str(&format!(" --name '{}'", plan.name()));
            }
        }
        answered
    }

    /// Puts a second deal of an operator on the stick, as well made as the first.
    fn deal_twice(&self, name: &str, plan: &str) {
        let plan = Plan::parse(&fs::read(self.real(plan)).unwrap()).unwrap();
        let root = self.machine(name).join(".local/share/conclave");
        let folder = format!("{}-{}", plan.name().file_stem(), plan.cid().short());
        let file = Path::new(&self.stick()).join(folder).join("second.json");
        fs::write(file, second_deal(&root, PASSPHRASE, &plan)).unwrap();
    }

    /// Remembers what the next plan's stand-ins stand for.
    fn learn_plan(&mut self, folder: &Path, script: &str) {
        let words: Vec<&str> = script.split_whitespace().collect();
        let output = words.iter().position(|word| *word == "-o").unwrap() + 1;
        let plan = Plan::parse(&fs::read(folder.join(words[output])).unwrap()).unwrap();
        let spoken = plan.code().unwrap().to_string();
        self.codes.insert(plan.cid().to_string(), spoken.clone());
        let mut stand_ins = PLANS.iter();
        let named = stand_ins.find(|(name, _)| *name == plan.name().as_str());
        if let Some((_, [cid, created, code])) = named {
            self.stand_ins.insert(cid, plan.cid().short());
            self.stand_ins.insert(created, plan.created().to_string());
            self.stand_ins.insert(code, spoken);
        }
    }

    /// Compares what was shown with what the page promises.
    fn compare(&mut self, line: usize, promised: &[String], shown: &str) {
        for promise in promised {
            if let Some(prompt) = promise.strip_suffix("____") {
                assert!(is_asked(prompt), "line {line}: nothing asks: {prompt}");
            }
        }
        let promised: Vec<&str> = promised
            .iter()
            .map(String::as_str)
            .filter(|promise| !promise.ends_with("____"))
            .collect();
        self.learn(&promised, shown);
        let promised: Vec<String> = promised.iter().map(|text| self.real(text)).collect();
        let promised: Vec<&str> = promised.iter().map(String::as_str).collect();
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            holds(&promised, &lines),
            "line {line}: promised\n{}\nand shown\n{shown}",
            promised.join("\n")
        );
    }

    /// A stand-in stands for what is shown first in its line.
    fn learn(&mut self, promised: &[&str], shown: &str) {
        for stand_in in LEARNED {
            if self.stand_ins.contains_key(stand_in) {
                continue;
            }
            let Some((before, after)) = promised
                .iter()
                .find_map(|promise| promise.split_once(stand_in))
            else {
                continue;
            };
            let (before, after) = (self.real(before), self.real(after));
            let found = shown
                .lines()
                .filter_map(|line| line.strip_prefix(&before)?.strip_suffix(&after))
                .find(|found| shape(found) == shape(stand_in))
                .unwrap_or_else(|| panic!("nothing like {before}{stand_in}{after} in\n{shown}"));
            self.stand_ins.insert(stand_in, found.to_owned());
        }
    }
}

/// A second deal of the operator of a home, as well made as the first.
pub(crate) fn second_deal(root: &Path, passphrase: &str, plan: &Plan) -> Vec<u8> {
    let unlock = Unlock::Passphrase(Passphrase::new(passphrase.to_owned()).unwrap());
    let home = Home::open(Arc::new(RealDisk), root, &unlock).unwrap();
    let identity = IdentityKey::from_seed(&home.identity_seed().unwrap());
    let mut operators = plan.roster().iter();
    let position = operators.position(|one| one.card.identity() == &identity.public());
    let deal = deal::make(
        &plan.keygen().unwrap().params(),
        position.unwrap(),
        &Secret::new([0x77; 32]),
    );
    let payload = json::to_value(&deal.unwrap()).unwrap();
    let second = Envelope::sign(&identity, *plan.cid(), Kind::Deal, Place::Deal, payload).unwrap();
    second.bytes().to_vec()
}

/// The picture on a page.
pub(crate) fn picture(page: &str) -> Vec<u8> {
    let (_, rest) = page.split_once("data:image/png;base64,").unwrap();
    Base64::decode_vec(rest.split_once('"').unwrap().0).unwrap()
}

/// `sign verify` makes none.
fn makes_signing_plan(line: &str) -> bool {
    line.starts_with("conclave sign ") && line.contains(" -o ")
}

/// Wraps a home key anew with little work: every command opens a home, and pays for it.
pub(crate) fn lighten(file: &Path, passphrase: &str) {
    let passphrase = || age::secrecy::SecretString::from(passphrase);
    let identity = age::scrypt::Identity::new(passphrase());
    let key = age::decrypt(&identity, &fs::read(file).unwrap()).unwrap();
    let mut recipient = age::scrypt::Recipient::new(passphrase());
    recipient.set_work_factor(4);
    fs::write(file, age::encrypt(&recipient, &key).unwrap()).unwrap();
}

/// What two codes, two times or two numbers have in common.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for c in text.chars() {
        let kind = match c {
            '0'..='9' => '9',
            'a'..='z' => 'a',
            other => other,
        };
        if !shape.ends_with(kind) {
            shape.push(kind);
        }
    }
    shape
}

/// Whether a question is one of the commands': its words stand in the source, its values do not.
fn is_asked(prompt: &str) -> bool {
    let words = prompt.split(['(', ':']).next().unwrap().trim();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    !words.is_empty() && stands_in(&folder, words)
}

fn stands_in(folder: &Path, words: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return stands_in(&path, words);
        }
        fs::read_to_string(path).is_ok_and(|text| text.contains(words))
    })
}

/// Whether lines are as promised, where a lone `…` is any number of lines.
fn holds(promised: &[&str], lines: &[&str]) -> bool {
    match promised.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first.trim() == "…" => {
            (0..=lines.len()).any(|skipped| holds(rest, &lines[skipped..]))
        }
        Some((first, rest)) => lines
            .split_first()
            .is_some_and(|(line, others)| is_like(first, line) && holds(rest, others)),
    }
}

/// Whether a line is as promised, where `…` is any number of characters.
fn is_like(promise: &str, line: &str) -> bool {
    match promise.split_once('…') {
        None => promise.trim_end() == line.trim_end(),
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| is_like(after, &rest[at..]))
        }),
    }
}

/// The steps of a page.
fn steps(page: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut comment = None;
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(text) = line
            .strip_prefix("<!-- ")
            .and_then(|text| text.strip_suffix(" -->"))
        {
            comment = match text.split_once(" deals twice: ") {
                Some((machine, plan)) => {
                    steps.push(Step::DealTwice { machine, plan });
                    None
                }
                None => Some(text),
            };
            continue;
        }
        let Some(kind) = line.strip_prefix("```") else {
            if !line.trim().is_empty() {
                comment = None;
            }
            continue;
        };
        let block: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .collect();
        match (kind, comment.take()) {
            ("sh", Some(text)) if text.starts_with("not run: ") => {
                assert!(
                    text.len() > "not run: ".len() + 10,
                    "line {number}: say why"
                );
            }
            ("sh", text) => steps.push(Step::Run {
                line: number + 1,
                turns: turns(text.unwrap_or("organiser")),
                commands: commands(&block),
                shows: None,
            }),
            (_, Some(text)) if text.starts_with("file ") => {
                let (name, machines) = text["file ".len()..].split_once(": ").unwrap();
                steps.push(Step::Write {
                    name,
                    machines: machines.split(", ").collect(),
                    text: block,
                });
            }
            ("text", None) => match steps.last_mut() {
                Some(Step::Run { shows, .. }) if shows.is_none() => *shows = Some(block),
                _ => panic!("line {number}: this text follows no command"),
            },
            ("text", Some("as an example")) => {}
            other => panic!("line {number}: a block {other:?}"),
        }
    }
    steps
}

/// `alice 3, bob`: whose turn it is, and how the last line ends there.
fn turns(text: &str) -> Vec<(&str, i32)> {
    text.split(", ")
        .map(|turn| match turn.split_once(' ') {
            Some((machine, code)) => (machine, code.parse().unwrap()),
            None => (turn, 0),
        })
        .collect()
}

/// The commands of a block; a backslash at its end continues a line.
fn commands(block: &[&str]) -> Vec<String> {
    block
        .join("\n")
        .replace("\\\n", " ")
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_page_becomes_steps() {
    let page = "a\n\n<!-- alice 3, bob -->\n\n```sh\nconclave run a \\\n  --via b\n```\n\n```text\nx …\n```\n\
                <!-- file list: bob -->\n```csv\n1\n```\n<!-- not run: needs a second machine -->\n```sh\nrm -r /\n```\n";
    let run = Step::Run {
        line: 5,
        turns: vec![("alice", 3), ("bob", 0)],
        commands: vec!["conclave run a    --via b".to_owned()],
        shows: Some(vec!["x …"]),
    };
    let write = Step::Write {
        name: "list",
        machines: vec!["bob"],
        text: vec!["1"],
    };
    assert_eq!(steps(page), [run, write]);
}

#[test]
fn what_is_promised_is_compared() {
    assert!(holds(&["…", "b …d", "…"], &["a", "b c d", "e"]));
    assert!(holds(&["a"], &["a"]) && holds(&["…"], &[]));
    for lines in [&["a"][..], &["b c", "d"], &["b c d", "e", "f"], &[]] {
        assert!(!holds(&["b …d", "e"], lines), "{lines:?}");
    }
    assert!(is_asked(
        "Type the plan code, as another operator reads it to you (eight words): "
    ));
    assert!(!is_asked("What is your favourite colour? "));
}

#[test]
#[should_panic(expected = "this text follows no command")]
fn text_that_nobody_prints_is_found() {
    play("```text\nall is well\n```\n");
}

#[test]
#[should_panic(expected = "promised")]
fn a_promise_that_is_not_kept_is_found() {
    play("```sh\nconclave --version\n```\n```text\nconclave 99\n```\n");
}

#[test]
#[should_panic(expected = "on organiser's machine: conclave frobnicate")]
fn a_command_that_fails_is_found() {
    play("```sh\nconclave frobnicate\n```\n");
}
