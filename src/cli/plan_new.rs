//! `plan new keygen`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::error::{CommandError, ErrorCode};
use super::{Context, values};
use crate::ambient::{Clock as _, Randomness as _};
use crate::ceremony::plan::{Draft, Plan, Registration, Validator, default_threshold};
use crate::ethereum::address::{Address, Written};
use crate::ethereum::amount::{ETHEREUM, Gwei};
use crate::ethereum::keystore::KdfChoice;
use crate::ethereum::network::{Network, NetworkSpec};
use crate::ethereum::withdrawal::CredentialsKind;
use crate::json::{self, Hex, MAX_INTEGER, Text};
use crate::wire::card::VerifiedCard;
use crate::wire::roster::Index;

/// What Ethereum clients ask for since the Fusaka upgrade (EIP-7935).
const DEFAULT_GAS_LIMIT: u64 = 60_000_000;

/// More than any plan's messages can hold.
const MAX_VALIDATORS: u64 = 100_000;

const EXAMPLE: &str = "\
Reads: the cards.
Writes: the plan, which holds no secret. Nothing signed later comes from a clock or a flag.

Example:
  conclave plan new keygen --name \"Pool North\" --network hoodi --validators 10 \\
      --card alice.card.json --card bob.card.json --card carol.card.json --card dave.card.json \\
      --withdrawal 0x00000000219ab540356cBB839Cbe05303d7705Fa -o pool.plan.json";

/// Write a plan for new keys from the operators' cards
///
/// The plan says everything beforehand. Its author gets no power by it: each operator reads the
/// plan on one page and compares its code with the others before taking part.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct KeygenArgs {
    /// What people call the ceremony, up to 64 characters
    #[arg(long, value_name = "NAME", value_parser = values::text)]
    name: Text,
    /// The network: mainnet, hoodi, sepolia, gnosis, chiado, or another with the two flags below
    #[arg(long, value_name = "NAME")]
    network: String,
    /// The genesis fork version of another network, 8 hex characters
    #[arg(long, value_name = "HEX", value_parser = values::hex::<4>, requires = "genesis_validators_root")]
    fork_version: Option<Hex<4>>,
    /// The genesis validators root of another network, 64 hex characters
    #[arg(long, value_name = "HEX", value_parser = values::hex::<32>, requires = "fork_version")]
    genesis_validators_root: Option<Hex<32>>,
    /// How many operators sign together [default: two thirds of them, rounded up]
    #[arg(long, value_name = "T")]
    threshold: Option<u64>,
    /// An operator's card; INDEX=FILE sets its index, else it is the position from 1
    #[arg(long = "card", value_name = "[INDEX=]FILE", required = true)]
    cards: Vec<String>,
    /// How many validators get a key
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_VALIDATORS))]
    validators: u64,
    /// Where withdrawals go: one address for all validators, or one each, in order
    #[arg(long = "withdrawal", value_name = "ADDR", required = true)]
    withdrawals: Vec<String>,
    /// The withdrawal credentials: 0x01 pays out above 32 ETH, 0x02 compounds
    #[arg(long, value_name = "KIND", default_value = "0x01", value_parser = values::credentials)]
    credentials: CredentialsKind,
    /// A deposit of each validator, in Gwei or like 32eth or 1gno; several are instalments [default: 32eth, 1gno]
    #[arg(long = "deposit", value_name = "AMOUNT")]
    deposits: Vec<String>,
    /// Sign a builder registration for each validator, with this fee recipient
    #[arg(long, value_name = "ADDR")]
    fee_recipient: Option<String>,
    /// The gas limit of the registrations [default: 60000000 on Ethereum networks]
    #[arg(long, value_name = "N", requires = "fee_recipient")]
    gas_limit: Option<u64>,
    /// The time of the registrations, in seconds since 1970 [default: the plan's]
    #[arg(long, value_name = "SECS", requires = "fee_recipient")]
    registration_timestamp: Option<u64>,
    /// The default key derivation of the keystores
    #[arg(long, value_name = "KDF", default_value = "scrypt")]
    keystores: Keystores,
    /// Allow a threshold below two thirds: unsafe with operators that cheat
    #[arg(long)]
    danger_low_threshold: bool,
    /// The time of the plan, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECS")]
    created: Option<u64>,
    /// Write the plan to FILE [default: NAME.plan.json in this folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Keystores {
    /// Hard to guess passphrases of, most of a second to open
    Scrypt,
    /// Quick to open by the thousand, easier to guess passphrases of
    Pbkdf2,
}

