//! Two halves that are shown different things, and messages that come late or to one half alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use conclave::audit::Conclusion;
use conclave::ceremony::outcome::Outcome;
use conclave::driver::{Ran, Standing};
use conclave::wire::envelope::Kind;
use conclave::wire::roster::Index;

use crate::harness::faults::Misdeed::*;
use crate::harness::faults::{Faults, Misdeed, Table, accused, all_faults, exit_code, outcome};

/// A table of four, the last of whom cheats; the left half is operators 0 and 1, the right one is 2.
/// All have dealt and the honest ones have confirmed; the halves' sticks hold the same.
struct Halves {
    table: Table,
    left: PathBuf,
    right: PathBuf,
}

impl Halves {
    fn new(misdeed: Misdeed) -> Self {
        let mut table = Table::new(4, Faults::new().by(3, NoConfirm));
        let played = table.play();
        assert!(played.values().all(|ran| exit_code(ran) == 3));
        table.faults = Faults::new().by(3, misdeed);
        let (left, right) = (table.stick("left"), table.stick("right"));
        for half in [&left, &right] {
            copy(&table, &table.group.stick, half);
        }
        Self { table, left, right }
    }

    /// Says one message of a kind to a half.
    fn say(&self, kind: Kind, which: usize, half: &Path) {
        let envelopes = self.table.envelopes(3, kind, &self.table.board(&self.left));
        self.table.say(&envelopes[which], &self.table.board(half));
    }

    fn runs(&self, operators: &[usize], half: &Path, exit: i32, named: &[(u64, &str)]) -> Vec<Ran> {
        let named: BTreeSet<(u64, &str)> = named.iter().copied().collect();
        let run = |operator: &usize| {
            let ran = self.table.run_over(*operator, half);
            assert_eq!(exit_code(&ran), exit, "{operator}: {:?}", ran.standing);
            assert_eq!(accused(all_faults(&ran)), named, "{operator}");
            self.table.check_evidence(*operator, all_faults(&ran));
            ran
        };
        operators.iter().map(run).collect()
    }

    /// The halves meet: everyone has the one outcome, names the cheater, and an auditor agrees.
    fn meet(&self, named: &[(u64, &str)]) {
        copy(&self.table, &self.left, &self.right);
        copy(&self.table, &self.right, &self.left);
        let left = self.runs(&[0, 1], &self.left, 0, named);
        let right = self.runs(&[2], &self.right, 0, named);
        let played = (0..).zip(left.into_iter().chain(right)).collect();
        let end = outcome(&played).unwrap();
        self.table.check_vaults(Some(end));
        for half in [&self.left, &self.right] {
            let report = self.table.audit(half);
            assert_eq!(
                report
                    .examination
                    .outcome
                    .as_ref()
                    .and_then(Outcome::keygen),
                Some(end)
            );
            assert_eq!(
                accused(&report.examination.faults),
                named.iter().copied().collect()
            );
        }
    }
}

fn copy(table: &Table, from: &Path, to: &Path) {
    let (from, to) = (table.board(from), table.board(to));
    for file in from.messages().unwrap() {
        to.put(&file.name, &from.read(&file.name).unwrap()).unwrap();
    }
}

#[test]
fn a_good_confirm_for_one_half_and_a_bad_one_for_the_other() {
    let halves = Halves::new(TwoConfirms);
    halves.say(Kind::Confirm, 0, &halves.left);
    halves.say(Kind::Confirm, 1, &halves.right);
    halves.runs(&[0, 1], &halves.left, 0, &[]);
    halves.runs(&[2], &halves.right, 4, &[(4, "invalid-confirm")]);
    halves.meet(&[(4, "invalid-confirm"), (4, "equivocation")]);
}

#[test]
fn a_confirm_for_one_half_and_an_abandon_for_the_other() {
    let halves = Halves::new(ConfirmAndAbandon);
    halves.say(Kind::Confirm, 1, &halves.left);
    halves.say(Kind::Confirm, 0, &halves.right);
    halves.runs(&[0, 1], &halves.left, 0, &[]);
    let ran = halves.runs(&[2], &halves.right, 1, &[]).remove(0);
    assert!(matches!(ran.standing, Standing::Stopped(stop) if stop.abandoned.len() == 1));
    assert_eq!(
        halves.table.audit(&halves.right).conclusion(),
        Conclusion::Ended
    );
    halves.meet(&[(4, "equivocation")]);
}

