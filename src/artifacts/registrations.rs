//! Builder registrations: one array in the form of the builder API.

use super::{ArtifactError, Check, PublicFile, Purpose};
use crate::ceremony::outcome::KeygenOutcome;
use crate::ceremony::plan::KeygenPlan;
use crate::crypto::bls;
use crate::crypto::point::{G1, G2};
use crate::ethereum::registration::SignedRegistration;
use crate::json;

/// The largest file: as many registrations as a plan can hold.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Returns the file, in the plan's order, if any registration is planned.
pub(super) fn file(
    plan: KeygenPlan<'_>,
    outcome: &KeygenOutcome,
) -> Result<Option<PublicFile>, ArtifactError> {
    let keys = outcome.sharing().group_keys();
    let signed: Vec<SignedRegistration> = plan
        .validators()
        .iter()
        .zip(keys)
        .zip(outcome.signatures())
        .filter_map(|((validator, key), signatures)| {
            Some(SignedRegistration {
                message: validator.registration_message(key)?,
                signature: signatures.get(validator.deposits.len())?.to_bytes(),
            })
        })
        .collect();
    if signed.is_empty() {
        return Ok(None);
    }
    Ok(Some(PublicFile {
        name: format!("builder_registrations-{}.json", plan.created()),
        purpose: Purpose::Registrations,
        bytes: json::pretty(&signed)?,
        check: Check::Registrations(plan.network().fork_version()),
    }))
}

/// Reads a file and verifies all signatures in one batch.
pub(super) fn verify(bytes: &[u8], fork_version: [u8; 4], seed: &[u8; 32]) -> Result<(), String> {
    let signed: Vec<SignedRegistration> =
        json::read(bytes, MAX_BYTES).map_err(|error| error.to_string())?;
    let items = signed
        .iter()
        .map(|signed| {
            let key = G1::from_bytes(&signed.message.pubkey)?;
            let signature = G2::from_bytes(&signed.signature)?;
            Ok((key, signed.message.signing_root(fork_version), signature))
        })
        .collect::<Result<Vec<_>, crate::crypto::point::PointError>>()
        .map_err(|error| error.to_string())?;
    if bls::verify_batch(&items, seed) {
        Ok(())
    } else {
        Err("holds a signature that does not verify under its validator's key".to_owned())
    }
}
