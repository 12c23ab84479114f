//! What the disk asks of the operating system, one call at a time.
#![expect(
    clippy::disallowed_methods,
    reason = "a part of the one owner of the file system"
)]

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::Access;

/// The system calls behind [`Disk`](super::Disk). Between any two of them a process can die; each can
/// fail.
///
/// The calls as they are given here are the operating system's. Whoever implements this trait
/// otherwise sees every call, and is a [`Disk`](super::Disk) with the same code above them.
pub trait Calls: Send + Sync + Debug {
    /// Opens a regular file to read it.
    fn open(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    /// Reads a file of [`Self::open`] to its end, or the first `limit` bytes of it.
    fn read_up_to(
        &self,
        file: &File,
        _path: &Path,
        limit: u64,
        bytes: &mut Vec<u8>,
    ) -> io::Result<usize> {
        file.take(limit).read_to_end(bytes)
    }

    /// Makes a file that does not exist.
    fn open_new(&self, path: &Path, access: Access) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        set_mode(&mut options, access);
        options.open(path)
    }

    /// Writes to a file of [`Self::open_new`], which stands under `path`.
    fn write(&self, mut file: &File, _path: &Path, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Writes a file or a directory, which stands under `path`, through to the device.
    fn fsync(&self, file: &File, _path: &Path) -> io::Result<()> {
        file.sync_all()
    }

    /// Gives a file a second name; never replaces anything.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    /// Gives a file or directory another name; replaces a file by a file, and an empty directory by a
    /// directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Takes away the name of a file or link.
    fn unlink(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Makes a directory.
    fn make_directory(&self, path: &Path, access: Access) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(
            &mut builder,
            match access {
                Access::Public => 0o755,
                Access::Private => 0o700,
            },
        );
        #[cfg(not(unix))]
        let _ = access;
        builder.create(path)
    }

    /// Removes a directory and all in it: several calls at once, in any order.
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        // std removes links as links, also against a racing exchange (CVE-2022-21658).
        fs::remove_dir_all(path)
    }
}

#[cfg(unix)]
pub(super) fn set_mode(options: &mut OpenOptions, access: Access) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(match access {
        Access::Public => 0o644,
        Access::Private => 0o600,
    });
}

#[cfg(not(unix))]
pub(super) fn set_mode(_: &mut OpenOptions, _: Access) {}
