//! The disk: everything that touches a file, behind one trait so that tests can make it fail.
//!
//! Promises: a file appears under its name whole or not at all, is fsynced together with its
//! directory before the call returns, is never overwritten by [`Disk::create`], and is created with
//! its final permissions. Reads are bounded before the first byte and refuse whatever is not a
//! regular file. On Unix, secrets are 0600 in directories of 0700; elsewhere the platform's
//! defaults for the user's own folders hold.
#![expect(
    clippy::disallowed_methods,
    reason = "the one owner of the file system"
)]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

mod calls;
mod error;
mod process;
mod temporary;

pub use calls::Calls;
use calls::set_mode;
pub use error::{DiskError, Kind};
pub use process::{open_to_others, peak_memory_bytes, read_descriptor};
pub use temporary::is_temporary;
use temporary::{Temporary, clear};

/// The most entries that [`Disk::list`] returns; a directory with more is refused.
pub const MAX_ENTRIES: usize = 100_000;

/// How many files are written through at once, of many: what a device does for one it does for all that
/// wait meanwhile. Not a number of cores.
const WRITERS: usize = 16;

/// So many files are not worth a thread of their own.
const FEW_FILES: usize = 16;

const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; of a [`Kind::Unnameable`] one an approximation for messages only.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes, as the directory says.
    pub len: u64,
}

/// Who may read what is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone on this machine: files 0644, directories 0755.
    Public,
    /// The owner alone: files 0600, directories 0700.
    Private,
}

/// An exclusive lock; released when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct DiskLock {
    _file: File,
}

/// The operations on files that conclave needs.
///
/// A call that fails has changed nothing under the names it was given, except where it says so, and
/// except that "cannot write through" means: done, but a power cut may still undo it. A process that
/// dies inside a call leaves at most a temporary file, which [`Disk::list`] hides; the next call for
/// the same file removes it, and so does [`Disk::clean_temporaries`].
pub trait Disk: Send + Sync + Debug {
    /// Reads a regular file of at most `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, DiskError>;

    /// Lists a directory, sorted by name, without temporary files; at most [`MAX_ENTRIES`].
    fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError>;

    /// Says what stands under `path`, if anything does.
    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError>;

