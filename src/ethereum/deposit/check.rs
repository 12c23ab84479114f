//! Checking a launchpad file: everything that public launchpads check, and what they forget.

use std::collections::HashMap;
use std::fmt;

use super::foreign::{Field, ForeignEntry};
use super::{DepositData, DepositMessage};
use crate::crypto::bls::{self, SigningRoot};
use crate::crypto::point::{G1, G2};
use crate::ethereum::amount::{AmountError, ETHEREUM, GNOSIS};
use crate::ethereum::network::{Network, NetworkSpec};
use crate::ethereum::withdrawal::{CredentialsError, CredentialsKind, WithdrawalCredentials};
use crate::json::{Hex, encode_hex};

/// Something wrong with one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepositFinding {
    /// The entry's number, from 1.
    pub entry: usize,
    /// Its public key in lower-case hex, where it can be read.
    pub pubkey: Option<String>,
    /// What is wrong.
    pub problem: DepositProblem,
}

impl fmt::Display for DepositFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pubkey = self.pubkey.as_deref().unwrap_or("unreadable");
        write!(
            f,
            "entry {} (pubkey {pubkey}): {}",
            self.entry, self.problem
        )
    }
}

/// What can be wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepositProblem {
    /// A field that launchpads need is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field of another type, length or alphabet.
    #[error("{field} is not {form}")]
    Form {
        /// The field.
        field: &'static str,
        /// What it has to be.
        form: &'static str,
    },
    /// Credentials that new validators do not use.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The balance would go to the zero address.
    #[error("the withdrawal address is zero: nobody could ever withdraw")]
    ZeroAddress,
    /// An amount that the chain refuses or would not give back soon.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// A root that is not of this entry.
    #[error("{field} is not the root of the entry, which is {computed}")]
    Root {
        /// The field.
        field: &'static str,
        /// What it has to be.
        computed: Hex<32>,
    },
    /// A fork version that no known network has.
    #[error("the fork version {0} belongs to no known network")]
    UnknownFork(Hex<4>),
    /// The fork version of another network than expected.
    #[error("the fork version is {found}; {network} has {expected}")]
    OtherFork {
        /// The entry's.
        found: Hex<4>,
        /// The expected network.
        network: String,
        /// Its fork version.
        expected: Hex<4>,
    },
    /// Fork version and name are of two networks.
    #[error("network_name is not {network}, to which the fork version belongs")]
    NetworkName {
        /// The network of the fork version.
        network: String,
    },
    /// Not the fork version of the file's first entry.
    #[error("the fork version is not that of entry 1; one file goes to one network")]
    MixedNetworks,
    /// The public key is no point that can verify anything.
    #[error("the public key is not a valid BLS public key")]
    PublicKey,
    /// The signature is no point of the group.
    #[error("the signature is not a valid BLS signature encoding")]
    SignaturePoint,
    /// The signature does not verify.
    #[error(
        "the signature does not verify under the entry's public key and fork version; the chain would keep the deposit and make no validator"
    )]
    Signature,
    /// The same deposit twice.
    #[error(
        "the same public key and amount stand in entry {0} already; paying both deposits twice"
    )]
    Duplicate(usize),
    /// Two entries of one key with two credentials.
    #[error(
        "entry {0} has the same public key with other withdrawal credentials; the first deposit on the chain decides"
    )]
    CredentialsDiffer(usize),
    /// Gnosis' deposit interface takes one withdrawal address a file.
    #[error(
        "the withdrawal credentials are not those of entry 1; Gnosis deposit pages take one for all"
    )]
    GnosisCredentials,
}

impl DepositProblem {
    /// Tells whether the chain would take the deposit as it is, so that a person may decide.
    pub const fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::Duplicate(_) | Self::CredentialsDiffer(_) | Self::GnosisCredentials
        )
    }
}

