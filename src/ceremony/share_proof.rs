//! Share proofs: an operator shows that it still holds every share of a cluster, and nothing of them.
//!
//! One proof of knowledge of all s_iv against Y_iv, 80 bytes however many validators there are, bound
//! to the cluster, the operator, a time and a challenge that the reader chose. It is no BLS signature:
//! nothing that a chain could take is ever signed for it. The file carries the identity's signature as
//! well: the proof shows that its maker knows the shares, the signature that the operator speaks, and
//! not somebody who has stolen them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ceremony::shares::OwnShares;
use crate::crypto::identity::{IdentityKey, IdentityPublic, Signature};
use crate::crypto::point::{G1, PointError};
use crate::crypto::proof::ManyKnowledge;
use crate::crypto::scalar::Scalar;
use crate::crypto::sharing::Sharing;
use crate::hash::{Digest, Hasher, Kdf, Tag};
use crate::json::{self, Hex, JsonError, Text};
use crate::secret::{Secret, Seed};
use crate::wire::roster::Index;
use crate::wire::tool::Tool;

/// The largest share proof, in bytes.
pub const MAX_SHARE_PROOF_BYTES: usize = 4 * 1024;

/// The form this tool reads and writes.
pub const SHARE_PROOF_VERSION: u64 = 1;

/// The last moment that a proof may be dated: the end of the year 9999, in seconds since 1970.
const MAX_CREATED: u64 = 253_402_300_799;

/// The cluster that a proof is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The ceremony.
    pub cid: &'a Digest,
    /// The hash of its outcome.
    pub outcome: &'a Digest,
    /// How often the shares were dealt anew.
    pub epoch: u64,
    /// The public side of the shares.
    pub sharing: &'a Sharing,
}

/// Why a share proof was refused, or could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareProofError {
    /// Not a proof's JSON in canonical bytes.
    #[error("the share proof {0}")]
    Json(#[from] JsonError),
    /// Of another version.
    #[error("the share proof is of version {0}; this tool reads version {SHARE_PROOF_VERSION}")]
    Version(u64),
    /// Its time is none.
    #[error(
        "the share proof's time is not between 1970 and the year 9999; look at this machine's clock if it was made here"
    )]
    Time,
    /// Its commitment is no point.
    #[error("the share proof's commitment is refused: {0}")]
    Commitment(PointError),
    /// Its response is no scalar.
    #[error("the share proof's response is no scalar")]
    Response,
    /// The identity did not sign it as it stands.
    #[error("the share proof is not signed by the identity that it names, or was changed since")]
    Signature,
    /// It is about another cluster.
    #[error("the share proof is about another cluster or epoch: its {0} differs")]
    OtherCluster(&'static str),
    /// The cluster has no operator with that index, or it has another identity.
    #[error("the cluster's operator {0} is not the identity that made the share proof")]
    OtherOperator(Index),
    /// The proof does not hold for the operator's public shares.
    #[error("the share proof does not show that its maker knows every share of operator {0}")]
    Unproved(Index),
    /// The shares give a zero nonce, which no honest randomness does; or they are not of the cluster.
    #[error("the shares give no proof for this cluster; nothing was written")]
    Secret,
}

/// A share proof as it is written; fields in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenge: Option<Text>,
    cid: Digest,
    commitment: Hex<48>,
    created: u64,
    epoch: u64,
    identity: IdentityPublic,
    index: Index,
    outcome: Digest,
    response: Hex<32>,
    signature: Signature,
    tool: Tool,
    validators: u64,
    version: u64,
}

/// A proof that its identity signed; whether it holds is for [`ShareProof::verify`].
#[derive(Debug)]
pub struct ShareProof {
    fields: Fields,
    proof: ManyKnowledge,
    bytes: Vec<u8>,
}

impl ShareProof {
    /// Proves that the holder of `own` knows every share, at the time `created` (seconds since 1970)
    /// and for the challenge. `outcome` is the hash of the outcome that the shares belong to;
    /// `randomness` is fresh.
    pub fn make(
        own: &OwnShares,
        outcome: &Digest,
        identity: &IdentityKey,
        challenge: Option<Text>,
        created: u64,
        randomness: &Seed,
    ) -> Result<Self, ShareProofError> {
        let index = Index::new(own.index).map_err(|_| ShareProofError::Secret)?;
        let mut fields = Fields {
            challenge,
            cid: own.cid,
            commitment: Hex([0; 48]),
            created,
            epoch: 0,
            identity: identity.public(),
            index,
            outcome: *outcome,
            response: Hex([0; 32]),
            signature: Signature::from_bytes([0; 64]),
            tool: Tool::this(),
            validators: own.sharing.validators() as u64,
            version: SHARE_PROOF_VERSION,
        };
        let points = fields
            .points(&own.sharing)
            .filter(|points| points.len() == own.shares.len())
            .ok_or(ShareProofError::Secret)?;
        let statement = fields.statement(&points);
        let nonce = nonce(own, &statement.clone().finish(), randomness);
        let proof = ManyKnowledge::prove(own.shares.iter(), statement, &nonce)
            .ok_or(ShareProofError::Secret)?;
        fields.commitment = Hex(proof.commitment.to_bytes());
        fields.response = Hex(proof.response.to_public_bytes());
        let signed = signed_part(&json::to_value(&fields)?)?;
        fields.signature = identity.sign(Tag::SHARE_PROOF_SIGNATURE, &signed);
        // Through the reader, and against the public shares: nothing leaves that others would refuse.
        let made = Self::parse(&json::canonical(&fields)?)?;
        made.verify(
            &Subject {
                cid: &own.cid,
                outcome,
                epoch: 0,
                sharing: &own.sharing,
            },
            &identity.public(),
        )?;
        Ok(made)
    }

