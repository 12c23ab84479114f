//! An operator's own list of addresses, against those of a plan.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::Context;
use super::error::{CommandError, ErrorCode};
use crate::ceremony::plan::{Plan, PlanWork};
use crate::ethereum::address::Address;

/// The longest list, in bytes.
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

/// The addresses that an operator expects in a plan, for withdrawals and fees together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(BTreeSet<Address>);

/// How a plan's addresses differ from the expected ones; both lists are empty when they are equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// In the plan and not on the list.
    pub unexpected: Vec<Address>,
    /// On the list and not in the plan.
    pub missing: Vec<Address>,
}

impl Expected {
    /// Reads a list: one address a line in any case, `#` starts a comment.
    pub fn read(cx: &Context, path: &Path) -> Result<Self, CommandError> {
        let bytes = cx.read(path, MAX_LIST_BYTES)?;
        let text = String::from_utf8(bytes).map_err(|_| {
            CommandError::of(ErrorCode::LIST_INVALID, "the list is not UTF-8").about(path)
        })?;
        Self::parse(&text).map_err(|error| error.about(path))
    }

    /// How many addresses.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Compares with every withdrawal and fee address of a plan, those of changes and deposits among them.
    pub fn differences(&self, plan: &Plan) -> Differences {
        let planned: BTreeSet<Address> = match plan.work() {
            PlanWork::Keygen(plan) => plan
                .validators()
                .iter()
                .flat_map(|validator| {
                    let fees = validator
                        .registration
                        .map(|registration| registration.fee_recipient);
                    std::iter::once(validator.withdrawal_address).chain(fees)
                })
                .collect(),
            PlanWork::Sign(plan) => plan
                .messages()
                .iter()
                .filter_map(|message| message.object.address())
                .collect(),
        };
        Differences {
            unexpected: planned.difference(&self.0).copied().collect(),
            missing: self.0.difference(&planned).copied().collect(),
        }
    }

    /// Reads the text of a list.
    pub fn parse(text: &str) -> Result<Self, CommandError> {
        let mut addresses = BTreeSet::new();
        let mut wrong = Vec::new();
        for (number, line) in (1usize..).zip(text.lines()) {
            let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
            if line.is_empty() {
                continue;
            }
            match Address::parse_flag(line) {
                Ok((address, _)) => {
                    addresses.insert(address);
                }
                Err(error) => wrong.push(format!("line {number}: {error}")),
            }
        }
        if wrong.is_empty() && !addresses.is_empty() {
            return Ok(Self(addresses));
        }
        let error = CommandError::of(
            ErrorCode::LIST_INVALID,
            "this is no list of addresses, one a line",
        );
        Err(wrong.into_iter().take(20).fold(error, CommandError::cause))
    }
}

impl Differences {
    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.unexpected.is_empty() && self.missing.is_empty()
    }

    /// One line a difference.
    pub fn lines(&self) -> Vec<String> {
        let unexpected = self.unexpected.iter();
        let unexpected =
            unexpected.map(|address| format!("{address} is in the plan and not on the list"));
        let missing = self.missing.iter();
        let missing =
            missing.map(|address| format!("{address} is on the list and not in the plan"));
        unexpected.chain(missing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_whole_or_not_at_all() {
        let one = "0x00000000219ab540356cBB839Cbe05303d7705Fa";
        let text = format!(
            "# ours\n{one} # pool\r\n\n{}\n0x{}\n",
            one.to_lowercase(),
            "11".repeat(20)
        );
        assert_eq!(Expected::parse(&text).unwrap().count(), 2);
        assert!(Expected::parse("# nothing\n").is_err());
        let error =
            Expected::parse(&format!("{one}\n{}\n0x12", one.replace("cBB", "cbb"))).unwrap_err();
        assert_eq!(error.causes().len(), 2);
        assert!(error.causes()[0].starts_with("line 2: "));
    }
}
