//! The *deal*: every operator shares a secret of its own for every validator, verifiably.
//!
//! Dealer j, recipient i, validator v, coefficient k:
//!
//! 1. `f_jv` of degree t-1 with independent coefficients `a_jvk`; `C_jvk = a_jvk * G`.
//! 2. One ephemeral key `R_j = r_j * G` for the whole message; `D_ji = r_j * E_i`; pads as in
//!    [`crate::crypto::encrypt`]; `c_jiv = f_jv(x_i) + pad_jiv`.
//! 3. One proof of knowledge of `r_j` and of all `a_jvk`, bound to cid and j.
//!
//! Everything derives from the ceremony secret and cid: the same card and plan give the same bytes.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::crypto::encrypt::{PadContext, Pads};
use crate::crypto::point::{G1, G1Sum, PointError};
use crate::crypto::polynomial::Polynomial;
use crate::crypto::proof::ManyKnowledge;
use crate::crypto::scalar::Scalar;
use crate::crypto::xof::Xof;
use crate::hash::{Digest, Hasher, Kdf, Tag};
use crate::json::Hex;
use crate::protocol::{Params, ProtocolError};
use crate::secret::Seed;

/// A deal as it travels; fields in the order of their names, which is how they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealPayload {
    /// `c_jiv`: m rows of n scalars, in roster order.
    pub ciphertexts: Vec<Vec<Hex<32>>>,
    /// `C_jvk`: m rows of t points.
    pub commitments: Vec<Vec<Hex<48>>>,
    /// `R_j`.
    pub ephemeral: Hex<48>,
    /// The proof of knowledge.
    pub proof: ProofPayload,
}

/// A Schnorr proof as it travels: commitment and response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofPayload {
    /// `P`.
    pub commitment: Hex<48>,
    /// `z`.
    pub response: Hex<32>,
}

/// A deal that passed every public check.
#[derive(Debug, Clone)]
pub struct CheckedDeal {
    dealer: usize,
    ephemeral: G1,
    commitments: Vec<G1>,
    ciphertexts: Vec<[u8; 32]>,
    operators: usize,
}

/// A public fault of a deal: everyone sees it, nobody needs a secret to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DealFault {
    /// Not the fields of a deal.
    #[error("it is not a deal: {0}")]
    Malformed(String),
    /// A count that is not the plan's.
    #[error("it has {actual} {what} instead of {expected}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// In the deal.
        actual: usize,
        /// In the plan.
        expected: usize,
    },
    /// A point that may not be used.
    #[error("its {what} {error}")]
    Point {
        /// Which point.
        what: String,
        /// Why not.
        error: PointError,
    },
    /// A scalar that is not below the group order.
    #[error("its {0} is not a canonical scalar")]
    Scalar(String),
    /// The same point twice in one deal, or a card's encryption key in it.
    #[error("its {0} repeats another key")]
    Repeated(String),
    /// The proof of knowledge fails.
    #[error("its proof of knowledge is wrong")]
    Proof,
}

