//! Requests to several relays over one store: when one does not answer, the next is asked.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::header::{ETAG, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// How long an answer may take beyond the wait that was asked for.
const ANSWER: Duration = Duration::from_secs(60);

/// Nobody answered until the time was over.
#[derive(Debug)]
pub(crate) struct GaveUp;

/// What happened to all requests.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) requests: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) taken: AtomicU64,
    pub(crate) wrong: AtomicU64,
    pub(crate) released: AtomicU64,
    pub(crate) waiting: AtomicU64,
    pub(crate) peak: AtomicU64,
    pub(crate) puts: Times,
    pub(crate) gets: Times,
    pub(crate) seen: Times,
}

/// Times in microseconds.
#[derive(Default)]
pub(crate) struct Times(Mutex<Vec<u64>>);

impl Times {
    pub(crate) fn add(&self, micros: u64) {
        self.0.lock().unwrap().push(micros);
    }

    pub(crate) fn milliseconds(&self) -> Value {
        let mut times = self.0.lock().unwrap();
        times.sort_unstable();
        let at = |percent: usize| {
            let last = times.len().saturating_sub(1);
            let micros = times.get(last * percent / 100).copied().unwrap_or(0);
            micros as f64 / 1000.0
        };
        json!({ "count": times.len(), "p50": at(50), "p99": at(99), "max": at(100) })
    }
}

/// An answer, whatever it says, but "later".
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) body: Vec<u8>,
    /// How long it took, with all tries.
    pub(crate) micros: u64,
}

/// Makes a pool of connections. Few of them are kept idle: each is a file, of which there are not many
/// more than operators.
pub(crate) fn client() -> Client {
    Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(10)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(15))
        .build()
        .unwrap()
}

/// One operator's line.
pub(crate) struct Wire {
    client: Client,
    bases: Arc<[String]>,
    /// Of all operators together: no more connections than the system lets a process have.
    lines: Arc<Semaphore>,
    at: AtomicUsize,
    until: Instant,
}

impl Wire {
    pub(crate) fn new(
        client: Client,
        bases: Arc<[String]>,
        lines: Arc<Semaphore>,
        first: usize,
        until: Instant,
    ) -> Self {
        Self {
            client,
            at: AtomicUsize::new(first % bases.len()),
            bases,
            lines,
            until,
        }
    }

    /// Sends a request until somebody answers it.
    pub(crate) async fn send(
        &self,
        tally: &Tally,
        method: Method,
        path: &str,
        wait: Duration,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, GaveUp> {
        let _line = match wait.is_zero() {
            true => Some(self.lines.acquire().await.unwrap()),
            false => None,
        };
        let begun = Instant::now();
        let mut pause = Duration::from_millis(50);
        while Instant::now() < self.until {
            let at = self.at.load(Ordering::Relaxed);
            let request = self
                .client
                .request(method.clone(), format!("{}{path}", self.bases[at]))
                .timeout(ANSWER + wait);
            tally.requests.fetch_add(1, Ordering::Relaxed);
            match answer(with(request)).await {
                Ok((
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE,
                    seconds,
                    _,
                )) => {
                    tally.refused.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_secs(seconds.clamp(1, 10))).await;
                }
                Ok((_, _, answer)) => {
                    let micros = begun.elapsed().as_micros() as u64;
                    return Ok(Answer { micros, ..answer });
                }
                Err(_) => {
                    tally.broken.fetch_add(1, Ordering::Relaxed);
                    // Of several requests that met this only one moves on.
                    let next = (at + 1) % self.bases.len();
                    let _ =
                        self.at
                            .compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
        Err(GaveUp)
    }
}

async fn answer(request: RequestBuilder) -> reqwest::Result<(StatusCode, u64, Answer)> {
    let response = request.send().await?;
    let status = response.status();
    let etag = response.headers().get(ETAG).cloned();
    let seconds = response.headers().get(RETRY_AFTER);
    let seconds = seconds.and_then(|text| text.to_str().ok()?.parse().ok());
    let answer = Answer {
        status,
        etag,
        body: response.bytes().await?.to_vec(),
        micros: 0,
    };
    Ok((status, seconds.unwrap_or(1), answer))
}