    /// Creates a file with these bytes; fails with [`DiskError::AlreadyExists`] if one stands there.
    ///
    /// The name is given by a hard link, which never replaces anything. File systems without hard
    /// links (FAT, some network shares) get a check and then a rename: two processes that write the
    /// same name there in the same instant may replace each other's file.
    fn create(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError>;

    /// Creates files, through to the device, in a directory that nobody looks into yet because it has
    /// still to get its name ([`Self::publish_dir`]): each appears unfinished and grows, and a failure
    /// leaves a part. Fails with [`DiskError::AlreadyExists`] where something stands.
    fn create_unpublished(
        &self,
        files: &[(PathBuf, Vec<u8>)],
        access: Access,
    ) -> Result<(), DiskError> {
        let mut files = files.iter();
        files.try_for_each(|(path, bytes)| self.create(path, bytes, access))
    }

    /// Creates a file or atomically replaces the one that stands there.
    fn replace(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError>;

    /// Creates a directory and its missing parents.
    fn create_dir_all(&self, path: &Path, access: Access) -> Result<(), DiskError>;

    /// Gives a finished directory its name. The target must not exist, or be an empty directory,
    /// which is replaced; anything else is [`DiskError::AlreadyExists`].
    fn publish_dir(&self, from: &Path, to: &Path) -> Result<(), DiskError>;

    /// Removes a file or symbolic link; succeeds if nothing stands there.
    fn remove_file(&self, path: &Path) -> Result<(), DiskError>;

    /// Removes a directory and all in it, links as links; refuses a link in the directory's place
    /// and succeeds if nothing stands there. A failure may leave a part.
    fn remove_tree(&self, path: &Path) -> Result<(), DiskError>;

    /// Writes a file and its directory through to the device.
    fn sync(&self, path: &Path) -> Result<(), DiskError>;

    /// Takes an exclusive lock on `path`, a file made for the purpose, or fails at once with
    /// [`DiskError::Locked`].
    fn lock(&self, path: &Path) -> Result<DiskLock, DiskError>;

    /// Removes the temporary files that dead processes left in a directory; succeeds if the
    /// directory does not exist. Only for directories that no other process writes to.
    fn clean_temporaries(&self, directory: &Path) -> Result<(), DiskError>;

    /// Removes the temporary file that a dead process left of one file, where that can be told and
    /// done; for who does not go on to write the file. A disk without such files has nothing to do.
    fn clean_temporary_of(&self, _path: &Path) {}

    /// Creates a file, or succeeds if the same bytes stand there already, durably; other bytes are
    /// [`DiskError::Differs`]. Returns whether it was created now.
    fn create_or_same(&self, path: &Path, bytes: &[u8], access: Access) -> Result<bool, DiskError> {
        match self.create(path, bytes, access) {
            Ok(()) => Ok(true),
            Err(DiskError::AlreadyExists(_)) => {
                if !self.holds(path, bytes)? {
                    return Err(DiskError::Differs(path.to_owned()));
                }
                // The process that wrote it may have died before its fsync.
                self.sync(path)?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Says whether a regular file with exactly these bytes stands under `path`.
    fn holds(&self, path: &Path, bytes: &[u8]) -> Result<bool, DiskError> {
        match self.read(path, bytes.len() as u64) {
            Ok(standing) => Ok(standing == bytes),
            Err(
                DiskError::TooLarge { .. } | DiskError::NotRegular { .. } | DiskError::NotFound(_),
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The operating system's file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Calls for RealDisk {}

impl<C: Calls> Disk for C {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, DiskError> {
        let failed = |error| explain("read", path, &error);
        let found = fs::symlink_metadata(path).map_err(failed)?;
        require(path, kind_of(&found), Kind::File)?;
        // Opened only now: opening a pipe would wait for ever, and some devices act when opened.
        let file = self.open(path).map_err(failed)?;
        let opened = file.metadata().map_err(failed)?;
        if !same_file(&found, &opened) {
            return Err(DiskError::NotRegular {
                path: path.to_owned(),
                kind: Kind::Symlink,
            });
        }
        let too_large = |actual| DiskError::TooLarge {
            path: path.to_owned(),
            actual,
            limit,
        };
        if opened.len() > limit {
            return Err(too_large(opened.len()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(opened.len()).unwrap_or(0));
        // A file may grow while it is read.
        let read = self
            .read_up_to(&file, path, limit.saturating_add(1), &mut bytes)
            .map_err(failed)? as u64;
        if read > limit {
            return Err(too_large(read));
        }
        Ok(bytes)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError> {
        let mut entries = raw_list(directory)?;
        entries.retain(|entry| !is_temporary(&entry.name));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(kind_of(&metadata))),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) => Err(explain("look at", path, &error)),
        }
    }

    fn create(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
        if self.kind(path)?.is_some() {
            // A process that died when it had given the name may have left the other one.
            clear(self, path);
            return Err(DiskError::AlreadyExists(path.to_owned()));
        }
        Temporary::write(self, path, bytes, access)?.name_once(path)?;
        sync_directory(self, parent(path))
    }

    fn create_unpublished(
        &self,
        files: &[(PathBuf, Vec<u8>)],
        access: Access,
    ) -> Result<(), DiskError> {
        let write = |files: &[(PathBuf, Vec<u8>)]| {
            files.iter().try_for_each(|(path, bytes)| {
                let failed = |error| explain("write", path, &error);
                let file = self.open_new(path, access).map_err(failed)?;
                self.write(&file, path, bytes).map_err(failed)?;
                self.fsync(&file, path).map_err(failed)
            })
        };
        let each = files.len().div_ceil(WRITERS).max(FEW_FILES);
        std::thread::scope(|scope| {
            let mut parts = files.chunks(each);
            let first = parts.next().unwrap_or_default();
            let others: Vec<_> = parts.map(|part| scope.spawn(move || write(part))).collect();
            let mut result = write(first);
            for other in others {
                let ended = other.join();
                result = result.and(ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            result
        })?;
        let directories: BTreeSet<&Path> = files.iter().map(|(path, _)| parent(path)).collect();
        let mut directories = directories.into_iter();
        directories.try_for_each(|directory| sync_directory(self, directory))
    }

    fn replace(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
        if let Some(kind) = self.kind(path)? {
            require(path, kind, Kind::File)?;
        }
        Temporary::write(self, path, bytes, access)?.rename(path)?;
        sync_directory(self, parent(path))
    }

    fn create_dir_all(&self, path: &Path, access: Access) -> Result<(), DiskError> {
        // A link to a directory is a directory here: people keep their homes behind links.
        if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            return Ok(());
        }
        let up = parent(path);
        if up != path {
            self.create_dir_all(up, access)?;
        }
        match self.make_directory(path, access) {
            Ok(()) => sync_directory(self, up),
            Err(error)
                if error.kind() == ErrorKind::AlreadyExists
                    && self.kind(path)? == Some(Kind::Directory) =>
            {
                Ok(())
            }
            Err(error) => Err(explain("create the directory", path, &error)),
        }
    }

    fn publish_dir(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let kind = self.kind(from)?;
        require(from, kind.unwrap_or(Kind::Special), Kind::Directory)?;
        sync_directory(self, from)?;
        // rename(2) replaces an empty directory by a directory and refuses everything else.
        self.rename(from, to).map_err(|error| match error.kind() {
            ErrorKind::DirectoryNotEmpty
            | ErrorKind::NotADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::PermissionDenied
                if matches!(self.kind(to), Ok(Some(_))) =>
            {
                DiskError::AlreadyExists(to.to_owned())
            }
            _ => explain("publish", to, &error),
        })?;
        sync_directory(self, parent(to))?;
        sync_directory(self, parent(from))
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        match self.unlink(path) {
            Ok(()) => sync_directory(self, parent(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(explain("remove", path, &error)),
        }
    }

    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        let Some(kind) = self.kind(path)? else {
            return Ok(());
        };
        require(path, kind, Kind::Directory)?;
        Calls::remove_tree(self, path).map_err(|error| explain("remove", path, &error))?;
        sync_directory(self, parent(path))
    }

    fn sync(&self, path: &Path) -> Result<(), DiskError> {
        let found = self.kind(path)?;
        require(path, found.unwrap_or(Kind::File), Kind::File)?;
        let synced = self.open(path).and_then(|file| self.fsync(&file, path));
        synced.or_else(|error| tolerate("write through", path, &error))?;
        sync_directory(self, parent(path))
    }

    fn lock(&self, path: &Path) -> Result<DiskLock, DiskError> {
        if let Some(kind) = self.kind(path)? {
            require(path, kind, Kind::File)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        set_mode(&mut options, Access::Private);
        let file = options
            .open(path)
            .map_err(|error| explain("lock", path, &error))?;
        // A process that was just killed may hold it for a moment more.
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(DiskLock { _file: file }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(explain("lock", path, &error)),
            }
        }
        Err(DiskError::Locked(path.to_owned()))
    }

    fn clean_temporary_of(&self, path: &Path) {
        clear(self, path);
    }

    fn clean_temporaries(&self, directory: &Path) -> Result<(), DiskError> {
        if self.kind(directory)?.is_none() {
            return Ok(());
        }
        for entry in raw_list(directory)? {
            if entry.kind == Kind::File && is_temporary(&entry.name) {
                self.remove_file(&directory.join(&entry.name))?;
            }
        }
        Ok(())
    }
}

fn raw_list(directory: &Path) -> Result<Vec<Entry>, DiskError> {
    let failed = |error: io::Error| explain("list", directory, &error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        if entries.len() == MAX_ENTRIES {
            return Err(DiskError::TooMany(directory.to_owned()));
        }
        let entry = entry.map_err(failed)?;
        // Gone since the directory was read: another process cleaned up.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        entries.push(match entry.file_name().into_string() {
            Ok(name) => Entry {
                name,
                kind: kind_of(&metadata),
                len: metadata.len(),
            },
            Err(name) => Entry {
                name: name.to_string_lossy().into_owned(),
                kind: Kind::Unnameable,
                len: metadata.len(),
            },
        });
    }
    Ok(entries)
}

fn kind_of(metadata: &fs::Metadata) -> Kind {
    if metadata.is_symlink() {
        Kind::Symlink
    } else if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_file() {
        Kind::File
    } else {
        Kind::Special
    }
}

fn require(path: &Path, found: Kind, needed: Kind) -> Result<(), DiskError> {
    if found == needed {
        Ok(())
    } else {
        Err(DiskError::NotRegular {
            path: path.to_owned(),
            kind: found,
        })
    }
}

#[cfg(unix)]
fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_file(_: &fs::Metadata, b: &fs::Metadata) -> bool {
    b.is_file()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(up) if up.as_os_str().is_empty() => Path::new("."),
        Some(up) => up,
        None => path,
    }
}

fn sync_directory<C: Calls>(calls: &C, directory: &Path) -> Result<(), DiskError> {
    if !cfg!(unix) {
        return Ok(());
    }
    calls
        .open(directory)
        .and_then(|file| calls.fsync(&file, directory))
        .or_else(|error| tolerate("write through", directory, &error))
}

/// Some file systems cannot fsync a directory, and a read-only one need not: nothing is pending.
fn tolerate(action: &'static str, path: &Path, error: &io::Error) -> Result<(), DiskError> {
    match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::ReadOnlyFilesystem => Ok(()),
        _ => Err(explain(action, path, error)),
    }
}

fn explain(action: &'static str, path: &Path, error: &io::Error) -> DiskError {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::NotFound => DiskError::NotFound(path),
        ErrorKind::AlreadyExists => DiskError::AlreadyExists(path),
        ErrorKind::ReadOnlyFilesystem => DiskError::ReadOnly(path),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => DiskError::Full(path),
        _ => DiskError::Other {
            action,
            path,
            reason: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_tell_a_full_disk_from_a_read_only_one() {
        let path = Path::new("/stick/a.json");
        let said = |kind| explain("write", path, &io::Error::from(kind));
        assert_eq!(said(ErrorKind::StorageFull), DiskError::Full(path.into()));
        assert_eq!(said(ErrorKind::QuotaExceeded), DiskError::Full(path.into()));
        let read_only = said(ErrorKind::ReadOnlyFilesystem);
        assert_eq!(read_only, DiskError::ReadOnly(path.into()));
        assert_eq!(
            read_only.to_string(),
            "cannot write /stick/a.json: the file system is read-only; nothing was written"
        );
        assert!(
            said(ErrorKind::PermissionDenied)
                .to_string()
                .starts_with("cannot write /stick/a.json: ")
        );
    }

    #[test]
    fn files_that_are_not_published_yet_are_all_written_or_one_of_them_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = |number: usize| {
            let path = directory.path().join(format!("{number}.json"));
            (path, number.to_string().into_bytes())
        };
        let files: Vec<_> = (0..FEW_FILES * WRITERS + 1).map(file).collect();
        RealDisk
            .create_unpublished(&files, Access::Private)
            .unwrap();
        for (path, bytes) in &files {
            assert_eq!(&fs::read(path).unwrap(), bytes);
        }
        let (taken, _) = &files[FEW_FILES * 3];
        let more = [file(files.len()), (taken.clone(), Vec::new())];
        assert_eq!(
            RealDisk.create_unpublished(&more, Access::Private),
            Err(DiskError::AlreadyExists(taken.clone()))
        );
        assert_eq!(RealDisk.create_unpublished(&[], Access::Public), Ok(()));
    }

    /// As on FAT.
    #[derive(Debug)]
    struct NoLinks;

    impl Calls for NoLinks {
        fn hard_link(&self, _: &Path, _: &Path) -> io::Result<()> {
            Err(io::Error::from(ErrorKind::PermissionDenied))
        }
    }

    #[test]
    fn without_hard_links_a_file_is_renamed_and_still_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("to");
        NoLinks.create(&to, b"first", Access::Public).unwrap();
        let taken = Err(DiskError::AlreadyExists(to.clone()));
        assert_eq!(NoLinks.create(&to, b"second", Access::Public), taken);
        // Somebody was faster between the check and the name.
        let late = Temporary::write(&NoLinks, &to, b"second", Access::Public).unwrap();
        assert_eq!(late.name_once(&to), taken);
        assert_eq!(fs::read(&to).unwrap(), b"first");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_system_that_cannot_sync_directories_is_tolerated_and_a_failing_one_is_not() {
        let path = Path::new("/stick");
        let tolerated = |kind| tolerate("write through", path, &io::Error::from(kind)).is_ok();
        assert!(tolerated(ErrorKind::InvalidInput));
        assert!(tolerated(ErrorKind::Unsupported));
        assert!(!tolerated(ErrorKind::Other));
        assert!(!tolerated(ErrorKind::StorageFull));
    }
}