/// Makes the deal of the operator at `dealer` (a position of the roster).
pub fn make(
    params: &Params,
    dealer: usize,
    ceremony_secret: &Seed,
) -> Result<DealPayload, ProtocolError> {
    let index = params.operator(dealer).ok_or(ProtocolError::Count)?.index;
    if params.threshold == 0 {
        return Err(ProtocolError::Count);
    }
    let derive = |tag| Kdf::new(tag).bytes(params.cid.as_bytes());
    let coefficients: Seed =
        ceremony_secret.expose(|secret| derive(Tag::DEAL_COEFFICIENTS).derive(secret));
    let r = ceremony_secret.expose(|secret| derive(Tag::DEAL_EPHEMERAL).derive::<48>(secret));
    let r = r.expose(Scalar::from_wide);
    let ephemeral = G1::generator_times(&r).ok_or(ProtocolError::ZeroSecret)?;
    let pads: Vec<Pads> = params
        .operators
        .par_iter()
        .map(|recipient| {
            let shared = recipient.key.times(&r).ok_or(ProtocolError::ZeroSecret)?;
            let context = pad_context(
                &params.cid,
                index,
                recipient.index,
                &recipient.key,
                &ephemeral,
            );
            Ok(Pads::derive(context, &shared))
        })
        .collect::<Result<_, ProtocolError>>()?;

    // Each validator has its own part of the streams, so that all cores deal at once.
    let polynomials: Vec<Polynomial> = (0..params.validators)
        .into_par_iter()
        .map_init(
            || Xof::secret(&coefficients),
            |stream, v| {
                let first = v
                    .checked_mul(params.threshold)
                    .ok_or(ProtocolError::Count)?;
                (0..params.threshold)
                    .map(|k| {
                        let block = first.checked_add(k).and_then(|b| u32::try_from(b).ok());
                        Ok(stream.scalar_at(block.ok_or(ProtocolError::Count)?))
                    })
                    .collect::<Result<Vec<_>, ProtocolError>>()
                    .map(Polynomial::from_coefficients)
            },
        )
        .collect::<Result<_, ProtocolError>>()?;
    let secrets: Vec<&Scalar> = polynomials
        .iter()
        .flat_map(Polynomial::coefficients)
        .collect();
    let commitments = G1::generator_times_many(&secrets).ok_or(ProtocolError::ZeroSecret)?;
    let ciphertexts: Vec<Vec<Hex<32>>> = polynomials
        .par_iter()
        .enumerate()
        .map_init(
            || pads.iter().map(Pads::stream).collect::<Vec<_>>(),
            |pads, (v, polynomial)| {
                let v = u32::try_from(v).map_err(|_| ProtocolError::Count)?;
                let row = params.operators.iter().zip(pads);
                Ok(row
                    .map(|(recipient, pad)| {
                        let share = polynomial.evaluate(recipient.index);
                        Hex(share.add(&pad.scalar_at(v)).to_public_bytes())
                    })
                    .collect())
            },
        )
        .collect::<Result<_, ProtocolError>>()?;

    let points: Vec<[u8; 48]> = commitments.iter().map(G1::to_bytes).collect();
    let statement = proof_statement(&params.cid, index, &ephemeral, &points);
    let nonce = ceremony_secret.expose(|secret| {
        let everything = statement.clone().finish();
        derive(Tag::DEAL_PROOF_NONCE)
            .bytes(everything.as_bytes())
            .derive::<48>(secret)
    });
    let secrets = std::iter::once(&r).chain(secrets);
    let proof = ManyKnowledge::prove(secrets, statement, &nonce.expose(Scalar::from_wide))
        .ok_or(ProtocolError::ZeroSecret)?;

    Ok(DealPayload {
        ephemeral: Hex(ephemeral.to_bytes()),
        proof: ProofPayload {
            commitment: Hex(proof.commitment.to_bytes()),
            response: Hex(proof.response.to_public_bytes()),
        },
        commitments: points
            .chunks(params.threshold)
            .map(|row| row.iter().copied().map(Hex).collect())
            .collect(),
        ciphertexts,
    })
}

/// Points that [`check_many`] had better take at once: enough for their subgroup checks to share
/// most of the work, few enough for memory (10 MB).
const POINTS_TOGETHER: usize = 1 << 16;

/// Returns how many deals of this ceremony [`check_many`] had better take at once.
pub fn together(params: &Params) -> usize {
    let points = params.validators.saturating_mul(params.threshold);
    POINTS_TOGETHER.checked_div(points).unwrap_or(1).max(1)
}

/// [`check`] for several deals, each with its dealer, on all cores. The verdicts are the same; good
/// deals share the work of decoding their points.
pub fn check_many(
    params: &Params,
    deals: &[(usize, &DealPayload)],
) -> Vec<Result<CheckedDeal, DealFault>> {
    match decode_together(params, deals) {
        Some(points) => deals
            .par_iter()
            .zip(points)
            .map(|((dealer, payload), points)| check_with(params, *dealer, payload, Some(points)))
            .collect(),
        None => deals
            .par_iter()
            .map(|(dealer, payload)| check(params, *dealer, payload))
            .collect(),
    }
}

/// Makes every public check of the deal of the operator at `dealer`: counts, encodings, subgroup,
/// infinity, repetitions, proof.
pub fn check(
    params: &Params,
    dealer: usize,
    payload: &DealPayload,
) -> Result<CheckedDeal, DealFault> {
    check_with(params, dealer, payload, None)
}

/// The points of a deal, in the order in which they are checked.
struct Points {
    ephemeral: G1,
    proof: G1,
    commitments: Vec<G1>,
}

