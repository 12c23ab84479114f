//! A load for relays: many ceremonies at once, each operator as the program's own client behaves, and
//! at the end a look whether every one of them has every message. For the tests, and installed nowhere.
//!
//! ```text
//! relay-load [--ceremonies N] [--operators K] URL...    plays N ceremonies of K operators
//! relay-load --check … URL...                           reads what such a run left, and compares
//! relay-load --race W [--rounds R] URL...               W writers, one place, other bytes each
//! ```
//!
//! An operator asks one of the addresses, and the next one when that does not answer. The last
//! operator of each ceremony is late with the first message, until every operator waits for news: so
//! that all of them wait at a time. `half` on standard error says that half of the messages were taken;
//! JSON on standard output says what happened. Exit code 1: a message is lost or wrong.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "test code: what fails here fails the test, which is about time and prints its figures"
)]

mod ceremony;
mod operator;
mod race;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use ceremony::Ceremony;
use wire::{Tally, client};

#[derive(Debug, Parser)]
struct Args {
    /// The relays, all over one store
    #[arg(required = true)]
    relays: Vec<String>,
    #[arg(long, default_value_t = 1000)]
    ceremonies: usize,
    #[arg(long, default_value_t = 10)]
    operators: usize,
    /// Bytes of a sealed deal
    #[arg(long, default_value_t = 9 << 10)]
    deal: usize,
    /// Bytes of a sealed confirm
    #[arg(long, default_value_t = 2 << 10)]
    confirm: usize,
    /// Seconds in which all operators begin
    #[arg(long, default_value_t = 5)]
    ramp: u64,
    /// Seconds that all wait for news together
    #[arg(long, default_value_t = 2)]
    hold: u64,
    /// Seconds in which one ceremony after the other goes on then; 0: all at one instant
    #[arg(long, default_value_t = 0)]
    spread: u64,
    /// Requests at a time beside those that wait for news: each is a connection
    #[arg(long, default_value_t = 6000)]
    requests: usize,
    /// Seconds after which whoever is not done gives up
    #[arg(long, default_value_t = 600)]
    limit: u64,
    /// Operators that share a pool of connections
    #[arg(long, default_value_t = 50)]
    sharing: usize,
    /// What keys and messages are made from: each run over one store wants another
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write nothing; see whether all messages of such a run stand there
    #[arg(long)]
    check: bool,
    /// Let so many writers put different bytes in one place at once
    #[arg(long)]
    race: Option<usize>,
    /// How often they race
    #[arg(long, default_value_t = 50)]
    rounds: usize,
}

/// What all operators share.
struct Load {
    args: Args,
    begun: Instant,
    tally: Tally,
    /// Turns true when those who are late put their message.
    released: watch::Sender<bool>,
}

impl Load {
    fn micros(&self) -> u64 {
        self.begun.elapsed().as_micros() as u64
    }

    fn released_at(&self) -> u64 {
        self.tally.released.load(Ordering::Relaxed)
    }

    fn all(&self) -> u64 {
        (self.args.ceremonies * self.args.operators) as u64
    }

    /// Notes a message that was taken.
    fn taken(&self) {
        if self.tally.taken.fetch_add(1, Ordering::Relaxed) + 1 == self.all() {
            eprintln!("half");
        }
    }

    /// Lets those who are late go on once all wait.
    async fn release(&self) {
        let late = Duration::from_secs(self.args.ramp + 120);
        let waiting = || self.tally.waiting.load(Ordering::Relaxed);
        while waiting() < self.all() && self.begun.elapsed() < late {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_secs(self.args.hold)).await;
        self.tally.released.store(self.micros(), Ordering::Relaxed);
        self.released.send_replace(true);
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    conclave::relay::use_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (report, good) = runtime.block_on(async {
        match args.race {
            Some(writers) => race::race(&args.relays, writers, args.rounds, args.seed).await,
            None => play(args).await,
        }
    });
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
    match good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn play(args: Args) -> (Value, bool) {
    let load = Arc::new(Load {
        begun: Instant::now(),
        tally: Tally::default(),
        released: watch::Sender::new(false),
        args,
    });
    let (ceremonies, operators) = (load.args.ceremonies, load.args.operators);
    // Who only looks needs no more than one pair of eyes.
    let playing = if load.args.check { 1 } else { operators };
    let all = ceremonies * playing;
    let bases: Arc<[String]> = load.args.relays.clone().into();
    let lines = Arc::new(Semaphore::new(load.args.requests));
    let mut clients = Vec::new();
    let mut tasks = JoinSet::new();
    if !load.args.check {
        let load = Arc::clone(&load);
        tokio::spawn(async move { load.release().await });
    }
    for number in 0..ceremonies {
        let ceremony = Arc::new(Ceremony::new(&load.args, number));
        for me in 0..playing {
            let at = number * playing + me;
            if at / load.args.sharing == clients.len() {
                clients.push(client());
            }
            let wire = wire::Wire::new(
                clients[at / load.args.sharing].clone(),
                Arc::clone(&bases),
                Arc::clone(&lines),
                me,
                Instant::now() + Duration::from_secs(load.args.limit),
            );
            let (load, ceremony) = (Arc::clone(&load), Arc::clone(&ceremony));
            let begins = Duration::from_secs(load.args.ramp).mul_f64(at as f64 / all as f64);
            tasks.spawn(async move {
                tokio::time::sleep(begins.saturating_sub(load.begun.elapsed())).await;
                operator::play(load, ceremony, me, wire).await
            });
        }
    }
    let mut right = 0;
    while let Some(done) = tasks.join_next().await {
        right += done.unwrap();
    }
    let wanted = all * operators * 2;
    report(&load, wanted, wanted - right)
}

fn report(load: &Load, wanted: usize, lost: usize) -> (Value, bool) {
    let args = &load.args;
    let tally = &load.tally;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let seconds = load.begun.elapsed().as_secs_f64();
    let until = count(&tally.released) as f64 / 1e6;
    let wrong = count(&tally.wrong);
    let report = json!({
        "ceremonies": args.ceremonies,
        "operators": args.operators,
        "relays": args.relays.len(),
        "messages": args.ceremonies * args.operators * 2,
        "messages_to_be_had": wanted,
        "lost": lost,
        "wrong": wrong,
        "seconds": seconds,
        "seconds_until_all_waited": until,
        "seconds_from_then": seconds - until,
        "requests": count(&tally.requests),
        "requests_per_second": (count(&tally.requests) as f64 / seconds).round(),
        "put_ms": tally.puts.milliseconds(),
        "get_ms": tally.gets.milliseconds(),
        "put_to_seen_ms": tally.seen.milliseconds(),
        "connections_lost": count(&tally.broken),
        "refused_for_now": count(&tally.refused),
        "peak_waiting": count(&tally.peak),
    });
    (report, lost == 0 && wrong == 0)
}
