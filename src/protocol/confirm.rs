//! The *confirm*: "I checked all deals, my shares are on disk, this is what I saw", with a partial
//! signature for everything that the plan wants signed.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::crypto::bls::{self, Signed, SigningRoot};
use crate::crypto::lagrange::Coefficients;
use crate::crypto::point::{G1, G2, PointError};
use crate::crypto::scalar::Scalar;
use crate::crypto::sharing::Sharing;
use crate::hash::Digest;
use crate::json::Hex;
use crate::protocol::{Params, ProtocolError};

/// A confirm as it travels; fields in the order of their names, which is how they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmPayload {
    /// What the confirmer saw of every deal, in dealer order.
    pub deals: Vec<SeenDeal>,
    /// m rows of partial signatures, one for each of the validator's messages in plan order.
    pub partials: Vec<Vec<Hex<96>>>,
    /// The transcript T.
    pub transcript: Digest,
}

/// Payload hash and signature of a deal: with the plan, its whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenDeal {
    /// Hash of the deal's payload.
    pub payload: Digest,
    /// The dealer's signature over the deal's header.
    pub signature: Hex<64>,
}

/// A public fault of a confirm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmFault {
    /// Not the fields of a confirm.
    #[error("it is not a confirm: {0}")]
    Malformed(String),
    /// A count that is not the plan's.
    #[error("it has {actual} {what} instead of {expected}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// In the confirm.
        actual: usize,
        /// In the plan.
        expected: usize,
    },
    /// A signature that may not be used.
    #[error("its partial signature {message} of validator {validator} {error}")]
    Point {
        /// Position in the plan, from 0.
        validator: usize,
        /// Position among the validator's messages, from 0.
        message: usize,
        /// Why not.
        error: PointError,
    },
    /// It shows a deal that the dealer did not sign.
    #[error("it shows a deal of operator {dealer} that operator {dealer} did not sign")]
    ForgedDeal {
        /// The dealer's index.
        dealer: u64,
    },
    /// It saw the same deals and computed another transcript.
    #[error("its transcript does not follow from the deals it shows")]
    Transcript,
    /// A partial signature that does not verify under the confirmer's public share.
    #[error("its partial signature {message} of validator {validator} does not verify")]
    Partial {
        /// Position in the plan, from 0.
        validator: usize,
        /// Position among the validator's messages, from 0.
        message: usize,
    },
}

/// The partial signatures of one confirm, decoded: validator by validator.
pub type Partials = Vec<Vec<G2>>;

/// Signs every message of every validator with this operator's shares.
pub fn sign(shares: &[Scalar], messages: &[Vec<SigningRoot>]) -> Result<Partials, ProtocolError> {
    if shares.len() != messages.len() {
        return Err(ProtocolError::Count);
    }
    shares
        .par_iter()
        .zip(messages)
        .map(|(share, roots)| {
            let sign = |root| bls::sign(share, root).ok_or(ProtocolError::ZeroSecret);
            roots.iter().map(sign).collect()
        })
        .collect()
}

/// Makes the payload.
pub fn make(transcript: Digest, deals: Vec<SeenDeal>, partials: &Partials) -> ConfirmPayload {
    let encode = |row: &Vec<G2>| row.iter().map(|partial| Hex(partial.to_bytes())).collect();
    ConfirmPayload {
        transcript,
        deals,
        partials: partials.iter().map(encode).collect(),
    }
}

/// Checks counts and encodings, and decodes the partial signatures. `messages` says how many each
/// validator signs.
pub fn decode(
    params: &Params,
    messages: &[usize],
    payload: &ConfirmPayload,
) -> Result<Partials, ConfirmFault> {
    let count = |what, actual, expected| {
        if actual == expected {
            Ok(())
        } else {
            Err(ConfirmFault::Count {
                what,
                actual,
                expected,
            })
        }
    };
    count("deals", payload.deals.len(), params.operators.len())?;
    count(
        "rows of partial signatures",
        payload.partials.len(),
        messages.len(),
    )?;
    for (row, expected) in payload.partials.iter().zip(messages) {
        count("partial signatures for a validator", row.len(), *expected)?;
    }
    let encoded: Vec<[u8; 96]> = payload
        .partials
        .iter()
        .flatten()
        .map(|bytes| bytes.0)
        .collect();
    let points = G2::from_bytes_many(&encoded).map_err(|(position, error)| {
        let (validator, message) = place(messages, position);
        ConfirmFault::Point {
            validator,
            message,
            error,
        }
    })?;
    let mut points = points.into_iter();
    Ok(messages
        .iter()
        .map(|count| points.by_ref().take(*count).collect())
        .collect())
}

