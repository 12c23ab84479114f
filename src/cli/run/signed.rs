//! What comes after enough operators have signed: the files, and the outcome code.

use std::sync::Arc;

use super::Args;
use super::complete::{Completed, directory, stand};
use super::events::{Event, Events, State, Watch};
use crate::ambient::OsRandomness;
use crate::artifacts::{self, Recorded, SignedRequest};
use crate::ceremony::outcome::Outcome;
use crate::cli::error::CommandError;
use crate::cli::progress::Progress;
use crate::cli::{Context, bug, stopped};
use crate::store::wrap::Wrap;

/// Writes the signed messages, or verifies those that stand.
pub(super) fn complete(
    cx: &mut Context,
    args: &Args,
    done: &Completed<'_>,
    events: &Events,
) -> Result<(), CommandError> {
    let Completed {
        home,
        seat,
        plan,
        outcome,
        faults,
    } = *done;
    let signing = plan.sign().zip(outcome.sign());
    let (signing, signatures) = signing.ok_or_else(|| bug("the outcome of a signing ceremony"))?;
    events.stands(State::Complete);
    let evidence = stopped::beside(cx, home, plan, seat, faults)?;
    let hash = outcome.hash()?;
    let code = Outcome::code(&hash)?.to_string();
    events.tell(&Event::Complete {
        transcript: None,
        outcome: hash,
        outcome_code: &code,
        accused: faults.iter().map(|fault| fault.accused).collect(),
        evidence: &evidence,
    });
    let directory = directory(cx, args, home, plan)?;
    let list = seat.record();
    let request = SignedRequest {
        plan: signing,
        outcome: signatures,
        messages: Recorded {
            messages: seat.messages(),
            list: &list,
        },
        recipients: &[],
    };
    let bar = Progress::of(cx.global.quiet, plan);
    let watch = Watch {
        bar: &bar,
        events,
        stays: false,
    };
    let disk = Arc::clone(&cx.disk);
    let write = |recipients: &[Wrap]| {
        let request = SignedRequest {
            recipients,
            ..request
        };
        let written =
            artifacts::write_signed(&disk, &directory, &request, &mut OsRandomness, &watch);
        Ok(written?)
    };
    let written = match args.encrypt_to.as_slice() {
        [] => write(&[]),
        recipients => cx.sealing(recipients).seal(write),
    };
    bar.clear();
    let written = written?;
    stand(
        cx,
        seat,
        events,
        &directory,
        &written,
        "enough operators signed; the files",
    )?;
    cx.ui
        .note("the outcome code, to be compared with the other operators:");
    if !args.json {
        cx.ui.data(&code);
    }
    cx.ui
        .next("README.txt beside the files says which goes where; keep them as you keep keys");
    Ok(())
}
