//! What the operating system says of this process and of single files, beside the [`Disk`](super::Disk).
#![expect(
    clippy::disallowed_methods,
    reason = "a part of the one owner of the file system"
)]

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{DiskError, Kind, explain};

/// Says whether others than its owner may read a file; `false` where that cannot be told.
#[cfg(unix)]
pub fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Other systems have no such bits.
#[cfg(not(unix))]
pub fn open_to_others(_: &Path) -> bool {
    false
}

/// Returns the most memory that this process has had resident so far, in bytes, where the system
/// says it (Linux: `VmHWM` of proc(5)).
pub fn peak_memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Reads at most `limit` bytes, to its end, from a file descriptor that this process inherited; for
/// secrets that are handed over by number. Refuses a terminal, which would show what is typed.
///
/// Opened by its name in `/dev/fd`: nothing else of this process can be reading from it. A pipe is
/// waited for until its writer closes it.
#[cfg(unix)]
pub fn read_descriptor(descriptor: u32, limit: u64) -> Result<Vec<u8>, DiskError> {
    use std::io::IsTerminal as _;
    let path = PathBuf::from(format!("/dev/fd/{descriptor}"));
    let failed = |error: io::Error| explain("read", &path, &error);
    let file = File::open(&path).map_err(failed)?;
    if file.is_terminal() {
        return Err(DiskError::NotRegular {
            path,
            kind: Kind::Special,
        });
    }
    // Made long enough at once: a vector that grows leaves its old bytes behind.
    let most = limit.saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(0));
    let read = file.take(most).read_to_end(&mut bytes).map_err(failed)? as u64;
    if read > limit {
        return Err(DiskError::TooLarge {
            path,
            actual: read,
            limit,
        });
    }
    Ok(bytes)
}

/// Other systems hand nothing over by number.
#[cfg(not(unix))]
pub fn read_descriptor(descriptor: u32, _: u64) -> Result<Vec<u8>, DiskError> {
    Err(DiskError::Other {
        action: "read",
        path: PathBuf::from(format!("file descriptor {descriptor}")),
        reason: "this system has no inherited file descriptors".to_owned(),
    })
}
