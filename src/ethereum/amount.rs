//! Amounts, and what the chain allows in one deposit (consensus-specs, phase 0 and Electra presets).

use serde::{Deserialize, Serialize};

use super::withdrawal::CredentialsKind;

/// An amount in Gwei, the unit of the deposit contract and the consensus layer. (On Gnosis chains
/// it counts 1/32 of a billionth GNO.)
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Gwei(pub u64);

/// What the chain allows in one deposit, and what people call it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    /// `MIN_DEPOSIT_AMOUNT`.
    pub minimum: Gwei,
    /// `MIN_ACTIVATION_BALANCE`: the most for 0x01, and what a validator needs to start.
    pub activation: Gwei,
    /// `MAX_EFFECTIVE_BALANCE_ELECTRA`: the most for 0x02.
    pub compounding_maximum: Gwei,
    /// The token that is deposited.
    pub token: &'static str,
    /// Gwei for one whole token.
    pub gwei_per_token: u64,
    /// Whether launchpads take files of one withdrawal credential only.
    pub one_credential_per_file: bool,
}

/// The rules of Ethereum and its test networks, and of networks that nothing else is known of.
pub const ETHEREUM: Rules = Rules {
    minimum: Gwei(1_000_000_000),
    activation: Gwei(32_000_000_000),
    compounding_maximum: Gwei(2_048_000_000_000),
    token: "ETH",
    gwei_per_token: 1_000_000_000,
    one_credential_per_file: false,
};

/// The rules of Gnosis and its test network: 1 GNO counts as 32 ETH on the consensus layer.
pub const GNOSIS: Rules = Rules {
    token: "GNO",
    gwei_per_token: 32_000_000_000,
    one_credential_per_file: true,
    ..ETHEREUM
};

impl Rules {
    /// The most that one deposit with such credentials may carry.
    pub const fn maximum(&self, kind: CredentialsKind) -> Gwei {
        match kind {
            CredentialsKind::Eth1 => self.activation,
            CredentialsKind::Compounding => self.compounding_maximum,
        }
    }

    /// Checks an amount against minimum and maximum.
    pub fn check(&self, amount: Gwei, kind: CredentialsKind) -> Result<(), AmountError> {
        let (minimum, maximum) = (self.minimum, self.maximum(kind));
        if amount < minimum || amount > maximum {
            return Err(AmountError {
                amount: self.display(amount),
                minimum: self.display(minimum),
                maximum: self.display(maximum),
                kind,
            });
        }
        Ok(())
    }

    /// Writes an amount in whole tokens with all its decimals, such as `1000.5 ETH`.
    pub fn display(&self, amount: Gwei) -> String {
        let unit = self.gwei_per_token.max(1);
        let mut text = amount.0.div_euclid(unit).to_string();
        let mut rest = amount.0.rem_euclid(unit);
        if rest != 0 {
            text.push('.');
        }
        // Ends: the unit divides a power of ten.
        while rest != 0 {
            let tenths = rest.saturating_mul(10);
            text.push_str(&tenths.div_euclid(unit).to_string());
            rest = tenths.rem_euclid(unit);
        }
        format!("{text} {}", self.token)
    }
}

/// An amount outside what the chain allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the amount is {amount}; a deposit with {kind} credentials is {minimum} to {maximum}")]
pub struct AmountError {
    amount: String,
    minimum: String,
    maximum: String,
    kind: CredentialsKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_bounded_by_the_kind_of_credentials() {
        use CredentialsKind::{Compounding, Eth1};
        for (gwei, kind, good) in [
            (999_999_999, Eth1, false),
            (1_000_000_000, Eth1, true),
            (32_000_000_000, Eth1, true),
            (32_000_000_001, Eth1, false),
            (32_000_000_001, Compounding, true),
            (2_048_000_000_000, Compounding, true),
            (2_048_000_000_001, Compounding, false),
            (u64::MAX, Compounding, false),
        ] {
            assert_eq!(
                ETHEREUM.check(Gwei(gwei), kind).is_ok(),
                good,
                "{gwei} {kind}"
            );
        }
        let error = ETHEREUM
            .check(Gwei(33_000_000_000), Eth1)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "the amount is 33 ETH; a deposit with 0x01 credentials is 1 ETH to 32 ETH"
        );
    }

    #[test]
    fn amounts_print_with_all_decimals() {
        assert_eq!(ETHEREUM.display(Gwei(1_000_500_000_000)), "1000.5 ETH");
        assert_eq!(ETHEREUM.display(Gwei(1)), "0.000000001 ETH");
        assert_eq!(GNOSIS.display(Gwei(32_000_000_000)), "1 GNO");
        assert_eq!(GNOSIS.display(Gwei(1_000_000_000)), "0.03125 GNO");
        assert_eq!(GNOSIS.display(Gwei(1)), "0.00000000003125 GNO");
    }
}
