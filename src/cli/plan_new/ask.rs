//! The questions of `plan new`: each answer becomes a flag, so that the flags say the whole plan.
//!
//! Asked on a terminal only, on standard error, by typing alone: nothing moves on the screen, a
//! screen reader reads it, and whoever is interrupted leaves a terminal as it was. An answer that
//! does not do is asked for again with the reason. Nothing is written while questions are open.

use std::fmt::Display;
use std::io::{self, IsTerminal as _};

use dialoguer::console::Term;
use dialoguer::theme::SimpleTheme;
use dialoguer::{Error, Input};

use super::facts;
use super::flags::{BackupRule, KeygenArgs, Keystores};
use crate::ceremony::plan::{default_threshold, instalment_problems};
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::home::plain_terminal;
use crate::cli::validators_csv::{self, Defaults, MAX_ROWS};
use crate::cli::values::{self, counted};
use crate::cli::{Context, validators_csv::List};
use crate::ethereum::address::{Address, Written};
use crate::ethereum::amount::{ETHEREUM, Gwei};
use crate::ethereum::network::{Network, NetworkSpec};
use crate::ethereum::withdrawal::CredentialsKind;
use crate::wire::card::VerifiedCard;
use crate::wire::roster::Index;

/// What allows a threshold below two thirds: a word, so that no key pressed in passing does.
const UNSAFE: &str = "unsafe";

/// Room for an answer behind its question, in characters, brackets and colon included.
const ANSWER_CHARS: usize = 16;

/// Whether a person can be asked: typing and reading both need the terminal.
pub(super) fn possible(cx: &Context) -> bool {
    cx.has_terminal() && io::stderr().is_terminal()
}

/// Asks for whatever the flags leave open.
pub(super) fn ask(args: &mut KeygenArgs, cx: &mut Context) -> Result<(), CommandError> {
    cx.ui.note(
        "A plan says beforehand all that a ceremony will do. Return takes the answer in brackets;\n\
         Ctrl-C leaves, and nothing is written before the end.\n",
    );
    name(args, cx)?;
    let network = network(args, cx)?;
    let operators = cards(args, cx)?;
    threshold(args, operators, cx)?;
    let open = validators(args, &network, cx)?;
    withdrawal(args, cx)?;
    credentials(args, &network, open.credentials, cx)?;
    deposits(args, &network, open.deposits, cx)?;
    registrations(args, &network, &open, cx)?;
    keystores(args, cx)?;
    backups(args, cx)?;
    output(args, cx)
}

/// Asks until the answer does.
fn until<T>(
    cx: &mut Context,
    question: &str,
    default: Option<&str>,
    mut read: impl FnMut(&str, &mut Context) -> Result<T, Vec<String>>,
) -> Result<T, CommandError> {
    loop {
        let answer = line(cx, question, default)?;
        match read(answer.trim(), cx) {
            Ok(value) => return Ok(value),
            Err(reasons) => {
                for reason in reasons {
                    cx.ui.ask(format!("  {reason}\n"));
                }
            }
        }
    }
}

fn line(cx: &mut Context, question: &str, default: Option<&str>) -> Result<String, CommandError> {
    let gone = |why: &dyn Display| {
        CommandError::failed(format!(
            "the terminal went away while a question was open ({why}); nothing was written"
        ))
    };
    if plain_terminal() {
        let brackets = default.map(|default| format!(" [{default}]"));
        let question = format!("{question}{}: ", brackets.unwrap_or_default());
        let answer = cx.typed_line(question).map_err(|error| gone(&error))?;
        let answer = answer.ok_or_else(|| gone(&"end of input"))?;
        return Ok(match default {
            Some(default) if answer.is_empty() => default.to_owned(),
            _ => answer,
        });
    }
    let terminal = Term::stderr();
    // A line that wraps is drawn anew at each key: a question that leaves no room for its answer stands
    // on a line of its own.
    let (_, width) = terminal.size();
    let taken = question
        .chars()
        .count()
        .saturating_add(default.map_or(0, str::len))
        .saturating_add(ANSWER_CHARS);
    let prompt = if taken > usize::from(width) {
        cx.ui.ask(format!("{question}\n"));
        "  answer"
    } else {
        question
    };
    let mut input = Input::<String>::with_theme(&SimpleTheme)
        .with_prompt(prompt)
        .allow_empty(true);
    if let Some(default) = default {
        input = input.default(default.to_owned());
    }
    input
        .interact_text_on(&terminal)
        .map_err(|Error::IO(error)| gone(&error))
}

fn one<E: ToString>(error: E) -> Vec<String> {
    vec![error.to_string()]
}

