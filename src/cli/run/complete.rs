//! What comes after the last message: the operator's files and the outcome code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Args;
use super::events::{Event, Events, State, Watch};
use crate::ambient::OsRandomness;
use crate::artifacts::{self, Keystores, Recorded, Request, Written};
use crate::ceremony::evidence::Fault;
use crate::ceremony::outcome::Outcome;
use crate::ceremony::plan::Plan;
use crate::cli::Context;
use crate::cli::bug;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::progress::Progress;
use crate::cli::stopped;
use crate::secret::Passphrase;
use crate::store::home::Home;
use crate::store::seat::{Seat, spend_if_done};
use crate::store::vault::{Marker, Vault};

/// Returns where this operator's files go, or went: twice the same keystores in two places would be
/// an invitation to run them twice.
pub(super) fn directory(
    cx: &Context,
    args: &Args,
    home: &Home,
    plan: &Plan,
) -> Result<PathBuf, CommandError> {
    if let Some(out) = &args.out {
        return Ok(out.clone());
    }
    let Some(went) = Vault::new(home).marker(plan.cid(), Marker::Artifacts)? else {
        let name = format!("{}-{}", plan.name().file_stem(), plan.cid().short());
        return Ok(PathBuf::from(name));
    };
    let went = PathBuf::from(String::from_utf8_lossy(&went).into_owned());
    if cx.disk.kind(&went)?.is_some() {
        return Ok(went);
    }
    let text = format!(
        "the ceremony is complete, and your files were written to {}, where they are no more",
        went.display()
    );
    Err(CommandError::of(ErrorCode::FILES_CONFLICT, text).hint(
        "to write them again, name a directory with --out DIR; never run the same keystores twice",
    ))
}

/// A complete ceremony, as this operator sees it.
pub(super) struct Completed<'a> {
    pub(super) home: &'a Home,
    pub(super) seat: &'a Seat<'a>,
    pub(super) plan: &'a Plan,
    pub(super) outcome: &'a Outcome,
    pub(super) faults: &'a [Fault],
}

/// Writes the artifacts, or verifies those that stand.
pub(super) fn complete(
    cx: &mut Context,
    args: &Args,
    done: &Completed<'_>,
    passphrase: Option<&Passphrase>,
    events: &Events,
) -> Result<(), CommandError> {
    let Completed {
        home,
        seat,
        plan,
        faults,
        ..
    } = *done;
    let keygen = plan.keygen().zip(done.outcome.keygen());
    let (plan, outcome) = keygen.ok_or_else(|| bug("the outcome of a keygen"))?;
    events.stands(State::Complete);
    // First what holds whatever becomes of the files.
    let evidence = stopped::beside(cx, home, &plan, seat, faults)?;
    let hash = outcome.hash()?;
    let codes = outcome.codes()?;
    let code = codes.1.to_string();
    events.tell(&Event::Complete {
        transcript: Some(*outcome.transcript()),
        outcome: hash,
        outcome_code: &code,
        accused: faults.iter().map(|fault| fault.accused).collect(),
        evidence: &evidence,
    });
    let directory = directory(cx, args, home, &plan)?;
    let kdf = args.kdf(&plan);
    let validators = plan.validators().len();
    let capacity = args.memory.prepared(kdf, validators, cx)?;
    let list = seat.record();
    let request = Request {
        plan,
        outcome,
        own: seat.shares(),
        keystores: match (kdf, passphrase) {
            (None, _) => Keystores::None,
            (Some(kdf), Some(passphrase)) => Keystores::Chosen(kdf, passphrase),
            (Some(kdf), None) => Keystores::Generated(kdf),
        },
        capacity,
        messages: Recorded {
            messages: seat.messages(),
            list: &list,
        },
        codes: &codes,
    };
    let bar = Progress::of(cx.global.quiet, &plan);
    let watch = Watch {
        bar: &bar,
        events,
        stays: false,
    };
    let disk = Arc::clone(&cx.disk);
    let written = artifacts::write(&disk, &directory, &request, &mut OsRandomness, &watch);
    bar.clear();
    let written = written?;
    stand(
        cx,
        seat,
        events,
        &directory,
        &written,
        "the ceremony is complete; your files",
    )?;
    spend_if_done(home, &plan)?;
    cx.ui
        .note("the outcome code, to be read to the other operators and written down:");
    if !args.json {
        cx.ui.data(&code);
    }
    cx.ui.next("load the keystores into the software that signs for your cluster, and deposit only after all operators read the same code");
    Ok(())
}

/// Marks that the files stand, and tells which; `what` says why, and that they are files.
pub(super) fn stand(
    cx: &mut Context,
    seat: &Seat<'_>,
    events: &Events,
    directory: &Path,
    written: &Written,
    what: &str,
) -> Result<(), CommandError> {
    // Without a current folder it stays relative: then it says at least which name.
    let place = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    seat.mark(Marker::Artifacts, place.display().to_string().as_bytes())?;
    events.tell(&Event::files(&place.display().to_string(), written));
    let verb = if written.already {
        "verified"
    } else {
        "written and read back"
    };
    cx.ui
        .note(format!("{what} are {verb}, in {}:", directory.display()));
    for (purpose, count, first) in written.by_purpose() {
        let more = if count > 1 {
            format!(" and {} more", count.saturating_sub(1))
        } else {
            String::new()
        };
        cx.ui
            .note(format!("  {}{more}: {purpose}", first.display()));
    }
    Ok(())
}
