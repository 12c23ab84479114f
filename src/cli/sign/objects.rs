//! What is to be signed, from flags and from lists.

use std::path::Path;

use clap::Args;

use super::PlanArgs;
use crate::ceremony::plan::{Registration, SignObject};
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::validators_csv::messages::{MessageRow, parse};
use crate::cli::validators_csv::{MAX_CSV_BYTES, on_lines};
use crate::cli::values;
use crate::ethereum::address::{Address, Written};
use crate::ethereum::amount::Rules;
use crate::ethereum::network::NetworkSpec;
use crate::ethereum::withdrawal::CredentialsKind;
use crate::json::excerpt;

const EXIT_EXAMPLE: &str = "\
Reads: the cluster's ceremony in this home, which needs no passphrase, or its record; the CSV list.
Writes: the plan, which holds no secret. Nothing is signed before the operators run it.

The list is a spreadsheet saved as CSV, one row an exit. Its first row names the columns: validator
(position or key), validator_index, and epoch where --epoch does not say it for all.

Example:
  conclave sign exit --cluster 1f2e3d4c --validator 0=1234567 --validator 1=1234568 --epoch 350000 \\
      -o exits.plan.json";

const CHANGE_EXAMPLE: &str = "\
Only for a cluster whose shared keys are the BLS withdrawal keys themselves, whose hashes stand in
the validators' 0x00 credentials: the change names the cluster's key, and the key signs it. Keys that
conclave made with `plan new keygen` are validator keys, whose credentials name an address already.

The list of --csv has the columns validator (position or key of the withdrawal key), validator_index,
and address where --to does not say it for all.

Example:
  conclave sign bls-change --cluster 1f2e3d4c --validator 0=1234567 \\
      --to 0x00000000219ab540356cBB839Cbe05303d7705Fa -o change.plan.json";

const REGISTRATION_EXAMPLE: &str = "\
The list of --csv has the columns validator (position or key), and fee_recipient, gas_limit and
timestamp where the flags do not say them for all.

Example:
  conclave sign registration --cluster 1f2e3d4c --validator 0 --validator 1 \\
      --fee-recipient 0x00000000219ab540356cBB839Cbe05303d7705Fa --gas-limit 60000000 \\
      -o registrations.plan.json";

const DEPOSIT_EXAMPLE: &str = "\
A signed deposit says where a validator's withdrawals go. Of a validator that has no deposit on the
chain yet, the first one that is sent decides that for ever: compare the addresses with care.

The list of --csv has the columns validator (position or key), and withdrawal_address, credentials and
amount where the flags do not say them for all.

Example:
  conclave sign deposit --cluster 1f2e3d4c --validator 0 --deposit 32eth --credentials 0x01 \\
      --withdrawal 0x00000000219ab540356cBB839Cbe05303d7705Fa -o topup.plan.json";

/// Plan voluntary exits
///
/// An exit cannot be taken back: the validator leaves for ever. A signed one stays valid for ever too.
#[derive(Debug, Args)]
#[command(after_long_help = EXIT_EXAMPLE)]
pub(in crate::cli) struct ExitArgs {
    #[command(flatten)]
    pub(super) plan: PlanArgs,
    /// A validator, by its position in the cluster or its key, and its index on the chain
    #[arg(long = "validator", value_name = "WHICH=INDEX", conflicts_with = "csv")]
    validators: Vec<String>,
    /// The epoch from which on the exits are valid
    #[arg(long, value_name = "N")]
    epoch: Option<u64>,
}

/// Plan changes of withdrawal credentials from a BLS key to an address
///
/// A change cannot be taken back, and none can follow it.
#[derive(Debug, Args)]
#[command(after_long_help = CHANGE_EXAMPLE)]
pub(in crate::cli) struct BlsChangeArgs {
    #[command(flatten)]
    pub(super) plan: PlanArgs,
    /// A withdrawal key, by its position in the cluster or its bytes, and its validator's index
    #[arg(long = "validator", value_name = "WHICH=INDEX", conflicts_with = "csv")]
    validators: Vec<String>,
    /// The address that all withdrawals go to
    #[arg(long, value_name = "ADDR")]
    to: Option<String>,
}

/// Plan registrations with block builders
#[derive(Debug, Args)]
#[command(after_long_help = REGISTRATION_EXAMPLE)]
pub(in crate::cli) struct RegistrationArgs {
    #[command(flatten)]
    pub(super) plan: PlanArgs,
    /// A validator, by its position in the cluster or its key
    #[arg(long = "validator", value_name = "WHICH", conflicts_with = "csv")]
    validators: Vec<String>,
    /// Who gets the fees of proposed blocks
    #[arg(long, value_name = "ADDR")]
    fee_recipient: Option<String>,
    /// The gas limit that the validators ask for
    #[arg(long, value_name = "N")]
    gas_limit: Option<u64>,
    /// The time of the registrations, in seconds since 1970 [default: the plan's]
    #[arg(long, value_name = "SECS")]
    timestamp: Option<u64>,
}

