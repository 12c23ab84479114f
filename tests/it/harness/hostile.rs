//! A relay that does what it likes: the protocol of `relay::address` from memory, with a mischief for
//! each operator, and a record of every byte that reached it.
//!
//! The first part of a path names the view: `http://ADDR/alice/v1/…`. Views share one set of shelves
//! unless the mischief is to split them.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use conclave::relay::address::{Manifest, Refusal, Refused};
use futures_util::stream;

/// What a relay may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mischief {
    /// Nothing.
    Honest,
    /// It says that it took a write, and did not.
    DropWrites,
    /// It shows an empty list.
    Hide,
    /// It answers late.
    Late,
    /// It lists from behind, and each entry twice.
    Reorder,
    /// It shows the list as it was when the mischief began.
    Stale,
    /// It gives the bytes of another entry.
    Replay,
    /// It flips a bit of each entry.
    Corrupt,
    /// It cuts each entry short.
    Truncate,
    /// Something stands in every place that is written to.
    Squat,
    /// It says so, and nothing stands there.
    SquatNothing,
    /// It shows this operator shelves of its own.
    Split,
    /// It answers 500, or 503 for ever.
    Fail(u16),
    /// It takes the connection and says nothing.
    Hang,
    /// Its list has no end.
    EndlessList,
    /// Its entries have no end.
    EndlessEntry,
    /// Its list is no list.
    Garbage,
    /// It lists entries of keys that nobody knows, of sizes that nothing has.
    Strangers,
    /// It lists more made-up entries than anybody would fetch.
    Flood,
    /// It says that each listed entry is not there.
    Vanish,
    /// It refuses each entry that it lists.
    Deny,
    /// It sends elsewhere.
    Redirect,
    /// It has never heard of the shelf that it was just given.
    Forget,
    /// It refuses, in a relay's words.
    Refuse(Refusal),
    /// Its words hold what a terminal would obey.
    Escapes,
}

type Entries = BTreeMap<(String, String), Vec<u8>>;

#[derive(Default)]
struct Shelf {
    manifest: Vec<u8>,
    entries: Entries,
}

#[derive(Default)]
struct World {
    mischief: BTreeMap<String, Mischief>,
    everyone: Option<Mischief>,
    shelves: BTreeMap<String, Shelf>,
    stale: Option<Vec<(String, String)>>,
    traffic: Vec<u8>,
    requests: usize,
}

/// The double. Its thread ends with the test.
pub(crate) struct Hostile {
    address: String,
    world: Arc<Mutex<World>>,
}

impl Hostile {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World::default()));
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&world));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum_server::from_tcp(listener.into_std().unwrap())
                    .unwrap()
                    .serve(app.into_make_service())
                    .await
                    .unwrap();
            });
        });
        Self { address, world }
    }

    /// The address that one operator uses.
    pub(crate) fn view(&self, who: &str) -> String {
        format!("{}/{who}", self.address)
    }

    /// From now on it does this to everyone.
    pub(crate) fn does(&self, mischief: Mischief) {
        let mut world = lock(&self.world);
        world.mischief.clear();
        world.everyone = Some(mischief);
        let shown = world.shelves.values().next();
        world.stale = shown.map(|shelf| shelf.entries.keys().cloned().collect());
    }

    /// From now on it does this to one operator.
    pub(crate) fn does_to(&self, who: &str, mischief: Mischief) {
        lock(&self.world).mischief.insert(who.to_owned(), mischief);
    }

    /// Every byte that reached it: request lines, headers, bodies.
    pub(crate) fn traffic(&self) -> Vec<u8> {
        lock(&self.world).traffic.clone()
    }

    /// The same without the bodies that are these bytes.
    pub(crate) fn traffic_without(&self, body: &[u8]) -> Vec<u8> {
        let mut rest = self.traffic();
        while let Some(at) = rest.windows(body.len()).position(|window| window == body) {
            rest.drain(at..at + body.len());
        }
        rest
    }

    /// How often it was asked.
    pub(crate) fn requests(&self) -> usize {
        lock(&self.world).requests
    }

    /// The entries that stand on all shelves.
    pub(crate) fn entries(&self) -> usize {
        let world = lock(&self.world);
        world
            .shelves
            .values()
            .map(|shelf| shelf.entries.len())
            .sum()
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap()
}

