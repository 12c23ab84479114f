//! From flags to the facts of a plan. What is wrong is added to one list, so that all is said at once.

use super::flags::KeygenArgs;
use crate::ceremony::plan::{Registration, Validator, instalment_problems};
use crate::cli::validators_csv::{self, Defaults, List, MAX_CSV_BYTES, on_lines};
use crate::cli::values::counted;
use crate::cli::{Context, values};
use crate::ethereum::address::{Address, Written};
use crate::ethereum::amount::{ETHEREUM, Gwei};
use crate::ethereum::network::{Network, NetworkSpec};
use crate::ethereum::withdrawal::CredentialsKind;
use crate::json::MAX_INTEGER;
use crate::wire::card::VerifiedCard;
use crate::wire::roster::Index;

/// What Ethereum clients ask for since the Fusaka upgrade (EIP-7935).
pub(super) const DEFAULT_GAS_LIMIT: u64 = 60_000_000;

/// Reads the network: a known one, with its root where that changes, or another with both values.
pub(super) fn network(args: &KeygenArgs) -> Result<NetworkSpec, String> {
    let name = args.network.clone().unwrap_or_default();
    let known = Network::known(&name);
    let version = args.fork_version.map(|hex| hex.0);
    let version = version.or_else(|| known.map(|known| known.genesis_fork_version));
    let root = args.genesis_validators_root.map(|hex| hex.0);
    let root = root.or_else(|| known.and_then(|known| known.genesis_validators_root));
    match version.zip(root) {
        Some((version, root)) => {
            NetworkSpec::new(name, version, root).map_err(|error| format!("--network: {error}"))
        }
        None => Err(format!(
            "--network: {name} is not known; known are {}, and others need --fork-version and --genesis-validators-root",
            values::known_names()
        )),
    }
}

/// Reads `[INDEX=]FILE`; without an index it is the position.
pub(in crate::cli) fn card(
    given: &str,
    position: u64,
    cx: &Context,
) -> Result<(Index, VerifiedCard), Vec<String>> {
    let numbered = given
        .split_once('=')
        .filter(|(index, _)| !index.is_empty() && index.bytes().all(|c| c.is_ascii_digit()));
    let (index, file) = match numbered {
        // A number that does not fit is no index either.
        Some((index, file)) => (index.parse().unwrap_or(u64::MAX), file),
        None => (position, given),
    };
    let index = Index::new(index).map_err(|_| format!("{given}: an index is 1 to {MAX_INTEGER}"));
    let card = cx
        .read_card(file.as_ref())
        .map_err(|error| error.message().to_owned());
    match (index, card) {
        (Ok(index), Ok(card)) => Ok((index, card)),
        (index, card) => Err(index.err().into_iter().chain(card.err()).collect()),
    }
}

/// Reads every card.
pub(super) fn cards(
    args: &KeygenArgs,
    cx: &Context,
    problems: &mut Vec<String>,
) -> Vec<(Index, VerifiedCard)> {
    let mut roster = Vec::new();
    for (position, given) in (1u64..).zip(&args.cards) {
        match card(given, position, cx) {
            Ok(read) => roster.push(read),
            Err(found) => problems.extend(found.iter().map(|found| {
                let separator = if found.starts_with(given.as_str()) && given.contains('=') {
                    " "
                } else {
                    ": "
                };
                format!("--card{separator}{found}")
            })),
        }
    }
    roster
}

/// Reads the deposits of the flags; without one, what starts a validator.
pub(super) fn deposits(
    args: &KeygenArgs,
    network: &NetworkSpec,
    problems: &mut Vec<String>,
) -> Vec<Gwei> {
    let rules = network.rules();
    if args.deposits.is_empty() {
        return vec![rules.activation];
    }
    let mut deposits = Vec::new();
    for text in &args.deposits {
        match values::amount(text, rules) {
            Ok(amount) => deposits.push(amount),
            Err(error) => problems.push(format!("--deposit: {error}")),
        }
    }
    deposits
}

/// Reads a list of validators.
pub(super) fn list(
    path: &std::path::Path,
    defaults: &Defaults<'_>,
    cx: &Context,
) -> Result<List, Vec<String>> {
    let bytes = cx
        .read(path, MAX_CSV_BYTES)
        .map_err(|error| vec![error.to_string()])?;
    validators_csv::parse(&bytes, defaults).map_err(|error| {
        let sentences = error.sentences().into_iter();
        sentences
            .map(|sentence| format!("{}: {sentence}", path.display()))
            .collect()
    })
}