/// Returns validator and message of a position among all messages in one run.
fn place(messages: &[usize], mut position: usize) -> (usize, usize) {
    for (validator, count) in messages.iter().enumerate() {
        match position.checked_sub(*count) {
            Some(rest) => position = rest,
            None => return (validator, position),
        }
    }
    (messages.len(), position)
}

/// One partial signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPartial {
    /// The operator's position in the roster.
    pub operator: usize,
    /// Position in the plan, from 0.
    pub validator: usize,
    /// Position among the validator's messages, from 0.
    pub message: usize,
}

/// Combines the first t operators' partials into the full signatures, and verifies those and every
/// partial of every operator in one product of pairings. On failure names the first bad partial of
/// each operator that has one.
///
/// `partials` has one entry an operator, in roster order. `seed` as in [`bls::verify_all`].
pub fn finalise<P: AsRef<[Vec<G2>]> + Sync>(
    sharing: &Sharing,
    messages: &[Vec<SigningRoot>],
    partials: &[P],
    seed: &[u8; 32],
) -> Result<Result<Partials, Vec<BadPartial>>, ProtocolError> {
    if partials.len() != sharing.indices().len() {
        return Err(ProtocolError::Count);
    }
    let everyone: Vec<(usize, &P)> = partials.iter().enumerate().collect();
    combine(sharing, messages, &everyone, seed)
}

/// [`finalise`] for some operators (positions in the roster, ascending), t at least.
pub fn combine<P: AsRef<[Vec<G2>]> + Sync>(
    sharing: &Sharing,
    messages: &[Vec<SigningRoot>],
    partials: &[(usize, P)],
    seed: &[u8; 32],
) -> Result<Result<Partials, Vec<BadPartial>>, ProtocolError> {
    let t = sharing.threshold();
    let signers = partials.get(..t).ok_or(ProtocolError::Count)?;
    let indices: Option<Vec<u64>> = signers
        .iter()
        .map(|(operator, _)| sharing.indices().get(*operator).copied())
        .collect();
    let coefficients = indices
        .and_then(|indices| Coefficients::at_zero(&indices))
        .ok_or(ProtocolError::Count)?;
    if messages.len() != sharing.validators() {
        return Err(ProtocolError::Count);
    }
    let full: Vec<Option<Vec<G2>>> = (0..messages.len())
        .into_par_iter()
        .map(|v| {
            let rows: Vec<&Vec<G2>> = signers
                .iter()
                .map(|(_, all)| all.as_ref().get(v))
                .collect::<Option<_>>()?;
            let width = messages.get(v)?.len();
            (0..width)
                .map(|u| {
                    let column: Vec<G2> = rows
                        .iter()
                        .map(|row| row.get(u).copied())
                        .collect::<Option<_>>()?;
                    bls::combine_with(&coefficients, &column)
                })
                .collect()
        })
        .collect();
    // Partials that cancel to infinity cannot all be right: the check below names who is wrong.
    let full: Option<Partials> = full.into_iter().collect();
    let all = signed(sharing, messages, partials, full.as_ref())?;
    if let Some(full) = full
        && bls::verify_all(&all, seed)
    {
        return Ok(Ok(full));
    }
    let bad = bad_partials(sharing, messages, partials, seed);
    if bad.is_empty() {
        Err(ProtocolError::Count)
    } else {
        Ok(Err(bad))
    }
}

/// Verifies the partials of some operators (positions in the roster) in one product of pairings,
/// while others are awaited. Names the first bad partial of each operator that has one.
pub fn check<P: AsRef<[Vec<G2>]>>(
    sharing: &Sharing,
    messages: &[Vec<SigningRoot>],
    partials: &[(usize, P)],
    seed: &[u8; 32],
) -> Result<Vec<BadPartial>, ProtocolError> {
    if partials.is_empty() || bls::verify_all(&signed(sharing, messages, partials, None)?, seed) {
        return Ok(Vec::new());
    }
    Ok(bad_partials(sharing, messages, partials, seed))
}

