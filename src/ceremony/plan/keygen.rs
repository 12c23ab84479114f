//! The plan of a keygen: a new key for every validator, and what it signs at once.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Head, Plan, PlanError, PlanKind, RosterRow, checks, is_false, unusable};
use crate::crypto::bls::SigningRoot;
use crate::crypto::point::G1;
use crate::crypto::sharing::Sharing;
use crate::ethereum::address::Address;
use crate::ethereum::amount::Gwei;
use crate::ethereum::deposit::DepositMessage;
use crate::ethereum::keystore::KdfChoice;
use crate::ethereum::network::NetworkSpec;
use crate::ethereum::registration::ValidatorRegistration;
use crate::ethereum::withdrawal::{CredentialsKind, WithdrawalCredentials};
use crate::json::{self, Hex, Text};
use crate::protocol::{self, Params};
use crate::wire::PROTOCOL_VERSION;
use crate::wire::card::VerifiedCard;
use crate::wire::roster::Index;

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

/// What a plan asks of its operators' backups. Absent: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backups {
    /// Each operator checks a backup of its shares before it confirms.
    Required,
}

/// A planned builder registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// What is asked of backups before the confirms, if anything is.
    pub backups: Option<Backups>,
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

/// What the plan of a keygen says beyond what every plan says.
#[derive(Debug, Clone)]
pub struct KeygenFacts {
    pub(super) validators: Vec<Validator>,
    pub(super) keystores: KdfChoice,
    pub(super) backups: Option<Backups>,
    pub(super) danger_low_threshold: bool,
}

/// A plan that is a keygen's.
#[derive(Debug, Clone, Copy)]
pub struct KeygenPlan<'a> {
    plan: &'a Plan,
    facts: &'a KeygenFacts,
}

impl Deref for KeygenPlan<'_> {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        self.plan
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeygenFile {
    pub(super) version: u64,
    pub(super) kind: PlanKind,
    pub(super) name: Text,
    pub(super) created: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) rehearsal: bool,
    pub(super) network: NetworkSpec,
    pub(super) threshold: u64,
    pub(super) roster: Vec<RosterRow>,
    pub(super) validators: Vec<ValidatorRow>,
    pub(super) keystores: KdfChoice,
    /// An operator's own duty; part of the plan, so that all have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) backups: Option<Backups>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) danger_low_threshold: bool,
    pub(super) random: Hex<32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValidatorRow {
    pub(super) withdrawal_address: String,
    pub(super) credentials: CredentialsKind,
    pub(super) deposits: Vec<Gwei>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) registration: Option<RegistrationRow>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistrationRow {
    pub(super) fee_recipient: String,
    pub(super) gas_limit: u64,
    pub(super) timestamp: u64,
}

impl KeygenFile {
    pub(super) fn head(&self) -> Head {
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

impl Plan {
    /// Makes the plan of a keygen; it is checked like any other.
    pub fn draft(draft: Draft) -> Result<Self, PlanError> {
        let roster = draft
            .roster
            .iter()
            .map(|(index, card)| RosterRow {
                index: *index,
                card: card.value().clone(),
            })
            .collect();
        let file = KeygenFile {
            version: PROTOCOL_VERSION,
            kind: PlanKind::Keygen,
            name: draft.name,
            created: draft.created,
            rehearsal: draft.network.is_rehearsal(),
            network: draft.network,
            threshold: draft.threshold,
            roster,
            validators: draft.validators.iter().map(ValidatorRow::from).collect(),
            keystores: draft.keystores,
            backups: draft.backups,
            danger_low_threshold: draft.danger_low_threshold,
            random: Hex(draft.random),
        };
        Self::from_value(json::to_value(&file).map_err(unusable)?)
    }
}

impl<'a> KeygenPlan<'a> {
    pub(super) const fn new(plan: &'a Plan, facts: &'a KeygenFacts) -> Self {
        Self { plan, facts }
    }

    /// The plan.
    pub fn plan(self) -> &'a Plan {
        self.plan
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
        let count = size.validators.unwrap_or(self.facts.validators.len());
        Draft {
            name: self.plan.name().clone(),
            created: self.plan.created(),
            network: self.plan.network().rehearsal(),
            threshold,
            roster,
            validators: self
                .facts
                .validators
                .iter()
                .cycle()
                .take(count)
                .cloned()
                .collect(),
            keystores: self.facts.keystores,
            backups: self.facts.backups,
            danger_low_threshold: self.facts.danger_low_threshold,
            random,
        }
    }

    /// The validators.
    pub fn validators(self) -> &'a [Validator] {
        &self.facts.validators
    }

    /// The default KDF of keystores.
    pub fn keystores(self) -> KdfChoice {
        self.facts.keystores
    }

    /// What it asks of its operators' backups, if anything.
    pub fn backups(self) -> Option<Backups> {
        self.facts.backups
    }

    /// The most bytes that all deals and confirms of the ceremony take together.
    pub(super) fn deals_and_confirms(&self) -> usize {
        let signatures = self
            .facts
            .validators
            .iter()
            .map(|validator| (validator.deposits.len(), validator.registration.is_some()));
        let (deal, confirm) = checks::bounds(self.roster().len(), self.threshold(), signatures);
        deal.saturating_add(confirm)
            .saturating_mul(self.roster().len())
    }

    /// What the protocol computes with.
    pub fn params(&self) -> Params {
        Params {
            cid: *self.cid(),
            threshold: self.threshold(),
            validators: self.facts.validators.len(),
            operators: self
                .roster()
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
        self.facts
            .validators
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
