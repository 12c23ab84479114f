//! How a signing plan is written, and every check of it beyond those of all plans.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ClusterRef, MAX_SIGNED, SignDraft, SignFacts, SignMessage, SignObject};
use crate::ceremony::plan::{
    Head, MAX_PLAN_BYTES, Plan, PlanError, PlanKind, Registration, RosterRow, checks, problem,
    unusable,
};
use crate::crypto::point::G1;
use crate::crypto::sharing::Sharing;
use crate::ethereum::amount::Gwei;
use crate::ethereum::network::NetworkSpec;
use crate::ethereum::withdrawal::CredentialsKind;
use crate::json::{self, Hex, Text};
use crate::wire::PROTOCOL_VERSION;
use crate::wire::roster::Roster;

impl Plan {
    /// Makes the plan of a signing ceremony; it is checked like any other.
    pub fn draft_sign(draft: SignDraft) -> Result<Self, PlanError> {
        let file = SignFile {
            version: PROTOCOL_VERSION,
            kind: PlanKind::Sign,
            name: draft.name,
            created: draft.created,
            rehearsal: draft.network.is_rehearsal(),
            network: draft.network,
            threshold: draft.threshold,
            roster: draft
                .roster
                .iter()
                .map(|(index, card)| RosterRow {
                    index: *index,
                    card: card.value().clone(),
                })
                .collect(),
            cluster: draft.cluster,
            keys: draft
                .keys
                .iter()
                .map(|(position, polynomial)| KeyRow {
                    position: *position as u64,
                    polynomial: polynomial
                        .iter()
                        .map(|point| Hex(point.to_bytes()))
                        .collect(),
                })
                .collect(),
            messages: draft.messages.iter().map(MessageRow::from).collect(),
            random: Hex(draft.random),
        };
        let value = json::to_value(&file).map_err(unusable)?;
        drop(file);
        let bytes = json::canonical_value(&value).map_err(unusable)?.len();
        if bytes > MAX_PLAN_BYTES {
            return Err(problem(format!(
                "the plan would take {bytes} bytes; the limit is {}: split the list and plan several ceremonies",
                MAX_PLAN_BYTES
            )));
        }
        Self::from_value(value)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::ceremony::plan) struct SignFile {
    version: u64,
    kind: PlanKind,
    name: Text,
    created: u64,
    #[serde(default, skip_serializing_if = "crate::ceremony::plan::is_false")]
    rehearsal: bool,
    network: NetworkSpec,
    pub(in crate::ceremony::plan) threshold: u64,
    pub(in crate::ceremony::plan) roster: Vec<RosterRow>,
    cluster: ClusterRef,
    keys: Vec<KeyRow>,
    messages: Vec<MessageRow>,
    random: Hex<32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRow {
    position: u64,
    polynomial: Vec<Hex<48>>,
}

/// A message with its kind as the name of a field: a derived enum with a tag beside `key` would let
/// unknown fields pass.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageRow {
    key: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit: Option<ExitRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bls_change: Option<BlsChangeRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registration: Option<RegistrationRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deposit: Option<DepositRow>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExitRow {
    epoch: u64,
    validator_index: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlsChangeRow {
    validator_index: u64,
    to_execution_address: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrationRow {
    fee_recipient: String,
    gas_limit: u64,
    timestamp: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DepositRow {
    withdrawal_address: String,
    credentials: CredentialsKind,
    amount: Gwei,
}

impl SignFile {
    pub(in crate::ceremony::plan) fn head(&self) -> Head {
        Head {
            name: self.name.clone(),
            created: self.created,
            rehearsal: self.rehearsal,
            network: self.network.clone(),
            threshold: self.threshold,
            random: self.random,
        }
    }
}

impl From<&SignMessage> for MessageRow {
    fn from(message: &SignMessage) -> Self {
        let mut row = Self {
            key: message.key as u64,
            ..Self::default()
        };
        match message.object {
            SignObject::Exit {
                epoch,
                validator_index,
            } => {
                row.exit = Some(ExitRow {
                    epoch,
                    validator_index,
                });
            }
            SignObject::BlsChange {
                validator_index,
                to_execution_address,
            } => {
                row.bls_change = Some(BlsChangeRow {
                    validator_index,
                    to_execution_address: to_execution_address.to_string(),
                });
            }
            SignObject::Registration(registration) => {
                row.registration = Some(RegistrationRow {
                    fee_recipient: registration.fee_recipient.to_string(),
                    gas_limit: registration.gas_limit,
                    timestamp: registration.timestamp,
                });
            }
            SignObject::Deposit {
                withdrawal_address,
                credentials,
                amount,
            } => {
                row.deposit = Some(DepositRow {
                    withdrawal_address: withdrawal_address.to_string(),
                    credentials,
                    amount,
                });
            }
        }
        row
    }
}

/// Checks what a signing plan says beyond what every plan says.
pub(in crate::ceremony::plan) fn facts(
    file: &SignFile,
    roster: &Roster,
    problems: &mut Vec<String>,
) -> Option<SignFacts> {
    let before = problems.len();
    let positions = positions(file, problems);
    let messages = messages(file, problems);
    // Points only when the rest is right: they are most of the work.
    if problems.len() > before {
        return None;
    }
    let sharing = sharing(file, roster, problems)?;
    let keys: Vec<&G1> = sharing.group_keys().collect();
    let mut roots = Vec::with_capacity(messages.len());
    for message in &messages {
        let key = keys.get(message.key)?;
        match message.object.signing_root(key, &file.network) {
            Some(root) => roots.push(root),
            None => {
                problems.push(format!(
                    "exits cannot be signed for the network {}: its Capella fork version is not known",
                    file.network
                ));
                return None;
            }
        }
    }
    Some(SignFacts {
        cluster: file.cluster,
        positions,
        sharing,
        messages,
        roots,
    })
}

fn positions(file: &SignFile, problems: &mut Vec<String>) -> Vec<usize> {
    if file.keys.is_empty() {
        problems.push("the plan has no key".into());
    }
    let mut positions: Vec<usize> = Vec::with_capacity(file.keys.len());
    for (number, key) in file.keys.iter().enumerate() {
        let position = usize::try_from(key.position).unwrap_or(usize::MAX);
        if positions.last().is_some_and(|last| *last >= position) {
            problems.push(format!(
                "key {number}: the positions of keys must ascend, each once"
            ));
        }
        if key.polynomial.len() as u64 != file.threshold {
            problems.push(format!(
                "key {number}: its polynomial has {} coefficients, and the threshold is {}",
                key.polynomial.len(),
                file.threshold
            ));
        }
        positions.push(position);
    }
    positions
}

fn sharing(file: &SignFile, roster: &Roster, problems: &mut Vec<String>) -> Option<Sharing> {
    let encoded: Vec<[u8; 48]> = file
        .keys
        .iter()
        .flat_map(|key| key.polynomial.iter().map(|point| point.0))
        .collect();
    let threshold = usize::try_from(file.threshold).ok()?;
    let points = match G1::from_bytes_many(&encoded) {
        Ok(points) => points,
        Err((position, error)) => {
            let (key, coefficient) = (
                position.checked_div(threshold).unwrap_or(0),
                position.checked_rem(threshold).unwrap_or(0),
            );
            problems.push(format!("key {key}: its coefficient {coefficient} {error}"));
            return None;
        }
    };
    let indices: Vec<u64> = roster.iter().map(|operator| operator.index.get()).collect();
    let sharing = Sharing::from_polynomials(threshold, indices, points)
        .map_err(|error| problems.push(format!("the keys: {error}")))
        .ok()?;
    let mut seen = BTreeSet::new();
    for (number, key) in sharing.group_keys().enumerate() {
        if !seen.insert(key.to_bytes()) {
            problems.push(format!("key {number} stands in the plan twice"));
        }
    }
    Some(sharing)
}

fn messages(file: &SignFile, problems: &mut Vec<String>) -> Vec<SignMessage> {
    if file.messages.is_empty() || file.messages.len() > MAX_SIGNED {
        problems.push(format!(
            "the plan has {} messages; 1 to {MAX_SIGNED} are possible",
            file.messages.len()
        ));
    }
    let mut messages: Vec<SignMessage> = Vec::with_capacity(file.messages.len().min(MAX_SIGNED));
    let (mut seen, mut used) = (BTreeSet::new(), BTreeSet::new());
    let mut exits = Exits::default();
    let mut changes = BTreeSet::new();
    for (number, row) in file.messages.iter().enumerate().take(MAX_SIGNED) {
        let key = usize::try_from(row.key).unwrap_or(usize::MAX);
        if key >= file.keys.len() {
            problems.push(format!("message {number}: the plan has no key {}", row.key));
        }
        let Some(object) = object(row, number, file, problems) else {
            continue;
        };
        let message = SignMessage { key, object };
        used.insert(key);
        if !seen.insert(message) {
            problems.push(format!("message {number} stands in the plan twice"));
        }
        match object {
            SignObject::Exit {
                validator_index, ..
            } if !exits.fit(key, validator_index) => problems.push(format!(
                "message {number}: a validator key has one index, and an index one key"
            )),
            SignObject::BlsChange {
                validator_index, ..
            } if !changes.insert(validator_index) => problems.push(format!(
                "message {number}: validator {validator_index} changes its credentials once"
            )),
            _ => {}
        }
        messages.push(message);
    }
    if let Some(idle) = (0..file.keys.len()).find(|key| !used.contains(key)) {
        problems.push(format!("key {idle} signs nothing"));
    }
    messages
}

/// Which key leaves under which index.
#[derive(Default)]
struct Exits {
    indices: BTreeMap<usize, u64>,
    keys: BTreeMap<u64, usize>,
}

impl Exits {
    fn fit(&mut self, key: usize, index: u64) -> bool {
        *self.indices.entry(key).or_insert(index) == index
            && *self.keys.entry(index).or_insert(key) == key
    }
}

/// Reads the one object of a row.
fn object(
    row: &MessageRow,
    number: usize,
    file: &SignFile,
    problems: &mut Vec<String>,
) -> Option<SignObject> {
    let what = |what: &str| format!("message {number}: the {what}");
    match (&row.exit, &row.bls_change, &row.registration, &row.deposit) {
        (Some(exit), None, None, None) => Some(SignObject::Exit {
            epoch: exit.epoch,
            validator_index: exit.validator_index,
        }),
        (None, Some(change), None, None) => Some(SignObject::BlsChange {
            validator_index: change.validator_index,
            to_execution_address: checks::address(
                &change.to_execution_address,
                &what("address"),
                problems,
            )?,
        }),
        (None, None, Some(registration), None) => {
            if registration.gas_limit == 0 {
                problems.push(format!("message {number}: the gas limit is 0"));
            }
            if !checks::is_time(registration.timestamp) {
                problems.push(format!(
                    "message {number}: the timestamp is not a time between 1970 and the year 9999"
                ));
            }
            let fee = &registration.fee_recipient;
            Some(SignObject::Registration(Registration {
                fee_recipient: checks::address(fee, &what("fee recipient"), problems)?,
                gas_limit: registration.gas_limit,
                timestamp: registration.timestamp,
            }))
        }
        (None, None, None, Some(deposit)) => {
            let rules = file.network.rules();
            if let Err(error) = rules.check(deposit.amount, deposit.credentials) {
                problems.push(format!("message {number}: {error}"));
            }
            let address = &deposit.withdrawal_address;
            Some(SignObject::Deposit {
                withdrawal_address: checks::address(
                    address,
                    &what("withdrawal address"),
                    problems,
                )?,
                credentials: deposit.credentials,
                amount: deposit.amount,
            })
        }
        _ => {
            problems.push(format!(
                "message {number} is not exactly one of exit, bls_change, registration and deposit"
            ));
            None
        }
    }
}