    /// Reads a proof's file: at most [`MAX_SHARE_PROOF_BYTES`], canonical bytes, a time, encodings,
    /// and the signature of the identity that it names.
    pub fn parse(bytes: &[u8]) -> Result<Self, ShareProofError> {
        let value = json::parse(bytes, MAX_SHARE_PROOF_BYTES)?;
        // The version first: the fields of another one are not ours to judge.
        match value.get("version").and_then(Value::as_u64) {
            Some(version) if version != SHARE_PROOF_VERSION => {
                return Err(ShareProofError::Version(version));
            }
            _ => {}
        }
        json::require_canonical(&value, bytes)?;
        let fields: Fields = json::decode(&value)?;
        if !(1..=MAX_CREATED).contains(&fields.created) {
            return Err(ShareProofError::Time);
        }
        let proof = ManyKnowledge {
            commitment: G1::from_bytes(&fields.commitment.0)
                .map_err(ShareProofError::Commitment)?,
            response: Scalar::from_bytes(&fields.response.0).ok_or(ShareProofError::Response)?,
        };
        let signed = signed_part(&value)?;
        if !fields
            .identity
            .verify(Tag::SHARE_PROOF_SIGNATURE, &signed, &fields.signature)
        {
            return Err(ShareProofError::Signature);
        }
        Ok(Self {
            fields,
            proof,
            bytes: bytes.to_vec(),
        })
    }

    /// Checks the proof for a cluster, in which `identity` is the operator of the proof's index. One
    /// multi-scalar multiplication over the operator's public shares.
    pub fn verify(
        &self,
        subject: &Subject<'_>,
        identity: &IdentityPublic,
    ) -> Result<(), ShareProofError> {
        let fields = &self.fields;
        for (what, same) in [
            ("ceremony", fields.cid == *subject.cid),
            ("outcome", fields.outcome == *subject.outcome),
            ("epoch", fields.epoch == subject.epoch),
            (
                "number of validators",
                fields.validators == subject.sharing.validators() as u64,
            ),
        ] {
            if !same {
                return Err(ShareProofError::OtherCluster(what));
            }
        }
        if fields.identity != *identity {
            return Err(ShareProofError::OtherOperator(fields.index));
        }
        let points = fields
            .points(subject.sharing)
            .ok_or(ShareProofError::OtherOperator(fields.index))?;
        let (first, others) = points
            .split_first()
            .ok_or(ShareProofError::Unproved(fields.index))?;
        if !self.proof.verify(first, others, fields.statement(&points)) {
            return Err(ShareProofError::Unproved(fields.index));
        }
        Ok(())
    }

    /// The file: its canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The ceremony that it is about.
    pub fn cid(&self) -> &Digest {
        &self.fields.cid
    }

    /// When it was made, as its maker's clock said, in seconds since 1970.
    pub fn created(&self) -> u64 {
        self.fields.created
    }

    /// What its reader asked to be answered, if anything.
    pub fn challenge(&self) -> Option<&Text> {
        self.fields.challenge.as_ref()
    }

    /// The operator's index.
    pub fn index(&self) -> Index {
        self.fields.index
    }

    /// Who signed it.
    pub fn identity(&self) -> &IdentityPublic {
        &self.fields.identity
    }

    /// For how many validators.
    pub fn validators(&self) -> u64 {
        self.fields.validators
    }
}

impl Fields {
    /// The public shares of the proof's operator, in the plan's order.
    fn points(&self, sharing: &Sharing) -> Option<Vec<G1>> {
        let mut indices = sharing.indices().iter();
        let position = indices.position(|index| *index == self.index.get())?;
        Some(sharing.shares_of(position).copied().collect())
    }

    /// All that the challenge hashes but the commitment. A text is never empty: none and an empty one
    /// cannot be taken for each other.
    fn statement(&self, points: &[G1]) -> Hasher {
        let challenge = self.challenge.as_ref().map_or("", Text::as_str);
        let mut hasher = Hasher::new(Tag::SHARE_PROOF)
            .int(self.version)
            .bytes(self.cid.as_bytes())
            .bytes(self.outcome.as_bytes())
            .int(self.epoch)
            .int(self.index.get())
            .bytes(self.identity.as_bytes())
            .int(self.created)
            .bytes(challenge.as_bytes())
            .int(self.validators);
        for point in points {
            hasher.add(&point.to_bytes());
        }
        hasher
    }
}

/// `KDF(OS randomness || all s_iv, all that the challenge hashes but the commitment)`: neither weak
/// randomness nor a clock that stands still leads to one nonce under two challenges.
fn nonce(own: &OwnShares, statement: &Digest, randomness: &Seed) -> Scalar {
    let shares = own.shares.len().saturating_mul(Scalar::BYTES);
    // The whole capacity at once: growing would leave unwiped copies of shares behind.
    let mut secret = Secret::new(Vec::with_capacity(shares.saturating_add(32)));
    secret.expose_mut(|secret| {
        randomness.expose(|bytes| secret.extend_from_slice(bytes));
        for share in &own.shares {
            share
                .to_bytes()
                .expose(|bytes| secret.extend_from_slice(bytes));
        }
    });
    let kdf = Kdf::new(Tag::SHARE_PROOF_NONCE).bytes(statement.as_bytes());
    secret
        .expose(|secret| kdf.derive::<48>(secret))
        .expose(Scalar::from_wide)
}

/// The canonical bytes of the file without its signature.
fn signed_part(value: &Value) -> Result<Vec<u8>, ShareProofError> {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("signature");
    }
    Ok(json::canonical_value(&value)?)
}

#[cfg(test)]
mod tests;
