//! What files of deposits come to: the sums that a funder compares with what it means to pay.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::ForeignEntry;
use crate::ethereum::address::Address;
use crate::ethereum::amount::{Gwei, Rules};
use crate::ethereum::withdrawal::CredentialsKind;

/// The sums of deposits whose fields can be read; they saturate, since files may say anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many entries there are, readable or not.
    pub deposits: usize,
    /// How many different public keys.
    pub validators: usize,
    /// The sum of all amounts.
    pub sum: Gwei,
    /// By withdrawal address and form; entries of other forms are left out.
    pub withdrawals: BTreeMap<(Address, CredentialsKind), Withdrawals>,
    /// Validators that get less in these files than one needs to start.
    pub below_activation: usize,
    /// Validators that get more in these files than counts for one.
    pub above_maximum: usize,
}

/// What goes to one withdrawal address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withdrawals {
    /// How many entries.
    pub deposits: usize,
    /// How many different public keys.
    pub validators: usize,
    /// The sum of their amounts.
    pub sum: Gwei,
}

impl Totals {
    /// Adds files up.
    pub fn of(files: &[&[ForeignEntry]], rules: &Rules) -> Self {
        let mut totals = Self::default();
        let mut keys: HashMap<[u8; 48], (Gwei, CredentialsKind)> = HashMap::new();
        let mut by_address: BTreeMap<(Address, CredentialsKind), BTreeSet<[u8; 48]>> =
            BTreeMap::new();
        for entry in files.iter().flat_map(|entries| entries.iter()) {
            totals.deposits = totals.deposits.saturating_add(1);
            let amount = entry.amount().unwrap_or_default();
            totals.sum = add(totals.sum, amount);
            let form = entry.credentials().and_then(|bytes| bytes.form().ok());
            if let Some((kind, address)) = form {
                let row = totals.withdrawals.entry((address, kind)).or_default();
                row.deposits = row.deposits.saturating_add(1);
                row.sum = add(row.sum, amount);
            }
            let Some(pubkey) = entry.pubkey() else {
                continue;
            };
            let kind = form.map_or(CredentialsKind::Eth1, |(kind, _)| kind);
            let (sum, _) = keys.entry(pubkey).or_insert((Gwei(0), kind));
            *sum = add(*sum, amount);
            if let Some((kind, address)) = form {
                by_address
                    .entry((address, kind))
                    .or_default()
                    .insert(pubkey);
            }
        }
        totals.validators = keys.len();
        for (key, pubkeys) in by_address {
            if let Some(row) = totals.withdrawals.get_mut(&key) {
                row.validators = pubkeys.len();
            }
        }
        let count = |test: &dyn Fn(&(Gwei, CredentialsKind)) -> bool| {
            keys.values().filter(|value| test(value)).count()
        };
        totals.below_activation = count(&|(sum, _)| *sum < rules.activation);
        totals.above_maximum = count(&|(sum, kind)| *sum > rules.maximum(*kind));
        totals
    }
}

fn add(a: Gwei, b: Gwei) -> Gwei {
    Gwei(a.0.saturating_add(b.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethereum::amount::ETHEREUM;
    use crate::ethereum::deposit::parse_entries;

    #[test]
    fn sums_are_by_validator_and_by_address() {
        let entry = |key: u8, form: &str, address: &str, gwei: u64| {
            serde_json::json!({
                "pubkey": format!("{key:02x}").repeat(48),
                "withdrawal_credentials": format!("{form}{}{}", "00".repeat(11), address.repeat(20)),
                "amount": gwei,
            })
        };
        let eth = 1_000_000_000;
        let parse = |entries: Vec<serde_json::Value>| {
            parse_entries(&serde_json::to_vec(&entries).unwrap()).unwrap()
        };
        let first = parse(vec![
            entry(1, "01", "aa", eth),
            entry(2, "01", "aa", 32 * eth),
            entry(3, "02", "aa", 33 * eth),
        ]);
        let second = parse(vec![
            entry(1, "01", "aa", 31 * eth),
            entry(4, "01", "bb", u64::MAX),
            entry(5, "00", "bb", eth),
            serde_json::json!({}),
        ]);
        let totals = Totals::of(&[&first, &second], &ETHEREUM);
        assert_eq!((totals.deposits, totals.validators), (7, 5));
        assert_eq!(totals.sum, Gwei(u64::MAX));
        let row = |address: u8, kind| &totals.withdrawals[&(Address([address; 20]), kind)];
        let eth1 = row(0xaa, CredentialsKind::Eth1);
        assert_eq!((eth1.deposits, eth1.validators), (3, 2));
        assert_eq!(eth1.sum, Gwei(64 * eth));
        assert_eq!(row(0xaa, CredentialsKind::Compounding).validators, 1);
        assert_eq!(totals.withdrawals.len(), 3);
        // Key 5 alone is below; key 4 alone is over, key 3 compounds.
        assert_eq!((totals.below_activation, totals.above_maximum), (1, 1));
    }
}
