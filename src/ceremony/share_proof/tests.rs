use super::*;
use crate::crypto::polynomial::Polynomial;
use crate::crypto::xof::Xof;

const MADE: u64 = 1_790_000_000;

fn identity(byte: u8) -> IdentityKey {
    IdentityKey::from_seed(&Secret::new([byte; 32]))
}

fn text(text: &str) -> Text {
    Text::try_from(text.to_owned()).unwrap()
}

fn example(validators: usize) -> OwnShares {
    let mut stream = Xof::new(&[5; 32]);
    let secrets: Vec<Polynomial> = (0..validators)
        .map(|_| Polynomial::draw(&mut stream, 2))
        .collect();
    let points = secrets.iter().flat_map(|f| f.commit().unwrap()).collect();
    OwnShares {
        cid: Digest::from_bytes([1; 32]),
        index: 7,
        transcript: Digest::from_bytes([2; 32]),
        deals: Vec::new(),
        sharing: Sharing::from_polynomials(2, vec![1, 7, 9], points).unwrap(),
        shares: secrets.iter().map(|f| f.evaluate(7)).collect(),
    }
}

const OUTCOME: Digest = Digest::from_bytes([3; 32]);

fn subject(own: &OwnShares) -> Subject<'_> {
    Subject {
        cid: &own.cid,
        outcome: &OUTCOME,
        epoch: 0,
        sharing: &own.sharing,
    }
}

fn made(own: &OwnShares, challenge: Option<&str>, random: u8) -> ShareProof {
    ShareProof::make(
        own,
        &OUTCOME,
        &identity(9),
        challenge.map(text),
        MADE,
        &Secret::new([random; 32]),
    )
    .unwrap()
}

/// Signs a changed file again: then the proof alone has to notice.
fn signed_again(value: &Value, by: &IdentityKey) -> Vec<u8> {
    let mut value = value.clone();
    let signed = signed_part(&value).unwrap();
    let signature = by.sign(Tag::SHARE_PROOF_SIGNATURE, &signed);
    value["signature"] = serde_json::to_value(signature).unwrap();
    json::canonical_value(&value).unwrap()
}

#[test]
fn a_proof_is_small_and_holds_for_its_cluster() {
    for count in [1, 3, 40] {
        let own = example(count);
        let proof = made(&own, Some("Q1 2027"), 1);
        assert!(proof.bytes().len() < 1024);
        let read = ShareProof::parse(proof.bytes()).unwrap();
        assert_eq!(
            read.verify(&subject(&own), &identity(9).public()),
            Ok(()),
            "{count}"
        );
        assert_eq!(read.challenge(), Some(&text("Q1 2027")));
        assert_eq!((read.created(), read.index().get()), (MADE, 7));
        assert_eq!(read.validators(), count as u64);
    }
    assert_eq!(made(&example(1), None, 1).challenge(), None);
}

/// Two proofs with one nonce would give the shares' weighted sum away.
#[test]
fn no_two_challenges_meet_one_nonce() {
    let own = example(2);
    let mut commitments = std::collections::BTreeSet::new();
    for (challenge, random) in [(None, 1), (Some("a"), 1), (Some("b"), 1), (None, 2)] {
        let proof = made(&own, challenge, random);
        assert!(commitments.insert(proof.fields.commitment.0));
    }
    // And the same of all again is the same file.
    assert!(!commitments.insert(made(&own, Some("a"), 1).fields.commitment.0));
    // Nor do other shares under the same randomness.
    let mut other = example(2);
    other.index = 9;
    let statement = Digest::from_bytes([4; 32]);
    let seed = Secret::new([1; 32]);
    let first = nonce(&own, &statement, &seed);
    other.shares.swap(0, 1);
    assert_ne!(first, nonce(&other, &statement, &seed));
}

#[test]
fn every_field_is_signed_and_all_that_counts_is_proved() {
    let own = example(3);
    let proof = made(&own, Some("Q1 2027"), 1);
    let value: Value = serde_json::from_slice(proof.bytes()).unwrap();
    let other = made(&own, Some("Q2 2027"), 2);
    let other: Value = serde_json::from_slice(other.bytes()).unwrap();
    let hash = serde_json::to_value(Digest::from_bytes([8; 32])).unwrap();
    let changes = [
        ("challenge", Value::from("Q3 2027")),
        ("cid", hash.clone()),
        ("commitment", other["commitment"].clone()),
        ("created", Value::from(MADE + 1)),
        ("epoch", Value::from(1)),
        (
            "identity",
            serde_json::to_value(identity(8).public()).unwrap(),
        ),
        ("index", Value::from(9)),
        ("index", Value::from(8)),
        ("outcome", hash),
        ("response", other["response"].clone()),
        ("validators", Value::from(2)),
    ];
    for (field, new) in changes {
        let mut changed = value.clone();
        changed[field] = new;
        let bytes = json::canonical_value(&changed).unwrap();
        assert_eq!(
            ShareProof::parse(&bytes).unwrap_err(),
            ShareProofError::Signature,
            "{field}"
        );
        let by = if field == "identity" { 8 } else { 9 };
        let bytes = signed_again(&changed, &identity(by));
        let read = ShareProof::parse(&bytes).unwrap();
        // Whoever reads it may be shown the other cluster as well: the hash binds each.
        let subject = Subject {
            cid: read.cid(),
            outcome: &read.fields.outcome,
            epoch: read.fields.epoch,
            sharing: &own.sharing,
        };
        assert!(
            read.verify(&subject, &identity(by).public()).is_err(),
            "{field}"
        );
    }
    let mut changed = value.clone();
    changed.as_object_mut().unwrap().remove("challenge");
    let read = ShareProof::parse(&signed_again(&changed, &identity(9))).unwrap();
    assert_eq!(
        read.verify(&subject(&own), &identity(9).public()),
        Err(ShareProofError::Unproved(Index::new(7).unwrap()))
    );
    // What made it is told to people, and only signed.
    changed = value;
    changed["tool"] = Value::from("other 1.0");
    assert!(ShareProof::parse(&json::canonical_value(&changed).unwrap()).is_err());
}

