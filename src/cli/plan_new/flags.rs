//! What `plan new keygen` can be told, and the command line that says it again.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::ceremony::plan::Backups;
use crate::cli::validators_csv::MAX_ROWS;
use crate::cli::values;
use crate::ethereum::keystore::KdfChoice;
use crate::ethereum::network::Network;
use crate::ethereum::withdrawal::CredentialsKind;
use crate::json::{Hex, Text};

const EXAMPLE: &str = "\
Reads: the cards, the list of --validators-csv and the book of known identities.
Writes: the plan, which holds no secret, and the book. Nothing signed later comes from a clock or a
flag. On a terminal, conclave asks for what the flags leave out.

The list of --validators-csv is a spreadsheet saved as CSV, one row a validator. Its first row names
the columns: withdrawal_address, and if wanted credentials, amounts (several are instalments),
fee_recipient and gas_limit. What a row leaves empty comes from the flags.

Example:
  conclave plan new keygen --name \"Pool North\" --network hoodi --validators 10 \\
      --card alice.card.json --card bob.card.json --card carol.card.json --card dave.card.json \\
      --withdrawal 0x00000000219ab540356cBB839Cbe05303d7705Fa -o pool.plan.json";

/// Write a plan for new keys from the operators' cards
///
/// The plan says everything beforehand. Its author gets no power by it: each operator reads the
/// plan on one page and compares its code with the others before taking part.
#[derive(Debug, Clone, Default, Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct KeygenArgs {
    /// What people call the ceremony, up to 64 characters
    #[arg(long, value_name = "NAME", value_parser = values::text)]
    pub(super) name: Option<Text>,
    /// The network: mainnet, hoodi, sepolia, gnosis, chiado, holesky (retired), ephemery with its root below, or another with the two flags below
    #[arg(long, value_name = "NAME")]
    pub(super) network: Option<String>,
    /// The genesis fork version of another network, 8 hex characters
    #[arg(long, value_name = "HEX", value_parser = values::hex::<4>)]
    pub(super) fork_version: Option<Hex<4>>,
    /// The genesis validators root of ephemery, as it is now, or of another network, 64 hex characters
    #[arg(long, value_name = "HEX", value_parser = values::hex::<32>)]
    pub(super) genesis_validators_root: Option<Hex<32>>,
    /// How many operators sign together [default: two thirds of them, rounded up]
    #[arg(long, value_name = "T")]
    pub(super) threshold: Option<u64>,
    /// An operator's card; INDEX=FILE sets its index, else it is the position from 1
    #[arg(long = "card", value_name = "[INDEX=]FILE")]
    pub(super) cards: Vec<String>,
    /// How many validators get a key
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_ROWS as u64))]
    pub(super) validators: Option<u64>,
    /// The validators as a list, one row each
    #[arg(long, value_name = "FILE", conflicts_with = "withdrawals")]
    pub(super) validators_csv: Option<PathBuf>,
    /// Where withdrawals go: one address for all validators, or one each, in order
    #[arg(long = "withdrawal", value_name = "ADDR")]
    pub(super) withdrawals: Vec<String>,
    /// The withdrawal credentials: 0x01 pays out above 32 ETH, 0x02 compounds [default: 0x01]
    #[arg(long, value_name = "KIND", value_parser = values::credentials)]
    pub(super) credentials: Option<CredentialsKind>,
    /// A deposit of each validator, in Gwei or like 32eth or 1gno; several are instalments [default: 32eth, 1gno]
    #[arg(long = "deposit", value_name = "AMOUNT")]
    pub(super) deposits: Vec<String>,
    /// Sign a builder registration for each validator, with this fee recipient
    #[arg(long, value_name = "ADDR")]
    pub(super) fee_recipient: Option<String>,
    /// The gas limit of the registrations [default: 60000000 on Ethereum networks]
    #[arg(long, value_name = "N")]
    pub(super) gas_limit: Option<u64>,
    /// The time of the registrations, in seconds since 1970 [default: the plan's]
    #[arg(long, value_name = "SECS")]
    pub(super) registration_timestamp: Option<u64>,
    /// The default key derivation of the keystores [default: scrypt]
    #[arg(long, value_name = "KDF")]
    pub(super) keystores: Option<Keystores>,
    /// Whether each operator must check a backup of its shares before it confirms [default: no]
    #[arg(long, value_name = "RULE")]
    pub(super) backups: Option<BackupRule>,
    /// Allow a threshold below two thirds: unsafe with operators that cheat
    #[arg(long)]
    pub(super) danger_low_threshold: bool,
    /// The time of the plan, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECS")]
    pub(super) created: Option<u64>,
    /// Write the plan to FILE [default: NAME.plan.json in this folder]
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// What a plan asks of backups, as a flag says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BackupRule {
    /// No confirm before the operator checked a backup of its shares
    Required,
}

