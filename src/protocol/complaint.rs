//! The *complaint*: a recipient shows that what a dealer dealt to it breaks the share equation.
//!
//! It publishes `D = e_i * R_j` with a proof of equal logarithms, so that anyone can open what j
//! dealt to i, and nothing else. The dealer need not answer.

use serde::{Deserialize, Serialize};

use crate::crypto::feldman;
use crate::crypto::point::G1;
use crate::crypto::proof::{EqualLogs, EqualLogsStatement};
use crate::crypto::scalar::Scalar;
use crate::hash::{Digest, Hasher, Kdf, Tag};
use crate::json::Hex;
use crate::protocol::deal::CheckedDeal;
use crate::protocol::{Params, ProtocolError};
use crate::secret::Seed;

/// A complaint as it travels; its place names complainer, dealer and the deal's hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplaintPayload {
    /// `D = e_i * R_j`.
    pub shared: Hex<48>,
    /// The proof that `log_G E_i = log_{R_j} D`.
    pub proof: EqualLogsPayload,
}

/// A proof of equal logarithms as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EqualLogsPayload {
    /// `T1`.
    pub commitment_generator: Hex<48>,
    /// `T2`.
    pub commitment_base: Hex<48>,
    /// `z`.
    pub response: Hex<32>,
}

/// Who a complaint proves wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// The dealer: the share equation fails for these validators (positions in the plan).
    Dealer {
        /// From 0, in order, never empty.
        validators: Vec<usize>,
    },
    /// The complainer.
    Complainer(FalseComplaint),
}

/// Why a complaint falls back on its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FalseComplaint {
    /// Not the fields of a complaint, or a point that may not be used.
    #[error("it is not a complaint: {0}")]
    Malformed(String),
    /// The proof of equal logarithms fails.
    #[error("its proof is wrong")]
    Proof,
    /// Every share that the dealer dealt is right.
    #[error("every share it complains of is right")]
    SharesAreRight,
}

/// Makes the complaint of the operator at `complainer` against the dealer of `deal`.
pub fn make(
    params: &Params,
    complainer: usize,
    encryption_secret: &Scalar,
    ceremony_secret: &Seed,
    deal: &CheckedDeal,
    deal_hash: &Digest,
) -> Result<ComplaintPayload, ProtocolError> {
    let shared = deal
        .ephemeral()
        .times(encryption_secret)
        .ok_or(ProtocolError::ZeroSecret)?;
    let me = params.operator(complainer).ok_or(ProtocolError::Count)?;
    let dealer = params.operator(deal.dealer()).ok_or(ProtocolError::Count)?;
    let nonce = ceremony_secret.expose(|secret| {
        Kdf::new(Tag::COMPLAINT_NONCE)
            .bytes(params.cid.as_bytes())
            .bytes(deal_hash.as_bytes())
            .int(me.index)
            .int(dealer.index)
            .bytes(&me.key.to_bytes())
            .bytes(&deal.ephemeral().to_bytes())
            .bytes(&shared.to_bytes())
            .derive::<48>(secret)
    });
    let proof = with_statement(params, complainer, deal, deal_hash, &shared, |statement| {
        EqualLogs::prove(
            encryption_secret,
            statement,
            &nonce.expose(Scalar::from_wide),
        )
    })?
    .ok_or(ProtocolError::ZeroSecret)?;
    Ok(ComplaintPayload {
        shared: Hex(shared.to_bytes()),
        proof: EqualLogsPayload {
            commitment_generator: Hex(proof.commitment_generator.to_bytes()),
            commitment_base: Hex(proof.commitment_base.to_bytes()),
            response: Hex(proof.response.to_public_bytes()),
        },
    })
}

/// Judges a complaint against a deal that passed the public checks and has this hash: first the
/// point, then the proof, then the share equation.
pub fn judge(
    params: &Params,
    complainer: usize,
    deal: &CheckedDeal,
    deal_hash: &Digest,
    payload: &ComplaintPayload,
) -> Result<Judgement, ProtocolError> {
    let me = params.operator(complainer).ok_or(ProtocolError::Count)?;
    let (shared, proof) = match decode(payload) {
        Ok(decoded) => decoded,
        Err(reason) => return Ok(Judgement::Complainer(reason)),
    };
    let holds = with_statement(params, complainer, deal, deal_hash, &shared, |statement| {
        proof.verify(statement)
    })?;
    if !holds {
        return Ok(Judgement::Complainer(FalseComplaint::Proof));
    }
    let shares = deal.open_with(params, complainer, &shared)?;
    let seed = audit_seed(params, me.index, deal_hash, payload);
    let validators = feldman::find_bad_shares(
        me.index,
        &shares,
        deal.commitments(),
        params.threshold,
        seed.as_bytes(),
    );
    Ok(if validators.is_empty() {
        Judgement::Complainer(FalseComplaint::SharesAreRight)
    } else {
        Judgement::Dealer { validators }
    })
}

fn decode(payload: &ComplaintPayload) -> Result<(G1, EqualLogs), FalseComplaint> {
    let point = |what: &str, bytes: &Hex<48>| {
        G1::from_bytes(&bytes.0)
            .map_err(|error| FalseComplaint::Malformed(format!("its {what} {error}")))
    };
    let shared = point("shared point", &payload.shared)?;
    let proof = EqualLogs {
        commitment_generator: point("first commitment", &payload.proof.commitment_generator)?,
        commitment_base: point("second commitment", &payload.proof.commitment_base)?,
        response: Scalar::from_bytes(&payload.proof.response.0).ok_or_else(|| {
            FalseComplaint::Malformed("its response is not a canonical scalar".into())
        })?,
    };
    Ok((shared, proof))
}

fn with_statement<R>(
    params: &Params,
    complainer: usize,
    deal: &CheckedDeal,
    deal_hash: &Digest,
    shared: &G1,
    f: impl FnOnce(EqualLogsStatement<'_>) -> R,
) -> Result<R, ProtocolError> {
    let me = params.operator(complainer).ok_or(ProtocolError::Count)?;
    let dealer = params.operator(deal.dealer()).ok_or(ProtocolError::Count)?;
    let (i, j) = (me.index.to_be_bytes(), dealer.index.to_be_bytes());
    let context: [&[u8]; 4] = [params.cid.as_bytes(), deal_hash.as_bytes(), &i, &j];
    Ok(f(EqualLogsStatement {
        tag: Tag::COMPLAINT_PROOF,
        context: &context,
        key: &me.key,
        base: deal.ephemeral(),
        shared,
    }))
}

/// Weights that nobody could choose: a hash of all that the check reads, so that every judge
/// computes the same.
fn audit_seed(
    params: &Params,
    complainer: u64,
    deal_hash: &Digest,
    payload: &ComplaintPayload,
) -> Digest {
    Hasher::new(Tag::AUDIT_SHARES)
        .bytes(params.cid.as_bytes())
        .int(complainer)
        .bytes(deal_hash.as_bytes())
        .bytes(&payload.shared.0)
        .finish()
}