#[test]
fn a_proof_is_not_for_another_cluster_operator_or_epoch() {
    let own = example(3);
    let proof = made(&own, None, 1);
    let me = identity(9).public();
    let hash = Digest::from_bytes([8; 32]);
    let verify = |subject: Subject<'_>| proof.verify(&subject, &me).unwrap_err();
    let other = |what| ShareProofError::OtherCluster(what);
    let right = subject(&own);
    let fewer = example(2);
    for (subject, what) in [
        (
            Subject {
                cid: &hash,
                ..right
            },
            "ceremony",
        ),
        (
            Subject {
                outcome: &hash,
                ..right
            },
            "outcome",
        ),
        (Subject { epoch: 1, ..right }, "epoch"),
        (
            Subject {
                sharing: &fewer.sharing,
                ..right
            },
            "number of validators",
        ),
    ] {
        assert_eq!(verify(subject), other(what));
    }
    let index = Index::new(7).unwrap();
    assert_eq!(
        proof.verify(&right, &identity(8).public()),
        Err(ShareProofError::OtherOperator(index))
    );
    // The same counts and another sharing: a share that its maker does not know.
    let points: Vec<G1> = own.sharing.coefficients().to_vec();
    let mut swapped = points.clone();
    swapped.swap(1, 3);
    let sharing = Sharing::from_polynomials(2, vec![1, 7, 9], swapped).unwrap();
    let subject = Subject {
        sharing: &sharing,
        ..right
    };
    assert_eq!(verify(subject), ShareProofError::Unproved(index));
    let strangers = Sharing::from_polynomials(2, vec![1, 8, 9], points).unwrap();
    let subject = Subject {
        sharing: &strangers,
        ..right
    };
    assert_eq!(verify(subject), ShareProofError::OtherOperator(index));
}

#[test]
fn shares_that_are_not_all_known_prove_nothing() {
    let mut own = example(3);
    own.shares.swap(0, 1);
    let make = |own: &OwnShares, created| {
        let seed = Secret::new([1; 32]);
        ShareProof::make(own, &OUTCOME, &identity(9), None, created, &seed).unwrap_err()
    };
    let index = Index::new(7).unwrap();
    assert_eq!(make(&own, MADE), ShareProofError::Unproved(index));
    own.shares.pop();
    assert_eq!(make(&own, MADE), ShareProofError::Secret);
    let own = example(1);
    for time in [0, MAX_CREATED + 1] {
        assert_eq!(make(&own, time), ShareProofError::Time);
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let own = example(1);
    let good = made(&own, None, 1);
    let value: Value = serde_json::from_slice(good.bytes()).unwrap();
    let with = |field: &str, new: Value| {
        let mut value = value.clone();
        value[field] = new;
        ShareProof::parse(&json::canonical_value(&value).unwrap()).unwrap_err()
    };
    assert_eq!(with("version", Value::from(2)), ShareProofError::Version(2));
    assert!(matches!(
        with("commitment", Value::from(format!("c0{}", "00".repeat(47)))),
        ShareProofError::Commitment(_)
    ));
    assert_eq!(
        with("response", Value::from("ff".repeat(32))),
        ShareProofError::Response
    );
    assert_eq!(with("created", Value::from(0)), ShareProofError::Time);
    for (field, new) in [
        ("more", Value::from(1)),
        ("challenge", Value::from("")),
        ("challenge", Value::from("a".repeat(65))),
        ("index", Value::from(0)),
    ] {
        assert!(
            matches!(with(field, new), ShareProofError::Json(_)),
            "{field}"
        );
    }
    let pretty = json::pretty(&value).unwrap();
    assert!(matches!(
        ShareProof::parse(&pretty).unwrap_err(),
        ShareProofError::Json(JsonError::NotCanonical)
    ));
    for cut in [0, 1, good.bytes().len() - 1] {
        assert!(ShareProof::parse(&good.bytes()[..cut]).is_err());
    }
}
