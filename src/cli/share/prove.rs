//! `share prove`.

use std::path::PathBuf;

use crate::ambient::Randomness as _;
use crate::ceremony::outcome::Outcome;
use crate::ceremony::share_proof::ShareProof;
use crate::ceremony::shares::OwnShares;
use crate::cli::Context;
use crate::cli::audit::examine;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::home::identity_of;
use crate::cli::share::holding::{Holding, Origin, find};
use crate::cli::share::own_shares;
use crate::cli::values::{self, counted};
use crate::hash::Digest;
use crate::json::Text;
use crate::store::home::HomeError;
use crate::store::upkeep::{Done, Note};

const EXAMPLE: &str = "\
Reads: the home. Writes: the proof, a small public file, and a note in the ceremony's directory that
says when it was made. Nothing that a chain could take is signed.

A reader who wants to know that the proof is new gives a challenge that nobody could know before: the
date is only what this machine's clock says.

Example:
  conclave share prove 1f2e3d4c --challenge \"drill of April 2027\" -o alice.proof.json";

/// Prove that this home holds every share of a ceremony
///
/// One short proof for all validators together. It shows that the shares are there, whole and the
/// right ones, and nothing of them; `share check-proof` verifies it for anybody.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// The ceremony: the start of its id, its name, or its plan's file
    ceremony: String,
    /// What the reader wants to be answered: 1 to 64 characters
    #[arg(long, value_name = "TEXT", value_parser = values::text)]
    challenge: Option<Text>,
    /// Write the proof to FILE
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    cx.refuse_taken(&args.output)?;
    cx.require(cx.home_needs()?.into_iter().collect())?;
    let root = cx.home_root()?;
    let holding = find(cx, &root, &args.ceremony)?;
    let home = cx.open_home()?;
    let own = own_shares(&home, holding.cid())?;
    let outcome = outcome(cx, &holding, &own)?;
    let identity = identity_of(&home)?;
    let seed = cx.rng.seed()?;
    let now = cx.clock.unix_seconds();
    let challenge = args.challenge.clone();
    let proof = ShareProof::make(&own, &outcome, &identity, challenge, now, &seed)?;
    cx.write_new(&args.output, proof.bytes())?;
    let note = Note {
        challenge: args.challenge.clone(),
        ..Note::new(
            Done::Proved,
            holding.cid(),
            &own.transcript,
            proof.bytes(),
            now,
        )
    };
    note.keep(&*cx.disk, &root)?;
    cx.ui.data(args.output.display());
    cx.ui.note(format!(
        "proves all shares of operator {} for {} of {}; the file is public",
        own.index,
        counted(own.shares.len(), "validator"),
        holding.name()
    ));
    if args.challenge.is_none() {
        cx.ui.note(
            "it answers no challenge: when it was made is only what this machine's clock says",
        );
    }
    let file = match holding.origin {
        Origin::Ceremony { .. } => "cluster.json",
        Origin::Imported(_) => "CLUSTER",
    };
    cx.ui.next(format!(
        "give it to its reader: conclave share check-proof {} --cluster {file}",
        args.output.display()
    ));
    if let Origin::Imported(_) = holding.origin {
        cx.ui.note(format!(
            "CLUSTER is the file that the shares were imported with; the reader compares the identity with yours, {}",
            identity.public()
        ));
    }
    Ok(())
}

/// The hash of the outcome that the shares belong to. A ceremony's is recomputed from its board, as an
/// audit does it; of an imported cluster, its description stands for it.
fn outcome(cx: &mut Context, holding: &Holding, own: &OwnShares) -> Result<Digest, CommandError> {
    let other = |path: &std::path::Path| HomeError::Malformed {
        path: path.to_owned(),
        reason: "leads to another outcome than the stored shares belong to".to_owned(),
    };
    let glance = match &holding.origin {
        Origin::Ceremony { glance, .. } => glance,
        Origin::Imported(cluster) => {
            return match cluster.differs(own) {
                None => Ok(*cluster.cid()),
                Some(_) => Err(other(&holding.directory).into()),
            };
        }
    };
    let found = examine(cx, glance.board.path())?;
    let Some(Outcome::Keygen(outcome)) = found.report.examination.outcome else {
        return Err(CommandError::of(
            ErrorCode::WAITING,
            format!(
                "{} is not complete in this home, so there is no cluster yet to prove shares of; nothing was written",
                holding.name()
            ),
        )
        .hint("`conclave status` says who is awaited")
        .hint("after a restore, bring the ceremony's messages with `conclave run`"));
    };
    if own.transcript != *outcome.transcript() || own.sharing != *outcome.sharing() {
        return Err(other(glance.board.path()).into());
    }
    Ok(outcome.hash()?)
}
