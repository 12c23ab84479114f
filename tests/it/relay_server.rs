//! The relay over HTTP: what each route answers, and every refusal with its cause.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::time::Instant;

use conclave::relay::address::{MAX_MANIFEST_BYTES, Manifest, Refusal, Refused, shelf_path};
use conclave::relay::server::Limits;
use object_store::memory::InMemory;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;

use crate::harness::relay::{Client, Relay, Setup, Shelf, limits, over, reading, sent, write_key};
use crate::harness::relay_store::Odd;

/// A relay over an empty store in memory, with these limits.
fn relay(limits: Limits) -> Relay {
    Setup {
        limits,
        ..Setup::over(over(InMemory::new()))
    }
    .serve()
}

/// A relay with a shelf on it.
async fn relay_with(limits: Limits, shelf: &Shelf) -> (Relay, Client) {
    let relay = relay(limits);
    let client = relay.client();
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    (relay, client)
}

/// Sends bytes as they are; returns the status and the body of what comes back.
fn raw(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    answer(stream)
}

fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn code((status, body): &(u16, String)) -> Refusal {
    let refused: Refused = serde_json::from_str(body).unwrap();
    assert_eq!(*status, refused.code.status());
    refused.code
}

const fn number(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

#[tokio::test]
async fn what_a_relay_does_not_know_is_refused_in_its_words() {
    let shelf = Shelf::new(1);
    let (relay, client) = relay_with(limits(), &shelf).await;
    let name = shelf.manifest.name().to_string();
    let place = shelf.place(1);
    let (key, label) = (place.key.to_string(), place.label.to_string());
    let short = &label[1..];
    for path in [
        "/".to_owned(),
        "/v1".to_owned(),
        "/v1/shelves".to_owned(),
        "/v1/shelves/".to_owned(),
        format!("/v2/shelves/{name}"),
        format!("/v1/shelves/{}", name.to_uppercase()),
        format!("/v1/shelves/{}", &name[1..]),
        format!("/v1/shelves/{name}/"),
        format!("/v1/shelves/{name}/{key}"),
        format!("/v1/shelves/{name}/{key}/{short}"),
        format!("/v1/shelves/{name}/{key}/{label}/"),
        format!("/v1/shelves/{name}/{}/{label}", "0".repeat(64)),
        format!("/v1/shelves/{name}/{short}/{label}"),
        format!("/v1/shelves/{name}/{key}/..%2f..%2f{short}"),
        format!("/v1/shelves/{name}/{key}/{label}%23"),
        // No UTF-8, and no number.
        "/v1/shelves/%ff".to_owned(),
        format!("/v1/shelves/{name}/%ff/{label}"),
        format!("/v1/shelves/{name}?wait=soon"),
        format!("/v1/shelves/{name}?wait=-1"),
    ] {
        let request = client.request(Method::GET, &path);
        let answer = sent(reading(request, &shelf.token)).await;
        assert_eq!(answer.refusal(), Refusal::BadRequest, "{path}");
    }
    for method in [Method::POST, Method::DELETE, Method::PATCH] {
        for path in [
            shelf_path(&place.shelf),
            place.path(),
            "/healthz".to_owned(),
        ] {
            let answer = sent(client.request(method.clone(), &path)).await;
            assert_eq!(answer.refusal(), Refusal::BadRequest, "{method} {path}");
        }
    }
    let path = shelf_path(&place.shelf);
    for body in [
        Vec::new(),
        b"{}".to_vec(),
        shelf.manifest.bytes()[1..].to_vec(),
    ] {
        let answer = sent(client.request(Method::PUT, &path).body(body)).await;
        assert_eq!(answer.refusal(), Refusal::BadRequest);
    }
    let answer = client.put(&place, vec![0; 63]).await;
    assert_eq!(answer.refusal(), Refusal::BadRequest);
    // An entry in pieces does not say how long it is.
    let path = place.path();
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    assert_eq!(code(&raw(relay.address, &request)), Refusal::BadRequest);
    assert_eq!(client.list(&shelf).await.listing().entries, []);
}

#[tokio::test]
async fn only_who_has_the_token_reads() {
    let (shelf, other) = (Shelf::new(1), Shelf::new(2));
    let (_relay, client) = relay_with(limits(), &shelf).await;
    assert_eq!(client.make(&other.manifest).await.status, 201);
    assert_eq!(client.put_on(&shelf, 1, b"blob").await.status, 201);
    let good = shelf.token.header().expose(Clone::clone);
    let theirs = other.token.header().expose(Clone::clone);
    let bearer = good.replace("Bearer", "bearer");
    let wrong = [
        None,
        Some(theirs),
        Some(good.replace("Bearer ", "")),
        Some(good.replace("Bearer", "Basic")),
        Some(good[..good.len() - 1].to_owned()),
        Some(format!("{good}0")),
        Some("Bearer ".to_owned()),
        Some("Bearer \u{e4}".to_owned()),
    ];
    for path in [shelf_path(&shelf.manifest.name()), shelf.place(1).path()] {
        for token in &wrong {
            let mut request = client.request(Method::GET, &path);
            if let Some(token) = token {
                request = request.header(AUTHORIZATION, token);
            }
            assert_eq!(sent(request).await.refusal(), Refusal::Token, "{token:?}");
        }
        for token in [&good, &bearer] {
            let request = client.request(Method::GET, &path);
            assert_eq!(sent(request.header(AUTHORIZATION, token)).await.status, 200);
        }
    }
    // Nor does waiting go without.
    let path = format!("{}?wait=20", shelf_path(&shelf.manifest.name()));
    let request = client.request(Method::GET, &path);
    let waited = sent(request.header("if-none-match", "\"x\"")).await;
    assert_eq!(waited.refusal(), Refusal::Token);
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let (shelf, other) = (Shelf::new(1), Shelf::new(2));
    let (_relay, client) = relay_with(limits(), &shelf).await;
    let answer = client.get(&shelf, &shelf.place(1)).await;
    assert_eq!(answer.refusal(), Refusal::NoEntry);
    for answer in [
        client.list(&other).await,
        client.wait(&other, "\"x\"", 20).await,
        client.get(&other, &other.place(1)).await,
        client.put_on(&other, 1, b"blob").await,
    ] {
        assert_eq!(answer.refusal(), Refusal::NoShelf);
    }
    let path = shelf_path(&other.manifest.name());
    let body = shelf.manifest.bytes().to_vec();
    let answer = sent(client.request(Method::PUT, &path).body(body)).await;
    assert_eq!(answer.refusal(), Refusal::OtherShelf);
    assert_eq!(client.list(&other).await.refusal(), Refusal::NoShelf);
}

#[tokio::test]
async fn only_a_write_key_of_the_shelf_writes_and_only_in_its_place() {
    let (shelf, other) = (Shelf::new(1), Shelf::new(2));
    let (_relay, client) = relay_with(limits(), &shelf).await;
    assert_eq!(client.make(&other.manifest).await.status, 201);
    let place = shelf.place(1);
    // A key of another shelf, with a signature as it should be.
    let mut stranger = place;
    stranger.key = other.keys[0].public();
    let entry = stranger.entry(&other.keys[0], b"blob");
    let answer = client.put(&stranger, entry).await;
    assert_eq!(answer.refusal(), Refusal::Stranger);
    let good = shelf.entry(1, b"blob");
    let mut wrong = vec![
        place.entry(&shelf.keys[1], b"blob"),
        shelf.entry(2, b"blob"),
        other.place(1).entry(&shelf.keys[0], b"blob"),
        [good.as_slice(), b"x"].concat(),
        good[..good.len() - 1].to_vec(),
        vec![0; 64],
    ];
    for at in [0, 31, 32, 63, 64, good.len() - 1] {
        let mut flipped = good.clone();
        flipped[at] ^= 0x40;
        wrong.push(flipped);
    }
    for entry in wrong {
        let answer = client.put(&place, entry).await;
        assert_eq!(answer.refusal(), Refusal::Signature);
    }
    assert_eq!(client.list(&shelf).await.listing().entries, []);
    // The other key has a place of its own under the same label.
    let theirs = shelf.place_of(1, 1);
    let entry = theirs.entry(&shelf.keys[1], b"theirs");
    assert_eq!(client.put(&theirs, entry).await.status, 201);
    assert_eq!(client.put(&place, good.clone()).await.status, 201);
    assert_eq!(client.get(&shelf, &place).await.body, good);
}

#[tokio::test]
async fn a_retry_is_harmless_and_nothing_changes() {
    let shelf = Shelf::new(1);
    let (relay, client) = relay_with(limits(), &shelf).await;
    assert_eq!(client.make(&shelf.manifest).await.status, 200);
    let entry = shelf.entry(1, b"first");
    assert_eq!(client.put(&shelf.place(1), entry.clone()).await.status, 201);
    assert_eq!(client.put(&shelf.place(1), entry.clone()).await.status, 200);
    for other in [b"other".as_slice(), b"", b"first!"] {
        let answer = client.put_on(&shelf, 1, other).await;
        assert_eq!(answer.refusal(), Refusal::Taken);
    }
    let got = client.get(&shelf, &shelf.place(1)).await;
    assert_eq!((got.status, got.body), (200, entry.clone()));
    assert_eq!(client.make(&shelf.manifest).await.status, 200);
    let listing = client.list(&shelf).await.listing();
    let shown: Vec<_> = listing
        .entries
        .iter()
        .map(|entry| (entry.key, entry.label, entry.bytes))
        .collect();
    let place = shelf.place(1);
    assert_eq!(shown, [(place.key, place.label, entry.len() as u64)]);
    let text = Client::metrics(&relay).await;
    for line in [
        "conclave_relay_shelves_made_total 1",
        "conclave_relay_entries_stored_total 1",
        &format!("conclave_relay_entry_bytes_stored_total {}", entry.len()),
        "conclave_relay_refusals_total{code=\"taken\"} 3",
        "conclave_relay_requests_total{route=\"put\",status=\"409\"} 3",
        "conclave_relay_requests_total{route=\"make\",status=\"200\"} 2",
        "conclave_relay_request_seconds_count{route=\"get\"} 1",
        "conclave_relay_store_failures_total 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn a_shelf_has_bounds() {
    let shelf = Shelf::new(1);
    let limits = Limits {
        entry_bytes: 64 + 100,
        entries: 2,
        shelf_bytes: 3 * 64 + 250,
        ..limits()
    };
    let (_relay, client) = relay_with(limits, &shelf).await;
    let answer = client.put_on(&shelf, 1, &[1; 101]).await;
    assert_eq!(answer.refusal(), Refusal::BlobTooLarge);
    assert_eq!(client.put_on(&shelf, 1, &[1; 100]).await.status, 201);
    assert_eq!(client.put_on(&shelf, 2, &[2; 100]).await.status, 201);
    let answer = client.put_on(&shelf, 3, b"").await;
    assert_eq!(answer.refusal(), Refusal::TooManyEntries);
    // Another key may still, until the shelf is full.
    let theirs = |label, blob: &[u8]| {
        let place = shelf.place_of(1, label);
        (place, place.entry(&shelf.keys[1], blob))
    };
    let (place, entry) = theirs(1, &[3; 51]);
    assert_eq!(
        client.put(&place, entry).await.refusal(),
        Refusal::ShelfFull
    );
    let (place, entry) = theirs(1, &[3; 50]);
    assert_eq!(client.put(&place, entry.clone()).await.status, 201);
    let (next, more) = theirs(2, b"");
    assert_eq!(client.put(&next, more).await.refusal(), Refusal::ShelfFull);
    // What stands can be sent again all the same.
    assert_eq!(client.put_on(&shelf, 2, &[2; 100]).await.status, 200);
    assert_eq!(client.put(&place, entry).await.status, 200);
    let answer = client.put_on(&shelf, 2, &[9; 100]).await;
    assert_eq!(answer.refusal(), Refusal::Taken);
    assert_eq!(client.list(&shelf).await.listing().entries.len(), 3);
    // A manifest has bounds too.
    let path = shelf_path(&shelf.manifest.name());
    let body = vec![b' '; MAX_MANIFEST_BYTES + 1];
    let answer = sent(client.request(Method::PUT, &path).body(body)).await;
    assert_eq!(answer.refusal(), Refusal::BlobTooLarge);
}

/// The answer comes before the upload ends, and must not be lost with the connection.
#[tokio::test]
async fn who_sends_too_much_hears_so() {
    let shelf = Shelf::new(1);
    let limits = Limits {
        entry_bytes: 1 << 20,
        ..limits()
    };
    let (_relay, client) = relay_with(limits, &shelf).await;
    for round in 0..10 {
        let answer = client.put(&shelf.place(1), vec![round; 12 << 20]).await;
        assert_eq!(answer.refusal(), Refusal::BlobTooLarge);
        let unknown = Shelf::new(9).place(1);
        let answer = client.put(&unknown, vec![round; 1 << 20]).await;
        assert_eq!(answer.refusal(), Refusal::NoShelf);
    }
}

#[tokio::test]
async fn an_address_has_its_share() {
    let (shelf, second, third) = (Shelf::new(1), Shelf::new(2), Shelf::new(3));
    let few = Limits {
        shelves: number(2),
        mebibytes: number(1),
        ..limits()
    };
    let (_relay, client) = relay_with(few, &shelf).await;
    assert_eq!(client.make(&second.manifest).await.status, 201);
    let answer = client.make(&third.manifest).await;
    assert_eq!(answer.refusal(), Refusal::TooManyShelves);
    assert!((1..=1801).contains(&answer.retry_after()));
    assert_eq!(client.list(&third).await.refusal(), Refusal::NoShelf);
    // What is there costs nothing.
    assert_eq!(client.make(&second.manifest).await.status, 200);

    let half = vec![0; (512 << 10) - 64];
    assert_eq!(client.put_on(&shelf, 1, &half).await.status, 201);
    assert_eq!(client.put_on(&shelf, 2, &half).await.status, 201);
    let answer = client.put_on(&shelf, 3, b"").await;
    assert_eq!(answer.refusal(), Refusal::TooManyBytes);
    assert!((1..=5).contains(&answer.retry_after()));
    let answer = client.put_on(&shelf, 3, &half).await;
    assert_eq!(answer.refusal(), Refusal::TooManyBytes);
    assert!((1700..=1801).contains(&answer.retry_after()));
    assert_eq!(client.list(&shelf).await.listing().entries.len(), 2);

    let relay = relay(Limits {
        requests: number(3),
        ..limits()
    });
    let client = relay.client();
    for _ in 0..3 {
        assert_eq!(client.list(&shelf).await.refusal(), Refusal::NoShelf);
    }
    for answer in [
        client.list(&shelf).await,
        client.make(&shelf.manifest).await,
    ] {
        assert_eq!(answer.refusal(), Refusal::TooManyRequests);
        assert!((1..=21).contains(&answer.retry_after()));
    }
    // A monitor is always told.
    let health = sent(client.request(Method::GET, "/healthz")).await;
    assert_eq!((health.status, health.body), (200, b"ok\n".to_vec()));
}

#[tokio::test]
async fn a_store_that_fails_is_told_and_not_named() {
    let store = Odd::default();
    let relay = Setup::over(over(store.clone())).serve();
    let client = relay.client();
    let (shelf, new) = (Shelf::new(1), Shelf::new(2));
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    assert_eq!(client.put_on(&shelf, 1, b"blob").await.status, 201);
    store.fail(true);
    let health = client.request(Method::GET, "/healthz");
    for answer in [
        client.make(&new.manifest).await,
        client.list(&shelf).await,
        client.get(&shelf, &shelf.place(1)).await,
        client.put_on(&shelf, 2, b"blob").await,
        client.put_on(&new, 2, b"blob").await,
        sent(health.try_clone().unwrap()).await,
    ] {
        assert_eq!(answer.refusal(), Refusal::Store);
        assert_eq!(answer.retry_after(), 2);
        assert!(!String::from_utf8_lossy(&answer.body).contains("no answer about"));
    }
    let failures = Client::metrics(&relay).await;
    assert!(!failures.contains("conclave_relay_store_failures_total 0"));
    store.fail(false);
    assert_eq!(sent(health).await.status, 200);
    assert_eq!(client.put_on(&shelf, 2, b"blob").await.status, 201);
    assert_eq!(client.list(&shelf).await.listing().entries.len(), 2);
}

/// Whoever sends nothing is not waited for without end: heads 10 s, small bodies 20 s.
#[test]
#[ignore = "waits 20 s"]
fn who_is_too_slow_is_sent_away() {
    let shelf = Shelf::new(1);
    let relay = relay(limits());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    assert_eq!(
        runtime
            .block_on(relay.client().make(&shelf.manifest))
            .status,
        201
    );
    let begun = Instant::now();
    let open = |text: &str| {
        let mut stream = TcpStream::connect(relay.address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let path = shelf.place(1).path();
    let mut head = open(&format!("PUT {path} HTTP/1.1\r\nHost:"));
    let body = open(&format!(
        "PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 64\r\n\r\nx"
    ));
    let _ = head.read_to_end(&mut Vec::new());
    assert!((9..15).contains(&begun.elapsed().as_secs()));
    assert_eq!(code(&answer(body)), Refusal::TooSlow);
    assert!((19..25).contains(&begun.elapsed().as_secs()));
}

#[tokio::test]
async fn the_largest_manifest_makes_a_shelf() {
    let keys = (0..=255).map(|n| write_key([7, n]).public()).collect();
    let reader = Shelf::new(1).token.reader();
    let manifest = Manifest::new([1; 32], reader, keys).unwrap();
    let relay = relay(limits());
    assert_eq!(relay.client().make(&manifest).await.status, 201);
}