fn name(args: &mut KeygenArgs, cx: &mut Context) -> Result<(), CommandError> {
    if args.name.is_none() {
        let name = until(cx, "Name of the ceremony", None, |text, _| {
            values::text(text).map_err(one)
        })?;
        args.name = Some(name);
    }
    Ok(())
}

fn network(args: &mut KeygenArgs, cx: &mut Context) -> Result<NetworkSpec, CommandError> {
    loop {
        if args.network.is_none() {
            let known = values::known_names();
            let question = format!("Network ({known}, or another's name)");
            args.network = Some(until(cx, &question, None, |text, _| match text {
                "" => Err(one("a name is needed: a plan is for one network")),
                text => Ok(text.to_owned()),
            })?);
        }
        let name = args.network.clone().unwrap_or_default();
        let known = Network::known(&name);
        if known.is_none() && args.fork_version.is_none() {
            cx.ui.ask(format!("  {name} is not known to this tool\n"));
            let question = "Its genesis fork version, 8 hex characters (nothing: another network)";
            args.fork_version = until(cx, question, None, |text, _| match text {
                "" => Ok(None),
                text => values::hex(text).map(Some).map_err(one),
            })?;
        }
        let own_root = known.is_some_and(|known| known.genesis_validators_root.is_some());
        let other = known.is_some() || args.fork_version.is_some();
        if other && !own_root && args.genesis_validators_root.is_none() {
            let question = "Its genesis validators root as it is now, 64 hex characters (nothing: another network)";
            args.genesis_validators_root = until(cx, question, None, |text, _| match text {
                "" => Ok(None),
                text => values::hex(text).map(Some).map_err(one),
            })?;
        }
        match facts::network(args) {
            Ok(network) => return Ok(network),
            // Nothing was answered: the next question says enough.
            Err(_) if !own_root && args.genesis_validators_root.is_none() => {}
            Err(problem) => cx.ui.ask(format!("  {problem}\n")),
        }
        (
            args.network,
            args.fork_version,
            args.genesis_validators_root,
        ) = (None, None, None);
    }
}

fn cards(args: &mut KeygenArgs, cx: &mut Context) -> Result<usize, CommandError> {
    if !args.cards.is_empty() {
        return Ok(args.cards.len());
    }
    let mut roster: Vec<(Index, VerifiedCard)> = Vec::new();
    loop {
        let position = (roster.len() as u64).saturating_add(1);
        let question = match roster.len() {
            0 => "Card of the first operator (a file; 7=FILE gives the index 7)".to_owned(),
            1 => "Card of operator 2".to_owned(),
            _ => format!("Card of operator {position} (nothing: these are all)"),
        };
        let read = until(cx, &question, None, |text, cx| {
            if text.is_empty() {
                return match roster.len() {
                    0 | 1 => Err(one("a ceremony has two operators at least")),
                    _ => Ok(None),
                };
            }
            let (index, card) = facts::card(text, position, cx)?;
            if let Some(why) = clash(&roster, index, &card) {
                return Err(one(why));
            }
            Ok(Some((text.to_owned(), index, card)))
        })?;
        let Some((given, index, card)) = read else {
            return Ok(roster.len());
        };
        cx.ui.ask(format!(
            "  operator {index}: {}, {}\n",
            card.name(),
            card.identity()
        ));
        args.cards.push(given);
        roster.push((index, card));
    }
}

/// What the plan would refuse at its end.
fn clash(
    roster: &[(Index, VerifiedCard)],
    index: Index,
    card: &VerifiedCard,
) -> Option<&'static str> {
    roster.iter().find_map(|(other, known)| {
        if known.identity() == card.identity() {
            Some("an operator with this identity is there already")
        } else if known.name().folded() == card.name().folded() {
            Some("an operator with this name is there already; one of the two makes a card with another")
        } else if *other == index {
            Some("an operator with this index is there already")
        } else {
            None
        }
    })
}

