//! The checks of a plan, each of which adds all that it finds to one list.

use super::keygen::KeygenFile;
use super::{
    Head, MAX_CREATED, MAX_INSTALMENTS, Registration, RosterRow, Validator, default_threshold,
};
use crate::ethereum::address::Address;
use crate::ethereum::amount::{Gwei, Rules};
use crate::ethereum::withdrawal::CredentialsKind;
use crate::wire::card::VerifiedCard;
use crate::wire::envelope::MAX_ENVELOPE_BYTES;
use crate::wire::roster::Roster;

/// What holds of every plan.
pub(super) fn head(head: &Head, problems: &mut Vec<String>) {
    if !is_time(head.created) {
        problems.push("created is not a time between 1970 and the year 9999, in seconds".into());
    }
    if head.rehearsal != head.network.is_rehearsal() {
        problems.push(if head.rehearsal {
            "a rehearsal must carry the fork version of no chain".into()
        } else {
            "the network is a rehearsal's and the plan does not say rehearsal".into()
        });
    }
}

/// Whether a plan may name this time.
pub(super) fn is_time(seconds: u64) -> bool {
    (1..=MAX_CREATED).contains(&seconds)
}

pub(super) fn roster(rows: &[RosterRow], problems: &mut Vec<String>) -> Option<Roster> {
    let before = problems.len();
    let mut operators = Vec::new();
    for row in rows.iter().take(Roster::MAX_OPERATORS.saturating_add(1)) {
        match VerifiedCard::from_value(&row.card) {
            Ok(card) => operators.push((row.index, card)),
            Err(error) => problems.push(format!("the card of operator {}: {error}", row.index)),
        }
    }
    match Roster::new(operators) {
        Ok(roster) if problems.len() == before => Some(roster),
        Ok(_) => None,
        Err(errors) => {
            // With a card missing, a count would be wrong by our own doing.
            problems.extend(errors.iter().map(ToString::to_string));
            None
        }
    }
}

/// What is wrong with a threshold t of n operators.
pub fn threshold_problem(n: usize, t: u64, danger_low_threshold: bool) -> Option<String> {
    let safe = default_threshold(n) as u64;
    if t > n as u64 {
        Some(format!("the threshold is {t}, more than the {n} operators"))
    } else if t < 2 {
        Some(format!("the threshold is {t}; it is at least 2"))
    } else if t < safe && !danger_low_threshold {
        Some(format!(
            "the threshold {t} of {n} is below two thirds ({safe}); a plan that means it says danger_low_threshold"
        ))
    } else {
        None
    }
}

pub(super) fn validators(file: &KeygenFile, problems: &mut Vec<String>) -> Vec<Validator> {
    if file.validators.is_empty() {
        problems.push("the plan has no validator".into());
    }
    let rules = file.network.rules();
    let address = |text: &str, what: &str, v: usize, problems: &mut Vec<String>| {
        address(text, &format!("validator {v}: the {what}"), problems)
    };
    let mut validators = Vec::with_capacity(file.validators.len());
    for (v, row) in file.validators.iter().enumerate() {
        let withdrawal = address(&row.withdrawal_address, "withdrawal address", v, problems);
        let found = instalment_problems(&row.deposits, row.credentials, rules);
        problems.extend(found.iter().map(|found| format!("validator {v}: {found}")));
        let registration = row.registration.as_ref().and_then(|registration| {
            if registration.gas_limit == 0 {
                problems.push(format!("validator {v}: the gas limit of its registration is 0"));
            }
            if !is_time(registration.timestamp) {
                problems.push(format!(
                    "validator {v}: the timestamp of its registration is not a time between 1970 and the year 9999"
                ));
            }
            address(&registration.fee_recipient, "fee recipient", v, problems).map(|fee_recipient| Registration {
                fee_recipient,
                gas_limit: registration.gas_limit,
                timestamp: registration.timestamp,
            })
        });
        if let Some(withdrawal_address) = withdrawal {
            validators.push(Validator {
                withdrawal_address,
                credentials: row.credentials,
                deposits: row.deposits.clone(),
                registration,
            });
        }
    }
    validators
}

