//! `relay serve`: the untrusted relay.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::error::{CommandError, ErrorCode};
use crate::ambient::Randomness as _;
use crate::json::Hex;
use crate::relay::server::{Limits, Settings, Tls, serve};
use crate::relay::shelf::{Location, OPEN_FILES, S3, Shelves, directory};
use crate::secret::Secret;
use crate::store::disk::Access;

/// The largest PEM file, and file of S3 keys, that is read.
const MAX_PEM_BYTES: u64 = 1 << 20;
/// The fewest connections that a relay takes, however few files it may open.
#[cfg(unix)]
const FEWEST: usize = 64;
/// How often expired shelves are looked for.
const SWEEP: Duration = Duration::from_secs(3600);

const EXAMPLE: &str = "\
Examples:
  conclave relay serve --store file:/var/lib/conclave-relay
  conclave relay serve --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem --store file:DIR
  conclave relay serve --behind-proxy --store s3://bucket/relay --s3-region eu-central-1

Reads the store and the TLS files. Writes the store. Prints the address on standard output when it
listens, and JSON log lines on standard error: never a body, a token or a label. SIGTERM and Ctrl-C
end it; what clients were told is stored is on the disk by then. Any number of instances may use one
S3 store; limits by address count in each.

A relay is trusted with nothing: it sees sizes, times and pseudonyms (docs/relay.md).";

/// Run a relay: a shelf for sealed messages that nobody has to trust
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct ServeArgs {
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7420")]
    listen: SocketAddr,
    /// Where shelves are kept: file:DIR or s3://BUCKET/PREFIX
    #[arg(long, value_name = "STORE")]
    store: String,
    /// The certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A proxy stands before this relay: it does TLS and says who asks (X-Forwarded-For)
    #[arg(long, conflicts_with = "tls_cert")]
    behind_proxy: bool,
    /// Tell Prometheus metrics at http://ADDR/metrics
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// Log every request, not only refusals and failures
    #[arg(long)]
    log_requests: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    s3: S3Args,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// The most KiB of one message
    #[arg(long, value_name = "KIB", default_value_t = 16 << 10)]
    max_message: u32,
    /// The most messages of one write key in a ceremony
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_messages: u32,
    /// The most MiB of a ceremony
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    max_ceremony: u32,
    /// Requests an address may make in a minute
    #[arg(long, value_name = "N", default_value = "1200")]
    max_requests: NonZeroU32,
    /// New ceremonies an address may bring in an hour
    #[arg(long, value_name = "N", default_value = "60")]
    max_new: NonZeroU32,
    /// MiB an address may send in an hour
    #[arg(long, value_name = "MIB", default_value = "2048")]
    max_sent: NonZeroU32,
    /// Requests that may wait for news at a time
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    max_waiting: u32,
    /// Days that a ceremony stays after the last message
    #[arg(long, value_name = "DAYS", default_value = "30")]
    expire_days: NonZeroU32,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "S3")]
struct S3Args {
    /// The address of a store that is not Amazon's
    #[arg(long, value_name = "URL")]
    s3_endpoint: Option<String>,
    /// The region [default: $AWS_REGION]
    #[arg(long, value_name = "REGION")]
    s3_region: Option<String>,
    /// A file with the access key id and the secret access key, a line each [default: the machine's
    /// role, or as other S3 tools find them]
    #[arg(long, value_name = "FILE")]
    s3_keys: Option<PathBuf>,
    /// Seconds between looks at what other instances took
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    poll: NonZeroU32,
}