/// Decodes all points of all deals in one run; nothing if one of them is bad or a count is not the
/// plan's: each deal is then decoded by itself, for the fault to be found in its turn.
fn decode_together(params: &Params, deals: &[(usize, &DealPayload)]) -> Option<Vec<Points>> {
    let expected = params.validators.checked_mul(params.threshold)?;
    let mut all = Vec::with_capacity(expected.checked_add(2)?.checked_mul(deals.len())?);
    for (_, payload) in deals {
        if payload.commitments.iter().map(Vec::len).sum::<usize>() != expected {
            return None;
        }
        all.extend([payload.ephemeral.0, payload.proof.commitment.0]);
        all.extend(payload.commitments.iter().flatten().map(|point| point.0));
    }
    let mut points = G1::from_bytes_many(&all).ok()?.into_iter();
    deals
        .iter()
        .map(|_| {
            Some(Points {
                ephemeral: points.next()?,
                proof: points.next()?,
                commitments: points.by_ref().take(expected).collect(),
            })
        })
        .collect()
}

/// [`check`] with points that are decoded already, or not.
fn check_with(
    params: &Params,
    dealer: usize,
    payload: &DealPayload,
    decoded: Option<Points>,
) -> Result<CheckedDeal, DealFault> {
    let operator = params
        .operator(dealer)
        .ok_or_else(|| DealFault::Malformed("its sender is no dealer".into()))?;
    let count = |what, actual, expected| {
        if actual == expected {
            Ok(())
        } else {
            Err(DealFault::Count {
                what,
                actual,
                expected,
            })
        }
    };
    count(
        "rows of commitments",
        payload.commitments.len(),
        params.validators,
    )?;
    count(
        "rows of ciphertexts",
        payload.ciphertexts.len(),
        params.validators,
    )?;
    for row in &payload.commitments {
        count("commitments for a validator", row.len(), params.threshold)?;
    }
    for row in &payload.ciphertexts {
        count(
            "ciphertexts for a validator",
            row.len(),
            params.operators.len(),
        )?;
    }

    let point = |what: &str, bytes: &Hex<48>| {
        G1::from_bytes(&bytes.0).map_err(|error| DealFault::Point {
            what: what.to_owned(),
            error,
        })
    };
    let response = || {
        Scalar::from_bytes(&payload.proof.response.0)
            .ok_or_else(|| DealFault::Scalar("proof's response".into()))
    };
    let encoded: Vec<[u8; 48]> = payload
        .commitments
        .iter()
        .flatten()
        .map(|point| point.0)
        .collect();
    let (decoded, response) = match decoded {
        Some(decoded) => (decoded, response()?),
        None => {
            let ephemeral = point("ephemeral key", &payload.ephemeral)?;
            let proof = point("proof's commitment", &payload.proof.commitment)?;
            let response = response()?;
            let commitments = G1::from_bytes_many(&encoded).map_err(|(position, error)| {
                let what = cell("commitment", position, params.threshold);
                DealFault::Point { what, error }
            })?;
            let decoded = Points {
                ephemeral,
                proof,
                commitments,
            };
            (decoded, response)
        }
    };
    let proof = ManyKnowledge {
        commitment: decoded.proof,
        response,
    };
    let ciphertexts: Vec<[u8; 32]> = payload
        .ciphertexts
        .iter()
        .flatten()
        .map(|scalar| scalar.0)
        .collect();
    if let Some(position) = ciphertexts
        .iter()
        .position(|bytes| Scalar::from_bytes(bytes).is_none())
    {
        return Err(DealFault::Scalar(cell(
            "ciphertext",
            position,
            params.operators.len(),
        )));
    }

    let mut seen: BTreeSet<[u8; 48]> = params
        .operators
        .iter()
        .map(|operator| operator.key.to_bytes())
        .collect();
    if !seen.insert(payload.ephemeral.0) {
        return Err(DealFault::Repeated("ephemeral key".into()));
    }
    for (v, constant) in encoded.iter().step_by(params.threshold.max(1)).enumerate() {
        if !seen.insert(*constant) {
            return Err(DealFault::Repeated(format!(
                "commitment 0 of validator {v}"
            )));
        }
    }
    let statement = proof_statement(&params.cid, operator.index, &decoded.ephemeral, &encoded);
    if !proof.verify(&decoded.ephemeral, &decoded.commitments, statement) {
        return Err(DealFault::Proof);
    }
    Ok(CheckedDeal {
        dealer,
        ephemeral: decoded.ephemeral,
        commitments: decoded.commitments,
        ciphertexts,
        operators: params.operators.len(),
    })
}

impl CheckedDeal {
    /// The dealer's position in the roster.
    pub fn dealer(&self) -> usize {
        self.dealer
    }

    /// `R_j`.
    pub fn ephemeral(&self) -> &G1 {
        &self.ephemeral
    }

