//! Deals that must be refused, each with its own fault.
//!
//! Every attack is an honest deal but for one thing, and proves whatever it states, so that it would
//! pass if the check that it is aimed at were gone.

use conclave::crypto::point::{G1, G1Sum, PointError};
use conclave::crypto::scalar::Scalar;
use conclave::crypto::sharing::{Sharing, SharingError};
use conclave::hash::Digest;
use conclave::json::Hex;
use conclave::protocol::ProtocolError;
use conclave::protocol::deal::{self, Aggregate, CheckedDeal, DealFault, DealPayload};
use conclave::secret::Seed;

use crate::harness::forgery::{
    Dealing, GENERATOR_AND_ORDER_THREE, INFINITY, OFF_CURVE, OFF_SUBGROUP, ORDER_THREE, encode,
    plus_order,
};
use crate::harness::maths::Table;

const T: usize = 3;
const N: usize = 4;
const M: usize = 2;
const DEALER: usize = 1;

fn table() -> Table {
    Table::new(&[1, 2, 5, 9], T, M)
}

fn check(table: &Table, payload: &DealPayload) -> Result<CheckedDeal, DealFault> {
    deal::check(&table.params, DEALER, payload)
}

/// Changes what the dealer chooses, then deals it properly.
fn dealt(change: impl FnOnce(&Table, &mut Dealing)) -> Result<CheckedDeal, DealFault> {
    let table = table();
    let mut dealing = Dealing::new(&table.params, 77);
    change(&table, &mut dealing);
    dealing.evaluate(&table.params);
    check(&table, &dealing.payload(&table.params, DEALER))
}

/// Changes bytes of a deal, then proves what stands there.
fn rewritten(change: impl FnOnce(&mut DealPayload)) -> Result<CheckedDeal, DealFault> {
    let table = table();
    let dealing = Dealing::new(&table.params, 77);
    let mut payload = dealing.payload(&table.params, DEALER);
    change(&mut payload);
    dealing.prove(&table.params, DEALER, &mut payload);
    check(&table, &payload)
}

fn count(what: &'static str, actual: usize, expected: usize) -> Option<DealFault> {
    Some(DealFault::Count {
        what,
        actual,
        expected,
    })
}

fn point(what: &str, error: PointError) -> Option<DealFault> {
    Some(DealFault::Point {
        what: what.to_owned(),
        error,
    })
}

fn repeated(what: &str) -> Option<DealFault> {
    Some(DealFault::Repeated(what.to_owned()))
}

#[test]
fn the_forgers_honest_deal_passes_and_opens() {
    let table = table();
    let dealing = Dealing::new(&table.params, 77);
    let deal = check(&table, &dealing.payload(&table.params, DEALER)).unwrap();
    assert_eq!(deal.dealer(), DEALER);
    for to in 0..N {
        table.receive(to, std::slice::from_ref(&deal));
    }
    let unique: Vec<_> = deal.unique_keys(T).collect();
    let expected = [
        &dealing.r,
        &dealing.coefficients[0][0],
        &dealing.coefficients[1][0],
    ];
    assert_eq!(unique, expected.map(encode));
}

#[test]
fn another_number_of_coefficients_is_refused() {
    for (extra, actual) in [(false, T - 1), (true, T + 1)] {
        for rows in [&[0, 1][..], &[1]] {
            let fault = dealt(|_, dealing| {
                for v in rows {
                    if extra {
                        dealing.coefficients[*v].push(Scalar::from_u64(5));
                    } else {
                        dealing.coefficients[*v].pop();
                    }
                }
            });
            let expected = count("commitments for a validator", actual, T);
            assert_eq!(fault.err(), expected);
        }
    }
    // Three and three in all, in rows of two and four.
    let shifted = dealt(|_, dealing| {
        let moved = dealing.coefficients[0].pop().unwrap();
        dealing.coefficients[1].push(moved);
    });
    let expected = count("commitments for a validator", T - 1, T);
    assert_eq!(shifted.err(), expected);
}

