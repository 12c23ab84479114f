//! The outcome: what a ceremony ended with, the same bytes for whoever computes it.

use serde::{Deserialize, Serialize};

use crate::ceremony::plan::{KeygenPlan, PlanKind, SignPlan};
use crate::crypto::point::{G1, G2};
use crate::crypto::sharing::Sharing;
use crate::hash::{Digest, Hasher, Tag};
use crate::json::{self, Hex, JsonError};
use crate::wire::code::{Code, CodeError};

/// The largest outcome file, in bytes.
pub const MAX_OUTCOME_BYTES: usize = 256 * 1024 * 1024;

/// The outcome format this tool reads and writes.
pub const OUTCOME_VERSION: u64 = 1;

/// The public result of a ceremony, of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// New keys.
    Keygen(KeygenOutcome),
    /// Signatures.
    Sign(SignOutcome),
}

/// The public result of a signing ceremony: a signature for every message of the plan, in its order.
/// Each has been verified under its group key. Which operators signed does not show: any t give the
/// same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOutcome {
    cid: Digest,
    signatures: Vec<G2>,
}

/// The public result of a keygen: transcript, sharing, and a signature for everything that the plan
/// wants signed. Every signature has been verified under its group key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeygenOutcome {
    cid: Digest,
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

/// The same of a signing ceremony.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureFile {
    cid: Digest,
    kind: PlanKind,
    signatures: Vec<Hex<96>>,
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
    /// The ceremony.
    pub fn cid(&self) -> &Digest {
        match self {
            Self::Keygen(outcome) => outcome.cid(),
            Self::Sign(outcome) => outcome.cid(),
        }
    }

    /// New keys, if it is those.
    pub fn keygen(&self) -> Option<&KeygenOutcome> {
        match self {
            Self::Keygen(outcome) => Some(outcome),
            Self::Sign(_) => None,
        }
    }

    /// Signatures, if it is those.
    pub fn sign(&self) -> Option<&SignOutcome> {
        match self {
            Self::Keygen(_) => None,
            Self::Sign(outcome) => Some(outcome),
        }
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JsonError> {
        match self {
            Self::Keygen(outcome) => outcome.to_bytes(),
            Self::Sign(outcome) => outcome.to_bytes(),
        }
    }

    /// The outcome's hash.
    pub fn hash(&self) -> Result<Digest, JsonError> {
        Ok(hash_of(&self.to_bytes()?))
    }

    /// The plan code and the outcome code, one after the other: 128 MiB and most of a second.
    pub fn codes(&self) -> Result<(Code, Code), OutcomeCodeError> {
        codes_of(self.cid(), &self.hash()?)
    }

    /// The outcome code: what operators read to each other after the end.
    pub fn code(hash: &Digest) -> Result<Code, CodeError> {
        Code::of(hash, Tag::OUTCOME_CODE)
    }
}

fn hash_of(bytes: &[u8]) -> Digest {
    Hasher::new(Tag::OUTCOME).bytes(bytes).finish()
}

fn codes_of(cid: &Digest, hash: &Digest) -> Result<(Code, Code), OutcomeCodeError> {
    let plan = Code::of(cid, Tag::PLAN_CODE)?;
    Ok((plan, Outcome::code(hash)?))
}

impl SignOutcome {
    /// Takes the verified signatures of a ceremony, in the plan's order.
    pub fn new(plan: SignPlan<'_>, signatures: Vec<G2>) -> Self {
        Self {
            cid: *plan.cid(),
            signatures,
        }
    }

    /// The ceremony.
    pub fn cid(&self) -> &Digest {
        &self.cid
    }

    /// The signatures, in the plan's order.
    pub fn signatures(&self) -> &[G2] {
        &self.signatures
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JsonError> {
        let signatures = self.signatures.iter();
        json::canonical(&SignatureFile {
            cid: self.cid,
            kind: PlanKind::Sign,
            signatures: signatures.map(|point| Hex(point.to_bytes())).collect(),
            version: OUTCOME_VERSION,
        })
    }
}

impl KeygenOutcome {
    /// Takes the verified results of a ceremony.
    pub fn new(
        plan: KeygenPlan<'_>,
        transcript: Digest,
        sharing: Sharing,
        signatures: Vec<Vec<G2>>,
    ) -> Self {
        Self {
            cid: *plan.cid(),
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
            kind: PlanKind::Keygen,
            transcript: self.transcript,
            threshold: self.sharing.threshold() as u64,
            indices: self.sharing.indices().to_vec(),
            validators,
        })
    }

    /// The outcome's hash.
    pub fn hash(&self) -> Result<Digest, JsonError> {
        Ok(hash_of(&self.to_bytes()?))
    }

    /// The plan code and the outcome code, one after the other: 128 MiB and most of a second.
    pub fn codes(&self) -> Result<(Code, Code), OutcomeCodeError> {
        codes_of(&self.cid, &self.hash()?)
    }
}
