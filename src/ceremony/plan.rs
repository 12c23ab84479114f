//! The plan: everything that a ceremony will do, said beforehand.
//!
//! A plan is JSON, at most 16 MiB, possibly pretty-printed; its hash over the canonical form of the
//! generic value is the ceremony id. [`Plan::parse`] makes every check. What is no plan at all (bad
//! JSON, an unknown field, a wrong type, a bad network) is one problem; of a plan that can be read,
//! all that is wrong is reported.

mod checks;

pub use checks::{instalment_problems, threshold_problem};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crypto::bls::SigningRoot;
use crate::crypto::point::G1;
use crate::crypto::sharing::Sharing;
use crate::ethereum::address::Address;
use crate::ethereum::amount::Gwei;
use crate::ethereum::deposit::DepositMessage;
use crate::ethereum::keystore::KdfChoice;
use crate::ethereum::network::{Life, NetworkSpec};
use crate::ethereum::registration::ValidatorRegistration;
use crate::ethereum::withdrawal::{CredentialsKind, WithdrawalCredentials};
use crate::hash::{Digest, Hasher, Tag};
use crate::json::{self, Hex, JsonError, Text};
use crate::protocol::{self, Params};
use crate::wire::card::VerifiedCard;
use crate::wire::code::{Code, CodeError};
use crate::wire::roster::{Index, Roster};

/// The largest plan, in bytes.
pub const MAX_PLAN_BYTES: usize = 16 * 1024 * 1024;

/// The plan format this tool reads and writes.
pub const PLAN_VERSION: u64 = 1;

/// The most instalments of one validator.
pub const MAX_INSTALMENTS: usize = 32;

/// The last moment that a plan may be dated: the end of the year 9999, in seconds since 1970.
const MAX_CREATED: u64 = 253_402_300_799;

/// How many problems are listed before the rest is only counted.
const LISTED_PROBLEMS: usize = 50;

/// What a ceremony is for. Later kinds join with their flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// A new key for every validator.
    Keygen,
}

/// A checked plan.
#[derive(Debug, Clone)]
pub struct Plan {
    canonical: Vec<u8>,
    value: Value,
    cid: Digest,
    file: PlanFile,
    roster: Roster,
    validators: Vec<Validator>,
}

/// One validator of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// Where withdrawals go.
    pub withdrawal_address: Address,
    /// 0x01 or 0x02.
    pub credentials: CredentialsKind,
    /// The instalments, distinct, in the plan's order.
    pub deposits: Vec<Gwei>,
    /// The builder registration, if one is planned.
    pub registration: Option<Registration>,
}

/// A planned builder registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Who gets the fees of proposed blocks.
    pub fee_recipient: Address,
    /// The gas limit that the validator asks for.
    pub gas_limit: u64,
    /// Seconds since 1970.
    pub timestamp: u64,
}

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What people call the ceremony.
    pub name: Text,
    /// Seconds since 1970; names the files of the outcome.
    pub created: u64,
    /// The network.
    pub network: NetworkSpec,
    /// The threshold t.
    pub threshold: u64,
    /// The operators' cards and indices.
    pub roster: Vec<(Index, VerifiedCard)>,
    /// The validators.
    pub validators: Vec<Validator>,
    /// The default KDF of keystores.
    pub keystores: KdfChoice,
    /// Whether a threshold below two thirds is meant.
    pub danger_low_threshold: bool,
    /// 32 fresh random bytes: two plans with equal facts are two ceremonies.
    pub random: [u8; 32],
}

/// What a rehearsal may change in its copy of a plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct RehearsalSize {
    /// Another number of validators: the plan's are cut or repeated.
    pub validators: Option<usize>,
}

