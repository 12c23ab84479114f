//! Deposit data: one launchpad file for every amount that the plan deposits.

use std::collections::BTreeMap;

use super::{ArtifactError, Check, PublicFile, Purpose};
use crate::ceremony::outcome::Outcome;
use crate::ceremony::plan::Plan;
use crate::ethereum::amount::Gwei;
use crate::ethereum::deposit::{
    DepositData, DepositEntry, DepositProblem, check_entries, parse_entries, write_entries,
};
use crate::ethereum::network::NetworkSpec;

/// Returns the files, by amount; entries stand in the plan's order.
pub(super) fn files(plan: &Plan, outcome: &Outcome) -> Result<Vec<PublicFile>, ArtifactError> {
    let mut amounts: BTreeMap<Gwei, Vec<DepositEntry>> = BTreeMap::new();
    let keys = outcome.sharing().group_keys();
    for ((validator, key), signatures) in
        plan.validators().iter().zip(keys).zip(outcome.signatures())
    {
        // The registration's signature, if there is one, comes after those of the instalments.
        for (message, signature) in validator.deposit_messages(key).into_iter().zip(signatures) {
            let amount = message.amount;
            let data = DepositData {
                message,
                signature: signature.to_bytes(),
            };
            let entry = DepositEntry::new(&data, plan.network());
            amounts.entry(amount).or_default().push(entry);
        }
    }
    let created = plan.created();
    let single = amounts.len() == 1;
    amounts
        .iter()
        .map(|(Gwei(amount), entries)| {
            Ok(PublicFile {
                name: if single {
                    format!("deposit_data-{created}.json")
                } else {
                    format!("deposit_data-{created}-{amount}.json")
                },
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
    // Several withdrawal addresses are the plan's to decide: the chain takes them.
    let tolerated = |problem: &DepositProblem| matches!(problem, DepositProblem::GnosisCredentials);
    match findings
        .iter()
        .find(|finding| !finding.problem.is_warning() && !tolerated(&finding.problem))
    {
        Some(finding) => Err(finding.to_string()),
        None => Ok(()),
    }
}
