//! The folder courier: a directory that travels or is shared, a USB stick for instance.
//!
//! Each ceremony has one directory there, `<plan's name>-<first 8 hex of cid>`, with `plan.json` and
//! one readable file per message (see [`crate::store::folder`]). Directories are told apart by their
//! plan, so people may rename, copy and double them; the given directory may also be such a
//! directory itself. Nothing on the stick is changed or removed, half-copied files included.
//!
//! What is written is read back and compared. The system may answer from its cache, so this finds
//! full, failing and wrongly mounted media, not a stick that forgets after it is pulled out.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{Ceremony, ContentHash, Courier, CourierError, LocalBoard, Moved, Offered, Shelved};
use crate::json;
use crate::store::disk::{Disk, DiskError, Kind};
use crate::store::folder::{BoardFolder, FolderError, MAX_FILE_BYTES};

const PLAN: &str = "plan.json";
const MAX_DIRECTORIES: u32 = 99;

/// A courier over a directory.
#[derive(Debug, Clone)]
pub struct FolderCourier {
    disk: Arc<dyn Disk>,
    root: PathBuf,
}

impl FolderCourier {
    /// Uses the directory at `root`, which must exist when messages are exchanged: a stick that is
    /// not mounted is an error, not a directory to be made.
    pub fn new(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self {
            disk,
            root: root.to_owned(),
        }
    }

    /// Returns where a ceremony may lie: here, or one level below.
    fn directories(&self) -> Result<Vec<PathBuf>, DiskError> {
        let mut directories = vec![self.root.clone()];
        for entry in self.disk.list(&self.root)? {
            if entry.kind == Kind::Directory && !entry.name.starts_with('.') {
                directories.push(self.root.join(entry.name));
            }
        }
        Ok(directories)
    }

    fn unreachable(&self, reason: String) -> CourierError {
        CourierError::Unreachable {
            courier: self.name(),
            reason,
        }
    }

    /// Returns every directory that holds messages of this ceremony, those with its plan first.
    fn find(&self, ceremony: &Ceremony<'_>, moved: &mut Moved) -> Result<Found, DiskError> {
        let mut found = Found::default();
        for path in self.directories()? {
            // The ending that we give, or what a file manager makes of it for a copy.
            let name = path.file_name().map(|name| name.to_string_lossy());
            let ending = format!("-{}", ceremony.cid.short());
            let named = path != self.root && name.is_some_and(|name| name.contains(&ending));
            let plan = self.disk.read(&path.join(PLAN), MAX_FILE_BYTES);
            let plan = plan.as_deref();
            match plan.map(|plan| compare(plan, ceremony.plan)) {
                Ok(Plan::Same) => found.with_plan.push(path),
                Ok(Plan::Other) => {
                    let text = format!("{}: belongs to another ceremony", path.display());
                    moved.left.push(text);
                }
                // Copied in part: its messages are judged one by one like all others.
                Ok(Plan::Torn) | Err(_) if named => found.without_plan.push(path),
                Ok(Plan::Torn) => {
                    let text = format!("{}: its plan.json cannot be read", path.display());
                    moved.left.push(text);
                }
                Err(DiskError::NotFound(_)) => {}
                Err(error) => moved.left.push(error.to_string()),
            }
        }
        Ok(found)
    }

    /// Opens the directory to write to: one that holds the plan, or else a new one.
    fn target(&self, ceremony: &Ceremony<'_>, found: &Found) -> Result<BoardFolder, FolderError> {
        if let Some(path) = found.with_plan.first() {
            return Ok(BoardFolder::open(self.disk.clone(), path));
        }
        let name = format!("{}-{}", ceremony.stem, ceremony.cid.short());
        for suffix in 1..=MAX_DIRECTORIES {
            let path = self.root.join(match suffix {
                1 => name.clone(),
                _ => format!("{name}~{suffix}"),
            });
            match BoardFolder::create_or_open(self.disk.clone(), &path, ceremony.plan) {
                // A half-copied plan, or a file by that name: left as it is.
                Err(
                    FolderError::OtherCeremony(_)
                    | FolderError::Disk(DiskError::AlreadyExists(_) | DiskError::NotRegular { .. }),
                ) => {}
                other => return other,
            }
        }
        Err(FolderError::NamesTaken(self.root.join(name)))
    }

