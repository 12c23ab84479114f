//! Files on their way to their name.
//!
//! A temporary file is called after its target, so that whoever writes the target next finds what a
//! dead process left and removes it, also in a directory that is nobody's alone: a stick, the folder
//! a person is in. Its writer holds a lock on it. An unlocked one is a dead process's.
#![expect(
    clippy::disallowed_methods,
    reason = "a part of the one owner of the file system"
)]

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Access, Calls, DiskError, explain, parent, same_file};

const PREFIX: &str = ".tmp-";
const SUFFIX: &str = "-conclave";

/// Longer names, in bytes, are not made longer still: file systems end them at 255 or before.
const LONGEST_NAME: usize = 120;

/// Says whether a name is that of a temporary file of a [`Disk`](super::Disk).
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// A written and fsynced file beside its target, removed when dropped.
pub(super) struct Temporary<'disk, C: Calls> {
    calls: &'disk C,
    path: PathBuf,
    renamed: bool,
    /// Holds the lock until after the file's removal.
    _file: File,
}

impl<'disk, C: Calls> Temporary<'disk, C> {
    pub(super) fn write(
        calls: &'disk C,
        target: &Path,
        bytes: &[u8],
        access: Access,
    ) -> Result<Self, DiskError> {
        let failed = |error| explain("write", target, &error);
        let (path, file) = make(calls, target, access).map_err(failed)?;
        let temporary = Self {
            calls,
            path,
            renamed: false,
            _file: file,
        };
        let (path, file) = (&temporary.path, &temporary._file);
        calls.write(file, path, bytes).map_err(failed)?;
        calls.fsync(file, path).map_err(failed)?;
        Ok(temporary)
    }

    /// Gives the file its name, whatever file has it now.
    pub(super) fn rename(mut self, to: &Path) -> Result<(), DiskError> {
        self.calls
            .rename(&self.path, to)
            .map_err(|error| explain("write", to, &error))?;
        self.renamed = true;
        Ok(())
    }

    /// Gives the file its name without taking the name from another file; see
    /// [`Disk::create`](super::Disk::create).
    pub(super) fn name_once(self, to: &Path) -> Result<(), DiskError> {
        match self.calls.hard_link(&self.path, to) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(DiskError::AlreadyExists(to.to_owned()))
            }
            // No hard links here.
            Err(_) => match fs::symlink_metadata(to) {
                Ok(_) => Err(DiskError::AlreadyExists(to.to_owned())),
                Err(error) if error.kind() == ErrorKind::NotFound => self.rename(to),
                Err(error) => Err(explain("write", to, &error)),
            },
        }
    }
}

impl<C: Calls> Drop for Temporary<'_, C> {
    fn drop(&mut self) {
        if !self.renamed {
            remove(self.calls, &self.path);
        }
    }
}

/// Removes what a dead process left of this target, where that can be told and done.
pub(super) fn clear(calls: &impl Calls, target: &Path) {
    let Some(path) = place(target) else { return };
    let is_file = |metadata: &fs::Metadata| metadata.is_file();
    if !fs::symlink_metadata(&path).is_ok_and(|found| is_file(&found)) {
        return;
    }
    let Ok(file) = calls.open(&path) else { return };
    // Only who holds its lock removes it, so that its name means this file until we are done.
    if file.try_lock().is_ok() && stands(&file, &path) {
        remove(calls, &path);
    }
}

/// Takes a temporary file away. A failure may be a passing one, so it is tried twice; what stays is
/// tried again by whoever writes the target next.
fn remove(calls: &impl Calls, path: &Path) {
    if calls.unlink(path).is_err() {
        let _ = calls.unlink(path);
    }
}

/// The temporary file of a target that every process tries first.
fn place(target: &Path) -> Option<PathBuf> {
    let name = target
        .file_name()
        .filter(|name| name.len() <= LONGEST_NAME)?;
    let mut temporary = OsString::from(PREFIX);
    temporary.push(name);
    temporary.push(SUFFIX);
    Some(target.with_file_name(temporary))
}

fn make(calls: &impl Calls, target: &Path, access: Access) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    clear(calls, target);
    if let Some(path) = place(target) {
        match calls.open_new(&path, access) {
            Ok(file) => match file.try_lock() {
                Ok(()) if stands(&file, &path) => return Ok((path, file)),
                // Without locks here nobody can take it for a dead process's.
                Err(TryLockError::Error(_)) => return Ok((path, file)),
                // Another process took it for one, before it was locked.
                Ok(()) | Err(TryLockError::WouldBlock) => {}
            },
            // Another process is writing the same file, or what stands there cannot be told from that.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let directory = parent(target);
    loop {
        let path = directory.join(format!(
            "{PREFIX}{}-{}{SUFFIX}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        match calls.open_new(&path, access) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether this file, and no other one, has that name.
fn stands(file: &File, path: &Path) -> bool {
    match (fs::symlink_metadata(path), file.metadata()) {
        (Ok(named), Ok(open)) => named.is_file() && same_file(&named, &open),
        _ => false,
    }
}