#[test]
fn another_number_of_validators_is_refused() {
    let fewer = dealt(|_, dealing| {
        dealing.coefficients.pop();
    });
    assert_eq!(fewer.err(), count("rows of commitments", M - 1, M));
    let more = dealt(|_, dealing| {
        let row = (5..8).map(Scalar::from_u64).collect();
        dealing.coefficients.push(row);
    });
    assert_eq!(more.err(), count("rows of commitments", M + 1, M));
    let fewer = rewritten(|payload| {
        payload.ciphertexts.pop();
    });
    assert_eq!(fewer.err(), count("rows of ciphertexts", M - 1, M));
    let more = rewritten(|payload| payload.ciphertexts.push(vec![Hex([0; 32]); N]));
    assert_eq!(more.err(), count("rows of ciphertexts", M + 1, M));
}

#[test]
fn another_number_of_ciphertexts_is_refused() {
    let fewer = rewritten(|payload| {
        payload.ciphertexts[1].pop();
    });
    assert_eq!(fewer.err(), count("ciphertexts for a validator", N - 1, N));
    let more = rewritten(|payload| payload.ciphertexts[0].push(Hex([0; 32])));
    assert_eq!(more.err(), count("ciphertexts for a validator", N + 1, N));
}

#[test]
fn every_point_must_be_finite_and_in_the_subgroup() {
    let cases = [
        (OFF_CURVE, PointError::NotOnCurve),
        ([0; 48], PointError::NotOnCurve),
        (ORDER_THREE, PointError::NotInSubgroup),
        (OFF_SUBGROUP, PointError::NotInSubgroup),
        (INFINITY, PointError::Infinity),
    ];
    for (bytes, error) in cases {
        let fault = rewritten(|payload| payload.ephemeral = Hex(bytes));
        assert_eq!(fault.err(), point("ephemeral key", error));
        let fault = rewritten(|payload| payload.commitments[1][2] = Hex(bytes));
        assert_eq!(fault.err(), point("commitment 2 of validator 1", error));
        let fault = rewritten(|payload| payload.commitments[0][0] = Hex(bytes));
        assert_eq!(fault.err(), point("commitment 0 of validator 0", error));
        let table = table();
        let dealing = Dealing::new(&table.params, 77);
        let mut payload = dealing.payload(&table.params, DEALER);
        payload.proof.commitment = Hex(bytes);
        assert_eq!(
            check(&table, &payload).err(),
            point("proof's commitment", error)
        );
    }
}

/// Infinity where everything else holds together: the secret behind it is zero.
#[test]
fn zero_secrets_are_refused() {
    let zero = Scalar::zero;
    let fault = dealt(|_, dealing| dealing.coefficients[1][2] = zero());
    let expected = point("commitment 2 of validator 1", PointError::Infinity);
    assert_eq!(fault.err(), expected);
    let fault = dealt(|_, dealing| dealing.coefficients[0][0] = zero());
    let expected = point("commitment 0 of validator 0", PointError::Infinity);
    assert_eq!(fault.err(), expected);
    let fault = dealt(|_, dealing| dealing.r = zero());
    let expected = point("ephemeral key", PointError::Infinity);
    assert_eq!(fault.err(), expected);
    let fault = dealt(|_, dealing| dealing.nonce = zero());
    let expected = point("proof's commitment", PointError::Infinity);
    assert_eq!(fault.err(), expected);
}