impl BackupRule {
    pub(super) const fn rule(self) -> Backups {
        match self {
            Self::Required => Backups::Required,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
        }
    }
}

/// The default key derivation of keystores, as a flag says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Keystores {
    /// Hard to guess passphrases of, most of a second to open
    Scrypt,
    /// Quick to open by the thousand, easier to guess passphrases of
    Pbkdf2,
}

impl Keystores {
    pub(super) const fn kdf(self) -> KdfChoice {
        match self {
            Self::Scrypt => KdfChoice::Scrypt,
            Self::Pbkdf2 => KdfChoice::Pbkdf2,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Scrypt => "scrypt",
            Self::Pbkdf2 => "pbkdf2",
        }
    }
}

impl KeygenArgs {
    /// The flags without which no plan can be made.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let known = self.network.as_deref().and_then(Network::known);
        // Whether a root has to be given, which holds for every network without one of its own.
        let own_root = known.is_some_and(|known| known.genesis_validators_root.is_some());
        let other = self.fork_version.is_some() || known.is_some();
        let root = self.genesis_validators_root.is_none() && other && !own_root;
        let version = self.fork_version.is_none() && self.genesis_validators_root.is_some();
        let list = self.validators_csv.is_some();
        let needed = [
            (self.name.is_none(), "--name NAME"),
            (self.network.is_none(), "--network NAME"),
            (version && known.is_none(), "--fork-version HEX"),
            (root, "--genesis-validators-root HEX"),
            (self.cards.is_empty(), "--card FILE for each operator"),
            (
                self.validators.is_none() && !list,
                "--validators N or --validators-csv FILE",
            ),
            (self.withdrawals.is_empty() && !list, "--withdrawal ADDR"),
        ];
        let missing = needed.into_iter().filter(|(missing, _)| *missing);
        missing.map(|(_, flag)| flag).collect()
    }

    /// The command line that says the same, for a shell.
    pub(super) fn command_line(&self) -> String {
        let mut line = "conclave plan new keygen".to_owned();
        let mut flag = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                line.push_str(&format!(" \\\n    --{name} {}", quoted(&value)));
            }
        };
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        flag("name", self.name.as_ref().map(ToString::to_string));
        flag("network", self.network.clone());
        flag("fork-version", self.fork_version.map(|hex| hex.to_string()));
        let root = self.genesis_validators_root.map(|hex| hex.to_string());
        flag("genesis-validators-root", root);
        self.cards
            .iter()
            .for_each(|card| flag("card", Some(card.clone())));
        flag("threshold", number(self.threshold));
        flag("validators", number(self.validators));
        flag("validators-csv", path(&self.validators_csv));
        let withdrawals = self.withdrawals.iter();
        withdrawals.for_each(|address| flag("withdrawal", Some(address.clone())));
        flag("credentials", self.credentials.map(|kind| kind.to_string()));
        self.deposits
            .iter()
            .for_each(|amount| flag("deposit", Some(amount.clone())));
        flag("fee-recipient", self.fee_recipient.clone());
        flag("gas-limit", number(self.gas_limit));
        flag(
            "registration-timestamp",
            number(self.registration_timestamp),
        );
        flag("keystores", self.keystores.map(|kdf| kdf.name().to_owned()));
        flag("backups", self.backups.map(|rule| rule.name().to_owned()));
        flag("created", number(self.created));
        flag("output", path(&self.output));
        if self.danger_low_threshold {
            line.push_str(" \\\n    --danger-low-threshold");
        }
        line
    }
}

/// One word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_at_once() {
        let mut args = KeygenArgs::default();
        assert_eq!(args.missing().len(), 5);
        args.name = Some(values::text("x").unwrap());
        args.cards = vec!["a".into()];
        args.validators_csv = Some("list.csv".into());
        assert_eq!(args.missing(), ["--network NAME"]);
        args.network = Some("ephemery".into());
        assert_eq!(args.missing(), ["--genesis-validators-root HEX"]);
        args.genesis_validators_root = Some(Hex([7; 32]));
        assert!(args.missing().is_empty());
        args.network = Some("devnet".into());
        assert_eq!(args.missing(), ["--fork-version HEX"]);
        args.fork_version = Some(Hex([1; 4]));
        assert!(args.missing().is_empty());
    }

    #[test]
    fn a_shell_reads_the_command_line_back() {
        let args = KeygenArgs {
            name: Some(values::text("O'Brien & Söhne").unwrap()),
            cards: vec!["2=a b.json".into(), "c.json".into()],
            danger_low_threshold: true,
            ..KeygenArgs::default()
        };
        assert_eq!(
            args.command_line(),
            "conclave plan new keygen \\\n    --name 'O'\\''Brien & Söhne' \\\n    --card '2=a b.json' \\\n    --card c.json \\\n    --danger-low-threshold"
        );
    }
}
