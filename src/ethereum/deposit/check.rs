//! Checking launchpad files: everything that public launchpads check, and what they forget.
//!
//! Files are checked together, since a funder pays them together: instalments of one validator lie
//! in several. A signature is verified under the genesis fork version of the network that is meant,
//! whatever fork version the file names; all of them are verified in one batch.

use std::collections::HashMap;
use std::fmt;

use rayon::prelude::*;

use super::foreign::{Field, ForeignEntry};
use super::{CLI_VERSION, DepositData, DepositMessage};
use crate::crypto::bls::{self, SigningRoot};
use crate::crypto::point::{G1, G2};
use crate::ethereum::amount::{AmountError, ETHEREUM, Rules};
use crate::ethereum::network::{Network, NetworkSpec};
use crate::ethereum::withdrawal::{CredentialsError, CredentialsKind, WithdrawalCredentials};
use crate::json::{Hex, encode_hex};

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The file's number, from 1, in the order they were given.
    pub file: usize,
    /// The entry's number in it, from 1.
    pub entry: usize,
}

impl Spot {
    /// Numbers the entries of several files.
    pub fn all<'a>(files: &'a [&[ForeignEntry]]) -> impl Iterator<Item = (Self, &'a ForeignEntry)> {
        (1usize..).zip(files).flat_map(|(file, entries)| {
            (1usize..)
                .zip(*entries)
                .map(move |(entry, at)| (Self { file, entry }, at))
        })
    }

    /// The words for it in a sentence about an entry of `file`.
    fn from(self, file: usize) -> String {
        let Self { file: own, entry } = self;
        if own == file {
            format!("entry {entry}")
        } else {
            format!("entry {entry} of file {own}")
        }
    }
}

/// Something wrong with one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepositFinding {
    /// Which entry.
    pub spot: Spot,
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
            self.spot.entry, self.problem
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
    #[error("the fork version is {found}{}; {network} has {expected}", owner(.found))]
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
    /// Not the fork version of the first entry.
    #[error("the fork version is not that of the first entry; deposits go to one network")]
    MixedNetworks,
    /// The public key is no point that can verify anything.
    #[error("the public key is not a valid BLS public key")]
    PublicKey,
    /// The signature is no point of the group.
    #[error(
        "the signature is not a valid BLS signature encoding (some tools write top-ups so; a first deposit needs one)"
    )]
    SignaturePoint,
    /// The signature does not verify.
    #[error(
        "the signature does not verify for {network}: the chain would keep the deposit and make no validator (it counts only as a top-up of a validator that exists already, which no file shows)"
    )]
    Signature {
        /// The network that it was verified for.
        network: String,
    },
    /// The signature verifies for another network.
    #[error(
        "the signature is for {signed}, not for {network}: the chain would keep the deposit and make no validator"
    )]
    SignedFor {
        /// The network that it was verified for.
        network: String,
        /// The one for which it is valid.
        signed: String,
    },
    /// The same deposit twice.
    #[error("the same deposit stands in {0} already; paying both pays twice")]
    Duplicate(String),
    /// Two entries of one key with two credentials.
    #[error(
        "{0} has the same public key with other withdrawal credentials; the first deposit on the chain decides"
    )]
    CredentialsDiffer(String),
    /// Gnosis' deposit interface takes one withdrawal address a file.
    #[error(
        "the withdrawal credentials are not those of entry 1; Gnosis deposit pages take one for all"
    )]
    GnosisCredentials,
    /// Made by a version that older launchpads refuse, or by one that cannot be read.
    #[error(
        "deposit_cli_version \"{}\" is below {CLI_VERSION} or no version; older launchpads refuse it",
        .0.escape_debug().take(20).collect::<String>()
    )]
    ToolVersion(String),
}

/// Whose fork version it is, for a sentence.
fn owner(version: &Hex<4>) -> String {
    Network::by_fork_version(version.0).map_or_else(String::new, |network| {
        format!(", which is {}'s", network.name)
    })
}

impl DepositProblem {
    /// Tells whether chain and launchpads of today take the deposit all the same.
    pub const fn is_warning(&self) -> bool {
        matches!(self, Self::ToolVersion(_))
    }
}