    fn pull(
        &self,
        found: &Found,
        board: &mut dyn LocalBoard,
        moved: &mut Moved,
    ) -> Result<BTreeSet<ContentHash>, CourierError> {
        let mut known: BTreeSet<_> = board.messages()?.iter().map(|m| m.content).collect();
        let mut there = BTreeSet::new();
        for path in found.with_plan.iter().chain(&found.without_plan) {
            let folder = BoardFolder::open(self.disk.clone(), path);
            let messages = match folder.survey() {
                Ok((messages, notes)) => {
                    moved.left.extend(notes);
                    messages
                }
                Err(error) => {
                    moved.left.push(error.to_string());
                    continue;
                }
            };
            for message in messages {
                let bytes = match folder.read(&message.name) {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        moved.left.push(error.to_string());
                        continue;
                    }
                };
                let content = ContentHash::of(&bytes);
                // A copy under another name was offered already; what is known needs no offer.
                if !there.insert(content) || known.contains(&content) {
                    continue;
                }
                let source = path.join(&message.name).display().to_string();
                match board.offer(bytes, &source)? {
                    Offered::New => {
                        known.insert(content);
                        moved.received = moved.received.saturating_add(1);
                    }
                    Offered::Known => {}
                    Offered::Noise(why) => moved.refused.push(format!("{source}: {why}")),
                }
            }
        }
        Ok(there)
    }
}

impl Courier for FolderCourier {
    fn name(&self) -> String {
        format!("folder {}", self.root.display())
    }

    fn exchange(
        &mut self,
        ceremony: &Ceremony<'_>,
        board: &mut dyn LocalBoard,
    ) -> Result<Moved, CourierError> {
        let mut moved = Moved::default();
        let found = self
            .find(ceremony, &mut moved)
            .map_err(|error| self.unreachable(error.to_string()))?;
        let there = self.pull(&found, board, &mut moved)?;

        let (arrived, waiting): (Vec<_>, Vec<_>) = board
            .messages()?
            .into_iter()
            .partition(|message| there.contains(&message.content));
        // Whoever died when a file had got its name may have left the temporary one.
        for path in &found.with_plan {
            self.disk.clean_temporary_of(&path.join(PLAN));
            for message in &arrived {
                self.disk.clean_temporary_of(&path.join(&message.label));
            }
        }
        let mut unsent = waiting.len();
        let mut target = None;
        for message in &waiting {
            let bytes = board.read(&message.label)?;
            let written = match &target {
                Some(folder) => Ok(folder),
                None => self
                    .target(ceremony, &found)
                    .map(|folder| &*target.insert(folder)),
            }
            .map_err(|error| error.to_string())
            .and_then(|folder| write(folder, &message.label, &bytes));
            if let Err(reason) = written {
                return Err(CourierError::Undelivered {
                    courier: self.name(),
                    unsent,
                    reason,
                    moved,
                });
            }
            unsent = unsent.saturating_sub(1);
            moved.sent = moved.sent.saturating_add(1);
        }
        Ok(moved)
    }

    fn ceremonies(&self, found: &mut dyn FnMut(Shelved)) -> Result<Vec<String>, CourierError> {
        let directories = self
            .directories()
            .map_err(|error| self.unreachable(error.to_string()))?;
        let mut left = Vec::new();
        for path in directories {
            match self.disk.read(&path.join(PLAN), MAX_FILE_BYTES) {
                Ok(plan) => found(Shelved {
                    place: path.display().to_string(),
                    plan,
                }),
                Err(DiskError::NotFound(_)) => {}
                Err(error) => left.push(error.to_string()),
            }
        }
        Ok(left)
    }

    fn read(&self, source: &str) -> Result<Vec<u8>, CourierError> {
        let below = source
            .strip_prefix(&self.root.display().to_string())
            .map(|rest| Path::new(rest.trim_start_matches(std::path::is_separator)))
            .filter(|below| {
                below
                    .components()
                    .all(|part| matches!(part, Component::Normal(_)))
            })
            .ok_or_else(|| self.unreachable(format!("{source} does not lie there")))?;
        self.disk
            .read(&self.root.join(below), MAX_FILE_BYTES)
            .map_err(|error| self.unreachable(error.to_string()))
    }
}

#[derive(Debug, Default)]
struct Found {
    with_plan: Vec<PathBuf>,
    without_plan: Vec<PathBuf>,
}

enum Plan {
    Same,
    Other,
    Torn,
}

/// A plan is the same in any layout of its JSON.
fn compare(found: &[u8], ours: &[u8]) -> Plan {
    if found == ours {
        return Plan::Same;
    }
    let limit = usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX);
    let canonical = |bytes| json::parse(bytes, limit).and_then(|plan| json::canonical_value(&plan));
    match (canonical(found), canonical(ours)) {
        (Ok(found), Ok(ours)) if found == ours => Plan::Same,
        (Ok(_), _) => Plan::Other,
        (Err(_), _) => Plan::Torn,
    }
}

fn write(folder: &BoardFolder, label: &str, bytes: &[u8]) -> Result<(), String> {
    let put = folder
        .put(label, bytes)
        .map_err(|error| error.to_string())?;
    let back = folder.read(put.name()).map_err(|error| error.to_string())?;
    if back == bytes {
        Ok(())
    } else {
        let path = folder.path().join(put.name());
        Err(format!(
            "{} does not read back as it was written; do not trust this medium",
            path.display()
        ))
    }
}
