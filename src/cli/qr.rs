//! `qr`: cards, plans and messages by screen and camera.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::Context;
use super::error::CommandError;
use super::stopped::names;
use crate::ceremony::plan::Plan;
use crate::courier::qr::document::Document;
use crate::wire::envelope::{Authenticated, Envelope};

#[cfg(all(feature = "camera", target_os = "linux"))]
mod camera;
mod desk;
pub(super) mod scan;
pub(super) mod show;
mod source;
#[cfg(unix)]
mod terminal;

/// The largest file whose hash is shown or compared: 1 GiB.
const MAX_HASHED_BYTES: usize = 1 << 30;

/// Show and scan QR codes.
#[derive(Debug, clap::Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum QrCommand {
    Show(show::Args),
    Scan(scan::Args),
}

/// The SHA-256 of a file as it stands, at most [`MAX_HASHED_BYTES`].
fn sha256(cx: &Context, path: &Path) -> Result<[u8; 32], CommandError> {
    Ok(Sha256::digest(cx.read(path, MAX_HASHED_BYTES)?).into())
}

/// What people call a message of a plan that is known.
fn known(plan: &Plan, message: &Authenticated) -> String {
    let sender = names(plan, &[message.sender()]);
    format!("{} of {sender}, {}", message.kind(), plan.name())
}

/// What people call a document that nothing else is known of.
fn title(document: &Document) -> String {
    match document {
        Document::Card(card) => format!("card of {}", card.name()),
        Document::Plan(plan) => format!("plan {}", plan.name()),
        Document::Message(envelope) => stranger(envelope),
    }
}

/// What people call a message of whom no plan is known.
fn stranger(envelope: &Envelope) -> String {
    let header = envelope.header();
    format!(
        "{} of {} in ceremony {}",
        header.kind(),
        header.sender(),
        header.cid().short()
    )
}