/// The proof holds on the whole curve when the weight is divisible by three: no proof replaces the
/// subgroup check.
#[test]
fn a_small_order_component_that_the_proof_cannot_see_is_refused() {
    let table = table();
    let shifted = Hex::parse(GENERATOR_AND_ORDER_THREE).unwrap();
    let mut dealing = Dealing::new(&table.params, 77);
    dealing.coefficients[0][1] = Scalar::from_u64(1);
    dealing.evaluate(&table.params);
    let mut payload = dealing.payload(&table.params, DEALER);
    payload.commitments[0][1] = shifted;
    let unseen = (1..).find(|nonce| {
        dealing.nonce = Scalar::from_u64(*nonce);
        let weights = dealing.weights(&table.params, DEALER, &payload);
        u128::from_le_bytes(weights[2]).is_multiple_of(3)
    });
    assert!(unseen.is_some());
    dealing.prove(&table.params, DEALER, &mut payload);
    assert_eq!(
        check(&table, &payload).err(),
        point("commitment 1 of validator 0", PointError::NotInSubgroup)
    );
    // The same deal with the component taken off passes.
    payload.commitments[0][1] = Hex(G1::generator().to_bytes());
    dealing.prove(&table.params, DEALER, &mut payload);
    assert!(check(&table, &payload).is_ok());
}

#[test]
fn scalars_have_one_encoding() {
    let table = table();
    let dealing = Dealing::new(&table.params, 77);
    let mut payload = dealing.payload(&table.params, DEALER);
    plus_order(&mut payload.ciphertexts[1][3].0);
    let expected = DealFault::Scalar("ciphertext 3 of validator 1".to_owned());
    assert_eq!(check(&table, &payload).err(), Some(expected));

    let mut payload = dealing.payload(&table.params, DEALER);
    plus_order(&mut payload.proof.response.0);
    let expected = DealFault::Scalar("proof's response".to_owned());
    assert_eq!(check(&table, &payload).err(), Some(expected));
}

/// r and r + 1 where 0 and 1 would be right, and 0 and 1 themselves, which are.
#[test]
fn the_order_is_no_scalar_and_zero_is_one() {
    let table = table();
    for wanted in 0..2 {
        let mut dealing = Dealing::new(&table.params, 77);
        let wanted = Scalar::from_u64(wanted);
        let off = dealing.shares[0][2].add(&dealing.pad(&table.params, DEALER, 2, 0));
        dealing.coefficients[0][0] = dealing.coefficients[0][0].add(&wanted).sub(&off);
        dealing.evaluate(&table.params);
        let mut payload = dealing.payload(&table.params, DEALER);
        assert_eq!(payload.ciphertexts[0][2].0, wanted.to_public_bytes());
        let deal = check(&table, &payload).unwrap();
        table.receive(2, &[deal]);
        plus_order(&mut payload.ciphertexts[0][2].0);
        let expected = DealFault::Scalar("ciphertext 2 of validator 0".to_owned());
        assert_eq!(check(&table, &payload).err(), Some(expected));
    }
}

#[test]
fn no_key_repeats_inside_a_deal() {
    let fault = dealt(|_, dealing| {
        dealing.coefficients[1][0] = dealing.coefficients[0][0].duplicate();
    });
    assert_eq!(fault.err(), repeated("commitment 0 of validator 1"));
    // Of a card, the dealer's own or, with its secret, another's.
    for card in [DEALER, 3] {
        let fault = dealt(|table, dealing| dealing.r = table.encryption[card].duplicate());
        assert_eq!(fault.err(), repeated("ephemeral key"));
        let fault = dealt(|table, dealing| {
            dealing.coefficients[1][0] = table.encryption[card].duplicate();
        });
        assert_eq!(fault.err(), repeated("commitment 0 of validator 1"));
    }
    let fault = dealt(|_, dealing| dealing.r = dealing.coefficients[0][0].duplicate());
    assert_eq!(fault.err(), repeated("commitment 0 of validator 0"));
    // Two higher coefficients may agree, by whatever chance.
    let passes = dealt(|_, dealing| {
        dealing.coefficients[1][2] = dealing.coefficients[0][1].duplicate();
    });
    assert!(passes.is_ok());
}

#[test]
fn a_proof_serves_one_dealer_of_one_ceremony() {
    let other_cid = dealt(|_, dealing| dealing.cid = Digest::from_bytes([0xc2; 32]));
    assert_eq!(other_cid.err(), Some(DealFault::Proof));
    let table = table();
    let dealing = Dealing::new(&table.params, 77);
    let replayed = dealing.payload(&table.params, 0);
    assert!(deal::check(&table.params, 0, &replayed).is_ok());
    assert_eq!(check(&table, &replayed).err(), Some(DealFault::Proof));
}

