//! What a fault plan came to: who is named with what evidence, what the vaults hold, what an outsider
//! says, and the exit code of `run`.

use std::collections::BTreeSet;
use std::sync::Arc;

use conclave::audit::{Report, audit, audit_evidence, bears_out};
use conclave::ceremony::evidence::{Evidence, Fault};
use conclave::ceremony::outcome::KeygenOutcome;
use conclave::ceremony::plan::Plan;
use conclave::ceremony::shares::OwnShares;
use conclave::ceremony::{Messages, Unobserved};
use conclave::crypto::point::G1;
use conclave::crypto::polynomial::interpolate_at_zero;
use conclave::driver::{Ran, Standing};
use conclave::store::disk::RealDisk;
use conclave::store::folder::BoardFolder;
use conclave::store::seat::BoardMessages;
use conclave::store::vault::Vault;
use conclave::wire::envelope::Kind;
use conclave::wire::roster::Index;

use super::{Played, Table};

impl Table {
    /// What an outsider makes of a stick.
    pub(crate) fn audit(&self, stick: &std::path::Path) -> Report {
        self.audit_board(&self.board(stick))
    }

    /// What an outsider makes of a board.
    pub(crate) fn audit_board(&self, board: &BoardFolder) -> Report {
        let files = board.messages().unwrap().into_iter();
        let ids: Vec<String> = files.map(|file| file.name).collect();
        let messages = BoardMessages(board.clone());
        audit(&self.group.plan, &ids, &messages, None, &Unobserved).unwrap()
    }

    /// The board that an operator's home holds.
    pub(crate) fn own_board(&self, operator: usize) -> BoardFolder {
        let plan = &self.group.plan;
        let home = self.group.members[operator].open(Arc::new(RealDisk));
        let vault = home.unwrap();
        Vault::new(&vault).board(plan.cid(), plan.bytes()).unwrap()
    }

    /// The shares that an operator's home holds.
    pub(crate) fn shares_of(&self, operator: usize) -> Option<OwnShares> {
        let home = self.group.members[operator]
            .open(Arc::new(RealDisk))
            .unwrap();
        let blob = Vault::new(&home).shares(self.group.plan.cid()).unwrap();
        blob.map(|blob| OwnShares::from_blob(&blob).unwrap())
    }

    /// Whether an operator's home holds shares.
    pub(crate) fn holds_shares(&self, operator: usize) -> bool {
        self.shares_of(operator).is_some()
    }

    /// Whether an operator's confirm stands on the group's stick.
    pub(crate) fn confirmed(&self, operator: usize) -> bool {
        self.confirmed_on(operator, &self.group.stick)
    }

    /// The same on another stick.
    pub(crate) fn confirmed_on(&self, operator: usize, stick: &std::path::Path) -> bool {
        let index = self.group.plan.roster().at(operator).unwrap().index;
        let board = self.board(stick);
        let mut messages = self.messages(&board).into_iter();
        messages.any(|(_, message)| message.kind() == Kind::Confirm && message.sender() == index)
    }

    /// Makes evidence of each fault from what an operator's own board holds, and checks that
    /// whoever reads the file finds the same, and nothing against anyone honest.
    pub(crate) fn check_evidence(&self, operator: usize, faults: &[Fault]) {
        for fault in faults {
            self.evidence(operator, fault);
        }
    }

    /// [`Self::check_evidence`] of one fault; returns the evidence file.
    pub(crate) fn evidence(&self, operator: usize, fault: &Fault) -> Vec<u8> {
        let sentence = fault.kind.to_string();
        assert!(sentence.len() > 10, "{sentence}");
        let messages = BoardMessages(self.own_board(operator));
        let accused = vec![fault.accused];
        self.check_file(
            &self.group.plan,
            accused,
            &sentence,
            &fault.proof,
            &messages,
        )
    }

