//! The scene of a rehearsal: a stick that goes round among operators.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use age::x25519;
use sha2::{Digest as _, Sha256};

use super::stopwatch::{Stopwatch, Tally};
use super::{MAX_TURNS, Options, Player, RehearsalError, World};
use crate::artifacts::{self, Keystores, Recorded, Request};
use crate::ceremony::Stage;
use crate::ceremony::outcome::{KeygenOutcome, Outcome};
use crate::ceremony::plan::KeygenPlan;
use crate::ceremony::step::Stop;
use crate::courier::Courier;
use crate::courier::folder::FolderCourier;
use crate::crypto::scalar::Scalar;
use crate::driver::{self, Standing};
use crate::hash::Digest;
use crate::store::backup::MAX_BACKUP_BYTES;
use crate::store::disk::Access;
use crate::store::seat::{self, Seat};
use crate::store::share_backup::{InHome, ShareBackup};
use crate::store::vault::{Marker, Vault};
use crate::store::wrap::{Unlock, Wrap, seal, unseal};
use crate::wire::code::Code;

/// What is played, and where.
pub(super) struct Scene<'a> {
    pub(super) plan: KeygenPlan<'a>,
    pub(super) stick: &'a Path,
    pub(super) record: &'a Path,
    pub(super) options: Options,
    pub(super) tally: Tally,
}

/// What the first operator to come to the end came to.
pub(super) struct End {
    pub(super) outcome: KeygenOutcome,
    pub(super) codes: (Code, Code),
}