/// Runs the command.
pub(super) fn run(args: &ServeArgs, cx: &mut Context) -> Result<(), CommandError> {
    let tls = tls(args, cx)?;
    if tls.is_none() && !args.behind_proxy && !args.listen.ip().is_loopback() {
        return Err(CommandError::usage(format!(
            "{} can be reached by other machines, and nothing encrypts what goes there",
            args.listen
        ))
        .hint("give --tls-cert and --tls-key, or --behind-proxy if a proxy does TLS before it")
        .hint("or listen on this machine only: --listen 127.0.0.1:7420"));
    }
    let location = location(args, cx)?;
    let listener = bind(args.listen)?;
    let address = listener.local_addr().unwrap_or(args.listen);
    let metrics = args.metrics.map(bind).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let settings = Settings {
        listener,
        metrics,
        tls,
        proxy: args.behind_proxy,
        limits: args.limits.limits(),
        connections: connections(),
        poll: Duration::from_secs(u64::from(args.s3.poll.get())),
        sweep: SWEEP,
    };
    let mut unique = [0; 16];
    cx.rng.fill(&mut unique)?;
    log(args.log_requests);
    let clock = Arc::clone(&cx.clock);
    let lines = cx.ui.lines();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    runtime.block_on(async {
        crate::relay::use_tls_provider();
        let shelves = Shelves::open(&location).map_err(|error| failed(&error))?;
        let probed = shelves.probe(&Hex(unique).to_string()).await;
        probed.map_err(|error| failed(&format!("{location}: {error}")))?;
        lines.write(format!("{scheme}://{address}").as_bytes());
        serve(settings, shelves, clock, told_to_stop())
            .await
            .map_err(|error| failed(&error))
    })
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        let days = u64::from(self.expire_days.get());
        Limits {
            entry_bytes: u64::from(self.max_message) << 10,
            entries: usize::try_from(self.max_messages).unwrap_or(usize::MAX),
            shelf_bytes: u64::from(self.max_ceremony) << 20,
            requests: self.max_requests,
            shelves: self.max_new,
            mebibytes: self.max_sent,
            waiting: usize::try_from(self.max_waiting).unwrap_or(usize::MAX),
            expiry: Duration::from_secs(days.saturating_mul(86_400)),
        }
    }
}

/// Lets this process have as many files open as it may, since each connection is one; returns how many
/// connections that is.
#[cfg(unix)]
fn connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Some systems have a limit beyond this one, and let it stand as it is.
    let files = match setrlimit(Resource::Nofile, all) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let files = files.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    });
    files.saturating_sub(OPEN_FILES).max(FEWEST)
}

#[cfg(not(unix))]
fn connections() -> usize {
    usize::MAX
}

fn failed(error: &dyn std::fmt::Display) -> CommandError {
    CommandError::of(ErrorCode::RELAY_FAILED, error.to_string())
}

fn bind(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address)
        .map_err(|error| failed(&format!("cannot listen on {address}: {error}")))
}

fn tls(args: &ServeArgs, cx: &Context) -> Result<Option<Tls>, CommandError> {
    let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) else {
        return Ok(None);
    };
    let certificates = cx.disk.read(chain, MAX_PEM_BYTES)?;
    let key = Secret::new(cx.disk.read(key, MAX_PEM_BYTES)?);
    let tls = Tls::new(&certificates, &key).map_err(|error| failed(&error))?;
    Ok(Some(tls))
}

fn location(args: &ServeArgs, cx: &Context) -> Result<Location, CommandError> {
    if let Some(path) = directory(&args.store) {
        cx.disk.create_dir_all(path, Access::Private)?;
        return Ok(Location::Directory(path.to_owned()));
    }
    let Some((bucket, prefix)) = args.store.strip_prefix("s3://").map(|rest| {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        (bucket.to_owned(), prefix.trim_matches('/').to_owned())
    }) else {
        return Err(CommandError::usage("--store names no store")
            .hint("name a folder, --store file:DIR, or a bucket, --store s3://BUCKET/PREFIX"));
    };
    if bucket.is_empty() {
        return Err(CommandError::usage("--store s3:// names no bucket"));
    }
    let keys = match &args.s3.s3_keys {
        None => None,
        Some(path) => {
            let text = Secret::new(cx.disk.read(path, MAX_PEM_BYTES)?);
            let keys = text.expose(|bytes| {
                let mut words = std::str::from_utf8(bytes).ok()?.split_whitespace();
                let keys = (
                    words.next()?.to_owned(),
                    Secret::new(words.next()?.to_owned()),
                );
                words.next().is_none().then_some(keys)
            });
            Some(keys.ok_or_else(|| {
                CommandError::failed("a file of S3 keys holds two lines: the access key id, and the secret access key")
                    .about(path)
            })?)
        }
    };
    Ok(Location::S3(S3 {
        bucket,
        prefix,
        endpoint: args.s3.s3_endpoint.clone(),
        region: args.s3.s3_region.clone(),
        keys,
    }))
}

/// JSON lines on standard error, once a process.
fn log(requests: bool) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt as _;

    let level = match requests {
        true => LevelFilter::DEBUG,
        false => LevelFilter::INFO,
    };
    // Libraries speak of what they connect to and with what: only their failures are let through.
    let ours = Targets::new()
        .with_target("conclave", level)
        .with_default(LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_writer(std::io::stderr);
    let subscriber = tracing_subscriber::registry().with(lines).with(ours);
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Ends when the process is told to.
async fn told_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let terminated = async {
            match signal(SignalKind::terminate()) {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = interrupted => {}
            () = terminated => {}
        }
    }
    #[cfg(not(unix))]
    interrupted.await;
}