/// [`check_files`] for one file.
pub fn check_entries(
    entries: &[ForeignEntry],
    expected: Option<&NetworkSpec>,
    seed: &[u8; 32],
) -> Vec<DepositFinding> {
    check_files(&[entries], expected, seed)
}

/// Checks every entry of files that are paid together and returns what is wrong, in the order of
/// files and entries; nothing when all is well.
///
/// `expected` is the network that the deposits are meant for; without it, each known one is taken.
/// `seed` is 32 unpredictable bytes for the weights of the batch verification. All cores are used.
pub fn check_files(
    files: &[&[ForeignEntry]],
    expected: Option<&NetworkSpec>,
    seed: &[u8; 32],
) -> Vec<DepositFinding> {
    let entries: Vec<(Spot, &ForeignEntry)> = Spot::all(files).collect();
    let checked: Vec<(Vec<DepositFinding>, Option<Signed>)> = entries
        .par_iter()
        .map(|(spot, entry)| {
            let mut report = Report::new(*spot, entry);
            let signed = check_entry(entry, expected, &mut report);
            (report.findings, signed)
        })
        .collect();
    let mut findings = Vec::new();
    let mut signed = Vec::new();
    for ((spot, entry), (found, item)) in entries.iter().zip(checked) {
        findings.extend(found);
        signed.extend(item.map(|item| (*spot, *entry, item)));
    }
    check_signatures(&signed, expected, seed, &mut findings);
    check_together(&entries, expected, &mut findings);
    findings.sort_by_key(|finding| finding.spot);
    findings
}

struct Report {
    spot: Spot,
    pubkey: Option<[u8; 48]>,
    findings: Vec<DepositFinding>,
}

impl Report {
    fn new(spot: Spot, entry: &ForeignEntry) -> Self {
        Self {
            spot,
            pubkey: entry.pubkey(),
            findings: Vec::new(),
        }
    }

