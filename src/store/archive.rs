//! Tar archives of our own: regular files below one directory, in order, the same files the same
//! bytes; and such archives from anyone.

use std::io::Read as _;

use super::backup::MAX_BACKUP_FILES;
use super::folder::MAX_FILE_BYTES;

/// What is wrong with an archive.
#[derive(Debug)]
pub(super) struct Malformed(pub(super) String);

/// What archives of one kind hold.
pub(super) struct Form {
    /// Whose files they are, in words.
    pub(super) holder: &'static str,
    /// The directory, with its slash.
    pub(super) prefix: &'static str,
    /// Whether a file may have this name, below the directory.
    pub(super) is_file: fn(&str) -> bool,
}

/// How many bytes an archive of files of these sizes has: for who must not let a buffer grow.
pub(super) fn size(files: impl Iterator<Item = usize>) -> usize {
    const BLOCK: usize = 512;
    let file = |len: usize| len.div_ceil(BLOCK).saturating_add(1).saturating_mul(BLOCK);
    files.fold(2 * BLOCK, |sum, len| sum.saturating_add(file(len)))
}

/// Writes an archive at the end of `out`, dated `time` in seconds since 1970.
pub(super) fn write<'a>(
    out: &mut Vec<u8>,
    prefix: &str,
    time: u64,
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<(), Malformed> {
    let mut tar = tar::Builder::new(out);
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header
            .set_path(format!("{prefix}{name}"))
            .map_err(|error| malformed(&error))?;
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(time);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        tar.append(&header, bytes)
            .map_err(|error| malformed(&error))?;
    }
    tar.finish().map_err(|error| malformed(&error))
}

impl Form {
    /// Reads an archive and hands over its files as they come; whatever else it holds refuses the
    /// whole. A file's bytes are in a buffer that never grew: no copy of them is left behind.
    pub(super) fn read<E: From<Malformed>>(
        &self,
        bytes: &[u8],
        take: &mut dyn FnMut(String, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut archive = tar::Archive::new(bytes);
        let mut count = 0usize;
        // Raw: names of any length come as they stand in the header, and are refused as such.
        let entries = archive.entries().map_err(|error| malformed(&error))?;
        for entry in entries.raw(true) {
            let mut entry = entry.map_err(|error| malformed(&error))?;
            let path = entry.path_bytes().into_owned();
            let shown = String::from_utf8_lossy(&path).into_owned();
            if entry.header().entry_type() != tar::EntryType::Regular {
                return Err(malformed(&format!("{shown} is no regular file")).into());
            }
            let name = shown
                .strip_prefix(self.prefix)
                .filter(|_| shown.len() == path.len());
            let Some(name) = name.filter(|name| (self.is_file)(name)).map(str::to_owned) else {
                return Err(malformed(&format!("{} holds no file {shown}", self.holder)).into());
            };
            let size = entry.header().size().map_err(|error| malformed(&error))?;
            count = count.saturating_add(1);
            if size > MAX_FILE_BYTES || count > MAX_BACKUP_FILES.saturating_add(1) {
                return Err(
                    malformed(&format!("{name} is too large, or one file too many")).into(),
                );
            }
            let room = usize::try_from(size).unwrap_or(0).min(bytes.len());
            let mut contents = Vec::with_capacity(room);
            entry
                .read_to_end(&mut contents)
                .map_err(|error| malformed(&error))?;
            if contents.len() as u64 != size {
                return Err(malformed(&format!("{name} is cut short")).into());
            }
            take(name, contents)?;
        }
        Ok(())
    }
}

fn malformed(reason: &dyn std::fmt::Display) -> Malformed {
    Malformed(reason.to_string())
}
