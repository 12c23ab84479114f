//! What the ceremony made, or is to make: validators, their keys, and where their money goes.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{Source, counted};
use crate::ambient::utc;
use crate::ceremony::plan::{KeygenPlan, Validator};
use crate::ethereum::address::Address;
use crate::ethereum::amount::Gwei;
use crate::ethereum::withdrawal::CredentialsKind;

/// Validators in one part of the list; longer lists are folded into parts of so many.
const PART: usize = 100;

/// Different withdrawal addresses and fee recipients that are listed at once, before they fold.
const UNFOLDED: usize = 50;

/// The most public key shares (operators times validators) that are listed; beyond, the outcome file
/// has them.
const MAX_SHARES: usize = 1024;

/// Sums by withdrawal address, and the fee recipients.
pub(super) fn money(plan: KeygenPlan<'_>) -> Markup {
    let rules = plan.network().rules();
    let mut addresses: BTreeMap<(Address, CredentialsKind), (usize, Gwei)> = BTreeMap::new();
    let mut fees: BTreeMap<(Address, u64, u64), usize> = BTreeMap::new();
    let mut total = Gwei(0);
    for validator in plan.validators() {
        let sum = validator
            .deposits
            .iter()
            .fold(0u64, |sum, amount| sum.saturating_add(amount.0));
        total = Gwei(total.0.saturating_add(sum));
        let row = addresses
            .entry((validator.withdrawal_address, validator.credentials))
            .or_insert((0, Gwei(0)));
        *row = (row.0.saturating_add(1), Gwei(row.1.0.saturating_add(sum)));
        if let Some(registration) = validator.registration {
            let key = (
                registration.fee_recipient,
                registration.gas_limit,
                registration.timestamp,
            );
            let count = fees.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }
    let sums = html! {
        table.cards role="table" {
            caption { "What is deposited, by the address that it can be withdrawn to" }
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Withdrawal address" }
                    th role="columnheader" scope="col" { "Form" }
                    th.number role="columnheader" scope="col" { "Validators" }
                    th.number role="columnheader" scope="col" { "Deposits" }
                }
            }
            tbody role="rowgroup" {
                @for ((address, kind), (count, sum)) in &addresses {
                    tr role="row" {
                        th.mono role="rowheader" scope="row" { (address) }
                        td role="cell" data-label="form" { (kind) }
                        td.number role="cell" data-label="validators" { (count) }
                        td.number role="cell" data-label="deposits" { (rules.display(*sum)) }
                    }
                }
            }
            tfoot role="rowgroup" {
                tr role="row" {
                    th role="rowheader" scope="row" { "All together" }
                    td role="cell" {}
                    td.number role="cell" data-label="validators" { (plan.validators().len()) }
                    td.number role="cell" data-label="deposits" { strong { (rules.display(total)) } }
                }
            }
        }
    };
    let recipients = html! {
        table.cards role="table" {
            caption { "Builder registrations: who gets the fees of proposed blocks" }
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Fee recipient" }
                    th.number role="columnheader" scope="col" { "Validators" }
                    th.number role="columnheader" scope="col" { "Gas limit" }
                    th role="columnheader" scope="col" { "Dated" }
                }
            }
            tbody role="rowgroup" {
                @for ((address, gas_limit, timestamp), count) in &fees {
                    tr role="row" {
                        th.mono role="rowheader" scope="row" { (address) }
                        td.number role="cell" data-label="validators" { (count) }
                        td.number role="cell" data-label="gas limit" { (gas_limit) }
                        td role="cell" data-label="dated" { (utc(*timestamp)) }
                    }
                }
            }
        }
    };
    html! {
        (folded(addresses.len(), UNFOLDED, "withdrawal addresses", &sums))
        @if !fees.is_empty() { (folded(fees.len(), UNFOLDED, "fee recipients", &recipients)) }
    }
}

fn folded(rows: usize, most: usize, what: &str, table: &Markup) -> Markup {
    html! {
        @if rows > most {
            details { summary { (rows) " different " (what) } div { (table) } }
        } @else { (table) }
    }
}

