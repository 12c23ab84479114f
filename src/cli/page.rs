//! The one page that an operator reads before its first message. It holds no hash and no code: the
//! plan code is shown by `plan show` alone, never beside the prompt that asks for it.

mod sign;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::known::{KnownRow, page_rows};
use super::values::{counted, utc};
use crate::ceremony::plan::{Backups, KeygenPlan, Plan, PlanKind, PlanWork, Registration};
use crate::ethereum::address::Address;
use crate::ethereum::amount::{Gwei, Rules};
use crate::ethereum::keystore::KdfChoice;
use crate::ethereum::network::NetworkSpec;
use crate::ethereum::withdrawal::CredentialsKind;

pub use sign::SignPage;

/// How many rows of one kind a person compares by eye.
pub const MAX_ROWS: usize = 20;

/// What a plan says, for reading; serialised, every row of it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Page {
    /// Of a keygen.
    Keygen(Box<KeygenPage>),
    /// Of a signing ceremony.
    Sign(Box<SignPage>),
}

impl Page {
    /// The page of a plan.
    pub fn of(plan: &Plan) -> Self {
        match plan.work() {
            PlanWork::Keygen(plan) => Self::Keygen(Box::new(KeygenPage::of(plan))),
            PlanWork::Sign(plan) => Self::Sign(Box::new(SignPage::of(plan))),
        }
    }

    /// The page with what the book of known identities says; its warnings stand with the others.
    #[must_use]
    pub(super) fn with_known(mut self, known: Option<Vec<KnownRow>>) -> Self {
        let (warnings, known_operators) = match &mut self {
            Self::Keygen(page) => (&mut page.warnings, &mut page.known_operators),
            Self::Sign(page) => (&mut page.warnings, &mut page.known_operators),
        };
        let found = known.iter().flatten().filter_map(KnownRow::warning);
        warnings.extend(found.map(str::to_owned));
        *known_operators = known;
        self
    }

    /// Whether the page leaves addresses out, so that only a list compares them all.
    pub fn needs_list(&self) -> bool {
        match self {
            Self::Keygen(page) => page.needs_list(),
            Self::Sign(page) => page.needs_list(),
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keygen(page) => page.fmt(f),
            Self::Sign(page) => page.fmt(f),
        }
    }
}

/// What the plan of a keygen says.
#[derive(Debug, Clone, Serialize)]
pub struct KeygenPage {
    name: String,
    kind: PlanKind,
    rehearsal: bool,
    network: NetworkSpec,
    created: u64,
    threshold: usize,
    operators: Vec<OperatorRow>,
    validators: usize,
    withdrawals: Vec<WithdrawalRow>,
    fee_recipients: Vec<FeeRow>,
    credentials: Vec<CredentialsRow>,
    deposits: Vec<DepositsRow>,
    keystores: KdfChoice,
    #[serde(skip_serializing_if = "Option::is_none")]
    backups: Option<Backups>,
    danger_flags: Vec<String>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_operators: Option<Vec<KnownRow>>,
    #[serde(skip)]
    rules: &'static Rules,
}

#[derive(Debug, Clone, Serialize)]
struct OperatorRow {
    index: u64,
    name: String,
    identity: String,
    tool: String,
}

#[derive(Debug, Clone, Serialize)]
struct WithdrawalRow {
    address: Address,
    validators: usize,
    /// A decimal string: the sum may exceed the largest integer of our JSON.
    gwei: String,
    #[serde(skip)]
    sum: Gwei,
}

impl WithdrawalRow {
    fn all(found: BTreeMap<Address, (usize, Gwei)>) -> Vec<Self> {
        let rows = found.into_iter();
        rows.map(|(address, (validators, sum))| Self {
            address,
            validators,
            gwei: sum.0.to_string(),
            sum,
        })
        .collect()
    }
}

#[derive(Debug, Clone, Serialize)]
struct FeeRow {
    address: Address,
    gas_limit: u64,
    timestamp: u64,
    validators: usize,
}

