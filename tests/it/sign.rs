//! Signing ceremonies in this process: any t give the same bytes, and whoever sends something else is
//! named.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use conclave::ambient::OsRandomness;
use conclave::artifacts::{ArtifactError, Recorded, SignedRequest, write_signed};
use conclave::audit::{Conclusion, audit, audit_evidence, bears_out};
use conclave::ceremony::Unobserved;
use conclave::ceremony::evidence::{Evidence, Fault};
use conclave::ceremony::outcome::{Outcome, SignOutcome};
use conclave::ceremony::plan::{Plan, SignDraft, SignMessage, SignObject};
use conclave::ceremony::session::{Registered, Session};
use conclave::ceremony::step::{SessionError, Step};
use conclave::crypto::bls;
use conclave::crypto::point::G2;
use conclave::hash::Digest;
use conclave::json::Hex;
use conclave::store::disk::{Disk, RealDisk};
use conclave::wire::envelope::{Envelope, Kind, Place};

use crate::harness::ceremony::Board;
use crate::harness::signing::{Signing, draft};

static FOUR: LazyLock<Signing> = LazyLock::new(|| Signing::of(4));

fn outcome(step: Step) -> (Vec<u8>, Vec<Fault>) {
    match step {
        Step::Complete { outcome, faults } => (outcome.to_bytes().unwrap(), faults),
        other => panic!("{other:?}"),
    }
}

fn words(faults: &[Fault]) -> Vec<(u64, &'static str)> {
    let words = faults.iter();
    words
        .map(|fault| (fault.accused.get(), fault.kind.word()))
        .collect()
}

