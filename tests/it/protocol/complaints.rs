//! Complaints: who is proved wrong, and by what.

use conclave::crypto::feldman;
use conclave::crypto::point::{G1, PointError};
use conclave::crypto::proof::{EqualLogs, EqualLogsStatement};
use conclave::crypto::scalar::Scalar;
use conclave::hash::{Digest, Tag};
use conclave::json::Hex;
use conclave::protocol::complaint::{
    self, ComplaintPayload, EqualLogsPayload, FalseComplaint, Judgement,
};
use conclave::protocol::deal::{self, CheckedDeal};

use crate::harness::forgery::{
    Dealing, INFINITY, OFF_CURVE, OFF_SUBGROUP, ORDER_THREE, plus_order,
};
use crate::harness::maths::Table;
use crate::protocol::deal_hash;

const T: usize = 3;
const M: usize = 7;
const DEALER: usize = 1;
const VICTIM: usize = 2;

/// A deal that passes the public checks, after `change`, with its hash.
fn dealt(change: impl FnOnce(&Table, &mut Dealing)) -> (Table, CheckedDeal, Digest) {
    let table = Table::new(&[1, 2, 5, 9], T, M);
    let mut dealing = Dealing::new(&table.params, 77);
    change(&table, &mut dealing);
    let payload = dealing.payload(&table.params, DEALER);
    let deal = deal::check(&table.params, DEALER, &payload).unwrap();
    (table, deal, deal_hash(&payload))
}

fn complain(table: &Table, by: usize, deal: &CheckedDeal, hash: &Digest) -> ComplaintPayload {
    let (secret, ceremony) = (&table.encryption[by], &table.secrets[by]);
    complaint::make(&table.params, by, secret, ceremony, deal, hash).unwrap()
}

/// What becomes of the complaint of `by`, and what `by` itself finds.
fn verdict(table: &Table, by: usize, deal: &CheckedDeal, hash: &Digest) -> Judgement {
    let payload = complain(table, by, deal, hash);
    complaint::judge(&table.params, by, deal, hash, &payload).unwrap()
}

fn found_by(table: &Table, by: usize, deal: &CheckedDeal) -> Vec<usize> {
    let secret = &table.encryption[by];
    let shares = deal.open(&table.params, by, secret).unwrap();
    let index = table.params.operators[by].index;
    feldman::find_bad_shares(index, &shares, deal.commitments(), T, &[8; 32])
}

fn dealer(validators: &[usize]) -> Judgement {
    Judgement::Dealer {
        validators: validators.to_vec(),
    }
}

fn off_by(share: &mut Scalar, amount: &Scalar) {
    *share = share.add(amount);
}

#[test]
fn a_true_complaint_names_exactly_the_wrong_validators() {
    let one = Scalar::from_u64(1);
    let cases: [&[usize]; 5] = [&[0], &[6], &[3, 4], &[0, 2, 5], &[0, 1, 2, 3, 4, 5, 6]];
    for wrong in cases {
        let (table, deal, hash) = dealt(|_, dealing| {
            for v in wrong {
                off_by(&mut dealing.shares[*v][VICTIM], &one);
            }
        });
        assert_eq!(found_by(&table, VICTIM, &deal), wrong);
        assert_eq!(verdict(&table, VICTIM, &deal, &hash), dealer(wrong));
        for other in [0, DEALER, 3] {
            assert!(found_by(&table, other, &deal).is_empty());
            assert_eq!(
                verdict(&table, other, &deal, &hash),
                Judgement::Complainer(FalseComplaint::SharesAreRight)
            );
        }
    }
}

#[test]
fn errors_that_cancel_are_both_found() {
    let error = Scalar::from_u64(12345);
    let (table, deal, hash) = dealt(|_, dealing| {
        off_by(&mut dealing.shares[1][VICTIM], &error);
        off_by(&mut dealing.shares[4][VICTIM], &error.neg());
    });
    assert_eq!(verdict(&table, VICTIM, &deal, &hash), dealer(&[1, 4]));
}

/// The shares of two recipients, exchanged: each is right, for the other.
#[test]
fn the_share_of_another_recipient_is_wrong() {
    let (table, deal, hash) = dealt(|_, dealing| dealing.shares[5].swap(VICTIM, 3));
    assert_eq!(verdict(&table, VICTIM, &deal, &hash), dealer(&[5]));
    assert_eq!(verdict(&table, 3, &deal, &hash), dealer(&[5]));
    let (table, deal, hash) = dealt(|_, dealing| dealing.shares.swap(2, 3));
    assert_eq!(verdict(&table, VICTIM, &deal, &hash), dealer(&[2, 3]));
}

/// t commitments, as the public checks want, to a polynomial of degree t.
#[test]
fn a_higher_degree_than_committed_is_proved_by_everyone() {
    let (table, deal, hash) = dealt(|table, dealing| {
        dealing.coefficients[3].push(Scalar::from_u64(1));
        dealing.evaluate(&table.params);
        dealing.coefficients[3].pop();
    });
    for by in 0..4 {
        assert_eq!(verdict(&table, by, &deal, &hash), dealer(&[3]));
    }
}

/// A deal that is wrong for [`VICTIM`], so that only the complaint decides.
fn wrong_deal() -> (Table, CheckedDeal, Digest) {
    dealt(|_, dealing| off_by(&mut dealing.shares[0][VICTIM], &Scalar::from_u64(1)))
}

