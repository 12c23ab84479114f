//! Where scanned documents are checked and filed. Nothing of one is shown or used before its
//! signature and its hash are right.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::{known, stranger, title};
use crate::ceremony::plan::{MAX_PLAN_BYTES, Plan};
use crate::ceremony::session::label;
use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::courier::folder::FolderCourier;
use crate::courier::qr::collect::Whole;
use crate::courier::qr::document::Document;
use crate::courier::qr::frames::HASH_TYPE;
use crate::courier::qr::payload;
use crate::courier::seated::Known;
use crate::courier::{BoardError, ContentHash, Courier as _, Labelled, LocalBoard, Offered};
use crate::hash::Digest;
use crate::json;
use crate::store::disk::{Access, Kind};
use crate::store::folder::{BoardFolder, Put};
use crate::store::vault::glance;
use crate::wire::envelope::{Authenticated, Envelope};

/// Different reasons why something was refused that are remembered.
const MAX_REFUSED: usize = 100;

/// A file's hash, as it was shown and as it is here.
#[derive(Debug)]
pub(super) struct Expected {
    /// The file.
    pub(super) path: PathBuf,
    /// Its SHA-256.
    pub(super) hash: [u8; 32],
    /// Whether the hash that was scanned is the same, once one was.
    pub(super) same: Option<bool>,
}

/// A document that was filed.
#[derive(Debug, Serialize)]
pub(super) struct Filed {
    pub(super) title: String,
    pub(super) kind: String,
    /// Whether it was not there before.
    pub(super) new: bool,
    pub(super) path: String,
}

/// What was scanned so far.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) expected: Option<Expected>,
    documents: Vec<Document>,
    /// The hashes of all that passed its checks.
    seen: BTreeSet<ContentHash>,
    /// What was put together and is not taken, with the reason.
    pub(super) refused: Vec<String>,
}

impl Desk {
    /// Checks what was put together and keeps it if it holds; returns whether it does.
    pub(super) fn take(&mut self, whole: &Whole) -> bool {
        let taken = match whole.kind.as_str() {
            HASH_TYPE => self.hash(&whole.payload),
            _ => self.document(&whole.payload),
        };
        match taken {
            Ok(()) => true,
            Err(why) => {
                // It may come again and again, and be another thing each time.
                if self.refused.len() < MAX_REFUSED && !self.refused.contains(&why) {
                    self.refused.push(why);
                }
                false
            }
        }
    }

    fn document(&mut self, bytes: &[u8]) -> Result<(), String> {
        let refused = |why: &str| {
            // A plan lists all that is wrong with it, and a stranger's list is not worth reading.
            let why = why.lines().next().unwrap_or_default();
            format!("what some codes carried is refused: {why}")
        };
        let document = payload::unpack(bytes).map_err(|error| refused(&error.to_string()))?;
        let document = Document::of_scan(&document).map_err(|error| refused(&error.to_string()))?;
        // The same document may come again in other frames.
        if self.seen.insert(ContentHash::of(document.canonical())) {
            self.documents.push(document);
        }
        Ok(())
    }

    fn hash(&mut self, bytes: &[u8]) -> Result<(), String> {
        let scanned = payload::unwrap(bytes).ok();
        let scanned = scanned.and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        let hash = scanned.ok_or("a code says that it carries a hash, and carries none")?;
        match &mut self.expected {
            Some(expected) => {
                // One that differs is not made good by another: whoever gave a wrong file shows its hash too.
                expected.same = Some(hash == expected.hash && expected.same != Some(false));
                Ok(())
            }
            None => {
                Err("a code carries the hash of a file: compare it with --expect FILE".to_owned())
            }
        }
    }

    /// How many documents passed their checks.
    pub(super) fn count(&self) -> usize {
        self.seen.len()
    }

    /// Writes the documents to a folder: cards and plans as files, messages as the folder courier
    /// reads them. Giving it the same documents again changes nothing.
    pub(super) fn file(&mut self, cx: &Context, into: &Path) -> Result<Vec<Filed>, CommandError> {
        let mut filed = Vec::new();
        if self.documents.is_empty() {
            return Ok(filed);
        }
        cx.disk.create_dir_all(into, Access::Public)?;
        let folder = BoardFolder::open(Arc::clone(&cx.disk), into);
        let mut plans = plans(cx, into, &folder);
        let mut messages: BTreeMap<Digest, Vec<Envelope>> = BTreeMap::new();
        for document in std::mem::take(&mut self.documents) {
            let title = title(&document);
            let (kind, put) = match document {
                Document::Card(card) => {
                    let name = format!("{}.card.json", card.name().file_stem());
                    ("card", folder.put(&name, card.bytes())?)
                }
                Document::Plan(plan) => {
                    let name = format!("{}.plan.json", plan.name().file_stem());
                    let standing = plans.get(plan.cid()).and_then(|(_, file)| file.clone());
                    let put = match standing {
                        Some(name) => {
                            // Whoever died when it had got its name may have left the temporary one.
                            cx.disk.clean_temporary_of(&into.join(&name));
                            Put::Same(name)
                        }
                        None => folder.put(&name, &json::pretty(plan.value())?)?,
                    };
                    let file = Some(put.name().to_owned());
                    plans.insert(*plan.cid(), (*plan, file));
                    ("plan", put)
                }
                Document::Message(envelope) => {
                    let cid = *envelope.header().cid();
                    messages.entry(cid).or_default().push(*envelope);
                    continue;
                }
            };
            filed.push(Filed {
                title,
                kind: kind.to_owned(),
                new: matches!(put, Put::Written(_)),
                path: into.join(put.name()).display().to_string(),
            });
        }
        for (cid, envelopes) in messages {
            match plans.get(&cid) {
                Some((plan, _)) => self.deliver(cx, into, plan, envelopes, &mut filed)?,
                None => keep(cx, into, &cid, envelopes, &mut filed)?,
            }
        }
        Ok(filed)
    }