#[test]
fn a_confirm_for_one_half_and_a_false_complaint_for_the_other() {
    let halves = Halves::new(FalseComplaint(0));
    halves.say(Kind::Confirm, 0, &halves.left);
    halves.say(Kind::Complain, 0, &halves.right);
    halves.runs(&[0, 1], &halves.left, 0, &[]);
    halves.runs(&[2], &halves.right, 4, &[(4, "false-complaint")]);
    halves.meet(&[(4, "false-complaint")]);
}

#[test]
fn a_second_deal_for_one_half_after_all_have_confirmed() {
    let halves = Halves::new(TwoDeals);
    halves.say(Kind::Confirm, 0, &halves.left);
    halves.say(Kind::Deal, 1, &halves.right);
    halves.runs(&[0, 1], &halves.left, 0, &[]);
    halves.runs(&[2], &halves.right, 4, &[(4, "equivocation")]);
    halves.meet(&[(4, "equivocation")]);
}

#[test]
fn the_last_confirm_reaches_one_half_alone() {
    let halves = Halves::new(SelfComplaint);
    halves.say(Kind::Confirm, 0, &halves.left);
    halves.runs(&[0, 1], &halves.left, 0, &[]);
    halves.runs(&[2], &halves.right, 3, &[]);
    assert!(halves.table.holds_shares(2));
    halves.meet(&[]);
}

/// Two of seven deal twice; each half sees one deal of each, and only the confirms go over.
#[test]
fn two_dealers_split_seven() {
    let faults = Faults::new().by(5, TwoDeals).by(6, TwoDeals);
    let table = Table::new(7, faults);
    let halves = [table.stick("left"), table.stick("right")];
    for (which, half) in halves.iter().enumerate() {
        for cheater in [5, 6] {
            let deals = table.deals(cheater, &table.board(half));
            table.say(&deals[which], &table.board(half));
        }
    }
    let half_of = |operator: usize| &halves[usize::from(operator > 2)];
    let go = |from: &Path, to: &Path, kind: Kind| {
        let (from, to) = (table.board(from), table.board(to));
        for (name, message) in table.messages(&from) {
            if message.kind() == kind && message.sender().get() < 6 {
                to.put(&name, message.bytes()).unwrap();
            }
        }
    };
    for kind in [Kind::Deal, Kind::Confirm] {
        for _ in 0..2 {
            for operator in 0..5 {
                let ran = table.run_over(operator, half_of(operator));
                assert_eq!(exit_code(&ran), 3, "{:?}", ran.standing);
            }
        }
        go(&halves[0], &halves[1], kind);
        go(&halves[1], &halves[0], kind);
    }
    for operator in 0..5 {
        assert!(table.confirmed_on(operator, half_of(operator)));
        let ran = table.run_over(operator, half_of(operator));
        assert_eq!(exit_code(&ran), 4, "{operator}: {:?}", ran.standing);
        let named = BTreeSet::from([(6, "equivocation"), (7, "equivocation")]);
        assert_eq!(accused(all_faults(&ran)), named);
        table.check_evidence(operator, all_faults(&ran));
        let report = table.audit(half_of(operator));
        assert_eq!(accused(&report.examination.faults), named);
    }
    table.check_vaults(None);
}

/// Who is absent is awaited by name, and whoever comes late makes it whole.
#[test]
fn the_absent_are_awaited_by_name_in_each_round() {
    let awaited = |table: &Table| {
        let played = table.play();
        let named = |indices: &[Index]| indices.iter().map(|index| index.get()).collect::<Vec<_>>();
        let standings: BTreeSet<_> = played
            .values()
            .map(|ran| match &ran.standing {
                Standing::Waiting { deals, confirms } => (named(deals), named(confirms)),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(standings.len(), 1);
        let report = table.audit(&table.group.stick);
        let missing = (
            named(&report.examination.missing_deals),
            named(&report.examination.missing_confirms),
        );
        let (deals, confirms) = standings.into_iter().next().unwrap();
        assert_eq!(missing.0, deals);
        if deals.is_empty() {
            assert_eq!(missing.1, confirms);
        }
        (deals, confirms)
    };
    let mut table = Table::new(5, Faults::new().by(1, NoDeal).by(4, NoDeal));
    assert_eq!(awaited(&table), (vec![2, 5], vec![]));
    table.faults = Faults::new().by(1, NoConfirm).by(4, NoDeal);
    assert_eq!(awaited(&table), (vec![5], vec![]));
    table.faults = Faults::new().by(1, NoConfirm).by(4, NoConfirm);
    assert_eq!(awaited(&table), (vec![], vec![2, 5]));
    table.faults = Faults::new().by(1, SelfComplaint).by(4, SelfComplaint);
    let played = table.play();
    table.check_vaults(Some(outcome(&played).unwrap()));
}
