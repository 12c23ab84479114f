//! Files and texts of other tools and of people: read in many forms, written in one.

use std::collections::BTreeSet;

use conclave::ceremony::imported::ImportedCluster;
use conclave::cli::Expected;
use conclave::cli::validators_csv::{self, Defaults};
use conclave::crypto::identity::IdentityPublic;
use conclave::ethereum::address::{Address, Written};
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::deposit::{Spot, Totals, check_entries, parse_entries};
use conclave::ethereum::hd::KeyPath;
use conclave::ethereum::keystore::{Crypto, ForeignKeystore, Keystore, KeystoreError};
use conclave::ethereum::network::{Network, NetworkSpec};
use conclave::ethereum::withdrawal::CredentialsKind;
use conclave::formats::obol_lock::ObolLock;
use conclave::json::{self, Text};
use conclave::secret::Passphrase;
use conclave::store::folder::{MAX_NAME_CHARS, safe_name};
use conclave::wire::code::Code;
use conclave::wire::tool::Tool;

use super::{listed, said, taken};

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One address, and a list of them as `--expect` takes it.
pub(crate) fn address(bytes: &[u8]) {
    let text = lossy(bytes);
    match Address::parse_flag(&text) {
        Ok((address, written)) => {
            let own = address.to_string();
            assert_eq!(Address::parse_eip55(&own), Ok(address));
            assert_eq!(own == text, written == Written::Checksummed);
            assert_eq!(own.to_lowercase(), text.to_lowercase());
            assert_eq!(address.to_lower_hex(), text.to_lowercase());
        }
        Err(error) => drop(said(error)),
    }
    match Expected::parse(&text) {
        Ok(list) => assert!((1..=text.lines().count()).contains(&list.count())),
        Err(error) => {
            said(error.message());
            assert!(error.causes().len() <= 20);
            error.causes().iter().for_each(|cause| drop(said(cause)));
        }
    }
}

/// A cluster lock of Obol's tools: what is taken lies on polynomials of the threshold that it says, and
/// has one description.
pub(crate) fn obol_lock(bytes: &[u8]) {
    let lock = match ObolLock::parse(bytes) {
        Ok(lock) => lock,
        Err(error) => return drop(said(error)),
    };
    assert!((2..=lock.operators).contains(&lock.threshold));
    assert!(!lock.validators.is_empty());
    let cluster = match ImportedCluster::of_lock(&lock) {
        Ok(cluster) => cluster,
        Err(error) => return drop(said(error)),
    };
    let sharing = cluster.sharing();
    assert_eq!(sharing.threshold(), lock.threshold);
    let found = sharing.group_keys().zip(sharing.shares());
    for (validator, (key, shares)) in lock.validators.iter().zip(found) {
        assert_eq!(key.to_bytes(), validator.public_key);
        let shares: Vec<[u8; 48]> = shares.iter().map(|share| share.to_bytes()).collect();
        assert_eq!(shares, validator.public_shares);
    }
    let again = ImportedCluster::parse(cluster.bytes()).unwrap();
    assert_eq!(again.cid(), cluster.cid());
    taken("imported-cluster", cluster.bytes());
}

/// The words that people read to each other.
pub(crate) fn code(bytes: &[u8]) {
    let text = lossy(bytes);
    match Code::parse(&text) {
        Ok(code) => {
            let own = code.to_string();
            assert_eq!(own.split(' ').count(), Code::WORDS);
            assert_eq!(Code::parse(&own), Ok(code));
            let letters = |text: &str| -> Vec<char> {
                text.to_lowercase()
                    .chars()
                    .filter(char::is_ascii_lowercase)
                    .collect()
            };
            assert_eq!(letters(&own), letters(&text));
        }
        Err(error) => drop(said(error)),
    }
}