impl FeeRow {
    /// Of each fee recipient, gas limit and timestamp.
    fn all(found: BTreeMap<(Address, u64, u64), usize>) -> Vec<Self> {
        let rows = found.into_iter();
        rows.map(|((address, gas_limit, timestamp), validators)| Self {
            address,
            gas_limit,
            timestamp,
            validators,
        })
        .collect()
    }
}

#[derive(Debug, Clone, Serialize)]
struct CredentialsRow {
    kind: CredentialsKind,
    validators: usize,
}

#[derive(Debug, Clone, Serialize)]
struct DepositsRow {
    instalments: Vec<Gwei>,
    validators: usize,
}

impl KeygenPage {
    fn of(plan: KeygenPlan<'_>) -> Self {
        let mut withdrawals = BTreeMap::<Address, (usize, Gwei)>::new();
        let mut fees = BTreeMap::<(Address, u64, u64), usize>::new();
        let mut credentials = BTreeMap::<CredentialsKind, usize>::new();
        let mut deposits = BTreeMap::<Vec<Gwei>, usize>::new();
        for validator in plan.validators() {
            let (count, sum) = withdrawals
                .entry(validator.withdrawal_address)
                .or_insert((0, Gwei(0)));
            count_one(count);
            *sum = validator
                .deposits
                .iter()
                .fold(*sum, |sum, amount| Gwei(sum.0.saturating_add(amount.0)));
            if let Some(Registration {
                fee_recipient,
                gas_limit,
                timestamp,
            }) = validator.registration
            {
                count_one(
                    fees.entry((fee_recipient, gas_limit, timestamp))
                        .or_default(),
                );
            }
            count_one(credentials.entry(validator.credentials).or_default());
            count_one(deposits.entry(validator.deposits.clone()).or_default());
        }
        Self {
            name: plan.name().to_string(),
            kind: plan.kind(),
            rehearsal: plan.is_rehearsal(),
            network: plan.network().clone(),
            created: plan.created(),
            threshold: plan.threshold(),
            operators: operator_rows(&plan),
            validators: plan.validators().len(),
            withdrawals: WithdrawalRow::all(withdrawals),
            fee_recipients: FeeRow::all(fees),
            credentials: credentials
                .into_iter()
                .map(|(kind, validators)| CredentialsRow { kind, validators })
                .collect(),
            deposits: deposits
                .into_iter()
                .map(|(instalments, validators)| DepositsRow {
                    instalments,
                    validators,
                })
                .collect(),
            keystores: plan.keystores(),
            backups: plan.backups(),
            danger_flags: danger_flags(&plan),
            warnings: plan.warnings().iter().map(ToString::to_string).collect(),
            known_operators: None,
            rules: plan.network().rules(),
        }
    }

    fn needs_list(&self) -> bool {
        self.withdrawals.len() > MAX_ROWS || self.fee_recipients.len() > MAX_ROWS
    }

    fn instalments(&self, row: &DepositsRow) -> String {
        let amounts: Vec<String> = row
            .instalments
            .iter()
            .map(|amount| self.rules.display(*amount))
            .collect();
        amounts.join(" + ")
    }
}

impl fmt::Display for KeygenPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rehearsal {
            writeln!(
                f,
                "REHEARSAL: what this ceremony signs is valid on no chain\n"
            )?;
        }
        writeln!(f, "{}: new keys", self.name)?;
        writeln!(
            f,
            "\n  network      {} (fork version {})",
            self.network,
            crate::json::Hex(self.network.fork_version())
        )?;
        writeln!(f, "  created      {}", utc(self.created))?;
        writeln!(
            f,
            "  threshold    {} of {} operators",
            self.threshold,
            self.operators.len()
        )?;
        writeln!(f, "  validators   {}", self.validators)?;
        for row in &self.credentials {
            let limit = self.rules.display(self.rules.maximum(row.kind));
            let meaning = match row.kind {
                CredentialsKind::Eth1 => format!("balance above {limit} is paid out"),
                CredentialsKind::Compounding => format!("balance compounds up to {limit}"),
            };
            let count = counted(row.validators, "validator");
            writeln!(f, "  credentials  {} for {count} ({meaning})", row.kind)?;
        }
        let keystores = match self.keystores {
            KdfChoice::Scrypt => "scrypt",
            KdfChoice::Pbkdf2 => "PBKDF2",
        };
        writeln!(f, "  keystores    {keystores}")?;
        if self.backups == Some(Backups::Required) {
            writeln!(
                f,
                "  backups      required: nobody confirms before it has checked a backup of its shares"
            )?;
        }

        people(f, &self.operators, self.known_operators.as_deref())?;
        section(f, "Deposits", &self.deposits, |row| {
            format!(
                "{}: {}",
                counted(row.validators, "validator"),
                self.instalments(row)
            )
        })?;
        section(f, "Withdrawal addresses", &self.withdrawals, |row| {
            format!(
                "{}  {}, {}",
                row.address,
                counted(row.validators, "validator"),
                self.rules.display(row.sum)
            )
        })?;
        fee_recipients(f, &self.fee_recipients)?;
        list_needed(f, self.needs_list())?;
        section(f, "Danger", &self.danger_flags, Clone::clone)?;
        warnings(f, &self.warnings)
    }
}

