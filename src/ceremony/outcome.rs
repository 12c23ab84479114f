//! The outcome: what a ceremony ended with, the same bytes for whoever computes it.

use serde::{Deserialize, Serialize};

use crate::ceremony::plan::{Plan, PlanKind};
use crate::crypto::point::{G1, G2};
use crate::crypto::sharing::Sharing;
use crate::hash::{Digest, Hasher, Tag};
use crate::json::{self, Hex, JsonError};
use crate::wire::code::{Code, CodeError};

/// The largest outcome file, in bytes.
pub const MAX_OUTCOME_BYTES: usize = 256 * 1024 * 1024;

/// The outcome format this tool reads and writes.
pub const OUTCOME_VERSION: u64 = 1;

/// The public result of a keygen: transcript, sharing, and a signature for everything that the plan
/// wants signed. Every signature has been verified under its group key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    cid: Digest,
    kind: PlanKind,
    transcript: Digest,
    sharing: Sharing,
    signatures: Vec<Vec<G2>>,
}

/// An outcome file as it is written; fields in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeFile {
    cid: Digest,
    indices: Vec<u64>,
    kind: PlanKind,
    threshold: u64,
    transcript: Digest,
    validators: Vec<ValidatorRow>,
    version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidatorRow {
    polynomial: Vec<Hex<48>>,
    public_key: Hex<48>,
    public_shares: Vec<Hex<48>>,
    signatures: Vec<Hex<96>>,
}

/// The codes of an outcome could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeCodeError {
    /// The outcome could not be encoded.
    #[error("the outcome {0}")]
    Json(#[from] JsonError),
    /// The slow hash gave up.
    #[error(transparent)]
    Code(#[from] CodeError),
}

impl Outcome {
    /// Takes the verified results of a ceremony.
    pub fn new(
        plan: &Plan,
        transcript: Digest,
        sharing: Sharing,
        signatures: Vec<Vec<G2>>,
    ) -> Self {
        Self {
            cid: *plan.cid(),
            kind: plan.kind(),
            transcript,
            sharing,
            signatures,
        }
    }

    /// The ceremony.
    pub fn cid(&self) -> &Digest {
        &self.cid
    }

    /// The transcript T that every operator confirmed.
    pub fn transcript(&self) -> &Digest {
        &self.transcript
    }

    /// The keys' public side.
    pub fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// For every validator, the signatures over its messages in the plan's order.
    pub fn signatures(&self) -> &[Vec<G2>] {
        &self.signatures
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JsonError> {
        let encode = |points: &[G1]| points.iter().map(|point| Hex(point.to_bytes())).collect();
        let validators = self
            .sharing
            .polynomials()
            .zip(self.sharing.shares())
            .zip(&self.signatures)
            .filter_map(|((polynomial, shares), signatures)| {
                Some(ValidatorRow {
                    public_key: Hex(polynomial.first()?.to_bytes()),
                    polynomial: encode(polynomial),
                    public_shares: encode(shares),
                    signatures: signatures
                        .iter()
                        .map(|signature| Hex(signature.to_bytes()))
                        .collect(),
                })
            })
            .collect();
        json::canonical(&OutcomeFile {
            version: OUTCOME_VERSION,
            cid: self.cid,
            kind: self.kind,
            transcript: self.transcript,
            threshold: self.sharing.threshold() as u64,
            indices: self.sharing.indices().to_vec(),
            validators,
        })
    }

    /// The outcome's hash.
    pub fn hash(&self) -> Result<Digest, JsonError> {
        Ok(Hasher::new(Tag::OUTCOME).bytes(&self.to_bytes()?).finish())
    }

    /// The plan code and the outcome code, one after the other: 128 MiB and most of a second.
    pub fn codes(&self) -> Result<(Code, Code), OutcomeCodeError> {
        let hash = self.hash()?;
        let plan = Code::of(&self.cid, Tag::PLAN_CODE)?;
        Ok((plan, Self::code(&hash)?))
    }

    /// The outcome code: what operators read to each other after the end.
    pub fn code(hash: &Digest) -> Result<Code, CodeError> {
        Code::of(hash, Tag::OUTCOME_CODE)
    }
}