/// Plan deposits
#[derive(Debug, Args)]
#[command(after_long_help = DEPOSIT_EXAMPLE)]
pub(in crate::cli) struct DepositArgs {
    #[command(flatten)]
    pub(super) plan: PlanArgs,
    /// A validator, by its position in the cluster or its key
    #[arg(long = "validator", value_name = "WHICH", conflicts_with = "csv")]
    validators: Vec<String>,
    /// Where withdrawals go
    #[arg(long, value_name = "ADDR")]
    withdrawal: Option<String>,
    /// The withdrawal credentials, 0x01 or 0x02
    #[arg(long, value_name = "KIND", value_parser = values::credentials)]
    credentials: Option<CredentialsKind>,
    /// How much, in Gwei or like 32eth or 1gno
    #[arg(long, value_name = "AMOUNT")]
    deposit: Option<String>,
}

/// One object, the validator as it was named, and where that was.
pub(super) struct Object {
    pub(super) place: String,
    pub(super) validator: String,
    pub(super) object: SignObject,
}

/// A command that says what is to be signed.
pub(super) trait Listed {
    /// Columns of its list; the first must be there.
    fn columns(&self) -> &'static [&'static str];

    /// The validators of the flags.
    fn validators(&self) -> &[String];

    /// Whether a validator is named with its index, `WHICH=INDEX`.
    fn indexed(&self) -> bool {
        self.columns().contains(&INDEX)
    }

    /// Makes the object of a row.
    fn object(&self, row: &mut Row<'_>) -> Option<SignObject>;

    /// All objects.
    fn objects(
        &self,
        csv: Option<&Path>,
        network: &NetworkSpec,
        created: u64,
        cx: &mut Context,
    ) -> Result<Vec<Object>, CommandError> {
        let rows = match csv {
            Some(path) => listed(path, self.columns(), cx)?,
            None => self
                .validators()
                .iter()
                .map(|text| self.flag(text))
                .collect(),
        };
        if rows.is_empty() {
            let flag = if self.indexed() {
                "WHICH=INDEX"
            } else {
                "WHICH"
            };
            return Err(
                CommandError::usage("nothing is named to be signed").hint(format!(
                    "name each validator with --validator {flag}, or a list with --csv FILE"
                )),
            );
        }
        let mut problems = Vec::new();
        let mut lower_case = Vec::new();
        let mut found = Vec::with_capacity(rows.len());
        for cells in &rows {
            let place = match csv {
                Some(_) => format!("line {}", cells.line),
                None => "--validator".to_owned(),
            };
            let mut row = Row {
                cells,
                place: &place,
                rules: network.rules(),
                created,
                problems: &mut problems,
                lower_case: false,
            };
            let validator = row.text("validator", None);
            let object = self.object(&mut row);
            if row.lower_case {
                lower_case.push(cells.line);
            }
            if let (Some(validator), Some(object)) = (validator, object) {
                found.push(Object {
                    place,
                    validator,
                    object,
                });
            }
        }
        if !lower_case.is_empty() {
            let place = csv.map_or_else(String::new, |_| format!(", on {}", on_lines(&lower_case)));
            cx.ui.warn(format!(
                "nothing guards a lower-case address against a typing error{place}; the plan says its checksummed form"
            ));
        }
        if problems.is_empty() {
            return Ok(found);
        }
        let text = "the plan cannot be made so; nothing was written";
        let more = problems.len().saturating_sub(LISTED);
        let mut error = CommandError::of(ErrorCode::PLAN_INVALID, text);
        for problem in problems.into_iter().take(LISTED) {
            error = error.cause(problem);
        }
        Err(match more {
            0 => error,
            more => error.cause(format!("and {more} more problems")),
        })
    }

    /// A validator of a flag, as a row.
    fn flag(&self, text: &str) -> MessageRow {
        let (validator, index) = match text.split_once('=') {
            Some((validator, index)) if self.indexed() => (validator, Some(index)),
            _ => (text, None),
        };
        let mut row = MessageRow {
            line: 0,
            cells: std::iter::once(("validator", validator.to_owned())).collect(),
        };
        row.cells
            .extend(index.map(|index| (INDEX, index.to_owned())));
        row
    }
}

/// The column of an index on the chain.
const INDEX: &str = "validator_index";

/// How many problems are listed before the rest is only counted.
const LISTED: usize = 50;

fn listed(
    path: &Path,
    columns: &'static [&'static str],
    cx: &Context,
) -> Result<Vec<MessageRow>, CommandError> {
    let bytes = cx.read(path, MAX_CSV_BYTES)?;
    parse(&bytes, columns).map_err(|found| {
        let text = "the list cannot be used; nothing was written";
        let error = CommandError::of(ErrorCode::PLAN_INVALID, text).about(path);
        found
            .sentences()
            .into_iter()
            .fold(error, CommandError::cause)
    })
}