/// Checks every entry and returns what is wrong, in the order of entries; nothing when all is well.
///
/// `expected` is the network that the deposits are meant for; without it, each known one is taken.
/// `seed` is 32 unpredictable bytes for the weights of the batch verification.
pub fn check_entries(
    entries: &[ForeignEntry],
    expected: Option<&NetworkSpec>,
    seed: &[u8; 32],
) -> Vec<DepositFinding> {
    let mut findings = Vec::new();
    let mut signed = Vec::new();
    for (number, entry) in (1usize..).zip(entries) {
        let mut report = Report {
            number,
            pubkey: entry.pubkey.hex(),
            findings: &mut findings,
        };
        if let Some(item) = check_entry(entry, expected, &mut report) {
            signed.push((number, item));
        }
    }
    check_signatures(&signed, seed, &mut findings);
    check_together(entries, expected, &mut findings);
    findings.sort_by_key(|finding| finding.entry);
    findings
}

struct Report<'a> {
    number: usize,
    pubkey: Option<[u8; 48]>,
    findings: &'a mut Vec<DepositFinding>,
}

impl Report<'_> {
    fn add(&mut self, problem: impl Into<DepositProblem>) {
        self.findings.push(DepositFinding {
            entry: self.number,
            pubkey: self.pubkey.as_ref().map(|bytes| encode_hex(bytes)),
            problem: problem.into(),
        });
    }

    fn take<T>(
        &mut self,
        name: &'static str,
        field: &Field,
        form: &'static str,
        value: Option<T>,
    ) -> Option<T> {
        if value.is_none() {
            self.add(match field {
                Field::Missing => DepositProblem::Missing(name),
                _ => DepositProblem::Form { field: name, form },
            });
        }
        value
    }
}

type Item = (G1, SigningRoot, G2);

/// Checks one entry but for its signature, which is returned to be verified with all others'.
fn check_entry(
    entry: &ForeignEntry,
    expected: Option<&NetworkSpec>,
    report: &mut Report<'_>,
) -> Option<Item> {
    let pubkey = report.take("pubkey", &entry.pubkey, HEX_48, entry.pubkey.hex::<48>());
    let field = &entry.withdrawal_credentials;
    let credentials = report.take("withdrawal_credentials", field, HEX_32, field.hex::<32>());
    let field = &entry.amount;
    let amount = report.take("amount", field, "a whole number of Gwei", entry.amount());
    let signature = report.take(
        "signature",
        &entry.signature,
        HEX_96,
        entry.signature.hex::<96>(),
    );
    let field = &entry.deposit_message_root;
    let message_root = report.take("deposit_message_root", field, HEX_32, field.hex::<32>());
    let field = &entry.deposit_data_root;
    let data_root = report.take("deposit_data_root", field, HEX_32, field.hex::<32>());
    let field = &entry.fork_version;
    let fork_version = report.take("fork_version", field, HEX_4, field.hex::<4>());
    let field = &entry.deposit_cli_version;
    let version = matches!(field, Field::Text(text) if !text.is_empty()).then_some(());
    report.take("deposit_cli_version", field, "a text", version);

    if let Some(version) = fork_version {
        check_network(version, &entry.network_name, expected, report);
    }
    let rules = match (expected, fork_version.and_then(Network::by_fork_version)) {
        (Some(spec), _) => spec.rules(),
        (None, Some(network)) => network.rules,
        (None, None) => &ETHEREUM,
    };
    let credentials = credentials.map(WithdrawalCredentials);
    let kind = match credentials.map(|credentials| credentials.form()) {
        Some(Ok((kind, address))) => {
            if address.is_zero() {
                report.add(DepositProblem::ZeroAddress);
            }
            kind
        }
        Some(Err(error)) => {
            report.add(error);
            // Launchpads allow 32 ETH for every first byte below 2.
            CredentialsKind::Eth1
        }
        None => CredentialsKind::Compounding,
    };
    if let Some(Err(error)) = amount.map(|amount| rules.check(amount, kind)) {
        report.add(error);
    }

    let message = DepositMessage {
        pubkey: pubkey?,
        credentials: credentials?,
        amount: amount?,
    };
    let mut compare = |field, stated: Option<[u8; 32]>, computed| {
        if stated.is_some_and(|stated| stated != computed) {
            report.add(DepositProblem::Root {
                field,
                computed: Hex(computed),
            });
        }
    };
    compare("deposit_message_root", message_root, message.object_root());
    let signature = signature?;
    compare(
        "deposit_data_root",
        data_root,
        DepositData { message, signature }.object_root(),
    );

    let key = G1::from_bytes(&message.pubkey).map_err(|_| report.add(DepositProblem::PublicKey));
    let signature =
        G2::from_bytes(&signature).map_err(|_| report.add(DepositProblem::SignaturePoint));
    Some((
        key.ok()?,
        message.signing_root(fork_version?),
        signature.ok()?,
    ))
}

