//! The record: plan, messages and outcome of a ceremony, which is all that an audit needs.
//!
//! ```text
//! plan.json                    canonical
//! messages/<label>.json        the envelopes as they stood on the board
//! <plan name>.outcome.json     canonical; absent when the ceremony did not become complete
//! ```
//!
//! A record comes from anyone: reading one bounds and lists it, and judges nothing in it. A
//! ceremony's directory on a stick, with the messages beside the plan, is read alike.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    ArtifactError, Check, PublicFile, Purpose, Written, WrittenFile, put, read_back, staging,
};
use crate::ceremony::outcome::MAX_OUTCOME_BYTES;
use crate::ceremony::plan::{MAX_PLAN_BYTES, Plan};
use crate::ceremony::{Messages, MessagesError};
use crate::store::disk::{Access, Disk, DiskError, Entry, Kind};
use crate::store::folder::{BoardFolder, MAX_FILE_BYTES};

const PLAN: &str = "plan.json";
const OUTCOME_SUFFIX: &str = ".outcome.json";

/// The directory of a record's messages.
pub(super) const MESSAGES: &str = "messages";

/// The messages that go into a record.
#[derive(Clone, Copy)]
pub struct Recorded<'a> {
    /// Where they are.
    pub messages: &'a dyn Messages,
    /// Label and id of each; equal labels get suffixes.
    pub list: &'a [(String, String)],
}

/// Why a directory is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The disk failed, or what stands there is not what it should be.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Nobody could say which one is meant.
    #[error("{} holds several outcomes ({first} and {second}); a record has one at most", path.display())]
    Outcomes {
        /// The record.
        path: PathBuf,
        /// A file.
        first: String,
        /// Another.
        second: String,
    },
}

/// A record as it lies on the disk: bounded, and checked by nobody yet.
#[derive(Debug, Clone)]
pub struct RecordFiles {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    folder: PathBuf,
    plan: Vec<u8>,
    messages: Vec<String>,
    outcome: Option<String>,
    ignored: Vec<String>,
}

impl RecordFiles {
    /// The plan's bytes, at most [`MAX_PLAN_BYTES`].
    pub fn plan(&self) -> &[u8] {
        &self.plan
    }

    /// The messages' ids for [`Messages::load`]: their file names, sorted. Each is at most
    /// [`MAX_FILE_BYTES`] long.
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    /// Reads the outcome, if there is one: at most [`MAX_OUTCOME_BYTES`].
    pub fn outcome(&self) -> Result<Option<Vec<u8>>, RecordError> {
        let read = |name| {
            self.disk
                .read(&self.path.join(name), MAX_OUTCOME_BYTES as u64)
        };
        Ok(self.outcome.as_ref().map(read).transpose()?)
    }