/// The validators of the flags, or of the list.
pub(super) fn validators(
    args: &KeygenArgs,
    network: &NetworkSpec,
    created: u64,
    cx: &mut Context,
    problems: &mut Vec<String>,
) -> Vec<Validator> {
    let before = problems.len();
    let deposits = deposits(args, network, problems);
    let readable = problems.len() == before;
    let fee_recipient = args.fee_recipient.as_ref();
    let fees = Fees {
        recipient: fee_recipient.and_then(|text| address("--fee-recipient", text, cx, problems)),
        gas_limit: args.gas_limit,
        timestamp: args.registration_timestamp.unwrap_or(created),
        ethereum: network.rules().token == ETHEREUM.token,
    };
    let credentials = args.credentials.unwrap_or(CredentialsKind::Eth1);
    let defaults = Defaults {
        rules: network.rules(),
        credentials,
        deposits: &deposits,
        has_fee_recipient: fee_recipient.is_some(),
    };
    let (validators, defaults_used) = match &args.validators_csv {
        // An unreadable amount in a flag would be blamed on every row.
        Some(_) if !readable => return Vec::new(),
        Some(path) => match list(path, &defaults, cx) {
            Ok(list) => {
                tell_list(path, &list, args, cx, problems);
                let used = list
                    .rows
                    .iter()
                    .any(|row| row.deposits.is_none() && row.credentials.is_none());
                (listed(list, &defaults, &fees), used)
            }
            Err(found) => {
                problems.extend(found);
                return Vec::new();
            }
        },
        None => (repeated(args, &defaults, &fees, cx, problems), true),
    };
    if readable && defaults_used {
        let found = instalment_problems(&deposits, credentials, network.rules());
        problems.extend(found.iter().map(|found| format!("--deposit: {found}")));
    }
    if args.gas_limit.is_none()
        && validators
            .iter()
            .any(|v| v.registration.is_some_and(|r| r.gas_limit == 0))
    {
        problems.push("--gas-limit: is needed here; the default is Ethereum's alone".to_owned());
    } else if args.gas_limit.is_none()
        && validators.iter().any(|v| {
            v.registration
                .is_some_and(|r| r.gas_limit == DEFAULT_GAS_LIMIT)
        })
    {
        cx.ui.note(format!(
            "the gas limit of the registrations is {DEFAULT_GAS_LIMIT}, the default of Ethereum clients, where nothing else is said"
        ));
    }
    validators
}

/// What the flags say of registrations.
struct Fees {
    recipient: Option<Address>,
    gas_limit: Option<u64>,
    timestamp: u64,
    ethereum: bool,
}

impl Fees {
    /// A gas limit of 0 says that none is known; no plan has it.
    fn registration(&self, own: Option<Address>, gas_limit: Option<u64>) -> Option<Registration> {
        let default = if self.ethereum { DEFAULT_GAS_LIMIT } else { 0 };
        Some(Registration {
            fee_recipient: own.or(self.recipient)?,
            gas_limit: gas_limit.or(self.gas_limit).unwrap_or(default),
            timestamp: self.timestamp,
        })
    }
}

fn listed(list: List, defaults: &Defaults<'_>, fees: &Fees) -> Vec<Validator> {
    let rows = list.rows.into_iter();
    rows.map(|row| Validator {
        withdrawal_address: row.withdrawal_address,
        credentials: row.credentials.unwrap_or(defaults.credentials),
        deposits: row.deposits.unwrap_or_else(|| defaults.deposits.to_vec()),
        registration: fees.registration(row.fee_recipient, row.gas_limit),
    })
    .collect()
}

fn tell_list(
    path: &std::path::Path,
    list: &List,
    args: &KeygenArgs,
    cx: &mut Context,
    problems: &mut Vec<String>,
) {
    let rows = list.rows.len();
    if let Some(given) = args.validators.filter(|given| *given != rows as u64) {
        let rows = counted(rows, "validator");
        problems.push(format!(
            "--validators: {given}, and {} has {rows}",
            path.display()
        ));
    }
    if !list.lower_case.is_empty() {
        cx.ui.warn(format!(
            "{}: nothing guards a lower-case address against a typing error; there are some in {}, on {}; the plan says their checksummed form",
            path.display(),
            counted(list.lower_case.len(), "row"),
            on_lines(&list.lower_case)
        ));
    }
}

fn repeated(
    args: &KeygenArgs,
    defaults: &Defaults<'_>,
    fees: &Fees,
    cx: &mut Context,
    problems: &mut Vec<String>,
) -> Vec<Validator> {
    let addresses: Vec<Option<Address>> = args
        .withdrawals
        .iter()
        .map(|text| address("--withdrawal", text, cx, problems))
        .collect();
    let (given, validators) = (addresses.len() as u64, args.validators.unwrap_or(0));
    if given != 1 && given != validators {
        problems.push(format!(
            "--withdrawal: {given} addresses for {validators} validators; give one for all, or one each"
        ));
    }
    let count = usize::try_from(validators).unwrap_or(usize::MAX);
    addresses
        .into_iter()
        .cycle()
        .take(count)
        .flatten()
        .map(|withdrawal_address| Validator {
            withdrawal_address,
            credentials: defaults.credentials,
            deposits: defaults.deposits.to_vec(),
            registration: fees.registration(None, None),
        })
        .collect()
}

/// Reads an address, and says it if nothing guards it.
pub(super) fn address(
    flag: &str,
    text: &str,
    cx: &mut Context,
    problems: &mut Vec<String>,
) -> Option<Address> {
    match Address::parse_flag(text) {
        Ok((address, _)) if address.is_zero() => {
            problems.push(format!(
                "{flag} {text}: the zero address, which nobody controls"
            ));
            None
        }
        Ok((address, Written::Checksummed)) => Some(address),
        Ok((address, Written::LowerCase)) => {
            cx.ui.warn(format!(
                "{flag}: nothing guards a lower-case address against a typing error; the plan says {address}"
            ));
            Some(address)
        }
        Err(error) => {
            problems.push(format!("{flag} {text}: {error}"));
            None
        }
    }
}