fn operator_rows(plan: &Plan) -> Vec<OperatorRow> {
    plan.roster()
        .iter()
        .map(|operator| OperatorRow {
            index: operator.index.get(),
            name: operator.card.name().to_string(),
            identity: operator.card.identity().to_string(),
            tool: operator.card.tool().as_str().to_owned(),
        })
        .collect()
}

/// The operators, and what the book says of them.
fn people(
    f: &mut fmt::Formatter<'_>,
    operators: &[OperatorRow],
    known: Option<&[KnownRow]>,
) -> fmt::Result {
    writeln!(f, "\nOperators")?;
    let widest = |column: fn(&OperatorRow) -> String| {
        let widths = operators.iter().map(|row| column(row).chars().count());
        widths.max().unwrap_or(0)
    };
    let index = widest(|row| row.index.to_string());
    let name = widest(|row| row.name.clone());
    for row in operators {
        writeln!(
            f,
            "  {:>index$}  {:name$}  {}  {}",
            row.index, row.name, row.identity, row.tool
        )?;
    }

    if let Some(known) = known {
        writeln!(f, "\nWho was seen before (the book on this machine)")?;
        for row in page_rows(known) {
            writeln!(f, "  {row}")?;
        }
    }
    Ok(())
}

/// Never cut to a number: each is meant to be read.
fn warnings(f: &mut fmt::Formatter<'_>, warnings: &[String]) -> fmt::Result {
    if warnings.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nWarnings")?;
    warnings
        .iter()
        .try_for_each(|warning| writeln!(f, "  {warning}"))
}

/// A titled list; a long one is counted, an empty one left out.
fn section<T>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    rows: &[T],
    line: impl Fn(&T) -> String,
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    if rows.len() > MAX_ROWS {
        return writeln!(f, "  {} different ones", rows.len());
    }
    rows.iter()
        .try_for_each(|row| writeln!(f, "  {}", line(row)))
}

/// Who gets the fees of proposed blocks.
fn fee_recipients(f: &mut fmt::Formatter<'_>, rows: &[FeeRow]) -> fmt::Result {
    section(f, "Fee recipients (builder registrations)", rows, |row| {
        format!(
            "{}  {}, gas limit {}, dated {}",
            row.address,
            counted(row.validators, "validator"),
            row.gas_limit,
            utc(row.timestamp)
        )
    })
}

/// Says that addresses have to be compared by a list, if they have.
fn list_needed(f: &mut fmt::Formatter<'_>, needed: bool) -> fmt::Result {
    if needed {
        writeln!(
            f,
            "\nToo many addresses to compare by eye: give your own list with --expect FILE"
        )?;
    }
    Ok(())
}

/// Whatever the plan allows itself, by the names in its file.
fn danger_flags(plan: &Plan) -> Vec<String> {
    let fields = plan.value().as_object().into_iter().flatten();
    fields
        .filter(|(name, value)| {
            name.starts_with("danger_") && **value != serde_json::Value::Bool(false)
        })
        .map(|(name, _)| name.clone())
        .collect()
}

fn count_one(count: &mut usize) {
    *count = count.saturating_add(1);
}