    fn add(&mut self, problem: impl Into<DepositProblem>) {
        self.findings.push(DepositFinding {
            spot: self.spot,
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

/// What is left to be verified of an entry.
struct Signed {
    key: G1,
    message: DepositMessage,
    signature: G2,
    /// Of the network that is meant.
    fork_version: [u8; 4],
}

impl Signed {
    fn under(&self, fork_version: [u8; 4]) -> (G1, SigningRoot, G2) {
        let root = self.message.signing_root(fork_version);
        (self.key, root, self.signature)
    }
}

/// Checks one entry but for its signature, which is returned to be verified with all others'.
fn check_entry(
    entry: &ForeignEntry,
    expected: Option<&NetworkSpec>,
    report: &mut Report,
) -> Option<Signed> {
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
    let version = match field {
        Field::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    };
    if let Some(version) = report.take("deposit_cli_version", field, "a text", version)
        && !is_recent(version)
    {
        report.add(DepositProblem::ToolVersion(version.clone()));
    }

    if let Some(version) = fork_version {
        check_network(version, &entry.network_name, expected, report);
    }
    let rules = rules_of(entry, expected);
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
    Some(Signed {
        key: key.ok()?,
        message,
        signature: signature.ok()?,
        fork_version: expected.map(NetworkSpec::fork_version).or(fork_version)?,
    })
}

/// What the network that is meant allows.
fn rules_of(entry: &ForeignEntry, expected: Option<&NetworkSpec>) -> &'static Rules {
    match (expected, entry.network()) {
        (Some(spec), _) => spec.rules(),
        (None, Some(network)) => network.rules,
        (None, None) => &ETHEREUM,
    }
}

/// Whether a text is a semantic version from [`CLI_VERSION`] on.
fn is_recent(version: &str) -> bool {
    fn numbers(version: &str) -> Option<[u64; 3]> {
        // A pre-release of a version is before it; build metadata changes nothing.
        let plain = version.split_once('+').map_or(version, |(plain, _)| plain);
        let parts: Option<Vec<u64>> = plain
            .split('.')
            .map(|part| part.parse().ok().filter(|_| !part.starts_with('+')))
            .collect();
        parts?.try_into().ok()
    }
    numbers(version).is_some_and(|found| Some(found) >= numbers(CLI_VERSION))
}

const HEX_4: &str = "8 hex characters without 0x";
const HEX_32: &str = "64 hex characters without 0x";
const HEX_48: &str = "96 hex characters without 0x";
const HEX_96: &str = "192 hex characters without 0x";

fn check_network(
    version: [u8; 4],
    stated_name: &Field,
    expected: Option<&NetworkSpec>,
    report: &mut Report,
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

/// How many bad signatures are tried for every known network, one by one: enough to say what went
/// wrong, and no matter how many there are.
const EXPLAINED: usize = 64;

/// One batch for all; where it fails, the bad ones are found, and the network that they are for.
fn check_signatures(
    signed: &[(Spot, &ForeignEntry, Signed)],
    expected: Option<&NetworkSpec>,
    seed: &[u8; 32],
    findings: &mut Vec<DepositFinding>,
) {
    let items: Vec<_> = signed
        .iter()
        .map(|(_, _, item)| item.under(item.fork_version))
        .collect();
    let bad: Vec<&(Spot, &ForeignEntry, Signed)> = bls::find_invalid(&items, seed)
        .into_iter()
        .filter_map(|position| signed.get(position))
        .collect();
    // The likeliest first: they are for the network that the file says.
    let own: Vec<_> = bad
        .iter()
        .map(|(_, entry, item)| item.under(entry.fork_version().unwrap_or(item.fork_version)))
        .collect();
    let mut elsewhere = vec![true; bad.len()];
    for position in bls::find_invalid(&own, seed) {
        if let Some(flag) = elsewhere.get_mut(position) {
            *flag = false;
        }
    }
    let mut tries = EXPLAINED;
    for ((spot, entry, item), elsewhere) in bad.into_iter().zip(elsewhere) {
        let name = |version| match (expected, Network::by_fork_version(version)) {
            (Some(spec), _) if spec.fork_version() == version => spec.name().to_owned(),
            (_, Some(network)) => network.name.to_owned(),
            _ => format!("fork version {}", Hex(version)),
        };
        // That the file as a whole is for another network is said already.
        if elsewhere {
            continue;
        }
        let network = name(item.fork_version);
        let other = if tries > 0 {
            tries = tries.saturating_sub(1);
            Network::ALL.par_iter().find_first(|other| {
                let (key, root, signature) = item.under(other.genesis_fork_version);
                bls::verify(&key, &root, &signature)
            })
        } else {
            None
        };
        let mut report = Report::new(*spot, entry);
        report.add(match other {
            Some(other) => DepositProblem::SignedFor {
                network,
                signed: other.name.to_owned(),
            },
            None => DepositProblem::Signature { network },
        });
        findings.extend(report.findings);
    }
}

/// What only shows between entries.
fn check_together(
    entries: &[(Spot, &ForeignEntry)],
    expected: Option<&NetworkSpec>,
    findings: &mut Vec<DepositFinding>,
) {
    let Some((_, first)) = entries.first() else {
        return;
    };
    let mut heads: HashMap<usize, &ForeignEntry> = HashMap::new();
    let mut deposits: HashMap<([u8; 48], u64, [u8; 32]), Spot> = HashMap::new();
    let mut keys: HashMap<[u8; 48], (Spot, Option<WithdrawalCredentials>)> = HashMap::new();
    for (spot, entry) in entries {
        let mut report = Report::new(*spot, entry);
        let version = entry.fork_version();
        let other = version.is_some() && version != first.fork_version();
        if expected.is_none() && first.fork_version().is_some() && other {
            report.add(DepositProblem::MixedNetworks);
        }
        let credentials = entry.credentials();
        let head = heads.entry(spot.file).or_insert(entry);
        if rules_of(entry, expected).one_credential_per_file && credentials != head.credentials() {
            report.add(DepositProblem::GnosisCredentials);
        }
        if let Some(pubkey) = entry.pubkey() {
            let (earlier, theirs) = *keys.entry(pubkey).or_insert((*spot, credentials));
            if theirs != credentials {
                report.add(DepositProblem::CredentialsDiffer(earlier.from(spot.file)));
            }
            if let (Some(amount), Some(WithdrawalCredentials(credentials))) =
                (entry.amount(), credentials)
            {
                let earlier = *deposits
                    .entry((pubkey, amount.0, credentials))
                    .or_insert(*spot);
                if earlier != *spot {
                    report.add(DepositProblem::Duplicate(earlier.from(spot.file)));
                }
            }
        }
        findings.extend(report.findings);
    }
}

#[cfg(test)]
mod tests;
