//! What stands in flags, read into types. Each error is a sentence that follows the flag's name.

pub(super) use crate::ambient::utc;
use crate::ethereum::amount::{Gwei, Rules};
use crate::ethereum::network::{Network, NetworkSpec};
use crate::ethereum::withdrawal::CredentialsKind;
use crate::json::{Hex, Text, excerpt};

/// A name.
pub(super) fn text(text: &str) -> Result<Text, String> {
    Text::try_from(text.to_owned()).map_err(|error| error.to_string())
}

/// A known network, or the rehearsal of one.
pub(super) fn known_network(name: &str) -> Result<NetworkSpec, String> {
    let found = Network::known(name).map(Network::spec);
    let rehearsed = || {
        Network::ALL
            .iter()
            .map(|network| network.spec().rehearsal())
            .find(|spec| spec.name() == name)
    };
    found
        .or_else(rehearsed)
        .ok_or_else(|| format!("the network is not known; known are {}", known_names()))
}

/// The known networks' names.
pub(super) fn known_names() -> String {
    let names: Vec<&str> = Network::ALL.iter().map(|network| network.name).collect();
    names.join(", ")
}

/// `0x01` or `0x02`.
pub(super) fn credentials(text: &str) -> Result<CredentialsKind, String> {
    [CredentialsKind::Eth1, CredentialsKind::Compounding]
        .into_iter()
        .find(|kind| kind.to_string() == text)
        .ok_or_else(|| "0x01 (paid out) and 0x02 (compounding) are possible".to_owned())
}

/// Hex of exactly `N` bytes, in any case, with or without `0x`.
pub(super) fn hex<const N: usize>(text: &str) -> Result<Hex<N>, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    Hex::parse(&digits.to_ascii_lowercase())
        .ok_or_else(|| format!("{} hex characters are needed", N.saturating_mul(2)))
}

/// An amount: a whole number of Gwei, or a decimal number of tokens with their name.
pub(super) fn amount(text: &str, rules: &Rules) -> Result<Gwei, String> {
    let lower = text.trim().to_ascii_lowercase();
    let shown = excerpt(text, 60);
    let token = rules.token.to_ascii_lowercase();
    let refuse = || {
        format!(
            "\"{shown}\" is no amount; write Gwei as 32000000000 or {} as 1.5{token}",
            rules.token
        )
    };
    let digits = lower.strip_suffix("gwei").unwrap_or(&lower).trim_end();
    if !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit()) {
        return digits.parse().map(Gwei).map_err(|_| refuse());
    }
    let number = lower.strip_suffix(&token).ok_or_else(refuse)?.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let plain = |c: u8| c.is_ascii_digit();
    // 18 digits: more than any amount, and far from where the product below would overflow.
    let fits = digits.len() <= 18 && digits.bytes().all(plain);
    if whole.is_empty() || number.ends_with('.') || !fits {
        return Err(refuse());
    }
    let units: u128 = digits.parse().map_err(|_| refuse())?;
    let scale = u32::try_from(fraction.len())
        .ok()
        .and_then(|places| 10u128.checked_pow(places))
        .ok_or_else(refuse)?;
    let product = units.saturating_mul(u128::from(rules.gwei_per_token));
    if product.checked_rem(scale) != Some(0) {
        return Err(format!("\"{shown}\" is no whole number of Gwei"));
    }
    product
        .checked_div(scale)
        .and_then(|gwei| u64::try_from(gwei).ok())
        .map(Gwei)
        .ok_or_else(refuse)
}

/// A size of memory in bytes: a whole number of MiB or GiB with that unit, in any case; MB and GB are
/// taken for them, as other programs do.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let units = [
        ("mib", 20),
        ("mb", 20),
        ("m", 20),
        ("gib", 30),
        ("gb", 30),
        ("g", 30),
    ];
    let found = units.into_iter().find_map(|(unit, shift)| {
        let number = lower.strip_suffix(unit)?.trim_end();
        let digits = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
        let number: u64 = digits.then(|| number.parse().ok()).flatten()?;
        number.checked_mul(1 << shift)
    });
    found.ok_or_else(|| format!("\"{text}\" is no size; write 512MiB or 2GiB"))
}

/// `1 validator`, `2 validators`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Ascending numbers as `1-4, 7`; a long list is cut.
pub(super) fn ranges(numbers: &[usize]) -> String {
    const LISTED: usize = 10;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            Some((_, last)) if *last == *number => {}
            _ => runs.push((*number, *number)),
        }
    }
    let mut text: Vec<String> = runs
        .iter()
        .take(LISTED)
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    if runs.len() > LISTED {
        text.push("...".to_owned());
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethereum::amount::{ETHEREUM, GNOSIS};

    #[test]
    fn amounts_are_exact_or_refused() {
        for (text, gwei) in [
            ("32eth", 32_000_000_000),
            ("32 ETH", 32_000_000_000),
            ("1.5eth", 1_500_000_000),
            ("0.000000001eth", 1),
            ("2048.0eth", 2_048_000_000_000),
            ("32000000000", 32_000_000_000),
            ("7gwei", 7),
        ] {
            assert_eq!(amount(text, &ETHEREUM), Ok(Gwei(gwei)), "{text}");
        }
        assert_eq!(amount("1gno", &GNOSIS), Ok(Gwei(32_000_000_000)));
        assert_eq!(amount("0.03125gno", &GNOSIS), Ok(Gwei(1_000_000_000)));
        for text in [
            "",
            "eth",
            ".5eth",
            "1.eth",
            "-1eth",
            "+1eth",
            "1e3eth",
            "1_0eth",
            "1gno",
            "32 coins",
            "0.0000000001eth",
            "99999999999999999999",
            "1.5",
            "1.5gwei",
            "1.0.0eth",
            "9999999999999999999eth",
            "999999999999999999eth",
            "٣eth",
        ] {
            assert!(amount(text, &ETHEREUM).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        for (text, bytes) in [
            ("256MiB", 256 << 20),
            ("1GiB", 1 << 30),
            ("2 gb", 2 << 30),
            ("512m", 512 << 20),
            ("0MiB", 0),
            ("17179869183GiB", 17_179_869_183 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "1",
            "GiB",
            "-1GiB",
            "+1GiB",
            "1.5GiB",
            "1TiB",
            "1 KiB",
            "17179869184GiB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_listed_in_runs() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[1, 2, 3, 3, 5, 7, 8]), "1-3, 5, 7-8");
        let odd: Vec<usize> = (0..50).map(|n| n * 2).collect();
        assert_eq!(ranges(&odd), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, ...");
    }

    #[test]
    fn other_values() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(1_767_225_599), "2025-12-31 23:59:59 UTC");
        assert!(utc(u64::MAX).contains("after 1970"));
        assert_eq!(
            hex::<4>("0x10000910").map(|hex| hex.0),
            Ok([0x10, 0, 9, 0x10])
        );
        assert!(hex::<4>("0x1000091").is_err());
        assert_eq!(credentials("0x02"), Ok(CredentialsKind::Compounding));
        assert!(credentials("0x00").is_err());
        assert_eq!(known_network("hoodi").unwrap().name(), "hoodi");
        assert!(known_network("hoodi-rehearsal").unwrap().is_rehearsal());
        assert_eq!(known_network("ephemery").unwrap().name(), "ephemery");
        assert!(
            known_network("goerli")
                .unwrap_err()
                .contains("mainnet, hoodi")
        );
    }
}
