//! Public files of our own kinds: what is taken has one form, and means the same when read again.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use conclave::artifacts::cluster::Cluster;
use conclave::audit::{Conclusion, audit, audit_evidence, bears_out};
use conclave::ceremony::Unobserved;
use conclave::ceremony::evidence::Evidence;
use conclave::ceremony::plan::{Plan, RehearsalSize};
use conclave::cli::page::Page;
use conclave::json;
use conclave::wire::card::{MAX_CARD_BYTES, VerifiedCard};
use conclave::wire::envelope::Envelope;
use serde_json::Value;

use super::boards::{self, Stage, stage};
use super::{listed, said, taken};

/// The strict reader and the canonical form: one value, one encoding, and the same value for any
/// other reader.
pub(crate) fn json(bytes: &[u8]) {
    let value = match json::parse(bytes, 1 << 20) {
        Ok(value) => value,
        Err(error) => {
            said(&error);
            assert!(json::parse_canonical(bytes, 1 << 20).is_err());
            return;
        }
    };
    let other: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(value, other, "another reader reads another value");
    let canonical = json::canonical_value(&value).unwrap();
    assert_eq!(
        json::parse_canonical(&canonical, canonical.len()),
        Ok(value.clone())
    );
    assert_eq!(
        json::parse_canonical(bytes, bytes.len()).is_ok(),
        canonical == bytes
    );
    assert_eq!(
        json::to_value(&value),
        Ok(value.clone()),
        "what is read can be written"
    );
    let pretty = json::pretty(&value).unwrap();
    // White space counts for nothing, but for the bound on values by size.
    assert_eq!(json::parse(&pretty, pretty.len()), Ok(value));
}

pub(crate) fn card(bytes: &[u8]) {
    match VerifiedCard::parse(bytes) {
        Ok(card) => {
            assert!(bytes.len() <= MAX_CARD_BYTES);
            assert_eq!(card.bytes(), bytes);
            let again = VerifiedCard::from_value(card.value()).unwrap();
            assert_eq!(again.bytes(), bytes);
            assert_eq!(again.name(), card.name());
            taken("card", bytes);
        }
        Err(error) => drop(said(error)),
    }
}

pub(crate) fn plan(bytes: &[u8]) {
    let plan = match Plan::parse(bytes) {
        Ok(plan) => plan,
        Err(error) => return listed(error),
    };
    taken("plan", bytes);
    let again = Plan::parse(plan.bytes()).unwrap();
    assert_eq!((again.cid(), again.bytes()), (plan.cid(), plan.bytes()));
    let pretty = json::pretty(plan.value()).unwrap();
    assert_eq!(Plan::parse(&pretty).unwrap().cid(), plan.cid());
    let (n, t) = (plan.roster().len(), plan.threshold());
    assert!((2..=n).contains(&t) && n <= 256);
    assert_eq!(plan.params().indices().len(), n);
    plan.warnings()
        .iter()
        .for_each(|warning| drop(said(warning)));
    let page = Page::of(&plan).to_string();
    assert!(
        !page.contains(|c: char| c.is_control() && c != '\n'),
        "{page:?}"
    );
    // Whatever is a plan can be rehearsed.
    let roster = plan.roster().iter();
    let roster = roster.map(|operator| (operator.index, operator.card.clone()));
    let draft = plan.rehearsal(
        roster.collect(),
        t as u64,
        RehearsalSize::default(),
        [7; 32],
    );
    let rehearsal = Plan::draft(draft).unwrap();
    assert!(rehearsal.is_rehearsal());
    // The same random bytes are those of the seeds: a rehearsal of itself.
    assert!(plan.is_rehearsal() || rehearsal.cid() != plan.cid());
}

pub(crate) fn envelope(bytes: &[u8]) {
    let envelope = match Envelope::parse(bytes) {
        Ok(envelope) => envelope,
        Err(error) => return drop(said(error)),
    };
    assert_eq!(envelope.bytes(), bytes);
    assert!(envelope.header().place().admits(envelope.header().kind()));
    let Stage { plan, .. } = stage();
    match envelope.clone().authenticate(plan.cid(), plan.roster()) {
        Ok(message) => {
            let header = envelope.header();
            assert!(header.verify(message.signature()));
            assert_eq!(message.message_hash(), header.hash());
            assert_eq!(message.bytes(), bytes);
            boards::judge(&message);
        }
        Err(error) => drop(said(error)),
    }
}

pub(crate) fn evidence(bytes: &[u8]) {
    let (evidence, plan, messages) = match Evidence::parse(bytes) {
        Ok(parsed) => parsed,
        Err(error) => return listed(error),
    };
    if messages.len() > 64 || plan.roster().len() > 16 || plan.validators().len() > 16 {
        return;
    }
    let report = audit_evidence(&plan, &messages, &Unobserved).unwrap();
    report
        .sentences(&plan)
        .iter()
        .for_each(|line| drop(said(line)));
    let proved = report.conclusion() == Conclusion::Misbehaviour;
    assert!(!bears_out(&evidence, &report) || proved || !report.examination.collisions.is_empty());
    // What it proves fits in an evidence file, and proves it there.
    let board = BTreeMap::from_iter(
        (1usize..)
            .zip(&messages)
            .map(|(number, bytes)| (format!("message {number}"), bytes.clone())),
    );
    for fault in &report.examination.faults {
        let board = crate::harness::ceremony::Board(board.clone());
        let accused = vec![fault.accused];
        let claim = fault.kind.to_string();
        let file = Evidence::collect(&plan, accused, claim, &fault.proof, &board).unwrap();
        let (evidence, plan, messages) = Evidence::parse(&file).unwrap();
        taken("evidence", &file);
        let report = audit_evidence(&plan, &messages, &Unobserved).unwrap();
        assert!(bears_out(&evidence, &report), "{fault:?}: {report:?}");
    }
}

pub(crate) fn cluster(bytes: &[u8]) {
    match Cluster::parse(bytes) {
        Ok(cluster) => {
            taken("cluster", bytes);
            let written = cluster.to_bytes().unwrap();
            let again = Cluster::parse(&written).unwrap();
            assert_eq!(again, cluster);
            assert_eq!(again.to_bytes().unwrap(), written);
        }
        Err(error) => drop(said(error)),
    }
}

/// An outcome is compared with what the messages lead to: no other bytes are it.
pub(crate) fn outcome(bytes: &[u8]) {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    let Stage { plan, board, .. } = stage();
    let ids: Vec<String> = board.0.keys().cloned().collect();
    let report = audit(plan, &ids, board, Some(bytes), &Unobserved).unwrap();
    let made = MADE.get_or_init(|| report.outcome.clone().unwrap());
    let holds = made == bytes;
    assert_eq!(report.claim_holds, Some(holds));
    assert_eq!(report.conclusion() == Conclusion::Complete, holds);
    report
        .sentences(plan)
        .iter()
        .for_each(|line| drop(said(line)));
}
