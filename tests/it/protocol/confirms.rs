//! Confirms: counts and encodings, and who is named when partial signatures are wrong.

use conclave::crypto::bls::{self, SigningRoot};
use conclave::crypto::lagrange::Coefficients;
use conclave::crypto::point::{G2, G2Sum, PointError};
use conclave::crypto::scalar::Scalar;
use conclave::crypto::sharing::Sharing;
use conclave::hash::Digest;
use conclave::json::Hex;
use conclave::protocol::ProtocolError;
use conclave::protocol::confirm::{
    self, BadPartial, ConfirmFault, ConfirmPayload, Partials, SeenDeal,
};

use crate::harness::maths::Table;

struct Signed {
    table: Table,
    sharing: Sharing,
    partials: Vec<Partials>,
}

fn signed(indices: &[u64], threshold: usize, validators: usize) -> Signed {
    let table = Table::new(indices, threshold, validators);
    let deals = table.check(&table.deals());
    Signed {
        sharing: table.sharing(&deals),
        partials: table.partials(&deals),
        table,
    }
}

impl Signed {
    fn finalise(&self) -> Result<Partials, Vec<BadPartial>> {
        confirm::finalise(
            &self.sharing,
            &self.table.messages,
            &self.partials,
            &[6; 32],
        )
        .unwrap()
    }

    #[track_caller]
    fn assert_named(&self, expected: &[(usize, usize, usize)]) {
        let named: Vec<_> = self.finalise().unwrap_err();
        let named: Vec<_> = named
            .iter()
            .map(|bad| (bad.operator, bad.validator, bad.message))
            .collect();
        assert_eq!(named, expected);
    }
}

fn plus(a: G2, b: G2) -> G2 {
    let mut sum = G2Sum::from(a);
    sum.add(&b);
    sum.finite().unwrap()
}

fn some_point(n: u64) -> G2 {
    bls::sign(&Scalar::from_u64(n), &SigningRoot([9; 32])).unwrap()
}

#[test]
fn one_culprit_is_named_wherever_the_bad_partial_is() {
    let mut all = signed(&[1, 2, 3, 4], 3, 6);
    all.finalise().unwrap();
    // The last operator's partials are not among those that are combined.
    for operator in [0, 3] {
        for (v, u) in [(0, 0), (3, 1), (5, 1)] {
            let right = all.partials[operator][v][u];
            all.partials[operator][v][u] = plus(right, some_point(1));
            all.assert_named(&[(operator, v, u)]);
            all.partials[operator][v][u] = right;
        }
    }
    all.finalise().unwrap();
}

#[test]
fn partials_of_another_message_validator_or_operator_are_named() {
    // Two messages of one validator, exchanged.
    let mut all = signed(&[1, 2, 3, 4], 3, 6);
    all.partials[1][3].swap(0, 1);
    all.assert_named(&[(1, 3, 0)]);
    // The same message twice.
    let mut all = signed(&[1, 2, 3, 4], 3, 6);
    all.partials[2][1][1] = all.partials[2][1][0];
    all.assert_named(&[(2, 1, 1)]);
    // Two validators, exchanged.
    let mut all = signed(&[1, 2, 3, 4], 3, 6);
    all.partials[1].swap(2, 4);
    all.assert_named(&[(1, 2, 0)]);
    // Two operators who pass each other's partials off as their own.
    let mut all = signed(&[1, 2, 3, 4], 3, 6);
    all.partials.swap(0, 3);
    all.assert_named(&[(0, 0, 0), (3, 0, 0)]);
}

#[test]
fn several_culprits_are_named_each_with_the_first_fault() {
    let mut all = signed(&[3, 11, 12, 40, 41], 3, 5);
    for (operator, v, u) in [(4, 4, 0), (4, 3, 1), (0, 2, 0), (2, 0, 0), (2, 4, 0)] {
        let right = all.partials[operator][v][u];
        all.partials[operator][v][u] = plus(right, some_point(7));
    }
    all.assert_named(&[(0, 2, 0), (2, 0, 0), (4, 3, 1)]);
}

#[test]
fn errors_that_cancel_are_named() {
    let delta = some_point(3);
    // In the plain sum over operators, over validators, and over messages.
    let mut all = signed(&[1, 2, 3, 4], 3, 4);
    all.partials[0][1][0] = plus(all.partials[0][1][0], delta);
    all.partials[2][1][0] = plus(all.partials[2][1][0], delta.negated());
    all.assert_named(&[(0, 1, 0), (2, 1, 0)]);
    let mut all = signed(&[1, 2, 3, 4], 3, 4);
    all.partials[1][0][0] = plus(all.partials[1][0][0], delta);
    all.partials[1][2][0] = plus(all.partials[1][2][0], delta.negated());
    all.assert_named(&[(1, 0, 0)]);
    let mut all = signed(&[1, 2, 3, 4], 3, 4);
    all.partials[1][3][0] = plus(all.partials[1][3][0], delta);
    all.partials[1][3][1] = plus(all.partials[1][3][1], delta.negated());
    all.assert_named(&[(1, 3, 0)]);
}