fn bad_partials<P: AsRef<[Vec<G2>]>>(
    sharing: &Sharing,
    messages: &[Vec<SigningRoot>],
    partials: &[(usize, P)],
    seed: &[u8; 32],
) -> Vec<BadPartial> {
    let mut bad = Vec::new();
    for (operator, own) in partials {
        let keys: Vec<G1> = sharing.shares_of(*operator).copied().collect();
        if let Some((validator, message)) = first_bad(&keys, messages, own.as_ref(), seed) {
            bad.push(BadPartial {
                operator: *operator,
                validator,
                message,
            });
        }
    }
    bad
}

/// Returns the first partial of one operator that does not verify under its public shares.
fn first_bad(
    keys: &[G1],
    messages: &[Vec<SigningRoot>],
    partials: &[Vec<G2>],
    seed: &[u8; 32],
) -> Option<(usize, usize)> {
    let items: Vec<(usize, usize, Signed)> = keys
        .iter()
        .zip(messages)
        .zip(partials)
        .enumerate()
        .flat_map(|(v, ((key, roots), row))| {
            roots
                .iter()
                .zip(row)
                .enumerate()
                .map(move |(u, (root, partial))| {
                    (
                        v,
                        u,
                        Signed {
                            root: *root,
                            signatures: vec![(*key, *partial)],
                        },
                    )
                })
        })
        .collect();
    let mut rest = items.as_slice();
    let holds = |items: &[(usize, usize, Signed)]| {
        let signed: Vec<Signed> = items.iter().map(|(_, _, signed)| signed.clone()).collect();
        bls::verify_all(&signed, seed)
    };
    if holds(rest) {
        return None;
    }
    // The first bad one is always within `rest`, whose earlier part has been verified.
    while rest.len() > 1 {
        let (left, right) = rest.split_at(rest.len().div_euclid(2));
        rest = if holds(left) { right } else { left };
    }
    rest.first().map(|(v, u, _)| (*v, *u))
}

fn signed<P: AsRef<[Vec<G2>]>>(
    sharing: &Sharing,
    messages: &[Vec<SigningRoot>],
    partials: &[(usize, P)],
    full: Option<&Partials>,
) -> Result<Vec<Signed>, ProtocolError> {
    let mut all = Vec::new();
    for (v, ((roots, keys), group)) in messages
        .iter()
        .zip(sharing.shares())
        .zip(sharing.group_keys())
        .enumerate()
    {
        for (u, root) in roots.iter().enumerate() {
            let cell = |partials: &[Vec<G2>]| {
                partials
                    .get(v)
                    .and_then(|row| row.get(u))
                    .copied()
                    .ok_or(ProtocolError::Count)
            };
            let mut signatures = Vec::with_capacity(keys.len().saturating_add(1));
            for (operator, partials) in partials {
                let key = keys.get(*operator).ok_or(ProtocolError::Count)?;
                signatures.push((*key, cell(partials.as_ref())?));
            }
            if let Some(full) = full {
                signatures.push((*group, cell(full)?));
            }
            all.push(Signed {
                root: *root,
                signatures,
            });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::polynomial::Polynomial;
    use crate::crypto::xof::Xof;

    #[test]
    fn a_position_among_all_messages_is_a_validators() {
        let counts = [2, 0, 3];
        let places: Vec<_> = (0..7).map(|position| place(&counts, position)).collect();
        assert_eq!(
            places,
            [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1)]
        );
    }

    /// What combines is verified as what it is said to be, not only what it was combined from.
    #[test]
    fn full_signatures_are_verified_under_the_group_key() {
        let f = Polynomial::draw(&mut Xof::new(&[4; 32]), 2);
        let sharing = Sharing::from_polynomials(2, vec![1, 2, 3], f.commit().unwrap()).unwrap();
        let messages = vec![vec![SigningRoot([1; 32]), SigningRoot([2; 32])]];
        let partials: Vec<(usize, Partials)> = (0..3)
            .map(|who| {
                let share = f.evaluate(sharing.indices()[who]);
                (who, sign(&[share], &messages).unwrap())
            })
            .collect();
        let holds = |full: &Partials| {
            let all = signed(&sharing, &messages, &partials, Some(full)).unwrap();
            bls::verify_all(&all, &[7; 32])
        };
        let mut full = sign(&[f.evaluate(0)], &messages).unwrap();
        assert!(holds(&full));
        full[0].swap(0, 1);
        assert!(!holds(&full));
        assert!(!holds(&partials[0].1));
    }
}
