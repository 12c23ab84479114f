//! A relay in this process, over any store; shelves for it; and requests to it, with what came back.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use conclave::ambient::{Clock, SystemClock};
use conclave::crypto::identity::RelayWriteKey;
use conclave::hash::Digest;
use conclave::relay::address::{
    Label, Listing, Manifest, Place, ReadToken, Refusal, Refused, shelf_path,
};
use conclave::relay::server::{Limits, ServeError, Settings, serve};
use conclave::relay::shelf::{Location, Shelves};
use conclave::secret::Secret;
use object_store::ObjectStore;
use reqwest::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, RETRY_AFTER,
};
use reqwest::{Method, RequestBuilder};
use tokio::sync::oneshot;

/// Limits by address that no test meets; the others as they are.
pub(crate) fn limits() -> Limits {
    Limits {
        requests: NonZeroU32::MAX,
        shelves: NonZeroU32::MAX,
        mebibytes: NonZeroU32::new(1 << 20).unwrap(),
        ..Limits::default()
    }
}

/// Shelves in a directory, as `relay serve --store file:` opens them.
pub(crate) fn in_directory(path: &Path) -> Shelves {
    Shelves::open(&Location::Directory(path.to_owned())).unwrap()
}

/// Shelves in any store.
pub(crate) fn over(store: impl ObjectStore) -> Shelves {
    Shelves::over(Arc::new(store), "")
}

/// The system's clock, or one that is so many seconds ahead of it.
#[derive(Debug)]
pub(crate) struct AheadClock {
    clock: SystemClock,
    ahead: AtomicU64,
}

