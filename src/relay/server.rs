//! The relay over HTTP: stateless instances before one store.
//!
//! An instance remembers nothing that it could not read again: the shelves that were asked for
//! lately, and how much each address asked. Logs and metrics tell routes, sizes and times; never a
//! body, a token or a label.

mod guard;
mod lines;
mod metrics;
mod recent;
mod routes;
mod watched;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use tokio::sync::{Semaphore, watch};

use super::shelf::{ShelfError, Shelves};
use crate::ambient::Clock;
use crate::secret::SecretBytes;
use guard::Guard;
use lines::Lines;
use metrics::Metrics;
use watched::Watched;

/// How long a client may take for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests may go on after the relay was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How often rate limiters forget addresses that stopped asking.
const FORGET: Duration = Duration::from_secs(300);

/// What a relay allows. Everything that counts by address counts in one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of an entry.
    pub entry_bytes: u64,
    /// The most entries of one write key on a shelf.
    pub entries: usize,
    /// The most bytes of all entries on a shelf.
    pub shelf_bytes: u64,
    /// Requests an address may make in a minute.
    pub requests: NonZeroU32,
    /// Shelves an address may make in an hour.
    pub shelves: NonZeroU32,
    /// MiB an address may send in an hour.
    pub mebibytes: NonZeroU32,
    /// The most requests that wait for news at a time, of all addresses together.
    pub waiting: usize,
    /// How long a shelf stays after the last write.
    pub expiry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let number = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            entry_bytes: 16 << 20,
            entries: 1024,
            shelf_bytes: 1 << 30,
            requests: number(1200),
            shelves: number(60),
            mebibytes: number(2048),
            waiting: 20_000,
            expiry: Duration::from_secs(30 * 86_400),
        }
    }
}

/// A certificate chain and its private key, ready to use.
pub struct Tls(RustlsConfig);

impl Tls {
    /// Reads both from PEM, the relay's own certificate first.
    pub fn new(certificates: &[u8], key: &SecretBytes) -> Result<Self, ServeError> {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};

        let wrong = |error: &dyn fmt::Display| ServeError::Tls(error.to_string());
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&error))?;
        let key = key
            .expose(|pem| PrivateKeyDer::from_pem_slice(pem))
            .map_err(|_| wrong(&"the key file holds no private key in PEM"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| wrong(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(RustlsConfig::from_config(Arc::new(config))))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(<secret>)")
    }
}

/// How to serve.
#[derive(Debug)]
pub struct Settings {
    /// The socket to listen on.
    pub listener: TcpListener,
    /// The socket that tells metrics, if any.
    pub metrics: Option<TcpListener>,
    /// TLS, unless a proxy does it or only this machine is served.
    pub tls: Option<Tls>,
    /// Whether a proxy stands before, which says who asks.
    pub proxy: bool,
    /// What is allowed.
    pub limits: Limits,
    /// The most connections at a time.
    pub connections: usize,
    /// How often the store is asked for what other instances took.
    pub poll: Duration,
    /// How often expired shelves are looked for.
    pub sweep: Duration,
}

/// Why a relay does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket failed.
    #[error("cannot serve: {0}")]
    Io(#[from] io::Error),
    /// Certificates and key cannot be used.
    #[error("the TLS certificates and key cannot be used: {0}")]
    Tls(String),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] ShelfError),
}

/// What all requests share.
struct Relay {
    shelves: Shelves,
    limits: Limits,
    guard: Guard,
    watched: Watched,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock + Send + Sync>,
    /// Requests that may wait.
    seats: Semaphore,
    /// Turns true when the relay stops.
    stopping: watch::Receiver<bool>,
}

/// Serves until `stop` is done; then lets requests end for a short while.
pub async fn serve(
    settings: Settings,
    shelves: Shelves,
    clock: Arc<dyn Clock + Send + Sync>,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (told, stopping) = watch::channel(false);
    let limits = settings.limits;
    let relay = Arc::new(Relay {
        guard: Guard::new(&limits, settings.proxy),
        watched: Watched::new(shelves.clone(), Arc::clone(&clock)),
        metrics: Arc::new(Metrics::new()),
        seats: Semaphore::new(limits.waiting.min(Semaphore::MAX_PERMITS)),
        shelves,
        limits,
        clock,
        stopping,
    });
    let handle = Handle::new();
    settings.listener.set_nonblocking(true)?;
    let make = routes::relay(&relay).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum_server::from_tcp(settings.listener)?.handle(handle.clone());
    let lines = Lines::new(settings.connections, Arc::clone(&relay.metrics));
    let main: tokio::task::JoinHandle<io::Result<()>> = match settings.tls {
        None => tokio::spawn(with_timeouts(server.acceptor(lines)).serve(make)),
        Some(Tls(config)) => {
            let acceptor = RustlsAcceptor::new(config)
                .handshake_timeout(HANDSHAKE_TIMEOUT)
                .acceptor(lines);
            tokio::spawn(with_timeouts(server.acceptor(acceptor)).serve(make))
        }
    };
    let mut tasks = tokio::task::JoinSet::new();
    let mut metrics = None;
    if let Some(listener) = settings.metrics {
        listener.set_nonblocking(true)?;
        metrics = Some(listener.local_addr()?);
        let server = with_timeouts(axum_server::from_tcp(listener)?.handle(handle.clone()));
        let make = routes::metrics(&relay).into_make_service();
        tasks.spawn(async move {
            let _ = server.serve(make).await;
        });
    }
    tasks.spawn(poll(Arc::clone(&relay), settings.poll));
    tasks.spawn(sweep(Arc::clone(&relay), settings.sweep));
    tracing::info!(
        event = "started",
        connections = settings.connections,
        // Port 0 is the system's choice, which only this line tells.
        metrics = metrics.map(tracing::field::display),
    );
    let stopped = async {
        stop.await;
        tracing::info!(event = "stopping");
        told.send_replace(true);
        handle.graceful_shutdown(Some(GRACE));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = main => ended.map_err(io::Error::other)??,
        () = stopped => {}
    }
    tasks.shutdown().await;
    tracing::info!(event = "stopped");
    Ok(())
}

fn with_timeouts<A>(mut server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(64 << 10);
    server.http1_only()
}

/// Learns what other instances took, and forgets who asks no more.
async fn poll(relay: Arc<Relay>, every: Duration) {
    let mut since = Duration::ZERO;
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = relay.watched.refresh(every).await {
            relay.metrics.store_failed();
            tracing::error!(event = "store failed", %error);
        }
        since = since.saturating_add(every);
        if since >= FORGET {
            since = Duration::ZERO;
            relay.guard.forget();
        }
    }
}

async fn sweep(relay: Arc<Relay>, every: Duration) {
    loop {
        let now = relay.clock.unix_seconds();
        match relay.shelves.sweep(now, relay.limits.expiry).await {
            Ok(gone) => {
                for shelf in &gone {
                    relay.watched.drop_shelf(shelf);
                    tracing::info!(event = "expired", shelf = shelf.short());
                }
                relay.metrics.expired(gone.len());
            }
            Err(error) => {
                relay.metrics.store_failed();
                tracing::error!(event = "store failed", %error);
            }
        }
        tokio::time::sleep(every).await;
    }
}