    /// `C_jvk`, validator by validator, t each.
    pub fn commitments(&self) -> &[G1] {
        &self.commitments
    }

    /// Returns the points that no two deals may share: `R_j` and every `C_jv0`.
    pub fn unique_keys(&self, threshold: usize) -> impl Iterator<Item = [u8; 48]> {
        let constants = self.commitments.iter().step_by(threshold.max(1));
        std::iter::once(&self.ephemeral)
            .chain(constants)
            .map(G1::to_bytes)
    }

    /// Decrypts what the dealer dealt to the operator at `recipient`, whose encryption secret this
    /// is: one share a validator, not checked yet.
    pub fn open(
        &self,
        params: &Params,
        recipient: usize,
        secret: &Scalar,
    ) -> Result<Vec<Scalar>, ProtocolError> {
        let shared = self
            .ephemeral
            .times(secret)
            .ok_or(ProtocolError::ZeroSecret)?;
        self.open_with(params, recipient, &shared)
    }

    /// [`Self::open`] with the shared point `D_ji`, as a complaint publishes it.
    pub fn open_with(
        &self,
        params: &Params,
        recipient: usize,
        shared: &G1,
    ) -> Result<Vec<Scalar>, ProtocolError> {
        let dealer = params.operator(self.dealer).ok_or(ProtocolError::Count)?;
        let operator = params.operator(recipient).ok_or(ProtocolError::Count)?;
        let context = pad_context(
            &params.cid,
            dealer.index,
            operator.index,
            &operator.key,
            &self.ephemeral,
        );
        let pads = Pads::derive(context, shared);
        self.ciphertexts
            .par_iter()
            .skip(recipient)
            .step_by(self.operators.max(1))
            .enumerate()
            .map_init(
                || pads.stream(),
                |stream, (v, ciphertext)| {
                    let v = u32::try_from(v).map_err(|_| ProtocolError::Count)?;
                    let sum = Scalar::from_bytes(ciphertext).ok_or(ProtocolError::Count)?;
                    Ok(sum.sub(&stream.scalar_at(v)))
                },
            )
            .collect()
    }
}

/// The running sums of all deals: `A_vk = sum_j C_jvk`. Memory m * t points, however many dealers.
#[derive(Debug)]
pub struct Aggregate(Vec<G1Sum>);

impl Aggregate {
    /// Starts empty.
    pub fn new(params: &Params) -> Self {
        Self(vec![
            G1Sum::infinity();
            params.validators.saturating_mul(params.threshold)
        ])
    }

    /// Adds one deal. Order does not matter; adding one twice does.
    pub fn add(&mut self, deal: &CheckedDeal) {
        self.0
            .par_iter_mut()
            .zip(&deal.commitments)
            .for_each(|(sum, point)| sum.add(point));
    }

    /// The sums.
    pub fn sums(&self) -> &[G1Sum] {
        &self.0
    }
}

/// Returns the transcript `T = H(cid, ordered deal hashes, all PK_v and Y_iv)` that every confirm
/// carries.
pub fn transcript(
    cid: &Digest,
    deals: &[Digest],
    sharing: &crate::crypto::sharing::Sharing,
) -> Digest {
    let mut hasher = Hasher::new(Tag::TRANSCRIPT).bytes(cid.as_bytes());
    for deal in deals {
        hasher.add(deal.as_bytes());
    }
    for (key, shares) in sharing.group_keys().zip(sharing.shares()) {
        hasher.add(&key.to_bytes());
        for share in shares {
            hasher.add(&share.to_bytes());
        }
    }
    hasher.finish()
}

fn pad_context<'a>(
    cid: &'a Digest,
    sender: u64,
    recipient: u64,
    key: &'a G1,
    ephemeral: &'a G1,
) -> PadContext<'a> {
    PadContext {
        tag: Tag::DEAL_PAD,
        cid,
        sender,
        recipient,
        key,
        ephemeral,
    }
}

fn proof_statement(cid: &Digest, dealer: u64, ephemeral: &G1, commitments: &[[u8; 48]]) -> Hasher {
    let mut hasher = Hasher::new(Tag::DEAL_PROOF)
        .bytes(cid.as_bytes())
        .int(dealer)
        .bytes(&ephemeral.to_bytes());
    for commitment in commitments {
        hasher.add(commitment);
    }
    hasher
}

fn cell(what: &str, position: usize, width: usize) -> String {
    let validator = position.checked_div(width).unwrap_or(0);
    format!(
        "{what} {} of validator {validator}",
        position.checked_rem(width).unwrap_or(0)
    )
}
