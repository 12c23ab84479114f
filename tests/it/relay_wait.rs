//! The wait for news: who is woken, by what, and how soon.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use conclave::relay::address::{Refusal, shelf_path};
use conclave::relay::server::Limits;
use futures_util::future::join_all;
use object_store::memory::InMemory;
use reqwest::Method;

use crate::harness::relay::{Answer, Client, Relay, Setup, Shelf, limits, over, reading, sent};

/// Waits until so many requests wait for news.
async fn until_waiting(relay: &Relay, requests: usize) {
    let line = format!("conclave_relay_waiting {requests}");
    for _ in 0..500 {
        if Client::metrics(relay)
            .await
            .lines()
            .any(|found| found == line)
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {requests} requests wait");
}

/// Never looks at the store by itself.
fn unpolled() -> Setup {
    Setup {
        poll: Duration::from_secs(3600),
        ..Setup::over(over(InMemory::new()))
    }
}

#[tokio::test]
async fn who_does_not_know_the_list_gets_it_at_once() {
    let shelf = Shelf::new(1);
    let relay = unpolled().serve();
    let client = relay.client();
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    let begun = Instant::now();
    let before = client.list(&shelf).await;
    assert_eq!(client.put_on(&shelf, 1, b"blob").await.status, 201);
    let after = client.wait(&shelf, &before.etag(), 20).await;
    assert_eq!(after.listing().entries.len(), 1);
    assert_ne!(after.etag(), before.etag());
    let answer = client.wait(&shelf, "\"x\"", 20).await;
    assert_eq!((answer.status, &answer.body), (200, &after.body));
    // Without a list that is known there is nothing to wait for.
    let path = format!("{}?wait=20", shelf_path(&shelf.manifest.name()));
    let answer = sent(reading(client.request(Method::GET, &path), &shelf.token)).await;
    assert_eq!((answer.status, &answer.body), (200, &after.body));
    let answer = client.wait(&shelf, &after.etag(), 0).await;
    assert_eq!((answer.status, answer.body), (304, Vec::new()));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_wait_without_news_ends() {
    let shelf = Shelf::new(1);
    let relay = unpolled().serve();
    let client = relay.client();
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    let etag = client.list(&shelf).await.etag();
    let begun = Instant::now();
    let answer = client.wait(&shelf, &etag, 1).await;
    assert_eq!((answer.status, answer.etag()), (304, etag));
    let time = begun.elapsed();
    assert!((1000..4000).contains(&time.as_millis()), "{time:?}");
}

#[tokio::test]
async fn news_of_this_instance_wake_everyone_who_waits_for_them() {
    let (shelf, other) = (Shelf::new(1), Shelf::new(2));
    let relay = unpolled().serve();
    let client = relay.client();
    for shelf in [&shelf, &other] {
        assert_eq!(client.make(&shelf.manifest).await.status, 201);
    }
    let etag = client.list(&shelf).await.etag();
    let waiters = join_all((0..100).map(|_| client.wait(&shelf, &etag, 20)));
    let another = client.wait(&other, &etag, 3);
    let writer = async {
        until_waiting(&relay, 101).await;
        let begun = Instant::now();
        assert_eq!(client.put_on(&shelf, 1, b"blob").await.status, 201);
        begun
    };
    let (waited, begun) = {
        let woken = async { (waiters.await, Instant::now()) };
        let ((waited, woken), begun, another) = tokio::join!(woken, writer, another);
        // No news of its own.
        assert_eq!(another.status, 304);
        (waited, woken - begun)
    };
    assert!(begun < Duration::from_secs(1), "{begun:?}");
    let etags: BTreeSet<String> = waited.iter().map(Answer::etag).collect();
    assert_eq!(etags.len(), 1);
    assert!(!etags.contains(&etag));
    assert!(
        waited
            .iter()
            .all(|answer| answer.listing().entries.len() == 1)
    );
    until_waiting(&relay, 0).await;
}

#[tokio::test]
async fn news_of_another_instance_come_with_the_next_look() {
    let shelf = Shelf::new(1);
    let shelves = over(InMemory::new());
    let writing = Setup::over(shelves.clone()).serve();
    let looking = Setup {
        poll: Duration::from_millis(400),
        ..Setup::over(shelves.clone())
    }
    .serve();
    let blind = Setup {
        shelves,
        ..unpolled()
    }
    .serve();
    let writer = writing.client();
    assert_eq!(writer.make(&shelf.manifest).await.status, 201);
    let etag = looking.client().list(&shelf).await.etag();
    assert_eq!(blind.client().list(&shelf).await.etag(), etag);
    let (reader, sleeper) = (looking.client(), blind.client());
    let woken = async { (reader.wait(&shelf, &etag, 20).await, Instant::now()) };
    let write = async {
        until_waiting(&looking, 1).await;
        let begun = Instant::now();
        assert_eq!(writer.put_on(&shelf, 1, b"blob").await.status, 201);
        begun
    };
    let ((answer, woken), begun, slept) =
        tokio::join!(woken, write, sleeper.wait(&shelf, &etag, 2));
    assert_eq!(answer.listing().entries.len(), 1);
    let time = woken - begun;
    assert!(time < Duration::from_millis(1200), "{time:?}");
    // It is the look that finds it: who never looks does not know, until somebody reads the list.
    assert_eq!(slept.status, 304);
    let answer = sleeper.list(&shelf).await;
    assert_eq!(answer.listing().entries.len(), 1);
    let got = sleeper.get(&shelf, &shelf.place(1)).await;
    assert_eq!(got.body, shelf.entry(1, b"blob"));
}

#[tokio::test]
async fn only_so_many_wait() {
    let shelf = Shelf::new(1);
    let relay = Setup {
        limits: Limits {
            waiting: 2,
            ..limits()
        },
        ..unpolled()
    }
    .serve();
    let client = relay.client();
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    let etag = client.list(&shelf).await.etag();
    let waiters = join_all((0..2).map(|_| client.wait(&shelf, &etag, 20)));
    let others = async {
        until_waiting(&relay, 2).await;
        let answer = client.wait(&shelf, &etag, 20).await;
        assert_eq!(answer.refusal(), Refusal::Busy);
        assert_eq!(answer.retry_after(), 5);
        // Whoever does not wait is served.
        assert_eq!(client.wait(&shelf, &etag, 0).await.status, 304);
        assert_eq!(client.list(&shelf).await.status, 200);
        assert_eq!(client.put_on(&shelf, 1, b"blob").await.status, 201);
    };
    let (waited, ()) = tokio::join!(waiters, others);
    assert!(waited.iter().all(|answer| answer.status == 200));
    // A seat is free again, also when a client went away.
    let etag = client.list(&shelf).await.etag();
    let wait = client.wait(&shelf, &etag, 20);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), wait)
            .await
            .is_err()
    );
    until_waiting(&relay, 0).await;
    let answers = join_all((0..2).map(|_| client.wait(&shelf, &etag, 1))).await;
    assert!(answers.iter().all(|answer| answer.status == 304));
}