#[test]
fn contributions_of_others_cannot_be_copied_mirrored_or_cancelled() {
    let table = table();
    let victim = Dealing::new(&table.params, 50).payload(&table.params, 0);
    let copied = rewritten(|payload| payload.commitments[0][0] = victim.commitments[0][0]);
    assert_eq!(copied.err(), Some(DealFault::Proof));

    let dealing = Dealing::new(&table.params, 77);
    let mut payload = dealing.payload(&table.params, DEALER);
    payload.commitments[0][0] = victim.commitments[0][0];
    payload.proof = victim.proof.clone();
    assert_eq!(check(&table, &payload).err(), Some(DealFault::Proof));

    // Rogue key: C = X - C_victim for an X whose logarithm is known.
    for (v, k) in [(0, 0), (1, T - 1)] {
        let rogue = rewritten(|payload| {
            let mut sum = G1Sum::from(G1::generator());
            let other = G1::from_bytes(&victim.commitments[v][k].0).unwrap();
            sum.add(&other.negated());
            payload.commitments[v][k] = Hex(sum.finite().unwrap().to_bytes());
        });
        assert_eq!(rogue.err(), Some(DealFault::Proof));
    }
}

#[test]
fn a_wrong_proof_is_refused_whichever_part_is_wrong() {
    let table = table();
    let dealing = Dealing::new(&table.params, 77);
    let honest = dealing.payload(&table.params, DEALER);
    let other = Dealing::new(&table.params, 78).payload(&table.params, DEALER);
    let changes: [fn(&mut DealPayload, &DealPayload); 5] = [
        |payload, other| payload.ephemeral = other.ephemeral,
        |payload, other| payload.commitments[1][2] = other.commitments[1][2],
        |payload, other| payload.proof.commitment = other.proof.commitment,
        |payload, other| payload.proof.response = other.proof.response,
        |payload, _| payload.commitments.swap(0, 1),
    ];
    for change in changes {
        let mut payload = honest.clone();
        change(&mut payload, &other);
        assert_eq!(check(&table, &payload).err(), Some(DealFault::Proof));
    }
    // The same with a fresh proof by one who does not know that one logarithm.
    let fault = rewritten(|payload| payload.ephemeral = other.ephemeral);
    assert_eq!(fault.err(), Some(DealFault::Proof));
    let fault = rewritten(|payload| payload.commitments[1][2] = other.commitments[1][2]);
    assert_eq!(fault.err(), Some(DealFault::Proof));
}

/// Adds up the deals of colluding dealers, who choose their coefficients together.
fn summed(table: &Table, last: impl FnOnce(&Dealing, &mut Dealing)) -> Option<SharingError> {
    let params = &table.params;
    let first = Dealing::new(params, 50);
    let mut second = Dealing::new(params, 51);
    last(&first, &mut second);
    second.evaluate(params);
    let mut aggregate = Aggregate::new(params);
    for (dealer, dealing) in [first, second].iter().enumerate() {
        let payload = dealing.payload(params, dealer);
        aggregate.add(&deal::check(params, dealer, &payload).unwrap());
    }
    Sharing::new(T, params.indices(), aggregate.sums()).err()
}

#[test]
fn sums_at_infinity_end_the_ceremony() {
    let table = table();
    assert_eq!(summed(&table, |_, _| ()), None);
    // The group key, an inner and the leading coefficient: the last would lower the threshold.
    for (validator, coefficient) in [(0, 0), (1, 1), (1, T - 1)] {
        let error = summed(&table, |first, second| {
            let other = &first.coefficients[validator][coefficient];
            second.coefficients[validator][coefficient] = other.neg();
        });
        let expected = SharingError::Coefficient {
            validator,
            coefficient,
        };
        assert_eq!(error, Some(expected));
    }
    // A zero share for the third operator.
    let error = summed(&table, |first, second| {
        let both = first.shares[1][2].add(&second.shares[1][2]);
        second.coefficients[1][0] = second.coefficients[1][0].sub(&both);
    });
    let expected = SharingError::Share {
        validator: 1,
        index: 5,
    };
    assert_eq!(error, Some(expected));
}

