//! Four operators on four machines: each has a folder of its own with a home, and nothing in common.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use age::secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::harness::binary::{Desk, Ended};
use crate::harness::disk::copy_tree;

pub(crate) const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// An operator's machine, with a home, a card, and an empty `desk` to scan to.
pub(crate) struct Operator {
    pub(crate) name: &'static str,
    pub(crate) desk: Desk,
}

impl Operator {
    /// Makes a home and a card, `<name>.card.json`.
    pub(crate) fn new(name: &'static str) -> Self {
        let desk = Desk::new();
        let key = age::x25519::Identity::generate();
        desk.write("key", key.to_string().expose_secret());
        fs::set_permissions(desk.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(desk.path("desk")).unwrap();
        let operator = Self { name, desk };
        let public = key.to_public().to_string();
        let new = ["--home", "home", "identity", "new", "--recipient", &public];
        operator.desk.ok(&new);
        operator.ok(&["card", "--name", name]);
        operator
    }

    fn copied(&self) -> Self {
        let desk = Desk::new();
        copy_tree(&self.desk.path("."), &desk.path("."));
        Self { desk, ..*self }
    }

    /// The operator's card file, from anywhere.
    pub(crate) fn card(&self) -> PathBuf {
        self.desk.path(&format!("{}.card.json", self.name))
    }

    /// Runs a command with the home.
    pub(crate) fn by(&self, args: &[&str]) -> Ended {
        let home = ["--home", "home", "--unlock", "key"];
        let args = [&home[..], args].concat();
        Ended::of(self.desk.command(&args).output().unwrap())
    }

    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> Ended {
        let ended = self.by(args);
        assert_eq!(ended.code, 0, "{} {args:?}: {ended:?}", self.name);
        ended
    }

    /// Makes the plan of these cards, `pool.plan.json`, and returns its code.
    pub(crate) fn plan(&self, cards: &[PathBuf]) -> String {
        let cards: Vec<String> = cards
            .iter()
            .map(|card| card.display().to_string())
            .collect();
        let mut plan = vec!["plan", "new", "keygen", "--name", "Pool"];
        plan.extend(["--network", "hoodi", "--validators", "1"]);
        plan.extend(["--withdrawal", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"]);
        plan.extend(["--keystores", "pbkdf2", "-o", "pool.plan.json"]);
        cards.iter().for_each(|card| plan.extend(["--card", card]));
        self.ok(&plan);
        let page = self.ok(&["plan", "show", "--json", "pool.plan.json"]);
        let page: Value = serde_json::from_str(&page.stdout).unwrap();
        page["plan_code"].as_str().unwrap().to_owned()
    }

    /// Takes part, one look, over these couriers.
    #[track_caller]
    pub(crate) fn run(&self, plan: &str, code: &str, via: &[&str], exit: i32) -> Ended {
        let mut args = vec![
            "run",
            plan,
            "--once",
            "--accept-plan",
            code,
            "--out",
            "files",
        ];
        via.iter()
            .for_each(|courier| args.extend(["--via", courier]));
        let ended = self.by(&args);
        assert_eq!(ended.code, exit, "{} {via:?}: {ended:?}", self.name);
        ended
    }

    /// Shows something as pictures in a new folder here; returns the folder, and what was shown.
    #[track_caller]
    pub(crate) fn show(&self, args: &[&str]) -> (PathBuf, Value) {
        let number = fs::read_dir(self.desk.path(".")).unwrap().count();
        let into = format!("shown-{number}");
        let all = [&["qr", "show", "--png", &into, "--json"], args].concat();
        let report = serde_json::from_str(&self.ok(&all).stdout).unwrap();
        (self.desk.path(&into), report)
    }

    /// Scans pictures to the desk; returns the exit code and the report.
    #[track_caller]
    pub(crate) fn scan(&self, args: &[&str]) -> (i32, Value) {
        let all = [&["qr", "scan", "--into", "desk", "--json"], args].concat();
        let ended = self.by(&all);
        let report = serde_json::from_str(&ended.stdout);
        let report = report.unwrap_or_else(|error| panic!("{}: {error}: {ended:?}", self.name));
        (ended.code, report)
    }
}

/// Four operators and their plan: each has it as `pool.plan.json`, and knows its code.
pub(crate) struct Apart {
    pub(crate) operators: Vec<Operator>,
    pub(crate) code: String,
}

impl Apart {
    /// A copy of the four, who are made once.
    pub(crate) fn prepare() -> Self {
        static ONCE: OnceLock<Apart> = OnceLock::new();
        let made = ONCE.get_or_init(|| {
            let operators: Vec<Operator> = NAMES.into_iter().map(Operator::new).collect();
            let cards: Vec<PathBuf> = operators.iter().map(Operator::card).collect();
            let code = operators[0].plan(&cards);
            let plan = operators[0].desk.read("pool.plan.json");
            for operator in &operators[1..] {
                operator.desk.write("pool.plan.json", &plan);
            }
            Self { operators, code }
        });
        Self {
            operators: made.operators.iter().map(Operator::copied).collect(),
            code: made.code.clone(),
        }
    }

    /// One turn of an operator, by name.
    #[track_caller]
    pub(crate) fn turn(&self, name: &str, via: &[&str], exit: i32) -> Ended {
        self.of(name).run("pool.plan.json", &self.code, via, exit)
    }

    pub(crate) fn of(&self, name: &str) -> &Operator {
        let mut operators = self.operators.iter();
        operators.find(|operator| operator.name == name).unwrap()
    }

    /// Some operators show messages of the ceremony (`--all` of everybody), and others scan all of
    /// their screens at once.
    #[track_caller]
    pub(crate) fn by_qr(&self, from: &[&str], to: &[&str], all: &[&str]) {
        let shown = from.iter().map(|name| {
            let (shown, _) = self.of(name).show(&[&["Pool"], all].concat());
            (*name, shown.display().to_string())
        });
        let shown: Vec<(&str, String)> = shown.collect();
        for name in to {
            let others = shown.iter().filter(|(from, _)| from != name);
            let others: Vec<&str> = others.map(|(_, folder)| folder.as_str()).collect();
            let (code, report) = self.of(name).scan(&others);
            assert_eq!(code, 0, "{from:?} to {name}: {report:#}");
        }
    }
}