impl Scene<'_> {
    /// Passes the stick round until everyone is done. Whoever is writes its files at once, as
    /// `run` does; one outcome is kept, and every other compared with it.
    pub(super) fn play(
        &self,
        players: &mut [Player],
        world: &mut World<'_>,
    ) -> Result<End, RehearsalError> {
        let mut end = None;
        let signers = players.len().saturating_sub(self.plan.threshold());
        for turn in 1..=MAX_TURNS {
            world
                .narrator
                .say(&format!("the stick goes round, turn {turn}"));
            for (position, player) in players.iter_mut().enumerate() {
                if player.done {
                    continue;
                }
                seat::accept(&player.home, self.plan.plan())?;
                let mut seat = Seat::open(&player.home, self.plan.plan())?;
                let mut couriers: Vec<Box<dyn Courier>> =
                    vec![Box::new(FolderCourier::new(world.disk.clone(), self.stick))];
                let name = player.name.as_str();
                let watch = Stopwatch::new(world.clock, world.narrator, name, &self.tally);
                let mut ran = driver::run(&mut seat, &mut couriers, world.randomness, &watch)?;
                if matches!(ran.standing, Standing::AwaitingBackup) {
                    self.back_up(player, world)?;
                    let sent = std::mem::take(&mut ran.sent);
                    ran = driver::run(&mut seat, &mut couriers, world.randomness, &watch)?;
                    ran.sent.extend(sent);
                }
                watch.add_to(&mut player.watch);
                ran.sent.iter().for_each(|kind| self.tally.sent(*kind));
                let outcome = match ran.standing {
                    Standing::Complete { outcome, .. } => match *outcome {
                        Outcome::Keygen(outcome) => outcome,
                        Outcome::Sign(_) => {
                            return Err(RehearsalError::Check("a keygen ended with signatures"));
                        }
                    },
                    Standing::Waiting { .. } | Standing::AwaitingPartials(..) => continue,
                    Standing::AwaitingBackup => {
                        return Err(RehearsalError::Check("a checked backup does not count"));
                    }
                    Standing::Stopped(stop) => {
                        return Err(RehearsalError::Stopped(describe(&stop)));
                    }
                };
                let end = match &mut end {
                    Some(End { outcome: first, .. }) if *first != outcome => {
                        return Err(RehearsalError::Check(
                            "two operators have different outcomes",
                        ));
                    }
                    Some(end) => &*end,
                    none => {
                        let codes = outcome.codes()?;
                        &*none.insert(End { outcome, codes })
                    }
                };
                player.done = true;
                self.tally.add(Tally::FINALISE);
                let times = self.write(player, &seat, end, world)?;
                for (stage, time) in times {
                    let total = player.watch.entry(stage).or_default();
                    *total = total.saturating_add(time);
                }
                // Without keystores the last t sign with their shares at the end.
                if self.options.keystores.is_none() && position >= signers {
                    let own = seat.shares();
                    player.shares = own
                        .map(|own| own.shares.iter().map(Scalar::duplicate).collect())
                        .unwrap_or_default();
                }
            }
            if players.iter().all(|player| player.done) {
                break;
            }
        }
        match end {
            Some(end) if players.iter().all(|player| player.done) => Ok(end),
            _ => Err(RehearsalError::Check(
                "the operators did not come to an end",
            )),
        }
    }

    /// Makes the backup that the plan requires, to an age key that is thrown away, opens it again and
    /// checks it, as `share backup` and `share check-backup` do.
    fn back_up(&self, player: &Player, world: &World<'_>) -> Result<(), RehearsalError> {
        world.narrator.say(&format!(
            "{} backs its shares up and checks the backup",
            player.name
        ));
        let (home, cid) = (&player.home, self.plan.cid());
        let key = x25519::Identity::generate();
        let (backup, _) = ShareBackup::collect(home, cid, self.plan.created())?;
        let wraps = [Wrap::Recipient(key.to_public())];
        let sealed = backup.to_tar()?.expose(|tar| seal(&wraps, tar))?;
        let path = home.root().with_extension("backup.age");
        world.disk.create(&path, &sealed, Access::Private)?;
        let file = world.disk.read(&path, MAX_BACKUP_BYTES)?;
        let opened = unseal(&file, &Unlock::Identity(key))?;
        let found = opened.expose(|tar| ShareBackup::from_tar(tar))?;
        if found.compare(home)? != InHome::Same {
            return Err(RehearsalError::Check("a backup holds other shares"));
        }
        let sha256 = Digest::from_bytes(Sha256::digest(&file).into());
        let transcript = &found.about().transcript;
        Vault::new(home).mark_backed_up(cid, transcript, &sha256)?;
        Ok(())
    }

    /// Writes what an operator holds; the first writes the record, too.
    fn write(
        &self,
        player: &Player,
        seat: &Seat<'_>,
        end: &End,
        world: &mut World<'_>,
    ) -> Result<BTreeMap<Stage, Duration>, RehearsalError> {
        world
            .narrator
            .say(&format!("{} writes and reads back its files", player.name));
        let list = seat.record();
        let messages = Recorded {
            messages: seat.messages(),
            list: &list,
        };
        let name = player.name.as_str();
        let watch = Stopwatch::new(world.clock, world.narrator, name, &self.tally);
        let request = Request {
            plan: self.plan,
            outcome: &end.outcome,
            own: seat.shares(),
            keystores: self
                .options
                .keystores
                .map_or(Keystores::None, Keystores::Generated),
            capacity: self.options.capacity,
            messages,
            codes: &end.codes,
        };
        artifacts::write(
            &world.disk,
            &player.directory,
            &request,
            world.randomness,
            &watch,
        )?;
        self.tally.add(Tally::FILES);
        let mut times = BTreeMap::new();
        watch.add_to(&mut times);
        seat.mark(Marker::Artifacts, b"")?;
        if world.disk.kind(self.record)?.is_none() {
            let outcome = end.outcome.to_bytes()?;
            artifacts::write_record(
                &world.disk,
                self.record,
                self.plan.plan(),
                &messages,
                Some(&outcome),
            )?;
        }
        Ok(times)
    }
}

fn describe(stop: &Stop) -> String {
    let faults = stop
        .faults
        .iter()
        .map(|fault| format!("operator {}: {}", fault.accused, fault.kind));
    let collisions = stop
        .collisions
        .iter()
        .map(|collision| collision.what.clone());
    faults.chain(collisions).collect::<Vec<_>>().join("; ")
}
