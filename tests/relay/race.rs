//! Writers with one key who all put something else in one place at one time, as copies of one home
//! would; then the same bytes, as a client that asks again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave::crypto::identity::RelayWriteKey;
use conclave::hash::Digest;
use conclave::relay::address::{Label, Manifest, Place, ReadToken, shelf_path};
use conclave::secret::Secret;
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Barrier, Semaphore};
use tokio::task::JoinSet;

use super::ceremony::derive;
use super::wire::{Tally, Wire, client};

/// Runs the races; good if the same bytes were never refused, and what stands was never said to be
/// refused. Whether more than one writer is told "stored" is the store's affair.
pub(crate) async fn race(
    relays: &[String],
    writers: usize,
    rounds: usize,
    seed: u64,
) -> (Value, bool) {
    let bases: Arc<[String]> = relays.into();
    let until = Instant::now() + Duration::from_secs(300);
    let lines = Arc::new(Semaphore::new(writers));
    let wires: Vec<Arc<Wire>> = (0..writers)
        .map(|at| {
            Arc::new(Wire::new(
                client(),
                Arc::clone(&bases),
                Arc::clone(&lines),
                at,
                until,
            ))
        })
        .collect();
    let tally = Arc::new(Tally::default());
    let token = ReadToken::new(Secret::new(derive(&[seed, 10])));
    let header = token.header().expose(Clone::clone);
    let (mut one, mut most, mut replaced, mut refused, mut odd) = (0, 0, 0, 0, 0);
    for round in 0..rounds as u64 {
        let key = Arc::new(RelayWriteKey::from_seed(&Secret::new(derive(&[
            seed, 11, round,
        ]))));
        let salt = derive(&[seed, 12, round]);
        let manifest = Manifest::new(salt, token.reader(), vec![key.public()]).unwrap();
        let path = shelf_path(&manifest.name());
        let with = |request: reqwest::RequestBuilder| request.body(manifest.bytes().to_vec());
        let made = wires[0]
            .send(&tally, Method::PUT, &path, Duration::ZERO, with)
            .await;
        assert!(made.unwrap().status.is_success(), "no shelf");
        let place = |what| Place {
            shelf: manifest.name(),
            key: key.public(),
            label: Label::of(&Digest::from_bytes(derive(&[what]))),
        };
        let other = |at: usize| vec![at as u8; 9 << 10];
        let entries = |place: Place, blob: &dyn Fn(usize) -> Vec<u8>| -> Vec<Vec<u8>> {
            (0..writers)
                .map(|at| place.entry(&key, &blob(at)))
                .collect()
        };
        let told = at_once(&wires, &tally, &place(0), entries(place(0), &other)).await;
        let created = told
            .iter()
            .filter(|status| **status == StatusCode::CREATED)
            .count();
        one += usize::from(created == 1);
        most = most.max(created);
        replaced += created.saturating_sub(1);
        let with = |request: reqwest::RequestBuilder| request.header(AUTHORIZATION, &header);
        let stands = wires[0]
            .send(&tally, Method::GET, &place(0).path(), Duration::ZERO, with)
            .await;
        let stands = stands.unwrap().body;
        let whose = (0..writers).find(|at| stands == place(0).entry(&key, &other(*at)));
        odd += usize::from(!whose.is_some_and(|at| told[at].is_success()));
        let told = at_once(&wires, &tally, &place(1), entries(place(1), &|_| other(0))).await;
        refused += told.iter().filter(|status| !status.is_success()).count();
    }
    let report = json!({
        "writers": writers,
        "races": rounds,
        "races_with_one_stored": one,
        "most_stored_in_one_race": most,
        "told_stored_and_replaced": replaced,
        "stands_though_not_told_stored": odd,
        "same_bytes_refused": refused,
    });
    (report, odd == 0 && refused == 0)
}

/// Lets everybody put at once; returns what each was told.
async fn at_once(
    wires: &[Arc<Wire>],
    tally: &Arc<Tally>,
    place: &Place,
    entries: Vec<Vec<u8>>,
) -> Vec<StatusCode> {
    let barrier = Arc::new(Barrier::new(entries.len()));
    let mut tasks = JoinSet::new();
    for (at, entry) in entries.into_iter().enumerate() {
        let (wire, tally, barrier) = (
            Arc::clone(&wires[at]),
            Arc::clone(tally),
            Arc::clone(&barrier),
        );
        let path = place.path();
        tasks.spawn(async move {
            barrier.wait().await;
            let with = |request: reqwest::RequestBuilder| request.body(entry.clone());
            let answer = wire
                .send(&tally, Method::PUT, &path, Duration::ZERO, with)
                .await;
            (at, answer.unwrap().status)
        });
    }
    let mut told = tasks.join_all().await;
    told.sort_unstable_by_key(|(at, _)| *at);
    told.into_iter().map(|(_, status)| status).collect()
}