/// The validators with their public keys, as far as there are any.
pub(super) fn list(source: &Source<'_>) -> Markup {
    let plan = source.plan;
    let validators = plan.validators();
    let rules = plan.network().rules();
    let keys: Vec<String> = source.outcome.map_or_else(Vec::new, |outcome| {
        let keys = outcome.sharing().group_keys();
        keys.map(|key| crate::json::encode_hex(&key.to_bytes()))
            .collect()
    });
    let words = |validator: &Validator| {
        let amounts = validator.deposits.iter();
        let amounts: Vec<String> = amounts.map(|amount| rules.display(*amount)).collect();
        amounts.join(" + ")
    };
    // What is the same for all is said once.
    let first = validators.first();
    let alike = validators.iter().all(|validator| {
        first.is_some_and(|first| {
            (validator.withdrawal_address, validator.credentials)
                == (first.withdrawal_address, first.credentials)
                && validator.deposits == first.deposits
        })
    });
    let several = validators.len() > 1;
    let parts = validators.len() > PART;
    html! {
        @if let (true, true, Some(first)) = (alike, several, first) {
            p { "All " (validators.len()) " validators are alike: withdrawals go to "
                span.mono { (first.withdrawal_address) } " (" (first.credentials) "), and each gets "
                (words(first)) "." }
        }
        @if keys.is_empty() { p { "There are no public keys yet: they follow from the deals of all operators, and count once all have confirmed." } }
        @for (number, part) in validators.chunks(PART).enumerate() {
            @let start = number.saturating_mul(PART);
            @let end = start.saturating_add(part.len()).saturating_sub(1);
            @let table = rows(part, start, &keys, alike && several, &words);
            @if parts {
                details { summary { "Validators " (start) " to " (end) } div { (table) } }
            } @else { (table) }
        }
        (shares(source))
    }
}

fn rows(
    part: &[Validator],
    start: usize,
    keys: &[String],
    alike: bool,
    words: &dyn Fn(&Validator) -> String,
) -> Markup {
    html! {
        table.cards role="table" {
            caption { "Validators, numbered by their position in the plan" }
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "No." }
                    th role="columnheader" scope="col" { "Public key" }
                    @if !alike {
                        th role="columnheader" scope="col" { "Withdrawals go to" }
                        th role="columnheader" scope="col" { "Deposits" }
                    }
                }
            }
            tbody role="rowgroup" {
                @for (position, validator) in (start..).zip(part) {
                    tr role="row" {
                        th role="rowheader" scope="row" data-label="validator" { (position) }
                        td.mono role="cell" data-label="key" {
                            @match keys.get(position) {
                                Some(key) => { (key) }
                                None => { "none yet" }
                            }
                        }
                        @if !alike {
                            td role="cell" data-label="to" {
                                span.mono { (validator.withdrawal_address) } " (" (validator.credentials) ")"
                            }
                            td.amounts role="cell" data-label="deposits" { (words(validator)) }
                        }
                    }
                }
            }
        }
    }
}

/// The public key of each operator's share: what its keystore and its validator client name.
fn shares(source: &Source<'_>) -> Markup {
    let Some(outcome) = source.outcome else {
        return html! {};
    };
    let plan = source.plan;
    let count = plan.roster().len().saturating_mul(plan.validators().len());
    if count > MAX_SHARES {
        return html! {
            p.soft { "The public keys of the " (count) " shares are in the record's outcome file." }
        };
    }
    html! {
        details {
            summary { "Public keys of the shares: what each operator's keystores name" }
            div {
                @for (position, shares) in outcome.sharing().shares().enumerate() {
                    table.cards role="table" {
                        caption { "Shares of validator " (position) }
                        thead role="rowgroup" {
                            tr role="row" {
                                th role="columnheader" scope="col" { "Operator" }
                                th role="columnheader" scope="col" { "Public key of its share" }
                            }
                        }
                        tbody role="rowgroup" {
                            @for (operator, share) in plan.roster().iter().zip(shares) {
                                tr role="row" {
                                    th role="rowheader" scope="row" {
                                        (operator.index) " " span dir="auto" { (operator.card.name()) }
                                    }
                                    td.mono role="cell" { (crate::json::encode_hex(&share.to_bytes())) }
                                }
                            }
                        }
                    }
                }
            }
        }
        p.soft { (counted(count, "share")) ", each known to its operator alone." }
    }
}
