//! The crypto floor against the published BLS cases and a dealt cluster of another implementation.
//!
//! Our points are never infinity, and what validators sign is always 32 bytes: cases beyond that
//! are counted and named.

use std::collections::BTreeMap;
use std::path::Path;

use conclave::crypto::bls::{self, SigningRoot};
use conclave::crypto::point::{G1, G1Sum, G2, G2Sum};
use conclave::crypto::polynomial::interpolate_at_zero;
use conclave::crypto::scalar::Scalar;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::deposit::DepositMessage;
use conclave::ethereum::withdrawal::WithdrawalCredentials;
use serde_json::{Map, Value};

use crate::vectors::{array, folder, hex, int, load, try_hex};

fn cases(folder: &Path, name: &str) -> Map<String, Value> {
    match load(folder.join(format!("eth/bls12-381-tests/{name}.json"))) {
        Value::Object(cases) => cases,
        _ => panic!("{name}: not an object of cases"),
    }
}

fn is_infinity(value: &Value) -> bool {
    let text = value.as_str().unwrap().trim_start_matches("0x");
    text.starts_with("c0") && text.bytes().skip(2).all(|c| c == b'0')
}

fn g1(value: &Value) -> Option<G1> {
    G1::from_bytes(&try_hex(value)?).ok()
}

fn g2(value: &Value) -> Option<G2> {
    G2::from_bytes(&try_hex(value)?).ok()
}

fn root(value: &Value) -> SigningRoot {
    SigningRoot(hex(value))
}

/// All points, or nothing when one of them is refused.
fn all<T>(values: &Value, read: fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    array(values).iter().map(read).collect()
}

#[test]
fn published_bls_cases() {
    let Some(folder) = folder() else { return };
    let (mut ran, mut beyond) = (0, BTreeMap::<&str, usize>::new());

    for (name, case) in cases(&folder, "deserialization_G1") {
        if case["output"] == true && is_infinity(&case["input"]["pubkey"]) {
            assert!(g1(&case["input"]["pubkey"]).is_none(), "{name}");
            *beyond
                .entry("infinity is a valid encoding; refused here by design")
                .or_default() += 1;
            continue;
        }
        assert_eq!(
            g1(&case["input"]["pubkey"]).is_some(),
            case["output"],
            "{name}"
        );
        ran += 1;
    }
    for (name, case) in cases(&folder, "deserialization_G2") {
        if case["output"] == true && is_infinity(&case["input"]["signature"]) {
            assert!(g2(&case["input"]["signature"]).is_none(), "{name}");
            *beyond
                .entry("infinity is a valid encoding; refused here by design")
                .or_default() += 1;
            continue;
        }
        assert_eq!(
            g2(&case["input"]["signature"]).is_some(),
            case["output"],
            "{name}"
        );
        ran += 1;
    }
    for (name, case) in cases(&folder, "sign") {
        let made = Scalar::from_bytes(&hex(&case["input"]["privkey"]))
            .and_then(|secret| bls::sign(&secret, &root(&case["input"]["message"])));
        match case["output"].as_str() {
            Some(_) => assert_eq!(
                made.unwrap().to_bytes(),
                hex::<96>(&case["output"]),
                "{name}"
            ),
            None => assert!(made.is_none(), "{name}"),
        }
        ran += 1;
    }
    for (name, case) in cases(&folder, "verify") {
        let input = &case["input"];
        let good = match (g1(&input["pubkey"]), g2(&input["signature"])) {
            (Some(key), Some(signature)) => {
                let (message, seed) = (root(&input["message"]), [3; 32]);
                let good = bls::verify(&key, &message, &signature);
                assert_eq!(
                    bls::verify_batch(&[(key, message, signature)], &seed),
                    good,
                    "{name}"
                );
                good
            }
            _ => false,
        };
        assert_eq!(good, case["output"], "{name}");
        ran += 1;
    }
    for (name, case) in cases(&folder, "fast_aggregate_verify") {
        let input = &case["input"];
        // One message under the sum of keys; an empty sum is infinity, hence refused.
        let key = all(&input["pubkeys"], g1).and_then(|keys| {
            let mut sum = G1Sum::infinity();
            keys.iter().for_each(|key| sum.add(key));
            sum.finite()
        });
        let good = key
            .zip(g2(&input["signature"]))
            .is_some_and(|(key, signature)| {
                bls::verify(&key, &root(&input["message"]), &signature)
            });
        assert_eq!(good, case["output"], "{name}");
        ran += 1;
    }
    for (name, case) in cases(&folder, "batch_verify") {
        let input = &case["input"];
        let keys = all(&input["pubkeys"], g1);
        let signatures = all(&input["signatures"], g2);
        let good = keys.zip(signatures).is_some_and(|(keys, signatures)| {
            let messages = array(&input["messages"]).iter().map(root);
            let items: Vec<_> = keys
                .into_iter()
                .zip(messages)
                .zip(signatures)
                .map(|((key, message), signature)| (key, message, signature))
                .collect();
            bls::verify_batch(&items, &[5; 32])
        });
        assert_eq!(good, case["output"], "{name}");
        ran += 1;
    }
    for (name, case) in cases(&folder, "aggregate") {
        let signatures = all(&case["input"], g2);
        let sum = signatures
            .filter(|all| !all.is_empty())
            .and_then(|signatures| {
                let mut sum = G2Sum::infinity();
                signatures.iter().for_each(|signature| sum.add(signature));
                sum.finite()
            });
        match case["output"].as_str() {
            Some(_) if is_infinity(&case["output"]) => {
                assert!(sum.is_none(), "{name}");
                *beyond
                    .entry("aggregates infinity; refused here by design")
                    .or_default() += 1;
                continue;
            }
            Some(_) => assert_eq!(
                sum.unwrap().to_bytes(),
                hex::<96>(&case["output"]),
                "{name}"
            ),
            None => assert!(sum.is_none(), "{name}"),
        }
        ran += 1;
    }
    let hashes = cases(&folder, "hash_to_G2").len();
    *beyond
        .entry("hash_to_G2: under the domain separation of RFC 9380, not of Ethereum")
        .or_default() += hashes;
    let aggregates = cases(&folder, "aggregate_verify").len();
    *beyond
        .entry("aggregate_verify: one signature over different messages, which nobody makes here")
        .or_default() += aggregates;

    println!("{ran} published BLS cases ran");
    beyond
        .iter()
        .for_each(|(why, count)| println!("{count} do not apply: {why}"));
    assert_eq!(ran + beyond.values().sum::<usize>(), 104);
}