async fn answer(State(world): State<Arc<Mutex<World>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    let names: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let view = names[0].to_owned();
    let mischief = {
        let mut world = lock(&world);
        world.requests += 1;
        let line = format!("{} {}\n", parts.method, parts.uri);
        world.traffic.extend(line.as_bytes());
        for (name, value) in &parts.headers {
            world.traffic.extend(name.as_str().as_bytes());
            world.traffic.extend(b": ");
            world.traffic.extend(value.as_bytes());
            world.traffic.push(b'\n');
        }
        world.traffic.extend(&body);
        let one = world.mischief.get(&view).copied();
        one.or(world.everyone).unwrap_or(Mischief::Honest)
    };
    match mischief {
        Mischief::Late => tokio::time::sleep(Duration::from_millis(60)).await,
        Mischief::Hang => std::future::pending().await,
        Mischief::Fail(status) => {
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        Mischief::Redirect => {
            let elsewhere = [(header::LOCATION, "https://elsewhere.example/")];
            return (StatusCode::TEMPORARY_REDIRECT, elsewhere).into_response();
        }
        Mischief::Refuse(code) => return refuse(code, "because"),
        Mischief::Escapes => return refuse(Refusal::ShelfFull, "\u{1b}[2Jcleared\u{202e}"),
        _ => {}
    }
    let mut world = lock(&world);
    let shelf = match mischief {
        Mischief::Split => format!("{view} {}", names[3]),
        _ => names[3].to_owned(),
    };
    match (parts.method.as_str(), names.get(4..)) {
        ("PUT", Some([])) => {
            if Manifest::parse(&body).is_err() {
                return refuse(Refusal::BadRequest, "no manifest");
            }
            let made = world.shelves.entry(shelf).or_default();
            made.manifest = body.to_vec();
            StatusCode::CREATED.into_response()
        }
        ("PUT", Some([key, label])) => put(&mut world, mischief, &shelf, (key, label), &body),
        ("GET", Some([])) => list(&world, mischief, &shelf),
        ("GET", Some([key, label])) => get(&world, mischief, &shelf, (key, label)),
        _ => refuse(Refusal::BadRequest, "what?"),
    }
}

fn put(
    world: &mut World,
    mischief: Mischief,
    shelf: &str,
    (key, label): (&str, &str),
    body: &Bytes,
) -> Response {
    let Some(shelf) = world.shelves.get_mut(shelf) else {
        return refuse(Refusal::NoShelf, "no such shelf");
    };
    match mischief {
        Mischief::DropWrites => return StatusCode::CREATED.into_response(),
        Mischief::Squat | Mischief::SquatNothing => return refuse(Refusal::Taken, "taken"),
        _ => {}
    }
    let place = (key.to_owned(), label.to_owned());
    match shelf.entries.get(&place) {
        Some(stands) if stands != body => refuse(Refusal::Taken, "taken"),
        Some(_) => StatusCode::OK.into_response(),
        None => {
            shelf.entries.insert(place, body.to_vec());
            StatusCode::CREATED.into_response()
        }
    }
}

fn list(world: &World, mischief: Mischief, shelf: &str) -> Response {
    let Some(shelf) = world.shelves.get(shelf) else {
        return refuse(Refusal::NoShelf, "no such shelf");
    };
    let mut entries: Vec<(String, String, u64)> = shelf
        .entries
        .iter()
        .map(|((key, label), entry)| (key.clone(), label.clone(), entry.len() as u64))
        .collect();
    let own = Manifest::parse(&shelf.manifest).unwrap();
    let text: serde_json::Value = serde_json::from_slice(own.bytes()).unwrap();
    let key = text["keys"][0].as_str().unwrap().to_owned();
    let label = |n: u32| format!("{n:064x}");
    match mischief {
        Mischief::Forget => return refuse(Refusal::NoShelf, "no such shelf"),
        Mischief::Hide => entries.clear(),
        Mischief::Reorder => {
            entries.extend(entries.clone());
            entries.reverse();
        }
        Mischief::Stale => {
            let stale = world.stale.clone().unwrap_or_default();
            entries.retain(|(key, label, _)| stale.contains(&(key.clone(), label.clone())));
        }
        Mischief::Garbage => return "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[".into_response(),
        Mischief::EndlessList => return endless(),
        Mischief::Strangers => {
            entries.push(("d7".repeat(32), label(1), 5));
            entries.push((key, label(2), u64::pow(2, 52)));
        }
        Mischief::Flood => entries.extend((0..9000).map(|n| (key.clone(), label(n), 200))),
        _ => {}
    }
    let entries: Vec<serde_json::Value> = entries
        .into_iter()
        .map(|(key, label, bytes)| serde_json::json!({"key": key, "label": label, "bytes": bytes}))
        .collect();
    let body = serde_json::to_vec(&serde_json::json!({ "entries": entries })).unwrap();
    // It never waits: to who asks for another list it gives the same one at once.
    ([(header::ETAG, "\"list\"")], body).into_response()
}

fn get(world: &World, mischief: Mischief, shelf: &str, (key, label): (&str, &str)) -> Response {
    let Some(shelf) = world.shelves.get(shelf) else {
        return refuse(Refusal::NoShelf, "no such shelf");
    };
    if mischief == Mischief::Deny {
        return refuse(Refusal::Token, "not for you");
    }
    let place = (key.to_owned(), label.to_owned());
    let junk = || vec![7u8; 200].into_response();
    let stands = shelf.entries.get(&place).cloned();
    let Some(mut entry) = stands.filter(|_| mischief != Mischief::Vanish) else {
        return match mischief {
            Mischief::Squat | Mischief::Flood => junk(),
            _ => refuse(Refusal::NoEntry, "nothing there"),
        };
    };
    match mischief {
        Mischief::Corrupt => {
            let last = entry.len() - 1;
            entry[last] ^= 0x10;
        }
        Mischief::Truncate => entry.truncate(entry.len() / 2),
        Mischief::Replay => {
            let other = shelf.entries.iter().find(|(other, _)| **other != place);
            if let Some((_, other)) = other {
                entry.clone_from(other);
            }
        }
        Mischief::EndlessEntry => return endless(),
        _ => {}
    }
    entry.into_response()
}

/// A body that goes on for as long as anybody reads.
fn endless() -> Response {
    let chunk = Bytes::from(vec![b' '; 64 << 10]);
    let chunks = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    Body::from_stream(chunks).into_response()
}

fn refuse(code: Refusal, message: &str) -> Response {
    let refused = Refused {
        code,
        message: message.to_owned(),
    };
    let status = StatusCode::from_u16(code.status()).unwrap();
    (status, serde_json::to_vec(&refused).unwrap()).into_response()
}