fn threshold(args: &mut KeygenArgs, n: usize, cx: &mut Context) -> Result<(), CommandError> {
    if args.threshold.is_some() {
        return Ok(());
    }
    let safe = default_threshold(n);
    let away = n.saturating_sub(safe);
    cx.ui.note(format!(
        "\nHow many of the {n} operators sign together. From two thirds on ({safe}) operators that\n\
         cheat, as long as they are less than one third, cannot make the others sign two\n\
         contradicting messages, for which validators are slashed. With {safe} of {n}, {away} may be away."
    ));
    if n < 4 {
        cx.ui.note(format!(
            "A cluster of {n} bears no cheating operator: four are the least that bear one."
        ));
    }
    let default = safe.to_string();
    loop {
        let t = until(cx, "Threshold", Some(&default), |text, _| {
            let number = text.parse::<u64>().ok();
            number
                .filter(|t| (2..=n as u64).contains(t))
                .ok_or_else(|| one(format!("the threshold is a number from 2 to {n}")))
        })?;
        if t < safe as u64 && !args.danger_low_threshold {
            cx.ui.ask(format!(
                "  {t} of {n} is below two thirds: live signing is then not safe from slashing when operators cheat\n"
            ));
            let question = format!("Type {UNSAFE} to mean it (nothing: choose again)");
            if line(cx, &question, None)?.trim() != UNSAFE {
                continue;
            }
            args.danger_low_threshold = true;
        }
        args.threshold = Some(t);
        return Ok(());
    }
}

/// What the validators leave to be asked.
struct Open {
    credentials: bool,
    deposits: bool,
    fee_recipient: bool,
    gas_limit: bool,
}

