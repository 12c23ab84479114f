//! The protocol of a ceremony from deals to full signatures, honest and hostile, on pure functions.

mod bound;
mod complaints;
mod confirms;
mod deals;

use conclave::crypto::bls;
use conclave::crypto::point::G1;
use conclave::crypto::polynomial::interpolate_at_zero;
use conclave::crypto::scalar::Scalar;
use conclave::hash::{Digest, Hasher, Tag};
use conclave::json::{self, Hex};
use conclave::protocol::confirm::{self, ConfirmPayload, SeenDeal};
use conclave::protocol::deal::DealPayload;
use conclave::protocol::{complaint, deal};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::harness::maths::Table;

/// A stand-in for the hash of the deal's envelope.
fn deal_hash(deal: &DealPayload) -> Digest {
    Hasher::new(Tag::PAYLOAD)
        .bytes(&json::canonical(deal).unwrap())
        .finish()
}

/// All that a ceremony leaves behind, as bytes.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    transcript: Digest,
    deals: Vec<Vec<u8>>,
    confirms: Vec<Vec<u8>>,
    signatures: Vec<Vec<[u8; 96]>>,
}

/// Runs a whole ceremony and checks what every operator must agree on.
fn run(table: &Table) -> Record {
    let params = &table.params;
    let n = params.operators.len();
    let payloads = table.deals();
    let deals = table.check(&payloads);
    let sharing = table.sharing(&deals);
    let hashes: Vec<Digest> = payloads.iter().map(deal_hash).collect();
    let transcript = deal::transcript(&params.cid, &hashes, &sharing);

    // In whatever order the deals come, the sharing and the transcript are the same.
    let backwards: Vec<_> = deals.iter().rev().cloned().collect();
    let same = table.sharing(&backwards);
    assert_eq!(same, sharing);
    assert_eq!(deal::transcript(&params.cid, &hashes, &same), transcript);

    let shares: Vec<Vec<Scalar>> = (0..n).map(|i| table.receive(i, &deals)).collect();
    for (v, (key, public)) in sharing.group_keys().zip(sharing.shares()).enumerate() {
        let indices = params.indices();
        let points: Vec<(u64, &Scalar)> = indices
            .iter()
            .zip(&shares)
            .map(|(index, own)| (*index, &own[v]))
            .collect();
        for ((_, share), public) in points.iter().zip(public) {
            assert_eq!(G1::generator_times(share), Some(*public));
        }
        // The first t, the last t, and all of them: the secret of the group key.
        for chosen in [
            &points[..params.threshold],
            &points[n - params.threshold..],
            &points[..],
        ] {
            let secret = interpolate_at_zero(chosen).unwrap();
            assert_eq!(G1::generator_times(&secret), Some(*key));
        }
        let fewer = interpolate_at_zero(&points[..params.threshold - 1]);
        assert_ne!(fewer.and_then(|s| G1::generator_times(&s)), Some(*key));
    }

    let seen: Vec<SeenDeal> = hashes
        .iter()
        .map(|hash| SeenDeal {
            payload: *hash,
            signature: Hex([0; 64]),
        })
        .collect();
    let confirms: Vec<ConfirmPayload> = shares
        .iter()
        .map(|own| {
            let partials = confirm::sign(own, &table.messages).unwrap();
            confirm::make(transcript, seen.clone(), &partials)
        })
        .collect();
    let partials: Vec<_> = confirms
        .iter()
        .map(|payload| confirm::decode(params, &counts(&table.messages), payload).unwrap())
        .collect();
    let full = confirm::finalise(&sharing, &table.messages, &partials, &[3; 32])
        .unwrap()
        .unwrap();
    for ((key, roots), row) in sharing.group_keys().zip(&table.messages).zip(&full) {
        assert_eq!(roots.len(), row.len());
        for (root, signature) in roots.iter().zip(row) {
            assert!(bls::verify(key, root, signature));
        }
    }
    Record {
        transcript,
        deals: payloads
            .iter()
            .map(|p| json::canonical(p).unwrap())
            .collect(),
        confirms: confirms
            .iter()
            .map(|p| json::canonical(p).unwrap())
            .collect(),
        signatures: full
            .iter()
            .map(|row| row.iter().map(|s| s.to_bytes()).collect())
            .collect(),
    }
}

#[test]
fn ceremonies_of_several_sizes_end_with_signatures_under_the_group_keys() {
    const LAST: u64 = (1 << 53) - 1;
    run(&Table::new(&[1, 2], 2, 1));
    run(&Table::new(&[1, 2, 3, 4], 3, 5));
    run(&Table::new(&[3, 11, LAST], 2, 3));
    run(&Table::new(&[LAST, 7, LAST - 1, 2, 40], 5, 2));
    run(&Table::new(&[9, 8, 7, 6, 5, 4, 3], 5, 2));
}

#[test]
fn the_bytes_are_the_same_again_and_whatever_the_number_of_threads() {
    let table = Table::new(&[2, 3, 11, 12], 3, 70);
    let once = run(&table);
    for threads in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        assert_eq!(pool.install(|| run(&table)), once, "{threads} threads");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_small_ceremony_works(
        indices in proptest::collection::btree_set(1..=json::MAX_INTEGER, 2..6),
        threshold in 1usize..6,
        validators in 1usize..4,
    ) {
        let indices: Vec<u64> = indices.into_iter().collect();
        run(&Table::new(&indices, threshold.min(indices.len()), validators));
    }
}

/// Fixed bytes from fixed secrets: an encoding that drifts breaks every ceremony under way.
#[test]
fn the_encodings_do_not_drift() {
    let table = Table::new(&[1, 2, 3, 4], 3, 2);
    let record = run(&table);
    let payload = &table.deals()[1];
    let deal = deal::check(&table.params, 1, payload).unwrap();
    let complaint = complaint::make(
        &table.params,
        2,
        &table.encryption[2],
        &table.secrets[2],
        &deal,
        &deal_hash(payload),
    );
    let complaint = json::canonical(&complaint.unwrap()).unwrap();
    let hash = |bytes: &[u8]| json::encode_hex(&Sha256::digest(bytes));
    assert_eq!(
        [
            hash(&record.deals[1]),
            hash(&record.confirms[1]),
            hash(&complaint)
        ],
        [
            "d15e8a29f339def93f924d964724f839bf1f437ea55b972906a38c23c6981554",
            "673da2b61ea770122422ed3c85ada31211038ee35aab280fe38ec5c1f67bb5d9",
            "a5f6e2fe5e117c1cd947ac5598620799ff47cb0fe08c17244bc8e1fb19d09058",
        ]
    );
}

/// How many messages each validator signs.
fn counts(messages: &[Vec<bls::SigningRoot>]) -> Vec<usize> {
    messages.iter().map(Vec::len).collect()
}
