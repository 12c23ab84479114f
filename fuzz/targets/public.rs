//! Public files of our own kinds: what is taken has one form, and means the same when read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use conclave::artifacts::cluster::Cluster;
use conclave::audit::{Conclusion, audit, audit_evidence, bears_out};
use conclave::ceremony::Unobserved;
use conclave::ceremony::evidence::Evidence;
use conclave::ceremony::imported::{Found, ImportedCluster, ImportedFacts};
use conclave::ceremony::plan::{KeygenPlan, Plan, PlanWork, RehearsalSize, SignPlan};
use conclave::ceremony::share_proof::{ShareProof, Subject};
use conclave::cli::page::Page;
use conclave::hash::Tag;
use conclave::json::{self, Text};
use conclave::secret::Secret;
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

/// The description of a cluster that was made elsewhere: what is taken has one form and one name.
pub(crate) fn imported(bytes: &[u8]) {
    let cluster = match ImportedCluster::parse(bytes) {
        Ok(cluster) => cluster,
        Err(error) => return drop(said(error)),
    };
    assert_eq!(cluster.bytes(), bytes);
    let sharing = cluster.sharing();
    let again = ImportedCluster::new(&ImportedFacts {
        name: cluster.name().clone(),
        network: cluster.network().clone(),
        operators: cluster.operators().to_vec(),
        sharing: sharing.clone(),
    })
    .unwrap();
    assert_eq!((again.bytes(), again.cid()), (bytes, cluster.cid()));
    // Every key says whose it is.
    for (validator, (key, shares)) in sharing.group_keys().zip(sharing.shares()).enumerate() {
        let found = cluster.places().find(&key.to_bytes());
        assert_eq!(found, Some(Found::Whole { validator }));
        for (share, index) in shares.iter().zip(sharing.indices()) {
            let index = *index;
            let found = cluster.places().find(&share.to_bytes());
            assert_eq!(found, Some(Found::Share { validator, index }));
        }
    }
    taken("imported-cluster", bytes);
}

/// The proofs that inputs are changes of: with a challenge, and without.
pub(crate) fn share_proofs() -> &'static [Value; 2] {
    static MADE: OnceLock<[Value; 2]> = OnceLock::new();
    MADE.get_or_init(|| {
        let Stage { players, ended, .. } = stage();
        [Some("drill of April 2027"), None].map(|challenge| {
            let challenge = challenge.map(|text| Text::try_from(text.to_owned()).unwrap());
            let proof = ShareProof::make(
                players[0].memory.shares.as_ref().unwrap(),
                &ended.hash().unwrap(),
                &players[0].me.identity,
                challenge,
                1_790_000_000,
                &Secret::new([7; 32]),
            );
            serde_json::from_slice(proof.unwrap().bytes()).unwrap()
        })
    })
}

/// A share proof, as it is and signed again by the operator whose shares the seeds prove.
pub(crate) fn share_proof(bytes: &[u8]) {
    proves(bytes);
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(bytes) else {
        return;
    };
    let me = &stage().players[0].me.identity;
    fields.remove("signature");
    fields.insert("identity".to_owned(), me.public().to_string().into());
    let Ok(signed) = json::canonical_value(&Value::Object(fields.clone())) else {
        return;
    };
    let signature = me.sign(Tag::SHARE_PROOF_SIGNATURE, &signed);
    fields.insert("signature".to_owned(), signature.to_string().into());
    proves(&json::canonical_value(&Value::Object(fields)).unwrap());
}

fn proves(bytes: &[u8]) {
    let proof = match ShareProof::parse(bytes) {
        Ok(proof) => proof,
        Err(error) => return drop(said(error)),
    };
    assert_eq!(proof.bytes(), bytes);
    taken("share-proof", bytes);
    let Stage {
        plan,
        players,
        ended,
        ..
    } = stage();
    let subject = Subject {
        cid: plan.cid(),
        outcome: &ended.hash().unwrap(),
        epoch: 0,
        sharing: ended.sharing(),
    };
    match proof.verify(&subject, &players[0].me.identity.public()) {
        // What holds was proved: only what no proof speaks of can be another.
        Ok(()) => {
            let bare = |value: &Value| {
                let mut value = value.clone();
                let fields = value.as_object_mut().unwrap();
                fields.retain(|field, _| field != "signature" && field != "tool");
                value
            };
            let found = bare(&serde_json::from_slice(bytes).unwrap());
            assert!(share_proofs().iter().any(|made| bare(made) == found));
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
    plan.warnings()
        .iter()
        .for_each(|warning| drop(said(warning)));
    let page = Page::of(&plan).to_string();
    assert!(
        !page.contains(|c: char| c.is_control() && c != '\n'),
        "{page:?}"
    );
    match plan.work() {
        PlanWork::Keygen(plan) => keygen(plan),
        PlanWork::Sign(plan) => sign(plan),
    }
}

/// What every keygen's plan is good for.
fn keygen(plan: KeygenPlan<'_>) {
    let (n, t) = (plan.roster().len(), plan.threshold());
    assert_eq!(plan.params().indices().len(), n);
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

/// What every signing plan is good for: each message has a key and a root, and no two are alike.
fn sign(plan: SignPlan<'_>) {
    let (n, t) = (plan.roster().len(), plan.threshold());
    assert_eq!(
        (plan.sharing().indices().len(), plan.sharing().threshold()),
        (n, t)
    );
    assert_eq!(plan.roots().len(), plan.messages().len());
    let mut roots = BTreeSet::new();
    for (message, root) in plan.messages().iter().zip(plan.roots()) {
        let key = plan.key(message).unwrap();
        assert_eq!(
            message.object.signing_root(key, plan.network()),
            Some(*root)
        );
        assert!(roots.insert((message.key, *root)));
    }
    assert!(plan.positions().is_sorted_by(|a, b| a < b));
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

/// How many rows a plan has of what is checked one by one.
fn rows(plan: &Plan) -> usize {
    match plan.work() {
        PlanWork::Keygen(plan) => plan.validators().len(),
        PlanWork::Sign(plan) => plan.messages().len(),
    }
}

pub(crate) fn evidence(bytes: &[u8]) {
    let (evidence, plan, messages) = match Evidence::parse(bytes) {
        Ok(parsed) => parsed,
        Err(error) => return listed(error),
    };
    if messages.len() > 64 || plan.roster().len() > 16 || rows(&plan) > 16 {
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