fn validators(
    args: &mut KeygenArgs,
    network: &NetworkSpec,
    cx: &mut Context,
) -> Result<Open, CommandError> {
    let all = Open {
        credentials: true,
        deposits: true,
        fee_recipient: true,
        gas_limit: true,
    };
    if args.validators.is_none() && args.validators_csv.is_none() {
        let question = if args.withdrawals.is_empty() {
            "How many validators, or a CSV file with one row each"
        } else {
            "How many validators"
        };
        let may_list = args.withdrawals.is_empty();
        let (number, path) = until(cx, question, None, |text, cx| {
            let count = 1..=MAX_ROWS as u64;
            match text.parse::<u64>() {
                Ok(number) if count.contains(&number) => Ok((Some(number), None)),
                Err(_) if may_list && !text.is_empty() => {
                    read_list(text, args, network, cx)?;
                    Ok((None, Some(text.into())))
                }
                _ => Err(one(format!("a number from 1 to {MAX_ROWS} is needed"))),
            }
        })?;
        (args.validators, args.validators_csv) = (number, path);
    }
    let Some(path) = args.validators_csv.clone() else {
        return Ok(all);
    };
    let list = read_list(&path.display().to_string(), args, network, cx).map_err(|reasons| {
        let error = CommandError::of(
            ErrorCode::LIST_INVALID,
            "the list cannot be read; nothing was written",
        );
        reasons.into_iter().fold(error, CommandError::cause)
    })?;
    let mut addresses: Vec<Address> = list.rows.iter().map(|row| row.withdrawal_address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let noun = if addresses.len() == 1 {
        "address"
    } else {
        "addresses"
    };
    cx.ui.ask(format!(
        "  {}, {} withdrawal {noun}\n",
        counted(list.rows.len(), "validator"),
        addresses.len(),
    ));
    Ok(Open {
        credentials: list.rows.iter().any(|row| row.credentials.is_none()),
        deposits: list.rows.iter().any(|row| row.deposits.is_none()),
        fee_recipient: list.rows.iter().any(|row| row.fee_recipient.is_none()),
        gas_limit: list.rows.iter().any(|row| row.gas_limit.is_none()),
    })
}

/// Reads a list before credentials and amounts are known, which the rows may leave open.
fn read_list(
    path: &str,
    args: &KeygenArgs,
    network: &NetworkSpec,
    cx: &Context,
) -> Result<List, Vec<String>> {
    let rules = network.rules();
    let defaults = Defaults {
        rules,
        credentials: args.credentials.unwrap_or(CredentialsKind::Compounding),
        deposits: &[rules.activation],
        has_fee_recipient: true,
    };
    facts::list(path.as_ref(), &defaults, cx)
}

fn withdrawal(args: &mut KeygenArgs, cx: &mut Context) -> Result<(), CommandError> {
    if !args.withdrawals.is_empty() || args.validators_csv.is_some() {
        return Ok(());
    }
    let address = until(cx, "Withdrawal address of all of them", None, read_address)?;
    args.withdrawals.push(address.to_string());
    Ok(())
}

/// Reads an address and says it back in the form whose letters are a checksum.
fn read_address(text: &str, cx: &mut Context) -> Result<Address, Vec<String>> {
    let (address, written) = Address::parse_flag(text).map_err(one)?;
    if address.is_zero() {
        return Err(one("this is the zero address, which nobody controls"));
    }
    cx.ui.ask(match written {
        Written::Checksummed => format!("  {address}, its checksum is right\n"),
        Written::LowerCase => format!(
            "  {address}: typed without a checksum, so that nothing guards it against a typing error; compare it with its source\n"
        ),
    });
    Ok(address)
}

fn credentials(
    args: &mut KeygenArgs,
    network: &NetworkSpec,
    open: bool,
    cx: &mut Context,
) -> Result<(), CommandError> {
    if args.credentials.is_some() || !open {
        return Ok(());
    }
    let rules = network.rules();
    let [eth1, compounding] = [CredentialsKind::Eth1, CredentialsKind::Compounding]
        .map(|kind| rules.display(rules.maximum(kind)));
    let question =
        format!("Credentials: 0x01 pays out above {eth1}, 0x02 compounds up to {compounding}");
    let kind = until(cx, &question, Some("0x01"), |text, _| {
        values::credentials(text).map_err(one)
    })?;
    args.credentials = Some(kind);
    Ok(())
}

fn deposits(
    args: &mut KeygenArgs,
    network: &NetworkSpec,
    open: bool,
    cx: &mut Context,
) -> Result<(), CommandError> {
    if !args.deposits.is_empty() || !open {
        return Ok(());
    }
    let rules = network.rules();
    let kind = args.credentials.unwrap_or(CredentialsKind::Eth1);
    let text = |amount: Gwei| rules.display(amount).replace(' ', "").to_ascii_lowercase();
    let default = text(rules.activation);
    let question = "Deposit of each validator; several with + between them are instalments";
    let amounts = until(cx, question, Some(&default), |text, _| {
        let amounts = validators_csv::amounts(text, rules).map_err(one)?;
        let problems = instalment_problems(&amounts, kind, rules);
        if problems.is_empty() {
            Ok(amounts)
        } else {
            Err(problems)
        }
    })?;
    args.deposits = amounts.into_iter().map(text).collect();
    Ok(())
}

fn registrations(
    args: &mut KeygenArgs,
    network: &NetworkSpec,
    open: &Open,
    cx: &mut Context,
) -> Result<(), CommandError> {
    if args.fee_recipient.is_none() && open.fee_recipient {
        let question = "Fee recipient of builder registrations (nothing: no registration)";
        let address = until(cx, question, None, |text, cx| match text {
            "" => Ok(None),
            text => read_address(text, cx).map(Some),
        })?;
        args.fee_recipient = address.map(|address| address.to_string());
    }
    let planned = args.fee_recipient.is_some() || !open.fee_recipient;
    if args.gas_limit.is_none() && open.gas_limit && planned {
        let ethereum = network.rules().token == ETHEREUM.token;
        let default = ethereum.then(|| facts::DEFAULT_GAS_LIMIT.to_string());
        let limit = until(
            cx,
            "Gas limit of the registrations",
            default.as_deref(),
            |text, _| validators_csv::gas_limit(text).map_err(one),
        )?;
        args.gas_limit = Some(limit);
    }
    Ok(())
}

fn keystores(args: &mut KeygenArgs, cx: &mut Context) -> Result<(), CommandError> {
    if args.keystores.is_none() {
        let question = "Keystores: scrypt is hard to attack, pbkdf2 quick to open by the thousand";
        let kdf = until(cx, question, Some("scrypt"), |text, _| {
            [Keystores::Scrypt, Keystores::Pbkdf2]
                .into_iter()
                .find(|kdf| kdf.name() == text)
                .ok_or_else(|| one("scrypt and pbkdf2 are possible"))
        })?;
        args.keystores = Some(kdf);
    }
    Ok(())
}

fn backups(args: &mut KeygenArgs, cx: &mut Context) -> Result<(), CommandError> {
    if args.backups.is_none() {
        let question = "Backups: required keeps each confirm back until a backup of the operator's shares was checked";
        args.backups = until(cx, question, Some("no"), |text, _| match text {
            "no" => Ok(None),
            text if text == BackupRule::Required.name() => Ok(Some(BackupRule::Required)),
            _ => Err(one("required and no are possible")),
        })?;
    }
    Ok(())
}

fn output(args: &mut KeygenArgs, cx: &mut Context) -> Result<(), CommandError> {
    if args.output.is_none() {
        let default = super::path(args).display().to_string();
        let path = until(cx, "File of the plan", Some(&default), |text, cx| {
            let path = std::path::PathBuf::from(text);
            match cx.disk.kind(&path) {
                Ok(None) if !text.is_empty() => Ok(path),
                Ok(None) => Err(one("a name is needed")),
                Ok(Some(_)) => Err(one(format!("{text} exists already and is left as it is"))),
                Err(error) => Err(one(error)),
            }
        })?;
        args.output = Some(path);
    }
    Ok(())
}