/// One row being read.
pub(super) struct Row<'a> {
    cells: &'a MessageRow,
    place: &'a str,
    rules: &'static Rules,
    created: u64,
    problems: &'a mut Vec<String>,
    lower_case: bool,
}

impl Row<'_> {
    /// A cell, else what the flag says, else a problem.
    fn text(&mut self, column: &str, flag: Option<(&str, Option<&str>)>) -> Option<String> {
        let given = flag.and_then(|(_, given)| given);
        let found = self.cells.cell(column).or(given).map(str::to_owned);
        if found.is_none() {
            let or = flag.map_or_else(String::new, |(flag, _)| format!("; {flag} says it for all"));
            self.problem(format!("no {column}{or}"));
        }
        found
    }

    fn problem(&mut self, text: String) {
        self.problems.push(format!("{}: {text}", self.place));
    }

    fn number(&mut self, column: &str, flag: Option<(&str, Option<u64>)>) -> Option<u64> {
        let given = flag
            .and_then(|(_, given)| given)
            .map(|given| given.to_string());
        let flag = flag.map(|(name, _)| (name, given.as_deref()));
        let text = self.text(column, flag)?;
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(number) if plain && number <= crate::json::MAX_INTEGER => Some(number),
            _ => {
                self.problem(format!(
                    "the {column} \"{}\" is no whole number below 2^53",
                    excerpt(&text, 60)
                ));
                None
            }
        }
    }

    fn address(&mut self, column: &str, flag: (&str, Option<&str>)) -> Option<Address> {
        let text = self.text(column, Some(flag))?;
        match Address::parse_flag(&text) {
            Ok((address, written)) => {
                self.lower_case |= written == Written::LowerCase;
                Some(address)
            }
            Err(error) => {
                self.problem(format!("the {column} {error}"));
                None
            }
        }
    }
}

impl Listed for ExitArgs {
    fn columns(&self) -> &'static [&'static str] {
        &["validator", INDEX, "epoch"]
    }

    fn validators(&self) -> &[String] {
        &self.validators
    }

    fn object(&self, row: &mut Row<'_>) -> Option<SignObject> {
        let validator_index = row.number(INDEX, None);
        let epoch = row.number("epoch", Some(("--epoch", self.epoch)))?;
        Some(SignObject::Exit {
            epoch,
            validator_index: validator_index?,
        })
    }
}

impl Listed for BlsChangeArgs {
    fn columns(&self) -> &'static [&'static str] {
        &["validator", INDEX, "address"]
    }

    fn validators(&self) -> &[String] {
        &self.validators
    }

    fn object(&self, row: &mut Row<'_>) -> Option<SignObject> {
        let validator_index = row.number(INDEX, None);
        let to_execution_address = row.address("address", ("--to", self.to.as_deref()))?;
        Some(SignObject::BlsChange {
            validator_index: validator_index?,
            to_execution_address,
        })
    }
}

impl Listed for RegistrationArgs {
    fn columns(&self) -> &'static [&'static str] {
        &["validator", "fee_recipient", "gas_limit", "timestamp"]
    }

    fn validators(&self) -> &[String] {
        &self.validators
    }

    fn object(&self, row: &mut Row<'_>) -> Option<SignObject> {
        let fee = ("--fee-recipient", self.fee_recipient.as_deref());
        let fee_recipient = row.address("fee_recipient", fee);
        let gas_limit = row.number("gas_limit", Some(("--gas-limit", self.gas_limit)));
        let timestamp = self.timestamp.unwrap_or(row.created);
        let timestamp = row.number("timestamp", Some(("--timestamp", Some(timestamp))))?;
        Some(SignObject::Registration(Registration {
            fee_recipient: fee_recipient?,
            gas_limit: gas_limit?,
            timestamp,
        }))
    }
}

impl Listed for DepositArgs {
    fn columns(&self) -> &'static [&'static str] {
        &["validator", "withdrawal_address", "credentials", "amount"]
    }

    fn validators(&self) -> &[String] {
        &self.validators
    }

    fn object(&self, row: &mut Row<'_>) -> Option<SignObject> {
        let to = ("--withdrawal", self.withdrawal.as_deref());
        let withdrawal_address = row.address("withdrawal_address", to);
        let flag = self.credentials.map(|kind| kind.to_string());
        let credentials = row.text("credentials", Some(("--credentials", flag.as_deref())));
        let credentials = credentials.and_then(|text| match values::credentials(&text) {
            Ok(kind) => Some(kind),
            Err(error) => {
                row.problem(format!("the credentials: {error}"));
                None
            }
        });
        let amount = row.text("amount", Some(("--deposit", self.deposit.as_deref())))?;
        let amount = match values::amount(&amount, row.rules) {
            Ok(amount) => amount,
            Err(error) => {
                row.problem(error);
                return None;
            }
        };
        Some(SignObject::Deposit {
            withdrawal_address: withdrawal_address?,
            credentials: credentials?,
            amount,
        })
    }
}