#[test]
fn a_dealer_or_recipient_outside_the_roster_is_no_panic() {
    let table = table();
    let payload = Dealing::new(&table.params, 77).payload(&table.params, DEALER);
    assert!(matches!(
        deal::check(&table.params, N, &payload),
        Err(DealFault::Malformed(_))
    ));
    let made = deal::make(&table.params, N, &Seed::new([1; 32]));
    assert_eq!(made.err(), Some(ProtocolError::Count));
    let deal = check(&table, &payload).unwrap();
    let opened = deal.open(&table.params, N, &table.encryption[0]);
    assert_eq!(opened.err(), Some(ProtocolError::Count));
}

#[test]
fn a_threshold_of_zero_is_no_panic() {
    let mut table = table();
    table.params.threshold = 0;
    let made = deal::make(&table.params, DEALER, &table.secrets[DEALER]);
    assert_eq!(made.err(), Some(ProtocolError::Count));
}

/// Deals that are checked together have the verdicts of deals that are checked alone, whichever of
/// them are bad and however many threads look.
#[test]
fn deals_checked_together_have_the_same_verdicts() {
    let table = Table::new(&[1, 2, 5, 9], T, 40);
    let honest = table.deals();
    let shifted: Hex<48> = Hex::parse(GENERATOR_AND_ORDER_THREE).unwrap();
    let mut opposite = shifted;
    opposite.0[0] ^= 0x20;
    type Change = fn(&mut Vec<DealPayload>, Hex<48>, Hex<48>);
    let changes: [Change; 8] = [
        |_, _, _| (),
        |deals, shifted, _| deals[2].commitments[39][2] = shifted,
        // Components that cancel, in one deal and across two.
        |deals, shifted, opposite| {
            deals[1].commitments[7][1] = shifted;
            deals[1].commitments[8][1] = opposite;
        },
        |deals, shifted, opposite| {
            deals[0].commitments[7][1] = shifted;
            deals[3].commitments[7][1] = opposite;
        },
        |deals, shifted, _| {
            deals[0].ephemeral = shifted;
            deals[3].proof.commitment = Hex(INFINITY);
        },
        // A row too short beside a row too long.
        |deals, _, _| {
            let moved = deals[2].commitments[0].pop().unwrap();
            deals[2].commitments[1].push(moved);
        },
        |deals, _, _| {
            deals[1].commitments.pop();
            plus_order(&mut deals[0].proof.response.0);
        },
        // Good points, wrong proofs.
        |deals, _, _| deals.swap(0, 1),
    ];
    for (case, change) in changes.iter().enumerate() {
        let mut deals = honest.clone();
        change(&mut deals, shifted, opposite);
        let alone: Vec<_> = deals
            .iter()
            .enumerate()
            .map(|(dealer, payload)| format!("{:?}", deal::check(&table.params, dealer, payload)))
            .collect();
        let faults = alone.iter().filter(|text| text.starts_with("Err")).count();
        assert_eq!(faults, [0, 1, 1, 2, 2, 1, 2, 2][case], "{alone:?}");
        let numbered: Vec<_> = deals.iter().enumerate().collect();
        for threads in [1, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let together = pool
                .unwrap()
                .install(|| deal::check_many(&table.params, &numbered));
            for (dealer, verdict) in together.iter().enumerate() {
                if let Ok(checked) = verdict {
                    assert_eq!(checked.dealer(), dealer);
                }
            }
            let together: Vec<_> = together.iter().map(|v| format!("{v:?}")).collect();
            assert_eq!(together, alone, "case {case}, {threads} threads");
        }
    }
    assert_eq!(deal::together(&table.params), (1 << 16) / 120);
    assert_eq!(deal::together(&Table::new(&[1, 2], 2, 1).params), 1 << 15);
}
