//! What Prometheus is told.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The upper bounds of the buckets, in seconds; waits for news have a metric of their own.
const BUCKETS: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

/// The counters of an instance, all zero at its start.
pub(super) struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    refusals: Family<Code, Counter>,
    waiting: Gauge,
    connections: Gauge,
    turned_away: Counter,
    shelves: Counter,
    entries: Counter,
    bytes: Counter,
    closed: Counter,
    expired: Counter,
    store_failures: Counter<u64, AtomicU64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("conclave_relay");
        let answers = Family::default();
        registry.register("requests", "Requests that were answered", answers.clone());
        let seconds: Family<Route, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let help = "Time to answer, without waits for news";
        registry.register("request_seconds", help, seconds.clone());
        let refusals = Family::default();
        registry.register("refusals", "Refusals by code", refusals.clone());
        let waiting = Gauge::default();
        registry.register(
            "waiting",
            "Requests that wait for news now",
            waiting.clone(),
        );
        let connections = Gauge::default();
        registry.register("connections", "Connections now", connections.clone());
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        Self {
            answers,
            seconds,
            refusals,
            waiting,
            connections,
            turned_away: counter(
                "connections_turned_away",
                "Connections that were closed at once: there were too many",
            ),
            shelves: counter("shelves_made", "Shelves that were made"),
            entries: counter("entries_stored", "Entries that were stored"),
            bytes: counter(
                "entry_bytes_stored",
                "Bytes of the entries that were stored",
            ),
            closed: counter(
                "shelves_closed",
                "Shelves that were closed by all their write keys",
            ),
            expired: counter("shelves_expired", "Shelves that were removed for their age"),
            store_failures: counter("store_failures", "Times that the store failed"),
            registry,
        }
    }

    pub(super) fn answered(&self, route: &'static str, status: u16) {
        self.answers.get_or_create(&Answer { route, status }).inc();
    }

    pub(super) fn took(&self, route: &'static str, time: Duration) {
        let route = Route { route };
        self.seconds
            .get_or_create(&route)
            .observe(time.as_secs_f64());
    }

    pub(super) fn refused(&self, code: &'static str) {
        self.refusals.get_or_create(&Code { code }).inc();
    }

    pub(super) fn made(&self) {
        self.shelves.inc();
    }

    pub(super) fn stored(&self, bytes: u64) {
        self.entries.inc();
        self.bytes.inc_by(bytes);
    }

    pub(super) fn closed(&self) {
        self.closed.inc();
    }

    pub(super) fn expired(&self, shelves: usize) {
        self.expired
            .inc_by(u64::try_from(shelves).unwrap_or(u64::MAX));
    }

    pub(super) fn store_failed(&self) {
        self.store_failures.inc();
    }

    /// Counts a wait for as long as the answer lives.
    pub(super) fn wait(&self) -> Waiting {
        self.waiting.inc();
        Waiting(self.waiting.clone())
    }

    /// Counts a connection for as long as what is returned lives.
    pub(super) fn open(&self) -> Open {
        self.connections.inc();
        Open(self.connections.clone())
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.inc();
    }

    /// The exposition, OpenMetrics 1.0.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// A connection.
pub(super) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A request that waits.
pub(super) struct Waiting(Gauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}
