//! The relay's shelves: races, stores that do not keep to their word, expiry, and the end of a relay.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use conclave::relay::address::{Label, Place, Refusal};
use conclave::relay::shelf::{ShelfError, Shelves};
use futures_util::future::join_all;
use object_store::memory::InMemory;

use crate::harness::relay::{AheadClock, Client, Relay, Setup, Shelf, in_directory, over};
use crate::harness::relay_store::Odd;

const DAY: u64 = 86_400;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// Two relays over one store, with a shelf on it.
async fn pair(shelves: Shelves, shelf: &Shelf) -> [(Relay, Client); 2] {
    let pair = [shelves.clone(), shelves].map(|shelves| {
        let relay = Setup::over(shelves).serve();
        let client = relay.client();
        (relay, client)
    });
    assert_eq!(pair[0].1.make(&shelf.manifest).await.status, 201);
    pair
}

/// Many writers at once, half of them at each of two relays, for each of many places.
async fn race(shelves: Shelves) {
    const PLACES: u8 = 50;
    const WRITERS: u8 = 32;
    let shelf = Shelf::new(1);
    let pair = pair(shelves, &shelf).await;
    let client = |writer: u8| &pair[usize::from(writer % 2)].1;
    let mut winners = [0u32; 2];
    for place in 0..PLACES {
        let blob = |writer: u8| vec![writer; 100 + usize::from(writer)];
        let writes = (0..WRITERS).map(async |writer| {
            let answer = client(writer).put_on(&shelf, place, &blob(writer)).await;
            match answer.status {
                201 => Some(writer),
                _ => {
                    assert_eq!(answer.refusal(), Refusal::Taken);
                    None
                }
            }
        });
        let won: Vec<u8> = join_all(writes).await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "{won:?}");
        winners[usize::from(won[0] % 2)] += 1;
        for (_, client) in &pair {
            let got = client.get(&shelf, &shelf.place(place)).await;
            assert_eq!(got.body, shelf.entry(place, &blob(won[0])));
        }
    }
    for (_, client) in &pair {
        let entries = client.list(&shelf).await.listing().entries;
        assert_eq!(entries.len(), usize::from(PLACES));
    }
    // Both took part.
    assert!(winners[0] > 0 && winners[1] > 0, "{winners:?}");

    for place in PLACES..PLACES + 5 {
        let writes = (0..WRITERS).map(|writer| client(writer).put_on(&shelf, place, b"the same"));
        let mut met: Vec<u16> = join_all(writes)
            .await
            .iter()
            .map(|answer| answer.status)
            .collect();
        met.sort_unstable();
        let mut expected = vec![200; usize::from(WRITERS)];
        expected[usize::from(WRITERS) - 1] = 201;
        assert_eq!(met, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_writers_wins_in_memory() {
    race(over(InMemory::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_writers_wins_on_a_disk() {
    let directory = tempfile::tempdir().unwrap();
    race(in_directory(directory.path())).await;
}

#[tokio::test]
async fn a_conflict_over_nothing_is_tried_again() {
    let store = Odd::default();
    let relay = Setup::over(over(store.clone())).serve();
    let client = relay.client();
    let shelf = Shelf::new(1);
    store.conflict(1);
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    store.conflict(1);
    assert_eq!(client.put_on(&shelf, 1, b"blob").await.status, 201);
    let got = client.get(&shelf, &shelf.place(1)).await;
    assert_eq!(got.body, shelf.entry(1, b"blob"));
    // A conflict without an end is a store that cannot be used; nothing is said to be stored.
    store.conflict(u32::MAX);
    let new = Shelf::new(2);
    for answer in [
        client.put_on(&shelf, 2, b"blob").await,
        client.make(&new.manifest).await,
    ] {
        assert_eq!(answer.refusal(), Refusal::Store);
    }
    assert_eq!(client.list(&shelf).await.listing().entries.len(), 1);
    // What stands, stands.
    assert_eq!(client.put_on(&shelf, 1, b"blob").await.status, 200);
    store.conflict(0);
    assert_eq!(client.put_on(&shelf, 2, b"blob").await.status, 201);
}

#[tokio::test]
async fn a_store_that_overwrites_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    for shelves in [over(InMemory::new()), in_directory(directory.path())] {
        shelves.probe("aa").await.unwrap();
        shelves.reachable().await.unwrap();
    }
    // It left nothing behind.
    let probes = fs::read_dir(directory.path().join("probe"));
    assert!(probes.is_err() || probes.unwrap().next().is_none());
    let store = Odd::default();
    store.overwrite();
    let shelves = over(store.clone());
    assert_eq!(shelves.probe("aa").await, Err(ShelfError::NotOnce));
    let store = Odd::default();
    store.fail(true);
    let probed = over(store.clone()).probe("aa").await;
    assert!(matches!(probed, Err(ShelfError::Store(_))), "{probed:?}");
    assert!(over(store).reachable().await.is_err());
}

/// What a store says of a failure names the object, and goes to the log.
#[tokio::test]
async fn a_failure_names_neither_label_nor_shelf() {
    let store = Odd::default();
    store.fail(true);
    let shelf = Shelf::new(1);
    let place = shelf.place(1);
    let error = over(store).get(&place).await.unwrap_err().to_string();
    let name = place.shelf.to_string();
    assert!(
        error.contains("no answer about") && error.contains(&name[..8]),
        "{error}"
    );
    for part in [&name, &place.label.to_string(), &place.key.to_string()] {
        assert!(!error.contains(&part[..16]), "{error}");
    }
}

/// Sets the time of everything below a folder, in seconds since 1970.
fn set_times(folder: &Path, seconds: u64) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            set_times(&path, seconds);
        } else {
            let then = UNIX_EPOCH + Duration::from_secs(seconds);
            fs::File::options()
                .append(true)
                .open(path)
                .unwrap()
                .set_modified(then)
                .unwrap();
        }
    }
}

fn folder(root: &Path, shelf: &Shelf) -> PathBuf {
    root.join("v1").join(shelf.manifest.name().to_string())
}

fn file(root: &Path, shelf: &Shelf, label: u8) -> PathBuf {
    let place = shelf.place(label);
    let key = folder(root, shelf).join(place.key.to_string());
    key.join(place.label.to_string())
}

async fn fill(shelves: &Shelves, shelf: &Shelf, labels: &[u8]) {
    shelves.make(&shelf.manifest).await.unwrap();
    for label in labels {
        let entry = shelf.entry(*label, b"blob");
        shelves
            .put(&shelf.place(*label), entry.into())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn old_shelves_go_whole_and_young_ones_stay() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let shelves = in_directory(root);
    let [old, bare, living, young] = [1, 2, 3, 4].map(Shelf::new);
    let month = Duration::from_secs(30 * DAY);
    for shelf in [&old, &living] {
        fill(&shelves, shelf, &[1, 2]).await;
    }
    fill(&shelves, &bare, &[]).await;
    let old_times = now() - 31 * DAY;
    set_times(root, old_times);
    // A shelf lives as long as somebody writes there.
    fill(&shelves, &living, &[3]).await;
    fill(&shelves, &young, &[1]).await;
    // What is no shelf is not ours to remove.
    fs::create_dir(root.join("v1/lost+found")).unwrap();
    fs::write(root.join("v1/lost+found/x"), b"x").unwrap();
    set_times(&root.join("v1/lost+found"), old_times);

    let gone = shelves.sweep(now(), month).await.unwrap();
    let mut expected = [&old, &bare].map(|shelf| shelf.manifest.name());
    expected.sort_unstable();
    let mut found = gone.clone();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert!(!folder(root, &old).exists() && !folder(root, &bare).exists());
    assert!(root.join("v1/lost+found/x").exists());
    for (shelf, entries) in [(&living, 3), (&young, 1)] {
        let name = shelf.manifest.name();
        assert!(shelves.manifest(&name).await.unwrap().is_some());
        assert_eq!(
            fs::read_dir(file(root, shelf, 1).parent().unwrap())
                .unwrap()
                .count(),
            entries
        );
    }
    // To the second.
    set_times(root, old_times);
    let last = old_times + 30 * DAY;
    assert_eq!(shelves.sweep(last, month).await.unwrap(), []);
    assert_eq!(shelves.sweep(last + 1, month).await.unwrap().len(), 2);
    assert_eq!(shelves.sweep(last + 1, month).await.unwrap(), []);
}

#[tokio::test]
async fn the_manifest_goes_first() {
    let store = Odd::default();
    let shelves = over(store.clone());
    let shelf = Shelf::new(1);
    fill(&shelves, &shelf, &[1, 2, 3]).await;
    let gone = shelves.sweep(now() + 31 * DAY, Duration::from_secs(30 * DAY));
    assert_eq!(gone.await.unwrap(), [shelf.manifest.name()]);
    let deleted = store.deleted();
    assert_eq!(deleted.len(), 4);
    assert!(deleted[0].ends_with("/manifest"), "{deleted:?}");
}

/// Asks until a relay says that there is no such shelf.
async fn until_forgotten(client: &Client, shelf: &Shelf) {
    for _ in 0..300 {
        // A put, because reading the list looks at the store by itself.
        let answer = client.put(&shelf.place(9), vec![0; 64]).await;
        if answer.refusal() == Refusal::NoShelf {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the shelf is still known");
}

/// Two relays over one store, which look for what the other took this often; the first one's clock
/// can be set ahead, and it looks for old shelves all the time.
fn sweeping(poll: Duration) -> (std::sync::Arc<AheadClock>, Relay, Relay) {
    let shelves = over(InMemory::new());
    let clock = AheadClock::new();
    let first = Setup {
        sweep: Duration::from_millis(20),
        clock: clock.clone(),
        poll,
        ..Setup::over(shelves.clone())
    };
    let second = Setup {
        poll,
        ..Setup::over(shelves)
    };
    (clock, first.serve(), second.serve())
}

#[tokio::test]
async fn an_expired_shelf_is_forgotten_everywhere_and_can_be_made_anew() {
    let (clock, first, second) = sweeping(Duration::from_millis(50));
    let (full, bare) = (Shelf::new(1), Shelf::new(2));
    let (one, two) = (first.client(), second.client());
    for shelf in [&full, &bare] {
        assert_eq!(one.make(&shelf.manifest).await.status, 201);
        assert_eq!(two.list(shelf).await.status, 200);
    }
    assert_eq!(one.put_on(&full, 1, b"blob").await.status, 201);
    assert_eq!(two.put_on(&full, 2, b"blob").await.status, 201);
    clock.set_ahead(29 * DAY);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(one.list(&full).await.listing().entries.len(), 2);
    clock.set_ahead(31 * DAY);
    for (client, shelf) in [(&one, &full), (&one, &bare), (&two, &full), (&two, &bare)] {
        until_forgotten(client, shelf).await;
    }
    clock.set_ahead(0);
    let text = Client::metrics(&first).await;
    assert!(
        text.contains("conclave_relay_shelves_expired_total 2\n"),
        "{text}"
    );
    for shelf in [&full, &bare] {
        assert_eq!(two.list(shelf).await.refusal(), Refusal::NoShelf);
        assert_eq!(
            two.put_on(shelf, 1, b"blob").await.refusal(),
            Refusal::NoShelf
        );
        assert_eq!(two.make(&shelf.manifest).await.status, 201);
        // The place of what expired is free.
        assert_eq!(two.put_on(shelf, 1, b"other").await.status, 201);
        assert_eq!(one.list(shelf).await.listing().entries.len(), 1);
    }
}

/// A relay that has not looked since must not show, or keep open, what is not there any more.
#[tokio::test]
async fn a_relay_that_remembers_an_expired_shelf_finds_out_when_its_list_is_read() {
    let (clock, first, second) = sweeping(Duration::from_secs(3600));
    let (one, two) = (first.client(), second.client());
    let shelves = [1, 2, 3, 4].map(Shelf::new);
    for shelf in &shelves {
        assert_eq!(one.make(&shelf.manifest).await.status, 201);
        assert_eq!(two.list(shelf).await.status, 200);
    }
    let [full, bare, anew, unread] = &shelves;
    for shelf in [full, anew] {
        assert_eq!(two.put_on(shelf, 1, b"blob").await.status, 201);
    }
    clock.set_ahead(31 * DAY);
    for shelf in &shelves {
        until_forgotten(&one, shelf).await;
    }
    clock.set_ahead(0);
    // Made anew through the other one before this one looked.
    assert_eq!(one.make(&anew.manifest).await.status, 201);
    assert_eq!(one.put_on(anew, 2, b"blob").await.status, 201);
    for shelf in [full, bare] {
        assert_eq!(two.list(shelf).await.refusal(), Refusal::NoShelf);
        assert_eq!(two.make(&shelf.manifest).await.status, 201);
    }
    // Who was sent to make it by another instance need not have read the list here.
    assert_eq!(two.make(&unread.manifest).await.status, 201);
    assert_eq!(one.list(unread).await.status, 200);
    let shown = two.list(anew).await.listing().entries;
    let labels: Vec<_> = shown.iter().map(|entry| entry.label).collect();
    assert_eq!(labels, [anew.place(2).label]);
    assert_eq!(one.list(anew).await.listing().entries, shown);
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(1);
    let relay = Setup::over(in_directory(directory.path())).serve();
    let client = relay.client();
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    for label in 0..5 {
        assert_eq!(
            client.put_on(&shelf, label, &[label; 2000]).await.status,
            201
        );
    }
    let list = client.list(&shelf).await;
    relay.stop();
    let relay = Setup::over(in_directory(directory.path())).serve();
    let client = relay.client();
    let again = client.list(&shelf).await;
    assert_eq!((again.etag(), &again.body), (list.etag(), &list.body));
    for label in 0..5 {
        let got = client.get(&shelf, &shelf.place(label)).await;
        assert_eq!(got.body, shelf.entry(label, &[label; 2000]));
        assert_eq!(
            client.put_on(&shelf, label, &[label; 2000]).await.status,
            200
        );
        let answer = client.put_on(&shelf, label, b"other").await;
        assert_eq!(answer.refusal(), Refusal::Taken);
    }
    assert_eq!(client.make(&shelf.manifest).await.status, 200);
    assert_eq!(client.wait(&shelf, &list.etag(), 0).await.status, 304);
}

#[tokio::test]
async fn a_relay_that_stops_answers_who_waits_and_takes_what_is_under_way() {
    let shelf = Shelf::new(1);
    let shelves = over(InMemory::new());
    let mut relay = Setup::over(shelves.clone()).serve();
    let client = relay.client();
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    let etag = client.list(&shelf).await.etag();
    let entry = shelf.entry(1, &[7; 5000]);
    let (head, tail) = entry.split_at(2000);
    let mut upload = TcpStream::connect(relay.address).unwrap();
    let path = shelf.place(1).path();
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        entry.len()
    );
    upload.write_all(request.as_bytes()).unwrap();
    upload.write_all(head).unwrap();
    let waiting = async {
        let answer = client.wait(&shelf, &etag, 25).await;
        (answer, Instant::now())
    };
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        relay.tell_to_stop();
        Instant::now()
    };
    let ((answer, answered), stopped) = tokio::join!(waiting, stopping);
    assert_eq!((answer.status, answer.etag()), (304, etag));
    assert!(answered - stopped < Duration::from_secs(1));
    // Nobody new is let in; who is in goes on.
    while TcpStream::connect(relay.address).is_ok() {
        assert!(stopped.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    upload.write_all(tail).unwrap();
    let mut text = String::new();
    upload.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 201 "), "{text}");
    relay.stop();
    assert!(stopped.elapsed() < Duration::from_secs(5));
    let stored = shelves.get(&shelf.place(1)).await.unwrap().unwrap();
    assert_eq!(stored, entry);
}

#[tokio::test]
async fn strange_files_in_the_directory_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let shelf = Shelf::new(1);
    fill(&in_directory(root), &shelf, &[1, 2]).await;
    let one = file(root, &shelf, 1);
    let entry = fs::read(&one).unwrap();
    let key = one.parent().unwrap();
    let other = Shelf::new(9).place(3);
    let strange = [
        // A write that was cut off.
        PathBuf::from(format!("{}#1", file(root, &shelf, 3).display())),
        key.join("x"),
        key.join(".DS_Store"),
        key.join(shelf.place(4).label.to_string().to_uppercase()),
        key.join("a file with % and # and \u{e4}"),
        folder(root, &shelf).join("manifest#2"),
        folder(root, &shelf)
            .join("notes")
            .join(other.label.to_string()),
        folder(root, &shelf)
            .join("copy")
            .join(other.key.to_string())
            .join(other.label.to_string()),
        root.join("v1/x"),
        root.join("x"),
    ];
    for path in &strange {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &entry).unwrap();
    }
    fs::create_dir(file(root, &shelf, 5)).unwrap();
    let relay = Setup::over(in_directory(root)).serve();
    let client = relay.client();
    let shown: Vec<_> = client
        .list(&shelf)
        .await
        .listing()
        .entries
        .iter()
        .map(|entry| (entry.key, entry.label))
        .collect();
    let mut expected = [1, 2].map(|label| (shelf.place(label).key, shelf.place(label).label));
    expected.sort_unstable();
    assert_eq!(shown, expected);
    // What was cut off is no obstacle.
    assert_eq!(client.put_on(&shelf, 3, b"blob").await.status, 201);
    let got = client.get(&shelf, &shelf.place(3)).await;
    assert_eq!(got.body, shelf.entry(3, b"blob"));
    for path in &strange {
        assert!(path.exists(), "{}", path.display());
    }
}

/// What a disk broke is not handed on as a shelf.
#[tokio::test]
async fn a_broken_manifest_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let (shelf, other) = (Shelf::new(1), Shelf::new(2));
    let shelves = in_directory(directory.path());
    fill(&shelves, &shelf, &[1]).await;
    let manifest = folder(directory.path(), &shelf).join("manifest");
    for bytes in [b"".as_slice(), b"{}", other.manifest.bytes()] {
        fs::write(&manifest, bytes).unwrap();
        let relay = Setup::over(shelves.clone()).serve();
        let client = relay.client();
        assert_eq!(client.list(&shelf).await.refusal(), Refusal::NoShelf);
        // It is not replaced either: nothing here is ever changed.
        assert_eq!(client.make(&shelf.manifest).await.refusal(), Refusal::Taken);
        assert_eq!(fs::read(&manifest).unwrap(), bytes);
    }
}

/// One key alone closes nothing; the last one does, through whichever instance, and for good.
#[tokio::test]
async fn a_shelf_is_closed_by_all_its_keys_together() {
    let shelf = Shelf::new(1);
    let root = tempfile::tempdir().unwrap();
    let [(_here, client), (there, other)] = pair(in_directory(root.path()), &shelf).await;
    let message = shelf.place(1);
    let entry = shelf.entry(1, b"blob");
    assert_eq!(client.put(&message, entry.clone()).await.status, 201);
    let done = |key: usize| Place {
        key: shelf.keys[key].public(),
        label: Label::DONE,
        ..message
    };
    let say = |key: usize| (done(key), done(key).entry(&shelf.keys[key], b""));
    let (place, first) = say(0);
    // Nobody says it for another.
    let forged = done(1).entry(&shelf.keys[0], b"");
    assert_eq!(
        client.put(&done(1), forged).await.refusal(),
        Refusal::Signature
    );
    for (client, status) in [(&client, 201), (&other, 200)] {
        assert_eq!(client.put(&place, first.clone()).await.status, status);
    }
    assert_eq!(client.get(&shelf, &message).await.body, entry);

    let (place, second) = say(1);
    assert_eq!(other.put(&place, second).await.status, 201);
    let gone = folder(root.path(), &shelf);
    let left: Vec<String> = fs::read_dir(gone)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "closed" && name != "manifest")
        .collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(other.list(&shelf).await.refusal(), Refusal::Closed);
    for client in [&client, &other] {
        assert_eq!(client.list(&shelf).await.refusal(), Refusal::Closed);
        assert_eq!(client.make(&shelf.manifest).await.status, 200);
        assert_eq!(
            client.get(&shelf, &message).await.refusal(),
            Refusal::Closed
        );
        let again = client.put(&message, entry.clone()).await;
        assert_eq!(again.refusal(), Refusal::Closed);
    }
    let metrics = Client::metrics(&there).await;
    assert!(
        metrics.contains("conclave_relay_shelves_closed_total 1"),
        "{metrics}"
    );
}
