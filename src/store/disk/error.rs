//! What a disk says when it fails.

use std::fmt;
use std::path::PathBuf;

use super::MAX_ENTRIES;

/// Why a disk operation failed. Each message names the file and says what still holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// Nothing stands under this path.
    #[error("{} does not exist", .0.display())]
    NotFound(PathBuf),
    /// Something stands there already, and nothing is ever overwritten.
    #[error("{} exists already; it was left as it is", .0.display())]
    AlreadyExists(PathBuf),
    /// A file stands there already with other bytes than the ones to be stored.
    #[error("{} exists already with other contents; it was left as it is", .0.display())]
    Differs(PathBuf),
    /// The file system is mounted read-only.
    #[error("cannot write {}: the file system is read-only; nothing was written", .0.display())]
    ReadOnly(PathBuf),
    /// No space, or a quota is used up.
    #[error("cannot write {}: the disk is full; nothing was written under that name", .0.display())]
    Full(PathBuf),
    /// More bytes than this kind of file may have.
    #[error("{} is {actual} bytes long; the limit is {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        actual: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// More entries than [`MAX_ENTRIES`].
    #[error("{} holds more than {MAX_ENTRIES} files", .0.display())]
    TooMany(PathBuf),
    /// A symbolic link, directory or device where a regular file, or a real directory, is needed.
    #[error("{} is {kind}; it was not opened", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// Another process holds the lock.
    #[error("another conclave process is using this home ({}); nothing was changed", .0.display())]
    Locked(PathBuf),
    /// Anything else the operating system said.
    #[error("cannot {action} {}: {reason}", path.display())]
    Other {
        /// What was tried: a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

/// What stands under a path; symbolic links are never followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, pipe or socket.
    Special,
    /// Anything whose name is not UTF-8; conclave never makes such names and skips them.
    Unnameable,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::File => "a regular file",
            Kind::Directory => "a directory",
            Kind::Symlink => "a symbolic link",
            Kind::Special => "a device, pipe or socket",
            Kind::Unnameable => "a file whose name is not UTF-8",
        })
    }
}
