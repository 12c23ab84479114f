//! Tables of faults: a row a fault, and what must follow from it for every honest operator.
//!
//! `N "fault" [who: misdeed, …] => EXIT [accused "word" ["proof", …] "why", …]`: at a table of N, the
//! operators at these positions do these things. Then every honest operator and an outsider name
//! exactly the accused, each with evidence of that word, of messages of these kinds, and for this
//! reason; and `run` ends with the exit code: 0 complete, 1 ended without blame, 3 others are
//! awaited, 4 misbehaviour is proved.

use std::collections::BTreeSet;

use conclave::audit::Conclusion;
use conclave::ceremony::evidence::{Evidence, Fault};
use conclave::ceremony::outcome::Outcome;
use conclave::ceremony::plan::Validator;
use serde_json::Value;

use crate::harness::binary::Desk;
use crate::harness::faults::{
    Faults, Misdeed, Played, Table, accused, all_faults, exit_code, outcome,
};
use crate::harness::homes::NAMES;
use crate::harness::{ceremony, schema};

/// An accusation that must be made: position, word, kinds of the messages that prove it, and a part
/// of the sentence that says why.
pub(super) type Named = (usize, &'static str, &'static [&'static str], &'static str);

/// A fault, and what must follow.
pub(super) struct Row {
    pub(super) n: usize,
    pub(super) fault: &'static str,
    pub(super) by: Vec<(usize, Misdeed)>,
    pub(super) exit: i32,
    pub(super) named: Vec<Named>,
}

macro_rules! rows {
    ($($n:literal $fault:literal [$($who:literal: $misdeed:expr),* $(,)?] => $exit:literal
       [$($accused:literal $word:literal [$($proof:literal),*] $why:literal),* $(,)?];)*) => {
        vec![$($crate::adversary::table::Row {
            n: $n,
            fault: $fault,
            by: vec![$(($who, $misdeed)),*],
            exit: $exit,
            named: vec![$(($accused, $word, &[$($proof),*], $why)),*],
        }),*]
    };
}
pub(super) use rows;

/// Plays every row over one validator.
pub(super) fn check(rows: Vec<Row>) {
    for row in rows {
        row.check(vec![crate::harness::homes::validator()]);
    }
}

/// Plays every row over three validators, with instalments and a registration.
pub(super) fn check_large(rows: Vec<Row>) {
    for row in rows {
        row.check(ceremony::validators());
    }
}

impl Row {
    /// Plays it and checks everything that must follow.
    pub(super) fn check(self, validators: Vec<Validator>) -> Table {
        let faults = self.by.iter().cloned();
        let faults = faults.fold(Faults::new(), |plan, (who, how)| plan.by(who, how));
        let table = Table::with(self.n, validators, faults);
        let played = table.play();
        self.judge(&table, &played);
        table
    }

    fn judge(&self, table: &Table, played: &Played) {
        let fault = self.fault;
        let expected: BTreeSet<(u64, &str)> = self
            .named
            .iter()
            .map(|(position, word, ..)| (*position as u64 + 1, *word))
            .collect();
        for (operator, ran) in played {
            let standing = &ran.standing;
            assert_eq!(
                exit_code(ran),
                self.exit,
                "{fault}: {operator}: {standing:?}"
            );
            let faults = all_faults(ran);
            assert_eq!(
                accused(faults),
                expected,
                "{fault}: {operator}: {standing:?}"
            );
            for named in &self.named {
                self.proof(table, *operator, faults, named);
            }
        }
        table.check_vaults(outcome(played));

        let report = table.audit(&table.group.stick);
        let outsiders = &report.examination;
        assert_eq!(accused(&outsiders.faults), expected, "{fault}: an outsider");
        for turnout in report
            .turnout
            .iter()
            .filter(|said| !said.complaints.is_empty())
        {
            let complainer = usize::try_from(turnout.operator.get()).unwrap() - 1;
            if played.contains_key(&complainer) {
                // Whoever was dealt a wrong share keeps none, and confirms nothing.
                assert!(!table.holds_shares(complainer), "{fault}");
                assert!(!table.confirmed(complainer), "{fault}");
            }
        }
        let conclusion = match (self.exit, expected.is_empty()) {
            (_, false) => Conclusion::Misbehaviour,
            (0, true) => Conclusion::Complete,
            (1, true) => Conclusion::Ended,
            _ => Conclusion::Incomplete,
        };
        assert_eq!(report.conclusion(), conclusion, "{fault}: {report:?}");
        assert_eq!(
            outsiders.outcome.as_ref().and_then(Outcome::keygen),
            outcome(played),
            "{fault}: an outsider"
        );
        self.run_binary(table, *played.keys().next().unwrap());
    }

    /// The evidence for one accusation, as an operator's board has it.
    fn proof(&self, table: &Table, operator: usize, faults: &[Fault], named: &Named) {
        let (position, word, kinds, why) = named;
        let fault = faults
            .iter()
            .filter(|fault| fault.accused.get() == *position as u64 + 1)
            .filter(|fault| fault.kind.word() == *word)
            .find(|fault| fault.kind.to_string().contains(why));
        let fault = fault.unwrap_or_else(|| panic!("{}: {why}: {faults:?}", self.fault));
        let file = table.evidence(operator, fault);
        schema::assert_valid_json("evidence", &file);
        let evidence: Value = serde_json::from_slice(&file).unwrap();
        let messages = evidence["messages"].as_array().unwrap();
        let shown = messages.iter().map(|message| &message["header"]["kind"]);
        let shown: Vec<&str> = shown.map(|kind| kind.as_str().unwrap()).collect();
        assert_eq!(shown, *kinds, "{}: {why}", self.fault);
    }

    /// The same home with the real command: its exit code, and the evidence that it keeps.
    fn run_binary(&self, table: &Table, operator: usize) {
        let desk = Desk::new();
        let member = &table.group.members[operator];
        desk.write("key", member.key());
        desk.write("plan.json", table.group.plan.bytes());
        let (home, stick) = (member.root.display(), table.group.stick.display());
        let (home, stick) = (home.to_string(), stick.to_string());
        let ended = desk.run(&[
            "--home",
            &home,
            "--unlock",
            "key",
            "run",
            "plan.json",
            "--via",
            &stick,
            "--keystores",
            "none",
            "--out",
            "files",
        ]);
        assert_eq!(ended.code, self.exit, "{}: {ended:?}", self.fault);
        for (position, _, _, why) in &self.named {
            let name = NAMES[*position];
            let told = |line: &str| line.contains(name) && line.contains(why);
            assert!(ended.stderr.lines().any(told), "{}: {ended:?}", self.fault);
        }
        let kept = member
            .root
            .join(format!("ceremonies/{}/evidence", table.group.plan.cid()));
        let mut accused = BTreeSet::new();
        for file in std::fs::read_dir(kept).into_iter().flatten() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            accused.extend(Evidence::parse(&bytes).unwrap().0.accused);
        }
        let expected: BTreeSet<u64> = self.named.iter().map(|(who, ..)| *who as u64 + 1).collect();
        // A collision names the dealers in a file too, and blames none.
        if self.exit != 1 {
            let accused: BTreeSet<u64> = accused.iter().map(|index| index.get()).collect();
            assert_eq!(accused, expected, "{}", self.fault);
        }
    }
}