const HEX_4: &str = "8 hex characters without 0x";
const HEX_32: &str = "64 hex characters without 0x";
const HEX_48: &str = "96 hex characters without 0x";
const HEX_96: &str = "192 hex characters without 0x";

fn check_network(
    version: [u8; 4],
    stated_name: &Field,
    expected: Option<&NetworkSpec>,
    report: &mut Report<'_>,
) {
    let name = match (expected, Network::by_fork_version(version)) {
        (Some(spec), _) if spec.fork_version() != version => {
            return report.add(DepositProblem::OtherFork {
                found: Hex(version),
                network: spec.name().to_owned(),
                expected: Hex(spec.fork_version()),
            });
        }
        (Some(spec), _) => spec.name(),
        (None, Some(network)) => network.name,
        (None, None) => return report.add(DepositProblem::UnknownFork(Hex(version))),
    };
    // Launchpads do without it, so it may be missing; a wrong one means a confused tool or person.
    match stated_name {
        Field::Missing => {}
        Field::Text(stated) if stated == name => {}
        _ => report.add(DepositProblem::NetworkName {
            network: name.to_owned(),
        }),
    }
}

/// One batch for all; only when it fails, one by one, to name the entries.
fn check_signatures(signed: &[(usize, Item)], seed: &[u8; 32], findings: &mut Vec<DepositFinding>) {
    let items: Vec<Item> = signed.iter().map(|(_, item)| *item).collect();
    if bls::verify_batch(&items, seed) {
        return;
    }
    for (number, (key, root, signature)) in signed {
        if !bls::verify(key, root, signature) {
            let pubkey = Some(key.to_bytes());
            Report {
                number: *number,
                pubkey,
                findings,
            }
            .add(DepositProblem::Signature);
        }
    }
}

/// What only shows between entries.
fn check_together(
    entries: &[ForeignEntry],
    expected: Option<&NetworkSpec>,
    findings: &mut Vec<DepositFinding>,
) {
    let Some(first) = entries.first() else { return };
    let first_version = first.fork_version.hex::<4>();
    let first_credentials = first.withdrawal_credentials.hex::<32>();
    let known = first_version.and_then(Network::by_fork_version);
    let rules = expected
        .map(NetworkSpec::rules)
        .or(known.map(|network| network.rules));
    let gnosis = rules == Some(&GNOSIS);
    let mut amounts: HashMap<([u8; 48], u64), usize> = HashMap::new();
    let mut keys: HashMap<[u8; 48], (usize, Option<[u8; 32]>)> = HashMap::new();
    for (number, entry) in (1usize..).zip(entries) {
        let mut report = Report {
            number,
            pubkey: entry.pubkey.hex(),
            findings: &mut *findings,
        };
        let version = entry.fork_version.hex::<4>();
        if version.is_some() && first_version.is_some() && version != first_version {
            report.add(DepositProblem::MixedNetworks);
        }
        let credentials = entry.withdrawal_credentials.hex::<32>();
        if gnosis && credentials != first_credentials {
            report.add(DepositProblem::GnosisCredentials);
        }
        let Some(pubkey) = report.pubkey else {
            continue;
        };
        if let Field::Number(amount) = entry.amount {
            let earlier = *amounts.entry((pubkey, amount)).or_insert(number);
            if earlier != number {
                report.add(DepositProblem::Duplicate(earlier));
            }
        }
        let (earlier, theirs) = *keys.entry(pubkey).or_insert((number, credentials));
        if theirs != credentials {
            report.add(DepositProblem::CredentialsDiffer(earlier));
        }
    }
}

#[cfg(test)]
mod tests;
