//! Deposit data: one launchpad file for every amount that the plan deposits, and where the
//! network's launchpad takes one withdrawal credential a file, one for every credential too.

use std::collections::{BTreeMap, BTreeSet};

use super::{ArtifactError, Check, PublicFile, Purpose};
use crate::ceremony::outcome::KeygenOutcome;
use crate::ceremony::plan::KeygenPlan;
use crate::ethereum::address::Address;
use crate::ethereum::amount::Gwei;
use crate::ethereum::deposit::{
    DepositData, DepositEntry, check_entries, parse_entries, write_entries,
};
use crate::ethereum::network::NetworkSpec;
use crate::ethereum::withdrawal::CredentialsKind;
use crate::json::encode_hex;

/// What the entries of one file have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    amount: Gwei,
    /// `None` where one file holds all of them.
    credentials: Option<(CredentialsKind, Address)>,
}

/// Returns the files, by amount, then by credentials; entries stand in the plan's order.
pub(super) fn files(
    plan: KeygenPlan<'_>,
    outcome: &KeygenOutcome,
) -> Result<Vec<PublicFile>, ArtifactError> {
    let mut groups: BTreeMap<Group, Vec<DepositEntry>> = BTreeMap::new();
    let apart = plan.network().rules().one_credential_per_file;
    let keys = outcome.sharing().group_keys();
    for ((validator, key), signatures) in
        plan.validators().iter().zip(keys).zip(outcome.signatures())
    {
        // The registration's signature, if there is one, comes after those of the instalments.
        for (message, signature) in validator.deposit_messages(key).into_iter().zip(signatures) {
            let group = Group {
                amount: message.amount,
                credentials: apart.then_some((validator.credentials, validator.withdrawal_address)),
            };
            let data = DepositData {
                message,
                signature: signature.to_bytes(),
            };
            let entry = DepositEntry::new(&data, plan.network());
            groups.entry(group).or_default().push(entry);
        }
    }
    let created = plan.created();
    let several = |different: usize| different > 1;
    let amounts: BTreeSet<Gwei> = groups.keys().map(|group| group.amount).collect();
    let credentials: BTreeSet<_> = groups.keys().map(|group| group.credentials).collect();
    groups
        .iter()
        .map(|(group, entries)| {
            let mut name = format!("deposit_data-{created}");
            if several(amounts.len()) {
                name.push_str(&format!("-{}", group.amount.0));
            }
            if let (true, Some((kind, address))) = (several(credentials.len()), group.credentials) {
                // Lower case: file systems fold the letters of a checksum.
                name.push_str(&format!("-{kind}-{}", encode_hex(&address.0)));
            }
            Ok(PublicFile {
                name: format!("{name}.json"),
                purpose: Purpose::Deposits,
                bytes: write_entries(entries)?,
                check: Check::Deposits(plan.network().clone()),
            })
        })
        .collect()
}

/// Reads a file as a launchpad does and makes every check, all signatures in one batch.
pub(super) fn verify(bytes: &[u8], network: &NetworkSpec, seed: &[u8; 32]) -> Result<(), String> {
    let entries = parse_entries(bytes).map_err(|error| error.to_string())?;
    let findings = check_entries(&entries, Some(network), seed);
    match findings
        .iter()
        .find(|finding| !finding.problem.is_warning())
    {
        Some(finding) => Err(finding.to_string()),
        None => Ok(()),
    }
}