impl AheadClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: SystemClock::new(),
            ahead: AtomicU64::new(0),
        })
    }

    pub(crate) fn set_ahead(&self, seconds: u64) {
        self.ahead.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for AheadClock {
    fn unix_seconds(&self) -> u64 {
        self.clock.unix_seconds() + self.ahead.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
}

/// How a relay is started; made by [`Setup::over`] and changed at will.
pub(crate) struct Setup {
    pub(crate) shelves: Shelves,
    pub(crate) limits: Limits,
    pub(crate) poll: Duration,
    pub(crate) sweep: Duration,
    pub(crate) proxy: bool,
    pub(crate) clock: Arc<dyn Clock + Send + Sync>,
}

impl Setup {
    /// A relay that nothing limits, that looks for others' entries often and for old shelves hardly.
    pub(crate) fn over(shelves: Shelves) -> Self {
        Self {
            shelves,
            limits: limits(),
            poll: Duration::from_millis(50),
            sweep: Duration::from_secs(3600),
            proxy: false,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Starts it, in a thread with a runtime of its own.
    pub(crate) fn serve(self) -> Relay {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (listener, metrics) = (bind(), bind());
        let address = listener.local_addr().unwrap();
        let watched = metrics.local_addr().unwrap();
        let settings = Settings {
            listener,
            metrics: Some(metrics),
            tls: None,
            proxy: self.proxy,
            limits: self.limits,
            connections: 4096,
            poll: self.poll,
            sweep: self.sweep,
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let stop = async {
                let _ = stopped.await;
            };
            runtime.block_on(serve(settings, self.shelves, self.clock, stop))
        });
        Relay {
            address,
            metrics: watched,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

/// A relay that runs; stopped, gracefully, with the value.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Relay {
    /// Its address, as `--via` takes it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(&self.url())
    }

    /// Tells it to stop, and goes on.
    pub(crate) fn tell_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops it, and waits until it ended.
    pub(crate) fn stop(mut self) {
        self.end().unwrap().unwrap();
    }

    fn end(&mut self) -> std::thread::Result<Result<(), ServeError>> {
        self.tell_to_stop();
        self.thread.take().map_or(Ok(Ok(())), JoinHandle::join)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// A shelf with the keys that write there and the token that reads.
pub(crate) struct Shelf {
    pub(crate) manifest: Manifest,
    pub(crate) keys: Vec<RelayWriteKey>,
    pub(crate) token: ReadToken,
}

impl Shelf {
    /// A shelf of two keys; another number is another shelf, with other keys and another token.
    pub(crate) fn new(number: u8) -> Self {
        let keys: Vec<_> = [1, 2].map(|n| write_key([number, n])).into();
        let token = ReadToken::new(Secret::new([number ^ 0xff; 32]));
        let publics = keys.iter().map(RelayWriteKey::public).collect();
        Self {
            manifest: Manifest::new([number; 32], token.reader(), publics).unwrap(),
            keys,
            token,
        }
    }

    /// The place of a label under the first key.
    pub(crate) fn place(&self, label: u8) -> Place {
        self.place_of(0, u32::from(label))
    }

    /// The place of a label under one of the keys.
    pub(crate) fn place_of(&self, key: usize, label: u32) -> Place {
        let mut bytes = [0xab; 32];
        bytes[..4].copy_from_slice(&label.to_be_bytes());
        Place {
            shelf: self.manifest.name(),
            key: self.keys[key].public(),
            label: Label::of(&Digest::from_bytes(bytes)),
        }
    }

    /// The entry of a blob under the first key.
    pub(crate) fn entry(&self, label: u8, blob: &[u8]) -> Vec<u8> {
        self.place(label).entry(&self.keys[0], blob)
    }
}

/// A write key, the same for the same number.
pub(crate) fn write_key([a, b]: [u8; 2]) -> RelayWriteKey {
    let mut seed = [a; 32];
    seed[0] = b;
    RelayWriteKey::from_seed(&Secret::new(seed))
}

/// Who asks a relay.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// A client of the relay at this address, whatever proxies the environment names.
    pub(crate) fn of(base: &str) -> Self {
        conclave::relay::use_tls_provider();
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: base.to_owned(),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn make(&self, manifest: &Manifest) -> Answer {
        let path = shelf_path(&manifest.name());
        let request = self.request(Method::PUT, &path);
        sent(request.body(manifest.bytes().to_vec())).await
    }

    pub(crate) async fn put(&self, place: &Place, entry: Vec<u8>) -> Answer {
        sent(self.request(Method::PUT, &place.path()).body(entry)).await
    }

    /// Puts an entry of the shelf's first key.
    pub(crate) async fn put_on(&self, shelf: &Shelf, label: u8, blob: &[u8]) -> Answer {
        let entry = shelf.entry(label, blob);
        self.put(&shelf.place(label), entry).await
    }

    pub(crate) async fn get(&self, shelf: &Shelf, place: &Place) -> Answer {
        let request = self.request(Method::GET, &place.path());
        sent(reading(request, &shelf.token)).await
    }

    pub(crate) async fn list(&self, shelf: &Shelf) -> Answer {
        let path = shelf_path(&shelf.manifest.name());
        sent(reading(self.request(Method::GET, &path), &shelf.token)).await
    }

    /// Asks for a list other than that of `etag`, and waits for it.
    pub(crate) async fn wait(&self, shelf: &Shelf, etag: &str, seconds: u64) -> Answer {
        let path = format!("{}?wait={seconds}", shelf_path(&shelf.manifest.name()));
        let request = reading(self.request(Method::GET, &path), &shelf.token);
        sent(request.header(IF_NONE_MATCH, etag)).await
    }

    /// What a monitor is told.
    pub(crate) async fn metrics(relay: &Relay) -> String {
        let client = Self::of(&format!("http://{}", relay.metrics));
        let answer = sent(client.request(Method::GET, "/metrics")).await;
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).unwrap()
    }
}

/// Adds a token.
pub(crate) fn reading(request: RequestBuilder, token: &ReadToken) -> RequestBuilder {
    token
        .header()
        .expose(|header| request.header(AUTHORIZATION, header))
}

/// Sends a request and reads the whole answer.
pub(crate) async fn sent(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await.unwrap().to_vec(),
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The refusal that it is: with the status that belongs to it, in JSON, for no cache.
    #[track_caller]
    pub(crate) fn refusal(&self) -> Refusal {
        let refused: Refused =
            serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(self.status, refused.code.status(), "{refused:?}");
        assert!(!refused.message.is_empty());
        assert_eq!(self.headers[CONTENT_TYPE], "application/json");
        assert_eq!(self.headers[CACHE_CONTROL], "no-store");
        refused.code
    }

    /// How many seconds it says to wait.
    #[track_caller]
    pub(crate) fn retry_after(&self) -> u64 {
        self.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap()
    }

    #[track_caller]
    pub(crate) fn listing(&self) -> Listing {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn etag(&self) -> String {
        self.headers[ETAG].to_str().unwrap().to_owned()
    }
}