/// A complaint over any shared point and any statement, proved as well as can be.
fn forged(
    table: &Table,
    secret: &Scalar,
    deal: &CheckedDeal,
    shared: &G1,
    context: [&[u8]; 4],
) -> ComplaintPayload {
    let statement = EqualLogsStatement {
        tag: Tag::COMPLAINT_PROOF,
        context: &context,
        key: &table.params.operators[VICTIM].key,
        base: deal.ephemeral(),
        shared,
    };
    let proof = EqualLogs::prove(secret, statement, &Scalar::from_u64(4711)).unwrap();
    ComplaintPayload {
        shared: Hex(shared.to_bytes()),
        proof: EqualLogsPayload {
            commitment_generator: Hex(proof.commitment_generator.to_bytes()),
            commitment_base: Hex(proof.commitment_base.to_bytes()),
            response: Hex(proof.response.to_public_bytes()),
        },
    }
}

#[test]
fn the_proof_binds_ceremony_deal_complainer_and_dealer() {
    let (table, deal, hash) = wrong_deal();
    let (cid, other) = (table.params.cid, Digest::from_bytes([5; 32]));
    let index = |position: usize| table.params.operators[position].index.to_be_bytes();
    let (i, j, k) = (index(VICTIM), index(DEALER), index(0));
    let judge = |context: [&[u8]; 4]| {
        let secret = &table.encryption[VICTIM];
        let shared = deal.ephemeral().times(secret).unwrap();
        let payload = forged(&table, secret, &deal, &shared, context);
        complaint::judge(&table.params, VICTIM, &deal, &hash, &payload).unwrap()
    };
    let (c, h) = (cid.as_bytes().as_slice(), hash.as_bytes().as_slice());
    assert_eq!(judge([c, h, &i, &j]), dealer(&[0]));
    let bad = Judgement::Complainer(FalseComplaint::Proof);
    for context in [
        [other.as_bytes(), h, &i, &j],
        [c, other.as_bytes(), &i, &j],
        [c, h, &k, &j],
        [c, h, &i, &k],
        [c, h, &j, &i],
    ] {
        assert_eq!(judge(context), bad);
    }
}

#[test]
fn a_wrong_shared_point_frames_nobody() {
    // The shares are right; with a wrong D they would open to nonsense.
    let (table, deal, hash) = dealt(|_, _| ());
    let index = |position: usize| table.params.operators[position].index.to_be_bytes();
    let (i, j) = (index(VICTIM), index(DEALER));
    let context: [&[u8]; 4] = [table.params.cid.as_bytes(), hash.as_bytes(), &i, &j];
    let own = &table.encryption[VICTIM];
    let right = deal.ephemeral().times(own).unwrap();
    // The shared point of another operator, which that one's own complaint would publish.
    let others = deal.ephemeral().times(&table.encryption[3]).unwrap();
    let bad = Judgement::Complainer(FalseComplaint::Proof);
    for shared in [right.negated(), others, G1::generator()] {
        for secret in [own, &table.encryption[3]] {
            let payload = forged(&table, secret, &deal, &shared, context);
            let judgement =
                complaint::judge(&table.params, VICTIM, &deal, &hash, &payload).unwrap();
            assert_eq!(judgement, bad);
        }
    }
    // Another operator's whole complaint.
    let copied = complain(&table, 3, &deal, &hash);
    let judgement = complaint::judge(&table.params, VICTIM, &deal, &hash, &copied).unwrap();
    assert_eq!(judgement, bad);
}

#[test]
fn half_a_proof_is_none() {
    let (table, deal, hash) = wrong_deal();
    let honest = complain(&table, VICTIM, &deal, &hash);
    let changes: [fn(&mut ComplaintPayload); 3] = [
        |payload| payload.proof.commitment_generator = Hex(G1::generator().to_bytes()),
        |payload| payload.proof.commitment_base = Hex(G1::generator().to_bytes()),
        |payload| payload.proof.response.0[31] ^= 1,
    ];
    for change in changes {
        let mut payload = honest.clone();
        change(&mut payload);
        assert_eq!(
            complaint::judge(&table.params, VICTIM, &deal, &hash, &payload).unwrap(),
            Judgement::Complainer(FalseComplaint::Proof)
        );
    }
}

#[test]
fn points_and_scalars_that_may_not_be_used_fall_back_on_the_complainer() {
    let (table, deal, hash) = wrong_deal();
    let honest = complain(&table, VICTIM, &deal, &hash);
    let reason = |change: &dyn Fn(&mut ComplaintPayload)| {
        let mut payload = honest.clone();
        change(&mut payload);
        match complaint::judge(&table.params, VICTIM, &deal, &hash, &payload).unwrap() {
            Judgement::Complainer(FalseComplaint::Malformed(reason)) => reason,
            other => panic!("{other:?}"),
        }
    };
    for (bytes, error) in [
        (INFINITY, PointError::Infinity),
        (ORDER_THREE, PointError::NotInSubgroup),
        (OFF_SUBGROUP, PointError::NotInSubgroup),
        (OFF_CURVE, PointError::NotOnCurve),
    ] {
        assert_eq!(
            [
                reason(&|payload| payload.shared = Hex(bytes)),
                reason(&|payload| payload.proof.commitment_generator = Hex(bytes)),
                reason(&|payload| payload.proof.commitment_base = Hex(bytes)),
            ],
            ["shared point", "first commitment", "second commitment"]
                .map(|what| format!("its {what} {error}"))
        );
    }
    assert_eq!(
        reason(&|payload| plus_order(&mut payload.proof.response.0)),
        "its response is not a canonical scalar"
    );
}