/// A plan was refused; nothing was done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// Everything that is wrong, in the plan's order.
    pub problems: Vec<String>,
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, problem) in self.problems.iter().take(LISTED_PROBLEMS).enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            f.write_str(problem)?;
        }
        match self.problems.len().checked_sub(LISTED_PROBLEMS) {
            Some(more) if more > 0 => write!(f, "\nand {more} more problems"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for PlanError {}

/// Something in a plan that is allowed and that its operators should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// t below two thirds, under its danger flag.
    #[error(
        "the threshold is below two thirds of the operators: live signing with this cluster is not safe from slashing when operators cheat"
    )]
    LowThreshold,
    /// t > n - floor((n-1)/3).
    #[error(
        "with {missing} operators away, which such a cluster should bear, it cannot sign: the threshold leaves room for {spare} only"
    )]
    HighThreshold {
        /// How many a cluster of this size should bear: floor((n-1)/3).
        missing: usize,
        /// How many it bears: n - t.
        spare: usize,
    },
    /// n = 2 or 3.
    #[error("a cluster of {0} bears no cheating operator: four are the least that bear one")]
    FewOperators(usize),
    /// A network that is no more.
    #[error("the network {0} is retired: its chain takes no deposit any more")]
    RetiredNetwork(&'static str),
    /// A network that starts anew now and then.
    #[error(
        "the network {0} starts anew now and then: deposits count for the chain whose genesis validators root the plan carries, and until it ends"
    )]
    NetworkStartsAnew(&'static str),
    /// A danger flag that is not needed.
    #[error("the plan carries danger_low_threshold, which its threshold does not need")]
    NeedlessDanger,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    version: u64,
    kind: PlanKind,
    name: Text,
    created: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    rehearsal: bool,
    network: NetworkSpec,
    threshold: u64,
    roster: Vec<RosterRow>,
    validators: Vec<ValidatorRow>,
    keystores: KdfChoice,
    #[serde(default, skip_serializing_if = "is_false")]
    danger_low_threshold: bool,
    random: Hex<32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RosterRow {
    index: Index,
    card: Value,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidatorRow {
    withdrawal_address: String,
    credentials: CredentialsKind,
    deposits: Vec<Gwei>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registration: Option<RegistrationRow>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrationRow {
    fee_recipient: String,
    gas_limit: u64,
    timestamp: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if asks for a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Plan {
    /// Reads a plan, at most [`MAX_PLAN_BYTES`], and makes every check; see the module for what is
    /// reported at once.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        let value = json::parse(bytes, MAX_PLAN_BYTES)
            .map_err(|error| problem(format!("the plan {error}")))?;
        Self::from_value(value)
    }

    /// [`Self::parse`] for a value that `json::parse` has read.
    pub fn from_value(value: Value) -> Result<Self, PlanError> {
        // The version first: a plan of another version may differ in anything else.
        match value.get("version").and_then(Value::as_u64) {
            Some(PLAN_VERSION) => {}
            Some(other) => {
                return Err(problem(format!(
                    "the plan is of version {other}; this is conclave {}, which reads version {PLAN_VERSION}",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            None => return Err(problem("this is not a plan: it has no version".into())),
        }
        let canonical = json::canonical_value(&value).map_err(unusable)?;
        let file: PlanFile =
            json::decode(&value).map_err(|error| problem(format!("the plan {error}")))?;
        let mut problems = Vec::new();
        let roster = checks::roster(&file, &mut problems);
        problems.extend(threshold_problem(
            file.roster.len(),
            file.threshold,
            file.danger_low_threshold,
        ));
        if !(1..=MAX_CREATED).contains(&file.created) {
            problems
                .push("created is not a time between 1970 and the year 9999, in seconds".into());
        }
        if file.rehearsal != file.network.is_rehearsal() {
            problems.push(if file.rehearsal {
                "a rehearsal must carry the fork version of no chain".into()
            } else {
                "the network is a rehearsal's and the plan does not say rehearsal".into()
            });
        }
        let validators = checks::validators(&file, &mut problems);
        checks::sizes(&file, &mut problems);
        match roster {
            Some(roster) if problems.is_empty() => {
                let cid = Hasher::new(Tag::PLAN).bytes(&canonical).finish();
                Ok(Self {
                    canonical,
                    value,
                    cid,
                    file,
                    roster,
                    validators,
                })
            }
            _ => Err(PlanError { problems }),
        }
    }

    /// Makes a plan; it is checked like any other.
    pub fn draft(draft: Draft) -> Result<Self, PlanError> {
        let roster = draft
            .roster
            .iter()
            .map(|(index, card)| RosterRow {
                index: *index,
                card: card.value().clone(),
            })
            .collect();
        let file = PlanFile {
            version: PLAN_VERSION,
            kind: PlanKind::Keygen,
            name: draft.name,
            created: draft.created,
            rehearsal: draft.network.is_rehearsal(),
            network: draft.network,
            threshold: draft.threshold,
            roster,
            validators: draft.validators.iter().map(ValidatorRow::from).collect(),
            keystores: draft.keystores,
            danger_low_threshold: draft.danger_low_threshold,
            random: Hex(draft.random),
        };
        Self::from_value(json::to_value(&file).map_err(unusable)?)
    }

    /// Returns what a rehearsal of this plan is made from: the same facts, the fork version of no
    /// chain, other operators.
    pub fn rehearsal(
        &self,
        roster: Vec<(Index, VerifiedCard)>,
        threshold: u64,
        size: RehearsalSize,
        random: [u8; 32],
    ) -> Draft {
        let count = size.validators.unwrap_or(self.validators.len());
        Draft {
            name: self.file.name.clone(),
            created: self.file.created,
            network: self.file.network.rehearsal(),
            threshold,
            roster,
            validators: self
                .validators
                .iter()
                .cycle()
                .take(count)
                .cloned()
                .collect(),
            keystores: self.file.keystores,
            danger_low_threshold: self.file.danger_low_threshold,
            random,
        }
    }

    /// The ceremony id.
    pub fn cid(&self) -> &Digest {
        &self.cid
    }

    /// The plan code: what operators read to each other. Takes a third of a second.
    pub fn code(&self) -> Result<Code, CodeError> {
        Code::of(&self.cid, Tag::PLAN_CODE)
    }

    /// The canonical bytes: what is stored and carried.
    pub fn bytes(&self) -> &[u8] {
        &self.canonical
    }

    /// The generic value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What the ceremony is for.
    pub fn kind(&self) -> PlanKind {
        self.file.kind
    }

    /// What people call it.
    pub fn name(&self) -> &Text {
        &self.file.name
    }

    /// Seconds since 1970.
    pub fn created(&self) -> u64 {
        self.file.created
    }

    /// Whether this is a rehearsal: its signatures are valid nowhere.
    pub fn is_rehearsal(&self) -> bool {
        self.file.rehearsal
    }

    /// The network.
    pub fn network(&self) -> &NetworkSpec {
        &self.file.network
    }

    /// The threshold t.
    pub fn threshold(&self) -> usize {
        // At most n, which is at most 256.
        usize::try_from(self.file.threshold).unwrap_or(usize::MAX)
    }

    /// The operators.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The validators.
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// The default KDF of keystores.
    pub fn keystores(&self) -> KdfChoice {
        self.file.keystores
    }

    /// The most bytes that all deals and confirms of the ceremony take together.
    pub fn message_bytes(&self) -> usize {
        let signatures = self
            .validators
            .iter()
            .map(|validator| (validator.deposits.len(), validator.registration.is_some()));
        let (deal, confirm) = checks::bounds(self.roster.len(), self.threshold(), signatures);
        deal.saturating_add(confirm)
            .saturating_mul(self.roster.len())
    }

    /// What the operators should know before they accept it.
    pub fn warnings(&self) -> Vec<Warning> {
        let (n, t) = (self.roster.len(), self.threshold());
        let low = t < default_threshold(n);
        let bears = n.saturating_sub(1).div_euclid(3);
        let spare = n.saturating_sub(t);
        let mut warnings = Vec::new();
        match (low, self.file.danger_low_threshold) {
            (true, _) => warnings.push(Warning::LowThreshold),
            (false, true) => warnings.push(Warning::NeedlessDanger),
            (false, false) => {}
        }
        if spare < bears {
            warnings.push(Warning::HighThreshold {
                missing: bears,
                spare,
            });
        }
        if n < 4 {
            warnings.push(Warning::FewOperators(n));
        }
        if let Some(known) = self.network().known() {
            match known.life {
                Life::Lasting => {}
                Life::StartsAnew => warnings.push(Warning::NetworkStartsAnew(known.name)),
                Life::Retired => warnings.push(Warning::RetiredNetwork(known.name)),
            }
        }
        warnings
    }

    /// What the protocol computes with.
    pub fn params(&self) -> Params {
        Params {
            cid: self.cid,
            threshold: self.threshold(),
            validators: self.validators.len(),
            operators: self
                .roster
                .iter()
                .map(|operator| protocol::Operator {
                    index: operator.index.get(),
                    key: *operator.card.encryption_key(),
                })
                .collect(),
        }
    }

    /// Returns the roots that the keys of a sharing sign: for every validator its instalments in the
    /// plan's order, then its registration.
    pub fn messages(&self, sharing: &Sharing) -> Vec<Vec<SigningRoot>> {
        self.validators
            .iter()
            .zip(sharing.group_keys())
            .map(|(validator, key)| {
                let deposits = validator.deposit_messages(key).into_iter();
                let deposits =
                    deposits.map(|message| message.signing_root(self.network().fork_version()));
                let registration = validator
                    .registration_message(key)
                    .map(|message| message.signing_root(self.network().fork_version()));
                deposits.chain(registration).collect()
            })
            .collect()
    }
}

impl Validator {
    /// The withdrawal credentials.
    pub fn withdrawal_credentials(&self) -> WithdrawalCredentials {
        WithdrawalCredentials::new(self.credentials, self.withdrawal_address)
    }

    /// The deposit messages of this validator under a group key, one an instalment.
    pub fn deposit_messages(&self, key: &G1) -> Vec<DepositMessage> {
        let message = |amount: &Gwei| DepositMessage {
            pubkey: key.to_bytes(),
            credentials: self.withdrawal_credentials(),
            amount: *amount,
        };
        self.deposits.iter().map(message).collect()
    }

    /// The builder registration under a group key, if one is planned.
    pub fn registration_message(&self, key: &G1) -> Option<ValidatorRegistration> {
        self.registration.map(|registration| ValidatorRegistration {
            fee_recipient: registration.fee_recipient,
            gas_limit: registration.gas_limit,
            timestamp: registration.timestamp,
            pubkey: key.to_bytes(),
        })
    }

    /// How many messages its key signs in the ceremony.
    pub fn message_count(&self) -> usize {
        self.deposits
            .len()
            .saturating_add(usize::from(self.registration.is_some()))
    }
}

impl From<&Validator> for ValidatorRow {
    fn from(validator: &Validator) -> Self {
        Self {
            withdrawal_address: validator.withdrawal_address.to_string(),
            credentials: validator.credentials,
            deposits: validator.deposits.clone(),
            registration: validator.registration.map(|registration| RegistrationRow {
                fee_recipient: registration.fee_recipient.to_string(),
                gas_limit: registration.gas_limit,
                timestamp: registration.timestamp,
            }),
        }
    }
}

/// Returns ceil(2n/3), from which on live signing is safe from slashing.
pub fn default_threshold(operators: usize) -> usize {
    operators.saturating_mul(2).div_ceil(3)
}

fn problem(text: String) -> PlanError {
    PlanError {
        problems: vec![text],
    }
}

fn unusable(error: JsonError) -> PlanError {
    problem(format!("the plan {error}"))
}