    /// What else lies there, in words; none of it counts.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

impl RecordFiles {
    /// Takes a file as a message, or says why it is none; names come sorted.
    fn add(&mut self, entry: Entry, place: &str) {
        let Entry { name, kind, len } = entry;
        let extension = name.to_ascii_lowercase().ends_with(".json");
        if kind != Kind::File || !is_visible(&name) || !extension {
            self.ignored.push(format!("{place}{name} ({kind})"));
        } else if len > MAX_FILE_BYTES {
            self.ignored.push(format!(
                "{place}{name} ({len} bytes; a message has {MAX_FILE_BYTES} at most)"
            ));
        } else {
            self.messages.push(name);
        }
    }
}

impl Messages for RecordFiles {
    fn load(&self, id: &str) -> Result<Vec<u8>, MessagesError> {
        let path = self.folder.join(id);
        // An id is a name that was listed, never a path that leads elsewhere.
        if self
            .messages
            .binary_search_by(|name| name.as_str().cmp(id))
            .is_err()
        {
            return Err(MessagesError(DiskError::NotFound(path).to_string()));
        }
        self.disk
            .read(&path, MAX_FILE_BYTES)
            .map_err(|error| MessagesError(error.to_string()))
    }
}

/// Writes a record alone, with the outcome's canonical bytes, into `directory`, which must not exist or be empty; reads it back.
pub fn write_record(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    plan: &Plan,
    recorded: &Recorded<'_>,
    outcome: Option<&[u8]>,
) -> Result<Written, ArtifactError> {
    if !staging::is_vacant(disk.as_ref(), directory)? {
        return Err(ArtifactError::Occupied {
            path: directory.to_owned(),
            why: "it is not empty".to_owned(),
        });
    }
    let files = files(plan, outcome)?;
    let files = staging::publish(disk.as_ref(), directory, |place| {
        let mut written = Vec::new();
        for file in &files {
            put(disk.as_ref(), place, file)?;
            written.push(file.written());
        }
        written.extend(put_messages(disk, place, recorded)?);
        Ok(written)
    })?;
    Ok(Written {
        already: false,
        files,
    })
}

/// Looks at a record, whoever made it.
pub fn read_record(disk: &Arc<dyn Disk>, path: &Path) -> Result<RecordFiles, RecordError> {
    let plan = disk.read(&path.join(PLAN), MAX_PLAN_BYTES as u64)?;
    let mut record = RecordFiles {
        disk: disk.clone(),
        path: path.to_owned(),
        folder: path.join(MESSAGES),
        plan,
        messages: Vec::new(),
        outcome: None,
        ignored: Vec::new(),
    };
    let entries = disk.list(path)?;
    let is_folder = |entry: &Entry| entry.kind == Kind::Directory && entry.name == MESSAGES;
    let apart = entries.iter().any(is_folder);
    for entry in entries {
        match (entry.kind, entry.name.as_str()) {
            (Kind::File, PLAN) => {}
            (Kind::Directory, MESSAGES) => {}
            (Kind::File, name) if is_visible(name) && name.ends_with(OUTCOME_SUFFIX) => {
                if let Some(first) = record.outcome.replace(name.to_owned()) {
                    return Err(RecordError::Outcomes {
                        path: path.to_owned(),
                        first,
                        second: entry.name,
                    });
                }
            }
            (Kind::File, _) if !apart => record.add(entry, ""),
            (kind, name) => record.ignored.push(format!("{name} ({kind})")),
        }
    }
    if apart {
        for entry in disk.list(&record.folder)? {
            record.add(entry, "messages/");
        }
    } else {
        record.folder = path.to_owned();
    }
    Ok(record)
}

/// Returns plan and outcome as a record holds them.
pub(super) fn files(plan: &Plan, outcome: Option<&[u8]>) -> Result<Vec<PublicFile>, ArtifactError> {
    let mut files = vec![PublicFile {
        name: PLAN.to_owned(),
        purpose: Purpose::Plan,
        bytes: plan.bytes().to_vec(),
        check: Check::Same,
    }];
    if let Some(outcome) = outcome {
        files.push(PublicFile {
            name: format!("{}{OUTCOME_SUFFIX}", plan.name().file_stem()),
            purpose: Purpose::Outcome,
            bytes: outcome.to_vec(),
            check: Check::Same,
        });
    }
    Ok(files)
}

/// Writes the messages below a record's directory, one at a time, and reads each back.
pub(super) fn put_messages(
    disk: &Arc<dyn Disk>,
    record: &Path,
    recorded: &Recorded<'_>,
) -> Result<Vec<WrittenFile>, ArtifactError> {
    let directory = record.join(MESSAGES);
    disk.create_dir_all(&directory, Access::Public)?;
    let folder = BoardFolder::open(disk.clone(), &directory);
    let mut written = Vec::with_capacity(recorded.list.len());
    for (label, id) in recorded.list {
        let bytes = recorded.messages.load(id)?;
        let put = folder.put(label, &bytes)?;
        if folder.read(put.name())? != bytes {
            let path = directory.join(put.name());
            return Err(read_back(&path, "holds other bytes than were written"));
        }
        written.push(WrittenFile {
            path: Path::new(MESSAGES).join(put.name()),
            purpose: Purpose::Message,
        });
    }
    Ok(written)
}

/// Systems and editors keep their own files under such names.
fn is_visible(name: &str) -> bool {
    !name.starts_with('.')
}