/// Every way to take `size` of `n` positions.
fn subsets(n: usize, size: usize) -> Vec<Vec<usize>> {
    (0u32..1 << n)
        .map(|bits| (0..n).filter(|i| bits >> i & 1 == 1).collect::<Vec<_>>())
        .filter(|subset| subset.len() == size)
        .collect()
}

#[test]
fn shares_and_partial_signatures_of_another_implementation() {
    let Some(folder) = folder() else { return };
    let file = load(folder.join("ssv/dkg-spec/fixtures.json"));
    for cluster in array(&file["clusters"]) {
        let secret = Scalar::from_bytes(&hex(&cluster["validator_secret"])).unwrap();
        let public = bls::public_key(&secret).unwrap();
        let indices: Vec<u64> = array(&cluster["operator_ids"]).iter().map(int).collect();
        let shares: Vec<Scalar> = array(&cluster["shares"])
            .iter()
            .map(|share| Scalar::from_bytes(&hex(share)).unwrap())
            .collect();
        let message = DepositMessage {
            pubkey: public.to_bytes(),
            credentials: WithdrawalCredentials(hex(&file["withdrawal_credentials"])),
            amount: Gwei(int(&file["amount_gwei"])),
        };
        let root = message.signing_root(hex(&file["fork_version"]));
        let partials: Vec<G2> = array(&cluster["deposit_partial_signatures"])
            .iter()
            .map(|partial| g2(partial).unwrap())
            .collect();
        let mut batch = Vec::new();
        for (share, partial) in shares.iter().zip(&partials) {
            assert_eq!(bls::sign(share, &root), Some(*partial));
            batch.push((bls::public_key(share).unwrap(), root, *partial));
        }
        assert!(bls::verify_batch(&batch, &[8; 32]));
        let full = bls::sign(&secret, &root).unwrap();
        assert!(bls::verify(&public, &root, &full));

        let threshold = usize::try_from(int(&cluster["threshold"])).unwrap();
        let subsets = subsets(shares.len(), threshold);
        for subset in &subsets {
            let points: Vec<(u64, &Scalar)> =
                subset.iter().map(|i| (indices[*i], &shares[*i])).collect();
            let found = interpolate_at_zero(&points).unwrap();
            assert!(found.to_bytes().ct_eq(&secret.to_bytes()));
            let (chosen, points): (Vec<u64>, Vec<G2>) =
                subset.iter().map(|i| (indices[*i], partials[*i])).unzip();
            assert_eq!(bls::combine(&chosen, &points), Some(full));
        }
        // One too few gives something else.
        let few: Vec<(u64, &Scalar)> = (0..threshold - 1)
            .map(|i| (indices[i], &shares[i]))
            .collect();
        assert!(
            !interpolate_at_zero(&few)
                .unwrap()
                .to_bytes()
                .ct_eq(&secret.to_bytes())
        );
        println!(
            "n = {}, t = {threshold}: {} subsets agree",
            shares.len(),
            subsets.len()
        );
    }
}