/// The faults that somebody who has not signed hears of, with how many are still needed.
fn awaiting(step: Step) -> (usize, Vec<u64>, Vec<Fault>) {
    match step {
        Step::AwaitPartials { awaited, faults } => {
            let of = awaited.of.iter().map(|index| index.get()).collect();
            (awaited.needed, of, faults)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_t_operators_give_the_same_bytes_and_every_signature_is_its_keys() {
    let signing = &*FOUR;
    let mut all = BTreeSet::new();
    for left_out in 0..4 {
        let partials: Vec<Envelope> = (0..4)
            .filter(|position| *position != left_out)
            .map(|position| signing.partial(position))
            .collect();
        let board = signing.board(&partials);
        for position in 0..4 {
            let (bytes, faults) = outcome(signing.next(position, &board).unwrap());
            assert!(faults.is_empty());
            all.insert(bytes);
        }
        // An auditor comes to the same.
        let report = report(signing, &board);
        assert_eq!(report.conclusion(), Conclusion::Complete);
        all.extend(report.outcome);
    }
    let partials: Vec<Envelope> = (0..4).map(|position| signing.partial(position)).collect();
    all.insert(outcome(signing.next(0, &signing.board(&partials)).unwrap()).0);
    assert_eq!(all.len(), 1, "one outcome");
    let found = signing
        .session(&signing.board(&partials))
        .examine(&signing.board(&partials), &Unobserved)
        .unwrap();
    let Some(Outcome::Sign(found)) = found.outcome else {
        panic!("no signatures");
    };
    let plan = signing.plan.sign().unwrap();
    assert_eq!(found.signatures().len(), plan.messages().len());
    for ((message, root), signature) in plan
        .messages()
        .iter()
        .zip(plan.roots())
        .zip(found.signatures())
    {
        assert!(bls::verify(plan.key(message).unwrap(), root, signature));
    }
    // Nothing in the outcome says who signed.
    let text = String::from_utf8(all.pop_first().unwrap()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fields: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["cid", "kind", "signatures", "version"]);
}

fn report(signing: &Signing, board: &Board) -> conclave::audit::Report {
    let ids: Vec<String> = board.0.keys().cloned().collect();
    audit(&signing.plan, &ids, board, None, &Unobserved).unwrap()
}

#[test]
fn too_few_are_waited_for_and_whoever_finds_enough_signs_nothing() {
    let signing = &*FOUR;
    let own = signing.partial(1);
    let mut memory = signing.memory(1);
    memory.own.insert(own.header().hash());
    let board = signing.board(&[own]);
    let (needed, of, faults) = awaiting(signing.next_with(1, &board, &memory).unwrap());
    assert_eq!((needed, of, faults.len()), (2, vec![1, 3, 4], 0));
    let board = signing.board(&[signing.partial(0), signing.partial(1), signing.partial(3)]);
    // The third operator is not needed any more.
    assert!(matches!(
        signing.next(2, &board).unwrap(),
        Step::Complete { .. }
    ));
}

#[test]
fn a_partial_is_the_same_whenever_it_is_made() {
    let signing = &*FOUR;
    let made = signing.partial(2);
    assert_eq!(made, signing.partial(2));
    assert_eq!(made, signing.signed(2, &signing.payload(2)));
    // Found on the board by a home that does not remember it, it is taken for its own.
    let board = signing.board(std::slice::from_ref(&made));
    let Step::Send(again) = signing.next(2, &board).unwrap() else {
        panic!("it is not adopted");
    };
    assert_eq!(again, [made]);
    // Another one of the same operator is somebody else at work.
    let mut other = signing.payload(2);
    other.partials.swap(0, 1);
    let board = signing.board(&[signing.signed(2, &other)]);
    assert!(matches!(
        signing.next(2, &board),
        Err(SessionError::Conflict {
            kind: Kind::Partial
        })
    ));
}

#[test]
fn whoever_sends_a_bad_partial_is_named_and_the_others_complete() {
    let signing = &*FOUR;
    let honest = signing.payload(0);
    let infinity = {
        let mut bytes = [0u8; 96];
        bytes[0] = 0xc0;
        Hex(bytes)
    };
    let mut cases = Vec::new();
    let mut change = |what: &str, change: &dyn Fn(&mut Vec<Hex<96>>)| {
        let mut payload = honest.clone();
        change(&mut payload.partials);
        cases.push((what.to_owned(), payload));
    };
    for at in 0..honest.partials.len() {
        change(&format!("message {at} does not verify"), &|partials| {
            let other = signing.payload(1).partials[at];
            partials[at] = other;
        });
        change(
            &format!("message {at} is the point at infinity"),
            &|partials| {
                partials[at] = infinity;
            },
        );
    }
    change("5 messages", &|partials| partials.truncate(4));
    change("5 messages", &|partials| partials.push(infinity));
    change("message 2 is not in the subgroup", &|partials| {
        partials[2] = Hex(outside_the_subgroup());
    });
    // Two errors that cancel where nobody weighs them.
    change("message 0 does not verify", &|partials| {
        let (a, b) = (
            G2::from_bytes(&partials[0].0).unwrap(),
            G2::from_bytes(&partials[3].0).unwrap(),
        );
        (partials[0], partials[3]) = (Hex(b.to_bytes()), Hex(a.to_bytes()));
    });
    let rest: Vec<Envelope> = (1..4).map(|position| signing.partial(position)).collect();
    let expected = outcome(signing.next(3, &signing.board(&rest)).unwrap()).0;
    for (what, payload) in cases {
        let bad = signing.signed(0, &payload);
        let mut board = signing.board(&[bad]);
        // Alone on the board it is named already.
        let examined = signing
            .session(&board)
            .examine(&board, &Unobserved)
            .unwrap();
        assert_eq!(words(&examined.faults), [(1, "invalid-partial")], "{what}");
        assert_eq!(examined.awaited_partials.unwrap().needed, 3);
        // The others complete without it, whoever looks.
        for envelope in &rest {
            signing.put(&mut board, envelope);
        }
        let (bytes, faults) = outcome(signing.next(3, &board).unwrap());
        assert_eq!(bytes, expected, "{what}");
        assert_eq!(words(&faults), [(1, "invalid-partial")], "{what}");
        let said = faults[0].kind.to_string();
        let tail = what
            .split_once("message ")
            .map_or(what.as_str(), |(_, tail)| tail);
        let number = tail.split(' ').next().unwrap();
        assert!(said.contains(number), "{what}: {said}");
        assert_eq!(
            report(signing, &board).conclusion(),
            Conclusion::Misbehaviour
        );
        // Anybody can check the evidence.
        let accused = faults.iter().map(|fault| fault.accused).collect();
        let claim = said.clone();
        let file =
            Evidence::collect(&signing.plan, accused, claim, &faults[0].proof, &board).unwrap();
        let (evidence, plan, messages) = Evidence::parse(&file).unwrap();
        let report = audit_evidence(&plan, &messages, &Unobserved).unwrap();
        assert!(bears_out(&evidence, &report), "{what}");
    }
}

/// A point of the curve that is not in the subgroup: x = 2, see `protocol::confirms`.
fn outside_the_subgroup() -> [u8; 96] {
    let mut bytes = [0u8; 96];
    (bytes[0], bytes[95]) = (0x80, 2);
    bytes
}

#[test]
fn with_too_many_bad_ones_it_stops_and_a_right_one_still_counts() {
    let signing = &*FOUR;
    let bad = |position: usize| {
        let mut payload = signing.payload(position);
        payload.partials.swap(0, 1);
        signing.signed(position, &payload)
    };
    let own = signing.partial(0);
    let mut memory = signing.memory(0);
    memory.own.insert(own.header().hash());
    let mut board = signing.board(&[own, bad(1), bad(2)]);
    let Step::Stop(stop) = signing.next_with(0, &board, &memory).unwrap() else {
        panic!("two of four cannot sign");
    };
    assert_eq!(
        words(&stop.faults),
        [(2, "invalid-partial"), (3, "invalid-partial")]
    );
    // Whoever sends a right one after a wrong one is an equivocator; the signatures count all the same.
    for position in [1, 3] {
        signing.put(&mut board, &signing.partial(position));
    }
    let (_, faults) = outcome(signing.next_with(0, &board, &memory).unwrap());
    assert_eq!(
        words(&faults),
        [
            (2, "invalid-partial"),
            (3, "invalid-partial"),
            (2, "equivocation")
        ]
    );
}

/// A crowd of wrong partials keeps nobody's right one out.
#[test]
fn a_valid_partial_finds_room_beyond_the_bound() {
    let signing = &*FOUR;
    let mut session = Session::new(&signing.plan);
    let mut board = Board::default();
    let honest = signing.payload(0);
    for number in 0..16u8 {
        let mut payload = honest.clone();
        payload.partials.truncate(1);
        payload.partials[0].0[5] ^= number + 1;
        let name = signing.put(&mut board, &signing.signed(0, &payload));
        assert_eq!(session.register(&board.0[&name], &name), Registered::New);
    }
    let my = signing.cluster.players[1].index;
    let read = |session: &Session<'_>, envelope: &Envelope| session.read(envelope.bytes()).unwrap();
    let mut wrong = honest.clone();
    wrong.partials.swap(0, 1);
    let wrong = read(&session, &signing.signed(0, &wrong));
    assert!(matches!(session.would_place(&wrong), Registered::Noise(_)));
    assert!(!session.counts(&wrong, my, None, &board).unwrap());
    let right = read(&session, &signing.signed(0, &honest));
    assert!(matches!(session.would_place(&right), Registered::Noise(_)));
    assert!(session.counts(&right, my, None, &board).unwrap());
}

#[test]
fn messages_of_other_ceremonies_and_kinds_are_noise() {
    let signing = &*FOUR;
    let other = Signing::with(4, |draft| draft.random = [10; 32]);
    let foreign = other.partial(0);
    assert!(matches!(
        signing.offered(foreign.bytes()),
        Registered::Noise(_)
    ));
    // The same signatures, signed for this ceremony by somebody else, are that one's fault.
    let stolen = signing.signed(1, &other.payload(0));
    let board = signing.board(&[stolen]);
    let examined = signing
        .session(&board)
        .examine(&board, &Unobserved)
        .unwrap();
    assert_eq!(words(&examined.faults), [(2, "invalid-partial")]);
    // Deals and abandons have no place here, partials none in a keygen.
    let identity = &signing.cluster.players[0].me.identity;
    for (kind, place) in [(Kind::Deal, Place::Deal), (Kind::Abandon, Place::Confirm)] {
        let payload = serde_json::json!({});
        let envelope = Envelope::sign(identity, *signing.plan.cid(), kind, place, payload).unwrap();
        let Registered::Noise(why) = signing.offered(envelope.bytes()) else {
            panic!("{kind} is taken");
        };
        assert!(why.contains("does not belong"), "{why}");
    }
    let keygen = &signing.cluster.plan;
    let payload = signing.payload(0);
    let envelope = Envelope::sign(
        identity,
        *keygen.cid(),
        Kind::Partial,
        Place::Partial,
        payload,
    )
    .unwrap();
    let taken = Session::new(keygen).register(envelope.bytes(), "partial");
    assert!(matches!(taken, Registered::Noise(_)), "{taken:?}");
}

/// Whoever holds the shares of something else signs nothing, however the plan came here.
#[test]
fn shares_of_another_cluster_sign_nothing() {
    type Change = fn(&mut SignDraft);
    let changes: [(&str, Change); 4] = [
        ("ceremony", |draft| {
            draft.cluster.cid = Digest::from_bytes([1; 32]);
        }),
        ("keys", |draft| draft.keys[1].1.swap(0, 1)),
        ("keys", |draft| draft.keys[1].0 = 1),
        ("keys", |draft| draft.keys[1].0 = 3),
    ];
    for (what, change) in changes {
        let signing = Signing::with(4, change);
        match signing.next(0, &Board::default()) {
            Err(SessionError::OtherCluster(differs)) => assert_eq!(differs, what),
            other => panic!("{what}: {other:?}"),
        }
    }
    let signing = &*FOUR;
    let strangers = signing.memory(1);
    let refused = signing.next_with(0, &Board::default(), &strangers);
    assert!(matches!(refused, Err(SessionError::OtherCluster(_))));
    let none = conclave::ceremony::step::Memory::default();
    let refused = signing.next_with(0, &Board::default(), &none);
    assert!(matches!(refused, Err(SessionError::NoShares)));
}

fn problems(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut value = FOUR.plan.value().clone();
    change(&mut value);
    match Plan::from_value(value) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// There is no way to say what a validator can be slashed for, nor a root.
#[test]
fn only_the_four_kinds_of_messages_can_be_said() {
    for kind in [
        "attestation",
        "block",
        "randao_reveal",
        "aggregate_and_proof",
        "sync_committee_message",
        "root",
        "signing_root",
        "object_root",
    ] {
        let found = problems(|plan| {
            plan["messages"][0] = serde_json::json!({"key": 0, kind: "00".repeat(32)});
        });
        assert!(found.contains("unknown field"), "{kind}: {found}");
    }
}

#[test]
fn what_is_wrong_with_a_plan_is_said() {
    assert_eq!(problems(|_| {}), "");
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change); 23] = [
        ("no key 2", |plan| plan["messages"][0]["key"] = 2.into()),
        ("exactly one of", |plan| {
            plan["messages"][0] = serde_json::json!({"key": 0});
        }),
        ("exactly one of", |plan| {
            let registration = plan["messages"][3]["registration"].clone();
            plan["messages"][0]["registration"] = registration;
        }),
        ("stands in the plan twice", |plan| {
            let again = plan["messages"][0].clone();
            plan["messages"].as_array_mut().unwrap().push(again);
        }),
        ("has one index", |plan| {
            plan["messages"][1]["exit"]["validator_index"] = 1_234_567.into();
        }),
        ("has one index", |plan| {
            let mut again = plan["messages"][0].clone();
            again["exit"]["validator_index"] = 8.into();
            plan["messages"].as_array_mut().unwrap().push(again);
        }),
        ("changes its credentials once", |plan| {
            let mut again = plan["messages"][2].clone();
            again["key"] = 1.into();
            plan["messages"].as_array_mut().unwrap().push(again);
        }),
        ("signs nothing", |plan| {
            plan["messages"] = serde_json::json!([plan["messages"][0].clone()]);
        }),
        ("0 messages", |plan| {
            plan["messages"] = serde_json::json!([])
        }),
        ("no key", |plan| plan["keys"] = serde_json::json!([])),
        ("must ascend", |plan| plan["keys"][1]["position"] = 0.into()),
        ("key 0: its polynomial has 2 coefficients", |plan| {
            plan["keys"][0]["polynomial"].as_array_mut().unwrap().pop();
        }),
        // One key's missing coefficient made up for by another's: the total is right.
        ("key 0: its polynomial has 2 coefficients", |plan| {
            let moved = plan["keys"][0]["polynomial"].as_array_mut().unwrap().pop();
            let other = plan["keys"][1]["polynomial"].as_array_mut().unwrap();
            other.push(moved.unwrap());
        }),
        ("infinity", |plan| {
            plan["keys"][0]["polynomial"][0] = format!("c0{}", "00".repeat(47)).into();
        }),
        ("key 1 stands in the plan twice", |plan| {
            let first = plan["keys"][0]["polynomial"].clone();
            plan["keys"][1]["polynomial"] = first;
        }),
        ("more than the 4 operators", |plan| {
            plan["threshold"] = 5.into()
        }),
        ("the gas limit is 0", |plan| {
            plan["messages"][3]["registration"]["gas_limit"] = 0.into();
        }),
        ("not a time", |plan| {
            plan["messages"][3]["registration"]["timestamp"] = 0.into();
        }),
        ("zero address", |plan| {
            let zero = format!("0x{}", "00".repeat(20));
            plan["messages"][2]["bls_change"]["to_execution_address"] = zero.into();
        }),
        ("message 4", |plan| {
            plan["messages"][4]["deposit"]["amount"] = 1.into();
        }),
        ("Capella fork version", |plan| {
            plan["network"] = serde_json::json!({
                "name": "devnet", "fork_version": "10203040",
                "genesis_validators_root": "11".repeat(32)
            });
        }),
        ("rehearsal", |plan| plan["rehearsal"] = true.into()),
        ("created", |plan| plan["created"] = 0.into()),
    ];
    for (words, change) in cases {
        let found = problems(change);
        assert!(found.contains(words), "{words}: {found}");
    }
}

#[test]
fn a_plan_says_the_same_when_it_is_read_again() {
    let plan = &FOUR.plan;
    let again = Plan::parse(plan.bytes()).unwrap();
    assert_eq!(again.cid(), plan.cid());
    let (one, other) = (plan.sign().unwrap(), again.sign().unwrap());
    assert_eq!(one.messages(), other.messages());
    assert_eq!(one.roots(), other.roots());
    assert!(plan.keygen().is_none() && FOUR.cluster.plan.sign().is_none());
    let mut drafted = draft(&FOUR.cluster);
    drafted.messages = vec![
        SignMessage {
            key: 0,
            object: SignObject::Exit {
                epoch: 1,
                validator_index: 1,
            },
        };
        2
    ];
    assert!(Plan::draft_sign(drafted).is_err());
}

#[test]
fn every_object_of_a_plan_has_exactly_its_fields() {
    for pointer in [
        "",
        "/cluster",
        "/keys/0",
        "/messages/0",
        "/messages/0/exit",
        "/messages/2/bls_change",
        "/messages/3/registration",
        "/messages/4/deposit",
        "/roster/0",
        "/network",
    ] {
        let found = problems(|plan| {
            let object = plan.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
            object.insert("more".to_owned(), 1.into());
        });
        assert!(found.contains("unknown field"), "{pointer}: {found}");
    }
    for field in ["cluster", "keys", "messages", "roster", "random"] {
        let found = problems(|plan| drop(plan.as_object_mut().unwrap().remove(field)));
        assert!(found.contains("missing field"), "{field}: {found}");
    }
}

#[test]
fn a_partial_has_exactly_its_field() {
    let signing = &*FOUR;
    let mut value = conclave::json::to_value(&signing.payload(0)).unwrap();
    value["more"] = 1.into();
    let identity = &signing.cluster.players[0].me.identity;
    let cid = *signing.plan.cid();
    let envelope = Envelope::sign(identity, cid, Kind::Partial, Place::Partial, value).unwrap();
    let board = signing.board(&[envelope]);
    let examined = signing
        .session(&board)
        .examine(&board, &Unobserved)
        .unwrap();
    assert_eq!(words(&examined.faults), [(1, "invalid-partial")]);
    assert!(examined.faults[0].kind.to_string().contains("more"));
}

/// Whatever a session says, what is written was verified under its key.
#[test]
fn no_wrong_signature_is_written() {
    let signing = &*FOUR;
    let partials: Vec<Envelope> = (0..3).map(|position| signing.partial(position)).collect();
    let board = signing.board(&partials);
    let examined = signing
        .session(&board)
        .examine(&board, &Unobserved)
        .unwrap();
    let plan = signing.plan.sign().unwrap();
    let right = examined.outcome.unwrap();
    let right = right.sign().unwrap();
    let place = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let write = |outcome: &SignOutcome, name: &str| {
        let list = board.list();
        let request = SignedRequest {
            plan,
            outcome,
            messages: Recorded {
                messages: &board,
                list: &list,
            },
            recipients: &[],
        };
        let path = place.path().join(name);
        write_signed(&disk, &path, &request, &mut OsRandomness, &Unobserved)
    };
    let mut signatures = right.signatures().to_vec();
    signatures.swap(0, 1);
    let error = write(&SignOutcome::new(plan, signatures), "wrong").unwrap_err();
    assert!(matches!(error, ArtifactError::Mismatch(_)), "{error}");
    let error = write(
        &SignOutcome::new(plan, right.signatures()[1..].to_vec()),
        "few",
    )
    .unwrap_err();
    assert!(matches!(error, ArtifactError::Mismatch(_)), "{error}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    // The right ones are, each kind in its file, and verified when they are asked for again.
    let written = write(right, "right").unwrap();
    assert!(!written.already && write(right, "right").unwrap().already);
    let mut names: Vec<String> = written
        .files
        .iter()
        .map(|file| file.path.display().to_string())
        .filter(|name| !name.starts_with("record/messages"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "README.txt",
            "bls_to_execution_change-1790000000.json",
            "builder_registrations-1790000000.json",
            "deposit_data-1790000000.json",
            "record/leaving.outcome.json",
            "record/plan.json",
            "signed_exit-1234567.json",
            "signed_exit-7.json",
        ]
    );
    crate::harness::schema::assert_files(&place.path().join("right"));
    // Somebody else's file in their place is not.
    let other = place.path().join("right/signed_exit-7.json");
    std::fs::write(&other, b"{}").unwrap();
    let error = write(right, "right").unwrap_err();
    assert!(matches!(error, ArtifactError::Occupied { .. }), "{error}");
}