    /// Hands messages of a ceremony that is known here to the folder.
    fn deliver(
        &mut self,
        cx: &Context,
        into: &Path,
        plan: &Plan,
        envelopes: Vec<Envelope>,
        filed: &mut Vec<Filed>,
    ) -> Result<(), CommandError> {
        let mut tray = Tray::default();
        for envelope in envelopes {
            match envelope.authenticate(plan.cid(), plan.roster()) {
                Ok(message) => tray.put(label(plan, &message), message),
                Err(error) => self
                    .refused
                    .push(format!("a message for {} is refused: {error}", plan.name())),
            }
        }
        let looked_at = Known::looked_at(plan);
        FolderCourier::new(Arc::clone(&cx.disk), into)
            .exchange(&looked_at.ceremony(), &mut tray)?;
        let new = tray.handed_over.into_inner();
        for (label, message) in tray.messages {
            filed.push(Filed {
                title: known(plan, &message),
                kind: message.kind().to_string(),
                new: new.contains(&label),
                path: into.display().to_string(),
            });
        }
        Ok(())
    }
}

/// Keeps messages of a ceremony whose plan is not here. The folder courier finds them by the folder's
/// name as soon as somebody runs the plan.
fn keep(
    cx: &Context,
    into: &Path,
    cid: &Digest,
    envelopes: Vec<Envelope>,
    filed: &mut Vec<Filed>,
) -> Result<(), CommandError> {
    let path = into.join(format!("ceremony-{}", cid.short()));
    cx.disk.create_dir_all(&path, Access::Public)?;
    let folder = BoardFolder::open(Arc::clone(&cx.disk), &path);
    for envelope in envelopes {
        let header = envelope.header();
        let name = format!("{}-{}.json", header.kind(), header.hash().short());
        let put = folder.put(&name, envelope.bytes())?;
        filed.push(Filed {
            title: stranger(&envelope),
            kind: header.kind().to_string(),
            new: matches!(put, Put::Written(_)),
            path: path.join(put.name()).display().to_string(),
        });
    }
    Ok(())
}

/// The plans that are known here, by ceremony, with their file's name if they stand in the folder.
fn plans(
    cx: &Context,
    into: &Path,
    folder: &BoardFolder,
) -> BTreeMap<Digest, (Plan, Option<String>)> {
    let mut plans = BTreeMap::new();
    let mut insert = |bytes: &[u8], file: Option<String>| {
        // What is no plan is none of these.
        if let Ok(plan) = Plan::parse(bytes) {
            plans.entry(*plan.cid()).or_insert((plan, file));
        }
    };
    for entry in cx.disk.list(into).unwrap_or_default() {
        if entry.kind == Kind::File && entry.name.ends_with(".json") && entry.name.contains(".plan")
        {
            let bytes = cx.read(&into.join(&entry.name), MAX_PLAN_BYTES);
            insert(&bytes.unwrap_or_default(), Some(entry.name));
        }
    }
    if let Ok(bytes) = folder.plan_bytes() {
        insert(&bytes, None);
    }
    // A folder that cannot be read is told when something is written to it.
    let _ = FolderCourier::new(Arc::clone(&cx.disk), into)
        .ceremonies(&mut |shelved| insert(&shelved.plan, None));
    // Who scans need not have a home.
    let home = cx.home_root().ok();
    let glances = home.and_then(|root| glance(&cx.disk, &root).ok());
    for glance in glances.unwrap_or_default() {
        if let Ok(bytes) = glance.board.plan_bytes() {
            insert(&bytes, None);
        }
    }
    plans
}

/// Scanned messages as a board, for a courier that takes them on.
#[derive(Debug, Default)]
struct Tray {
    messages: Vec<(String, Authenticated)>,
    handed_over: RefCell<BTreeSet<String>>,
}

impl Tray {
    /// Two messages of one place have one label, and are two.
    fn put(&mut self, label: String, message: Authenticated) {
        let taken = |name: &String| self.messages.iter().any(|(other, _)| other == name);
        let stem = label.trim_end_matches(".json").to_owned();
        let name = std::iter::once(label)
            .chain((2usize..100).map(|number| format!("{stem}~{number}.json")))
            .find(|name| !taken(name));
        if let Some(name) = name {
            self.messages.push((name, message));
        }
    }
}

impl LocalBoard for Tray {
    fn messages(&self) -> Result<Vec<Labelled>, BoardError> {
        let labelled = |(label, message): &(String, Authenticated)| Labelled {
            label: label.clone(),
            content: ContentHash::of(message.bytes()),
            own: false,
        };
        Ok(self.messages.iter().map(labelled).collect())
    }

    fn read(&self, label: &str) -> Result<Vec<u8>, BoardError> {
        let found = self.messages.iter().find(|(name, _)| name == label);
        let (_, message) = found.ok_or_else(|| BoardError(format!("{label} was not scanned")))?;
        self.handed_over.borrow_mut().insert(label.to_owned());
        Ok(message.bytes().to_vec())
    }

    fn offer(&mut self, _bytes: Vec<u8>, _source: &str) -> Result<Offered, BoardError> {
        Ok(Offered::Known)
    }
}
