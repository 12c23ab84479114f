//! The page of a signing plan: what is signed, in words.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{
    FeeRow, MAX_ROWS, OperatorRow, WithdrawalRow, count_one, fee_recipients, list_needed,
    operator_rows, people, section, warnings,
};
use crate::ceremony::plan::{PlanKind, SignObject, SignPlan};
use crate::cli::known::KnownRow;
use crate::cli::values::{counted, utc};
use crate::ethereum::address::Address;
use crate::ethereum::amount::{Gwei, Rules};
use crate::ethereum::network::NetworkSpec;
use crate::hash::Digest;
use crate::json::Hex;

/// What the plan of a signing ceremony says.
#[derive(Debug, Clone, Serialize)]
pub struct SignPage {
    name: String,
    kind: PlanKind,
    rehearsal: bool,
    network: NetworkSpec,
    created: u64,
    threshold: usize,
    pub(super) operators: Vec<OperatorRow>,
    cluster: Digest,
    validators: usize,
    messages: usize,
    exits: Vec<ExitRow>,
    bls_changes: Vec<ChangeRow>,
    fee_recipients: Vec<FeeRow>,
    withdrawals: Vec<WithdrawalRow>,
    pub(super) warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) known_operators: Option<Vec<KnownRow>>,
    #[serde(skip)]
    rules: &'static Rules,
}

#[derive(Debug, Clone, Serialize)]
struct ExitRow {
    public_key: Hex<48>,
    validator_index: u64,
    epoch: u64,
}

#[derive(Debug, Clone, Serialize)]
struct ChangeRow {
    address: Address,
    validators: usize,
}

impl SignPage {
    pub(super) fn of(plan: SignPlan<'_>) -> Self {
        let mut exits = Vec::new();
        let mut changes = BTreeMap::<Address, usize>::new();
        let mut fees = BTreeMap::<(Address, u64, u64), usize>::new();
        let mut withdrawals = BTreeMap::<Address, (usize, Gwei)>::new();
        for message in plan.messages() {
            match message.object {
                SignObject::Exit {
                    epoch,
                    validator_index,
                } => exits.extend(plan.key(message).map(|key| ExitRow {
                    public_key: Hex(key.to_bytes()),
                    validator_index,
                    epoch,
                })),
                SignObject::BlsChange {
                    to_execution_address,
                    ..
                } => count_one(changes.entry(to_execution_address).or_default()),
                SignObject::Registration(row) => {
                    let terms = (row.fee_recipient, row.gas_limit, row.timestamp);
                    count_one(fees.entry(terms).or_default());
                }
                SignObject::Deposit {
                    withdrawal_address,
                    amount,
                    ..
                } => {
                    let (count, sum) = withdrawals
                        .entry(withdrawal_address)
                        .or_insert((0, Gwei(0)));
                    count_one(count);
                    *sum = Gwei(sum.0.saturating_add(amount.0));
                }
            }
        }
        Self {
            name: plan.name().to_string(),
            kind: plan.kind(),
            rehearsal: plan.is_rehearsal(),
            network: plan.network().clone(),
            created: plan.created(),
            threshold: plan.threshold(),
            operators: operator_rows(&plan),
            cluster: plan.cluster().cid,
            validators: plan.positions().len(),
            messages: plan.messages().len(),
            exits,
            bls_changes: changes
                .into_iter()
                .map(|(address, validators)| ChangeRow {
                    address,
                    validators,
                })
                .collect(),
            fee_recipients: FeeRow::all(fees),
            withdrawals: WithdrawalRow::all(withdrawals),
            warnings: plan.warnings().iter().map(ToString::to_string).collect(),
            known_operators: None,
            rules: plan.network().rules(),
        }
    }

    pub(super) fn needs_list(&self) -> bool {
        [
            self.bls_changes.len(),
            self.fee_recipients.len(),
            self.withdrawals.len(),
        ]
        .iter()
        .any(|rows| *rows > MAX_ROWS)
    }

    /// Every epoch with the number of exits from it on: what shows when they are too many to list.
    fn epochs(&self) -> Vec<(u64, usize)> {
        let mut epochs = BTreeMap::<u64, usize>::new();
        for exit in &self.exits {
            count_one(epochs.entry(exit.epoch).or_default());
        }
        epochs.into_iter().collect()
    }

    fn exits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exits.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nVoluntary exits: the validators leave for ever; nobody can take it back"
        )?;
        if self.exits.len() <= MAX_ROWS {
            return self.exits.iter().try_for_each(|exit| {
                writeln!(
                    f,
                    "  validator {} from epoch {}, key {}",
                    exit.validator_index, exit.epoch, exit.public_key
                )
            });
        }
        for (epoch, validators) in self.epochs().iter().take(MAX_ROWS) {
            writeln!(
                f,
                "  {} from epoch {epoch}",
                counted(*validators, "validator")
            )?;
        }
        if self.epochs().len() > MAX_ROWS {
            writeln!(f, "  and more, {} epochs in all", self.epochs().len())?;
        }
        writeln!(
            f,
            "  too many to list here: `conclave plan show FILE --json` names each"
        )
    }
}

impl fmt::Display for SignPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rehearsal {
            writeln!(
                f,
                "REHEARSAL: what this ceremony signs is valid on no chain\n"
            )?;
        }
        writeln!(f, "{}: signatures by keys of a cluster", self.name)?;
        writeln!(
            f,
            "\n  network      {} (fork version {})",
            self.network,
            Hex(self.network.fork_version())
        )?;
        writeln!(f, "  created      {}", utc(self.created))?;
        writeln!(f, "  cluster      ceremony {}", self.cluster.short())?;
        writeln!(
            f,
            "  threshold    any {} of {} operators sign",
            self.threshold,
            self.operators.len()
        )?;
        writeln!(
            f,
            "  signs        {} by the keys of {}",
            counted(self.messages, "message"),
            counted(self.validators, "validator")
        )?;
        people(f, &self.operators, self.known_operators.as_deref())?;
        self.exits(f)?;
        section(
            f,
            "Changes of withdrawal credentials to an address, for ever",
            &self.bls_changes,
            |row| format!("{}  {}", row.address, counted(row.validators, "validator")),
        )?;
        fee_recipients(f, &self.fee_recipients)?;
        section(
            f,
            "Withdrawal addresses of deposits",
            &self.withdrawals,
            |row| {
                format!(
                    "{}  {}, {}",
                    row.address,
                    counted(row.validators, "deposit"),
                    self.rules.display(row.sum)
                )
            },
        )?;
        list_needed(f, self.needs_list())?;
        warnings(f, &self.warnings)
    }
}