/// A list of validators.
pub(crate) fn csv(bytes: &[u8]) {
    let deposits = [Gwei(32_000_000_000)];
    for (network, has_fee_recipient) in [("hoodi", false), ("gnosis", true)] {
        let rules = Network::known(network).unwrap().rules;
        let defaults = Defaults {
            rules,
            credentials: CredentialsKind::Eth1,
            deposits: &deposits,
            has_fee_recipient,
        };
        let list = match validators_csv::parse(bytes, &defaults) {
            Ok(list) => list,
            Err(error) => {
                assert!(error.count() > 0 && !error.sentences().is_empty());
                listed(&error);
                continue;
            }
        };
        let lines: Vec<u64> = list.rows.iter().map(|row| row.line).collect();
        assert!(
            !lines.is_empty() && lines.is_sorted_by(|a, b| a < b),
            "{lines:?}"
        );
        assert!(list.lower_case.iter().all(|line| lines.contains(line)));
        said(validators_csv::on_lines(&lines));
        // Written plainly, it is the same list.
        let mut plain =
            "withdrawal_address,credentials,amounts,fee_recipient,gas_limit\n".to_owned();
        for row in &list.rows {
            let credentials = row
                .credentials
                .map(|kind| kind.to_string())
                .unwrap_or_default();
            let amounts = row
                .deposits
                .iter()
                .flatten()
                .map(|amount| amount.0.to_string());
            let amounts = amounts.collect::<Vec<_>>().join(" ");
            let fee = row
                .fee_recipient
                .map(|fee| fee.to_string())
                .unwrap_or_default();
            let gas = row.gas_limit.map(|gas| gas.to_string()).unwrap_or_default();
            plain.push_str(&format!(
                "{},{credentials},{amounts},{fee},{gas}\n",
                row.withdrawal_address
            ));
        }
        let again = validators_csv::parse(plain.as_bytes(), &defaults);
        let mut again = again.unwrap_or_else(|error| panic!("{error}\n{plain}"));
        assert!(again.lower_case.is_empty());
        again
            .rows
            .iter_mut()
            .zip(&lines)
            .for_each(|(row, line)| row.line = *line);
        assert_eq!(again.rows, list.rows);
    }
}

/// Deposit data of any launchpad's tool.
pub(crate) fn deposit(bytes: &[u8]) {
    let entries = match parse_entries(bytes) {
        Ok(entries) => entries,
        Err(error) => return drop(said(error)),
    };
    if entries.len() > 1000 {
        return;
    }
    let hoodi = Network::known("hoodi").unwrap();
    for expected in [None, Some(&hoodi.spec())] {
        let findings = check_entries(&entries, expected, &[7; 32]);
        for finding in &findings {
            said(&finding.problem);
        }
        assert!(findings.is_sorted_by_key(|finding| finding.spot));
        let bad: BTreeSet<_> = findings
            .iter()
            .filter(|finding| !finding.problem.is_warning())
            .map(|finding| finding.spot)
            .collect();
        // Whatever the seed and the company, the same entries are wrong.
        let others = check_entries(&entries, expected, &[8; 32]);
        assert_eq!(findings.len(), others.len());
        for (spot, entry) in Spot::all(&[&entries]) {
            if !bad.contains(&spot) {
                let alone = check_entries(std::slice::from_ref(entry), expected, &[9; 32]);
                assert!(
                    alone.iter().all(|finding| finding.problem.is_warning()),
                    "good in company"
                );
                assert!(
                    entry.pubkey().is_some()
                        && entry.amount().is_some()
                        && entry.signature().is_some()
                );
            }
        }
    }
    let totals = Totals::of(&[&entries], hoodi.rules);
    assert_eq!(totals.deposits, entries.len());
}

pub(crate) fn identity(bytes: &[u8]) {
    let text = lossy(bytes);
    match text.parse::<IdentityPublic>() {
        Ok(identity) => {
            assert_eq!(identity.to_string(), text, "one text for one identity");
            assert_eq!(
                IdentityPublic::from_bytes(*identity.as_bytes()),
                Ok(identity)
            );
            assert_eq!(serde_json::to_value(identity).unwrap(), text);
        }
        Err(error) => drop(said(error)),
    }
    // Any 32 bytes: what is usable has a text, which reads back.
    if let Some(Ok(identity)) = bytes
        .first_chunk()
        .map(|bytes| IdentityPublic::from_bytes(*bytes))
    {
        assert_eq!(identity.to_string().parse(), Ok(identity));
    }
}

pub(crate) fn key_path(bytes: &[u8]) {
    let text = lossy(bytes);
    match KeyPath::parse(&text) {
        Ok(path) => assert_eq!(path.to_string(), text),
        Err(error) => drop(said(error)),
    }
}