    fn check_file(
        &self,
        plan: &Plan,
        accused: Vec<Index>,
        sentence: &str,
        proof: &[String],
        messages: &dyn Messages,
    ) -> Vec<u8> {
        let file = Evidence::collect(plan, accused, sentence.to_owned(), proof, messages).unwrap();
        let (mut evidence, read, bytes) = Evidence::parse(&file).unwrap();
        assert_eq!(read.cid(), plan.cid());
        let report = audit_evidence(&read, &bytes, &Unobserved).unwrap();
        assert!(bears_out(&evidence, &report), "not borne out: {sentence}");
        for honest in self.honest() {
            evidence.accused = vec![honest.try_into().unwrap()];
            assert!(
                !bears_out(&evidence, &report),
                "{honest} blamed: {sentence}"
            );
        }
        file
    }

    /// Checks what the honest operators' vaults hold: a share that is kept is the secret of its public
    /// share; with an outcome everybody has the shares of just that outcome, and as far as they are
    /// enough they lead to its keys; who confirmed has shares.
    pub(crate) fn check_vaults(&self, outcome: Option<&KeygenOutcome>) {
        let mut held = Vec::new();
        for index in self.honest() {
            let position = self.group.plan.roster().iter();
            let position = position
                .enumerate()
                .find(|(_, operator)| operator.index.get() == index);
            let position = position.unwrap().0;
            let own = self.shares_of(position);
            if let Some(own) = &own {
                assert_eq!((&own.cid, own.index), (self.group.plan.cid(), index));
                let public: Vec<G1> = own.sharing.shares_of(position).copied().collect();
                assert_eq!(own.shares.len(), public.len());
                for (share, public) in own.shares.iter().zip(&public) {
                    assert_eq!(G1::generator_times(share), Some(*public), "{index}");
                }
            } else {
                assert!(
                    !self.confirmed(position),
                    "{index} confirmed without shares"
                );
            }
            if let Some(outcome) = outcome {
                let own = own.as_ref().expect("a share is lost");
                assert_eq!(&own.sharing, outcome.sharing());
                assert_eq!(&own.transcript, outcome.transcript());
            }
            held.extend(own);
        }
        let threshold = self.group.plan.threshold();
        if let (Some(outcome), true) = (outcome, held.len() >= threshold) {
            for (v, key) in outcome.sharing().group_keys().enumerate() {
                let points: Vec<_> = held.iter().map(|own| (own.index, &own.shares[v])).collect();
                for chosen in [&points[..threshold], &points[points.len() - threshold..]] {
                    let secret = interpolate_at_zero(chosen).unwrap();
                    assert_eq!(G1::generator_times(&secret), Some(*key));
                }
            }
        }
    }

    /// Everyone but the cheaters, by index.
    pub(crate) fn honest(&self) -> BTreeSet<u64> {
        let roster = self.group.plan.roster().iter().enumerate();
        roster
            .filter(|(position, _)| !self.cheaters.contains_key(position))
            .map(|(_, operator)| operator.index.get())
            .collect()
    }
}

/// The outcome that all have, if any has one.
pub(crate) fn outcome(played: &Played) -> Option<&KeygenOutcome> {
    let mut outcomes = played.values().map(|ran| match &ran.standing {
        Standing::Complete { outcome, .. } => outcome.keygen(),
        _ => None,
    });
    let first = outcomes.next().unwrap();
    assert!(outcomes.all(|other| other == first), "outcomes differ");
    first
}

/// The exit code with which `run` ends.
pub(crate) fn exit_code(ran: &Ran) -> i32 {
    match &ran.standing {
        Standing::Complete { .. } => 0,
        Standing::Waiting { .. } | Standing::AwaitingBackup | Standing::AwaitingPartials(..) => 3,
        Standing::Stopped(stop) if stop.faults.is_empty() => 1,
        Standing::Stopped(_) => 4,
    }
}

/// Whom a standing accuses, with the word for what.
pub(crate) fn accused(faults: &[Fault]) -> BTreeSet<(u64, &'static str)> {
    let accused = faults.iter();
    accused
        .map(|fault| (fault.accused.get(), fault.kind.word()))
        .collect()
}

/// The faults of an operator's standing, those beside an outcome included.
pub(crate) fn all_faults(ran: &Ran) -> &[Fault] {
    match &ran.standing {
        Standing::Complete { faults, .. } => faults,
        _ => faults(ran),
    }
}

/// The faults that stopped an operator.
pub(crate) fn faults(ran: &Ran) -> &[Fault] {
    match &ran.standing {
        Standing::Stopped(stop) => &stop.faults,
        _ => &[],
    }
}