pub(super) fn run(args: &KeygenArgs, cx: &mut Context) -> Result<(), CommandError> {
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| format!("{}.plan.json", args.name.file_stem()).into());
    cx.refuse_taken(&path)?;

    let mut problems = Vec::new();
    let created = args.created.unwrap_or_else(|| cx.clock.unix_seconds());
    let network = network(args, &mut problems);
    let roster = cards(args, cx, &mut problems);
    let validators = validators(args, network.as_ref(), created, cx, &mut problems);
    let mut random = [0u8; 32];
    cx.rng.fill(&mut random)?;
    let threshold = args
        .threshold
        .unwrap_or_else(|| default_threshold(roster.len()) as u64);
    // The plan's own checks speak of what was read; with a part missing they would mislead.
    let plan = match network {
        Some(network) if problems.is_empty() => Plan::draft(Draft {
            name: args.name.clone(),
            created,
            network,
            threshold,
            roster,
            validators,
            keystores: match args.keystores {
                Keystores::Scrypt => KdfChoice::Scrypt,
                Keystores::Pbkdf2 => KdfChoice::Pbkdf2,
            },
            danger_low_threshold: args.danger_low_threshold,
            random,
        })
        .map_err(|error| {
            // One problem may stand at every validator alike.
            problems.extend(error.to_string().lines().map(str::to_owned));
        }),
        _ => Err(()),
    };
    let Ok(plan) = plan else {
        let error = CommandError::of(
            ErrorCode::PLAN_INVALID,
            "the plan cannot be made so; nothing was written",
        );
        return Err(problems.into_iter().fold(error, CommandError::cause));
    };

    cx.write_new(&path, &json::pretty(plan.value())?)?;
    cx.ui.data(path.display());
    for warning in plan.warnings() {
        cx.ui.warn(warning);
    }
    let file = path.display();
    cx.ui
        .next(format!("read it with `conclave plan show {file}`"));
    cx.ui.next(format!(
        "give it to every operator; each compares the plan code with another and runs `conclave run {file} --via COURIER`"
    ));
    Ok(())
}

fn network(args: &KeygenArgs, problems: &mut Vec<String>) -> Option<NetworkSpec> {
    let custom = args.fork_version.zip(args.genesis_validators_root);
    let spec = match custom {
        Some((version, root)) => NetworkSpec::new(args.network.clone(), version.0, root.0)
            .map_err(|error| format!("--network: {error}")),
        None => Network::known(&args.network).map(Network::spec).ok_or_else(|| {
            format!(
                "--network: {} is not known; known are {}, and others need --fork-version and --genesis-validators-root",
                args.network,
                values::known_names()
            )
        }),
    };
    spec.map_err(|problem| problems.push(problem)).ok()
}

fn cards(
    args: &KeygenArgs,
    cx: &Context,
    problems: &mut Vec<String>,
) -> Vec<(Index, VerifiedCard)> {
    let mut roster = Vec::new();
    for (position, given) in (1u64..).zip(&args.cards) {
        let numbered = given
            .split_once('=')
            .filter(|(index, _)| !index.is_empty() && index.bytes().all(|c| c.is_ascii_digit()));
        let (index, file) = match numbered {
            // A number that does not fit is no index either.
            Some((index, file)) => (index.parse().unwrap_or(u64::MAX), file),
            None => (position, given.as_str()),
        };
        let index = Index::new(index)
            .map_err(|_| problems.push(format!("--card {given}: an index is 1 to {MAX_INTEGER}")));
        let card = cx
            .read_card(file.as_ref())
            .map_err(|error| problems.push(format!("--card: {}", error.message())));
        if let (Ok(index), Ok(card)) = (index, card) {
            roster.push((index, card));
        }
    }
    roster
}

fn validators(
    args: &KeygenArgs,
    network: Option<&NetworkSpec>,
    created: u64,
    cx: &mut Context,
    problems: &mut Vec<String>,
) -> Vec<Validator> {
    let rules = network.map_or(&ETHEREUM, NetworkSpec::rules);
    let mut deposits: Vec<Gwei> = Vec::new();
    for text in &args.deposits {
        match values::amount(text, rules) {
            Ok(amount) => deposits.push(amount),
            Err(error) => problems.push(format!("--deposit: {error}")),
        }
    }
    if args.deposits.is_empty() {
        deposits.push(rules.activation);
    }

    let addresses: Vec<Option<Address>> = args
        .withdrawals
        .iter()
        .map(|text| address("--withdrawal", text, cx, problems))
        .collect();
    let given = addresses.len() as u64;
    if given != 1 && given != args.validators {
        problems.push(format!(
            "--withdrawal: {given} addresses for {} validators; give one for all, or one each",
            args.validators
        ));
    }

    let registration = args.fee_recipient.as_ref().and_then(|text| {
        let fee_recipient = address("--fee-recipient", text, cx, problems)?;
        let gas_limit = gas_limit(args.gas_limit, rules.token, cx, problems)?;
        Some(Registration {
            fee_recipient,
            gas_limit,
            timestamp: args.registration_timestamp.unwrap_or(created),
        })
    });
    let count = usize::try_from(args.validators).unwrap_or(usize::MAX);
    addresses
        .into_iter()
        .cycle()
        .take(count)
        .flatten()
        .map(|withdrawal_address| Validator {
            withdrawal_address,
            credentials: args.credentials,
            deposits: deposits.clone(),
            registration,
        })
        .collect()
}

fn gas_limit(
    given: Option<u64>,
    token: &str,
    cx: &mut Context,
    problems: &mut Vec<String>,
) -> Option<u64> {
    if given.is_some() {
        return given;
    }
    if token != ETHEREUM.token {
        problems.push("--gas-limit: is needed here; the default is Ethereum's alone".to_owned());
        return None;
    }
    cx.ui.note(format!(
        "the gas limit of the registrations is {DEFAULT_GAS_LIMIT}, the default of Ethereum clients"
    ));
    Some(DEFAULT_GAS_LIMIT)
}

fn address(
    flag: &str,
    text: &str,
    cx: &mut Context,
    problems: &mut Vec<String>,
) -> Option<Address> {
    match Address::parse_flag(text) {
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