/// L_1 = 3, L_2 = -3, L_3 = 1: equal errors of the first two leave the full signature right.
#[test]
fn errors_that_leave_the_full_signature_right_are_named() {
    let mut all = signed(&[1, 2, 3, 4], 3, 4);
    let expected = all.finalise().unwrap();
    for operator in [0, 1] {
        let right = all.partials[operator][2][0];
        all.partials[operator][2][0] = plus(right, some_point(3));
    }
    let column: Vec<G2> = all.partials[..3].iter().map(|own| own[2][0]).collect();
    let coefficients = Coefficients::at_zero(&[1, 2, 3]).unwrap();
    let full = bls::combine_with(&coefficients, &column);
    assert_eq!(full, Some(expected[2][0]));
    all.assert_named(&[(0, 2, 0), (1, 2, 0)]);
}

/// L_1 = 2, L_2 = -1: the second partial is chosen so that the combination is infinity.
#[test]
fn partials_that_combine_to_infinity_are_named() {
    let mut all = signed(&[1, 2, 3], 2, 2);
    let other = all.partials[0][1][1];
    all.partials[1][1][1] = plus(other, other);
    all.assert_named(&[(1, 1, 1)]);
}

#[test]
fn all_operators_are_needed_when_the_threshold_says_so() {
    let mut all = signed(&[5, 6, 900], 3, 2);
    let full = all.finalise().unwrap();
    for (key, (roots, row)) in all
        .sharing
        .group_keys()
        .zip(all.table.messages.iter().zip(&full))
    {
        assert!(bls::verify(key, &roots[0], &row[0]));
    }
    all.partials[2][1][0] = some_point(1);
    all.assert_named(&[(2, 1, 0)]);
}

#[test]
fn missing_operators_validators_and_messages_blame_nobody() {
    let fails = |change: &dyn Fn(&mut Signed)| {
        let mut all = signed(&[1, 2, 3], 2, 2);
        change(&mut all);
        confirm::finalise(&all.sharing, &all.table.messages, &all.partials, &[6; 32]).err()
    };
    let count = Some(ProtocolError::Count);
    assert_eq!(fails(&|all| all.partials.truncate(2)), count);
    assert_eq!(fails(&|all| all.partials[2].truncate(1)), count);
    assert_eq!(fails(&|all| all.partials[2][1].truncate(1)), count);
    assert_eq!(fails(&|all| all.table.messages.truncate(1)), count);
}

/// The honest confirm of the first operator, and what becomes of it after `change`.
fn decoded(change: impl FnOnce(&mut ConfirmPayload)) -> Result<Partials, ConfirmFault> {
    let all = signed(&[1, 2, 3], 2, 4);
    let seen = SeenDeal {
        payload: Digest::from_bytes([1; 32]),
        signature: Hex([2; 64]),
    };
    let transcript = Digest::from_bytes([3; 32]);
    let mut payload = confirm::make(transcript, vec![seen; 3], &all.partials[0]);
    change(&mut payload);
    let decoded = confirm::decode(
        &all.table.params,
        &super::counts(&all.table.messages),
        &payload,
    );
    if let Ok(partials) = &decoded {
        assert_eq!(partials, &all.partials[0]);
    }
    decoded
}

#[test]
fn other_counts_than_the_plans_are_refused() {
    let count = |what, actual, expected| {
        Some(ConfirmFault::Count {
            what,
            actual,
            expected,
        })
    };
    assert!(decoded(|_| ()).is_ok());
    let fault = decoded(|payload| payload.deals.truncate(2));
    assert_eq!(fault.err(), count("deals", 2, 3));
    let fault = decoded(|payload| payload.deals.extend_from_within(..1));
    assert_eq!(fault.err(), count("deals", 4, 3));
    let rows = "rows of partial signatures";
    let fault = decoded(|payload| payload.partials.truncate(3));
    assert_eq!(fault.err(), count(rows, 3, 4));
    let fault = decoded(|payload| payload.partials.extend_from_within(..1));
    assert_eq!(fault.err(), count(rows, 5, 4));
    let cells = "partial signatures for a validator";
    let fault = decoded(|payload| payload.partials[3].truncate(1));
    assert_eq!(fault.err(), count(cells, 1, 2));
    let fault = decoded(|payload| payload.partials[2].extend_from_within(..1));
    assert_eq!(fault.err(), count(cells, 2, 1));
}

#[test]
fn partials_must_be_finite_and_in_the_subgroup() {
    let encoded = |first: u8, last: u8| {
        let mut bytes = [0; 96];
        (bytes[0], bytes[95]) = (first, last);
        bytes
    };
    for (bytes, error) in [
        (encoded(0xc0, 0), PointError::Infinity),
        // x = 2 is on the twist, x = 1 is not: the norms of x^3 + 4 + 4u are a square and none.
        (encoded(0x80, 2), PointError::NotInSubgroup),
        (encoded(0x80, 1), PointError::NotOnCurve),
        (encoded(0, 0), PointError::NotOnCurve),
        (encoded(0xc0, 1), PointError::NotOnCurve),
    ] {
        // The first of two is named, however many threads look.
        let fault = decoded(|payload| {
            payload.partials[1][1] = Hex(bytes);
            payload.partials[3][0] = Hex([0xff; 96]);
        });
        let expected = ConfirmFault::Point {
            validator: 1,
            message: 1,
            error,
        };
        assert_eq!(fault.err(), Some(expected));
    }
}

#[test]
fn a_zero_share_signs_nothing() {
    let roots = vec![vec![SigningRoot([1; 32])]];
    let error = confirm::sign(&[Scalar::zero()], &roots).err();
    assert_eq!(error, Some(ProtocolError::ZeroSecret));
    let error = confirm::sign(&[], &roots).err();
    assert_eq!(error, Some(ProtocolError::Count));
}
