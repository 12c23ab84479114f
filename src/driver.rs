//! The one loop: courier in, session, fsync, courier out.
//!
//! It owns the most dangerous order of the product: what leaves this machine was stored and fsynced
//! first. Killed anywhere and run again, it goes on.

use std::time::Duration;

use crate::ambient::Randomness;
use crate::ceremony::evidence::Fault;
use crate::ceremony::outcome::Outcome;
use crate::ceremony::step::{AwaitedPartials, Step, Stop};
use crate::ceremony::{Observer, Unobserved};
use crate::courier::seated::{Known, Side};
use crate::courier::{Courier, CourierError, Moved};
use crate::store::seat::{Seat, SeatError};
use crate::store::vault::Marker;
use crate::wire::envelope::Kind;
use crate::wire::roster::Index;

/// Why the loop ended early. What was stored is stored; the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The seat failed.
    #[error(transparent)]
    Seat(#[from] SeatError),
    /// A courier failed on this side.
    #[error(transparent)]
    Courier(#[from] CourierError),
}

/// Where a ceremony stands after all that could be done now.
#[derive(Debug)]
pub enum Standing {
    /// It is complete.
    Complete {
        /// What it ended with.
        outcome: Box<Outcome>,
        /// Misbehaviour that is proved beside it.
        faults: Vec<Fault>,
    },
    /// These operators are awaited.
    Waiting {
        /// Whose deals are missing.
        deals: Vec<Index>,
        /// Whose confirms are missing.
        confirms: Vec<Index>,
    },
    /// This operator has to check a backup of its shares before it confirms.
    AwaitingBackup,
    /// More operators have to sign, in a signing ceremony; what is proved beside it ends nothing.
    AwaitingPartials(AwaitedPartials, Vec<Fault>),
    /// It cannot become complete.
    Stopped(Stop),
}

/// What one run did.
#[derive(Debug)]
pub struct Ran {
    /// Where the ceremony stands.
    pub standing: Standing,
    /// The kinds of own messages that were made now.
    pub sent: Vec<Kind>,
    /// What the couriers did, all exchanges together.
    pub moved: Moved,
    /// Couriers that could not take everything: nothing is lost, and the run is to be repeated.
    pub undelivered: Vec<CourierError>,
}

/// Is told what the loop did, as soon as it is done and stored.
pub trait Watcher: Observer {
    /// A courier was here; `failed` says why not all went well.
    fn exchanged(&self, _courier: &str, _moved: &Moved, _failed: Option<&CourierError>) {}
    /// A message of ours is stored, and leaves with the next exchange.
    fn made(&self, _kind: Kind) {}
    /// Our shares are stored and were read back.
    fn shares_stored(&self) {}
}

impl Watcher for Unobserved {}

/// Does all that can be done now.
pub fn run(
    seat: &mut Seat<'_>,
    couriers: &mut [Box<dyn Courier>],
    randomness: &mut dyn Randomness,
    watcher: &dyn Watcher,
) -> Result<Ran, DriverError> {
    let mut moved = Moved::default();
    let mut sent = Vec::new();
    // What a full or read-only stick does not take now does not keep us from what it brings.
    exchange(seat, couriers, &mut moved, watcher)?;
    loop {
        let standing = match seat.next(randomness, watcher)? {
            Step::Send(envelopes) => {
                for envelope in &envelopes {
                    seat.keep_own(envelope)?;
                    watcher.made(envelope.header().kind());
                    sent.push(envelope.header().kind());
                }
                continue;
            }
            Step::StoreShares(shares) => {
                seat.keep_shares(*shares)?;
                watcher.shares_stored();
                continue;
            }
            Step::Complete { outcome, faults } => {
                seat.mark_complete(&outcome)?;
                Standing::Complete { outcome, faults }
            }
            Step::Wait { deals, confirms } => Standing::Waiting { deals, confirms },
            Step::AwaitBackup => Standing::AwaitingBackup,
            Step::AwaitPartials { awaited, faults } => Standing::AwaitingPartials(awaited, faults),
            Step::Stop(stop) => {
                if !stop.faults.is_empty() || !stop.collisions.is_empty() {
                    seat.mark(Marker::Ended, b"")?;
                }
                Standing::Stopped(stop)
            }
        };
        let before = moved.received;
        let undelivered = exchange(seat, couriers, &mut moved, watcher)?;
        if moved.received == before || matches!(standing, Standing::Complete { .. }) {
            return Ok(Ran {
                standing,
                sent,
                moved,
                undelivered,
            });
        }
    }
}

/// Waits for news, at most for `limit`: of the first courier that tells of any, or else of time.
pub fn wait(seat: &Seat<'_>, couriers: &mut [Box<dyn Courier>], limit: Duration) {
    let known = Known::seated(seat);
    let told = couriers.iter().position(|courier| courier.follows());
    if let Some(courier) = couriers.get_mut(told.unwrap_or(0)) {
        courier.wait(&known.ceremony(), limit);
    }
}

/// Tells the couriers that this operator needs nothing more of them.
pub fn finished(seat: &Seat<'_>, couriers: &mut [Box<dyn Courier>]) {
    let known = Known::seated(seat);
    for courier in couriers {
        courier.finished(&known.ceremony());
    }
}

/// Exchanges with every courier; one that is away does not keep us from the others. Returns those
/// that could not be reached or take all; that none can be reached is an error.
fn exchange(
    seat: &mut Seat<'_>,
    couriers: &mut [Box<dyn Courier>],
    moved: &mut Moved,
    watcher: &dyn Watcher,
) -> Result<Vec<CourierError>, DriverError> {
    let known = Known::seated(seat);
    let ceremony = known.ceremony();
    let mut undelivered = Vec::new();
    let mut reached = couriers.is_empty();
    for courier in couriers {
        let name = courier.name();
        let mut side = Side {
            seat,
            courier: &name,
        };
        let (now, failed) = match courier.exchange(&ceremony, &mut side) {
            Ok(now) => (Some(now), None),
            Err(CourierError::Board(error)) => return Err(CourierError::Board(error).into()),
            Err(error) => (error.moved().cloned(), Some(error)),
        };
        let none = Moved::default();
        let told = now.as_ref().unwrap_or(&none);
        watcher.exchanged(&name, told, failed.as_ref());
        undelivered.extend(failed);
        let Some(now) = now else { continue };
        reached = true;
        moved.sent = moved.sent.saturating_add(now.sent);
        moved.received = moved.received.saturating_add(now.received);
        for (all, new) in [
            (&mut moved.refused, now.refused),
            (&mut moved.left, now.left),
        ] {
            // Sorted, not searched: a stick may hold any number of files.
            all.extend(new);
            all.sort();
            all.dedup();
        }
    }
    seat.keep_arrivals()?;
    match undelivered.pop() {
        Some(error) if !reached => Err(error.into()),
        last => Ok(undelivered.into_iter().chain(last).collect()),
    }
}