/// Keystores, ours and of any other tool.
pub(crate) fn keystore(bytes: &[u8]) {
    let foreign = ForeignKeystore::parse(bytes);
    match Keystore::parse(bytes) {
        Ok(keystore) => {
            let written = keystore.to_bytes().unwrap();
            let again = Keystore::parse(&written).unwrap();
            assert_eq!(again, keystore);
            assert_eq!(again.to_bytes().unwrap(), written);
            let foreign = foreign.as_ref().expect("the strict reader takes it");
            assert!(
                foreign
                    .pubkey()
                    .is_none_or(|named| named == keystore.pubkey())
            );
        }
        Err(error) => drop(said(error)),
    }
    match &foreign {
        Ok(foreign) => {
            cheap(foreign.crypto());
            let mut remarks: Vec<&str> =
                foreign.remarks().iter().map(|remark| remark.what).collect();
            remarks.dedup();
            assert_eq!(remarks.len(), foreign.remarks().len());
        }
        Err(error) => drop(said(error)),
    }
    match Crypto::parse(bytes) {
        Ok(crypto) => cheap(&crypto),
        Err(error) => drop(said(error)),
    }
}

/// What the file costs is within bounds; where it costs next to nothing it is opened.
fn cheap(crypto: &Crypto) {
    assert!(
        crypto.memory_bytes() <= 1 << 30,
        "{} bytes",
        crypto.memory_bytes()
    );
    let derivation = said(crypto.key_derivation());
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = derivation.split_once(&format!("{name}="))?;
        rest.split(' ').next()?.parse().ok()
    };
    let work = match (number("n"), number("c")) {
        (Some(n), _) => n * number("r").unwrap() * number("p").unwrap(),
        (None, Some(c)) => c,
        (None, None) => panic!("{derivation}: of what cost?"),
    };
    if work <= 4096 {
        let passphrase = Passphrase::new("testpassword".to_owned()).unwrap();
        match crypto.decrypt(&passphrase) {
            Ok(_) | Err(KeystoreError::Checksum) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A plan's network.
pub(crate) fn network(bytes: &[u8]) {
    let Ok(value) = json::parse(bytes, 1 << 16) else {
        return;
    };
    match json::decode::<NetworkSpec>(&value) {
        Ok(spec) => {
            assert_eq!(json::to_value(&spec).as_ref(), Ok(&value));
            let again = NetworkSpec::new(
                spec.name().to_owned(),
                spec.fork_version(),
                *spec.genesis_validators_root(),
            );
            assert_eq!(again.as_ref(), Ok(&spec));
            let rehearsal = spec.rehearsal();
            assert!(rehearsal.is_rehearsal());
            assert_eq!(rehearsal.rehearsal(), rehearsal);
            let value = json::to_value(&rehearsal).unwrap();
            assert_eq!(json::decode::<NetworkSpec>(&value).as_ref(), Ok(&rehearsal));
            said(spec.name());
        }
        Err(error) => drop(said(error)),
    }
}

/// Names, the programs that files say made them, and file names made from either.
pub(crate) fn text(bytes: &[u8]) {
    let text = lossy(bytes);
    let safe = safe_name(&text);
    assert_eq!(safe_name(&safe), safe);
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'.');
    assert!(
        (1..=MAX_NAME_CHARS).contains(&safe.len()) && safe.bytes().all(plain),
        "{safe:?}"
    );
    assert!(!safe.starts_with(['-', '.']) && !safe.ends_with(['-', '.']) && !safe.contains(".."));
    match Text::try_from(text.clone()) {
        Ok(name) => {
            said(&name);
            assert_eq!(name.as_str(), text);
            assert!(name.as_str().chars().count() <= Text::MAX_CHARS);
            let stem = name.file_stem();
            assert_eq!(safe_name(&stem), stem);
            // Who writes a name in another case or form still has that name.
            assert_eq!(Text::try_from(text).unwrap().folded(), name.folded());
        }
        Err(error) => drop(said(error)),
    }
    match Tool::try_from(lossy(bytes)) {
        Ok(tool) => drop(said(tool)),
        Err(error) => drop(said(error)),
    }
}
