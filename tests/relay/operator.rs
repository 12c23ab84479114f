//! An operator: what `conclave run --via https://…` asks of a relay, in its order (src/courier/relay.rs).

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use conclave::relay::address::{Listing, MAX_WAIT_SECONDS, shelf_path};
use futures_util::{StreamExt as _, stream};
use reqwest::header::{AUTHORIZATION, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};

use super::Load;
use super::ceremony::Ceremony;
use super::wire::{Answer, GaveUp, Wire};

/// Entries that are fetched at a time.
const AT_ONCE: usize = 4;

/// Plays one operator to the end; returns how many messages were had as they should be.
pub(crate) async fn play(load: Arc<Load>, ceremony: Arc<Ceremony>, me: usize, wire: Wire) -> usize {
    let operator = Operator {
        load: &load,
        ceremony: &ceremony,
        me,
        wire,
        right: Mutex::default(),
    };
    // Who gave up lacks messages, which is what counts.
    let _ = match load.args.check {
        true => operator.look().await,
        false => operator.go().await,
    };
    operator.right.into_inner().unwrap().len()
}

struct Operator<'l> {
    load: &'l Load,
    ceremony: &'l Ceremony,
    me: usize,
    wire: Wire,
    /// The messages that were had, by place.
    right: Mutex<BTreeSet<usize>>,
}

impl Operator<'_> {
    async fn go(&self) -> Result<(), GaveUp> {
        let operators = self.ceremony.keys.len();
        let (deal, confirm) = (self.me, operators + self.me);
        let late = self.me + 1 == operators;
        let mut put = [false; 2];
        let mut following = None;
        loop {
            let etag = self.exchange(&mut following).await?;
            if !put[0] && !late {
                self.put(deal).await?;
                put[0] = true;
            }
            if put[0] && !put[1] && self.has(0..operators) {
                self.put(confirm).await?;
                put[1] = true;
            }
            if put[1] && self.has(0..operators * 2) {
                return Ok(());
            }
            if put[0] {
                self.wait(&etag).await?;
                continue;
            }
            let mut wait = pin!(self.wait(&etag));
            let mut released = self.load.released.subscribe();
            let released = async {
                let _ = released.wait_for(|released| *released).await;
                let since = Duration::from_micros(self.load.micros() - self.load.released_at());
                tokio::time::sleep(self.turn().saturating_sub(since)).await;
            };
            tokio::select! {
                waited = &mut wait => waited?,
                () = released => {
                    self.put(deal).await?;
                    put[0] = true;
                    wait.await?;
                }
            }
        }
    }

    /// How long this ceremony waits when others go on.
    fn turn(&self) -> Duration {
        let args = &self.load.args;
        let share = self.ceremony.number as f64 / args.ceremonies as f64;
        Duration::from_secs(args.spread).mul_f64(share)
    }

    /// Reads all that stands there.
    async fn look(&self) -> Result<(), GaveUp> {
        self.exchange(&mut None).await.map(|_| ())
    }

    fn has(&self, mut places: std::ops::Range<usize>) -> bool {
        let right = self.right.lock().unwrap();
        places.all(|at| right.contains(&at))
    }

    /// Lists, making the shelf if need be, and reads what is new; returns what tells the list.
    async fn exchange(&self, following: &mut Option<u64>) -> Result<HeaderValue, GaveUp> {
        let path = shelf_path(&self.ceremony.manifest.name());
        let mut answer = self.read(&path, Duration::ZERO, None).await?;
        while answer.status == StatusCode::NOT_FOUND && !self.load.args.check {
            let manifest = self.ceremony.manifest.bytes();
            self.wire
                .send(
                    &self.load.tally,
                    Method::PUT,
                    &path,
                    Duration::ZERO,
                    |request| request.body(manifest.to_vec()),
                )
                .await?;
            answer = self.read(&path, Duration::ZERO, None).await?;
        }
        let now = self.load.micros();
        let Ok(Listing { entries }) = serde_json::from_slice(&answer.body) else {
            self.wrong(&format!("a list: {}", answer.status));
            return Err(GaveUp);
        };
        let mut unread = Vec::new();
        for entry in entries {
            match self.ceremony.index.get(&(entry.key, entry.label)) {
                None => self.wrong("an entry that nobody wrote"),
                Some(at) if self.right.lock().unwrap().contains(at) => {}
                Some(at) => {
                    unread.push(*at);
                    let put = self.ceremony.put[*at].load(Ordering::Relaxed);
                    // Who came later does not count: nobody could show it earlier.
                    if following.is_some_and(|since| since < put) {
                        self.load.tally.seen.add(now.saturating_sub(put));
                    }
                }
            }
        }
        following.get_or_insert(now);
        stream::iter(unread)
            .map(|at| self.fetch(at))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .collect::<Result<(), GaveUp>>()?;
        answer.etag.ok_or(GaveUp)
    }

    /// Waits for another list.
    async fn wait(&self, etag: &HeaderValue) -> Result<(), GaveUp> {
        let path = shelf_path(&self.ceremony.manifest.name());
        let tally = &self.load.tally;
        let waiting = tally.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        tally.peak.fetch_max(waiting, Ordering::Relaxed);
        let limit = Duration::from_secs(MAX_WAIT_SECONDS);
        let waited = self
            .read(
                &format!("{path}?wait={MAX_WAIT_SECONDS}"),
                limit,
                Some(etag),
            )
            .await;
        tally.waiting.fetch_sub(1, Ordering::Relaxed);
        waited.map(|_| ())
    }

    /// Puts an own message, and reads it back.
    async fn put(&self, at: usize) -> Result<(), GaveUp> {
        let entry = self.ceremony.entry(at);
        let path = self.ceremony.places[at].path();
        let began = &self.ceremony.put[at];
        let answer = loop {
            let answer = self
                .wire
                .send(
                    &self.load.tally,
                    Method::PUT,
                    &path,
                    Duration::ZERO,
                    |request| {
                        let now = self.load.micros();
                        let _ =
                            began.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
                        request.body(entry.clone())
                    },
                )
                .await?;
            match answer.status {
                StatusCode::OK | StatusCode::CREATED => break answer,
                other => self.wrong(&format!("a put: {other}")),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        self.load.tally.puts.add(answer.micros);
        self.load.taken();
        self.fetch(at).await
    }

    /// Reads a message, and compares.
    async fn fetch(&self, at: usize) -> Result<(), GaveUp> {
        let place = &self.ceremony.places[at];
        let answer = self.read(&place.path(), Duration::ZERO, None).await?;
        self.load.tally.gets.add(answer.micros);
        if answer.status != StatusCode::OK {
            self.wrong(&format!(
                "a message that is listed, or was taken: {}",
                answer.status
            ));
        } else if place.blob(&answer.body) == Ok(self.ceremony.message(at).as_slice()) {
            self.right.lock().unwrap().insert(at);
        } else {
            self.wrong("other bytes than were put");
        }
        Ok(())
    }

    async fn read(
        &self,
        path: &str,
        wait: Duration,
        known: Option<&HeaderValue>,
    ) -> Result<Answer, GaveUp> {
        self.wire
            .send(&self.load.tally, Method::GET, path, wait, |request| {
                let request = request.header(AUTHORIZATION, &self.ceremony.token);
                match known {
                    Some(etag) => request.header(IF_NONE_MATCH, etag),
                    None => request,
                }
            })
            .await
    }

    /// The first few say what it is.
    fn wrong(&self, what: &str) {
        if self.load.tally.wrong.fetch_add(1, Ordering::Relaxed) < 10 {
            eprintln!("wrong: {what}");
        }
    }
}