/// Reads an address in its checksummed form; `what` names it in a problem.
pub(super) fn address(text: &str, what: &str, problems: &mut Vec<String>) -> Option<Address> {
    match Address::parse_eip55(text) {
        Ok(address) if !address.is_zero() => Some(address),
        Ok(_) => {
            problems.push(format!("{what} is the zero address"));
            None
        }
        Err(error) => {
            problems.push(format!("{what} {error}"));
            None
        }
    }
}

/// What is wrong with the deposits of one validator.
pub fn instalment_problems(
    deposits: &[Gwei],
    credentials: CredentialsKind,
    rules: &Rules,
) -> Vec<String> {
    let mut problems = Vec::new();
    if deposits.is_empty() || deposits.len() > MAX_INSTALMENTS {
        problems.push(format!(
            "it has {} deposits; 1 to {MAX_INSTALMENTS} are possible",
            deposits.len()
        ));
    }
    let mut total = Gwei(0);
    // No comparisons over a list of any length.
    for (u, amount) in deposits.iter().take(MAX_INSTALMENTS).enumerate() {
        total = Gwei(total.0.saturating_add(amount.0));
        if let Err(error) = rules.check(*amount, credentials) {
            problems.push(error.to_string());
        }
        if deposits.iter().take(u).any(|earlier| earlier == amount) {
            problems.push(format!(
                "the deposit of {} stands twice; equal deposits have one signature, which may be submitted twice",
                rules.display(*amount)
            ));
        }
    }
    if total > rules.maximum(credentials) && deposits.len() > 1 {
        problems.push(format!(
            "its deposits sum to {}, more than the {} that {credentials} credentials hold",
            rules.display(total),
            rules.display(rules.maximum(credentials)),
        ));
    }
    problems
}

/// A plan that would break the envelope limit half-way is refused before it starts.
pub(super) fn sizes(file: &KeygenFile, problems: &mut Vec<String>) {
    let (n, m) = (file.roster.len(), file.validators.len());
    let t = usize::try_from(file.threshold).unwrap_or(usize::MAX);
    let signatures = file
        .validators
        .iter()
        .map(|row| (row.deposits.len(), row.registration.is_some()));
    let (deal, confirm) = bounds(n, t, signatures);
    for (what, size) in [("deal", deal), ("confirm", confirm)] {
        if size > MAX_ENVELOPE_BYTES {
            problems.push(format!(
                "a {what} of {m} validators among {n} operators takes up to {size} bytes; the limit is {MAX_ENVELOPE_BYTES}: plan several ceremonies"
            ));
        }
    }
}

/// Upper bounds of a canonical deal and confirm, in bytes. Of each validator `signatures` says how
/// many deposits it has, and whether a registration.
pub(super) fn bounds(
    n: usize,
    t: usize,
    signatures: impl ExactSizeIterator<Item = (usize, bool)>,
) -> (usize, usize) {
    const HEAD: usize = 2048;
    let row = |count: usize, item: usize| {
        count
            .saturating_mul(item.saturating_add(3))
            .saturating_add(3)
    };
    let deal = row(t, 96)
        .saturating_add(row(n, 64))
        .saturating_mul(signatures.len())
        .saturating_add(HEAD);
    let confirm = signatures
        .fold(0usize, |sum, (deposits, registration)| {
            let count = deposits.saturating_add(usize::from(registration));
            sum.saturating_add(row(count, 192))
        })
        .saturating_add(n.saturating_mul(256))
        .saturating_add(HEAD);
    (deal, confirm)
}

/// An upper bound of a canonical partial over so many messages, in bytes.
pub(super) fn partial_bound(messages: usize) -> usize {
    const HEAD: usize = 2048;
    messages.saturating_mul(195).saturating_add(HEAD)
}
