//! What a path lies on: free space, permissions, and whether reads come from the medium.
//!
//! Facts for people. No decision of a ceremony depends on them, and systems that do not say are no
//! error.

use std::path::Path;

/// A mounted file system, as seen from one path on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user can still write.
    pub available: u64,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// Asks for the space where `path` lies; nothing where the system does not say.
#[cfg(unix)]
pub fn space(path: &Path) -> Option<Space> {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    let found = statvfs(path).ok()?;
    Some(Space {
        available: found.f_bavail.saturating_mul(found.f_frsize),
        read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

/// Asks for the space where `path` lies; nothing where the system does not say.
#[cfg(not(unix))]
pub fn space(_: &Path) -> Option<Space> {
    None
}

/// The permission bits of `path` itself, as in `chmod`; nothing where there are none.
#[cfg(unix)]
#[cfg_attr(
    target_os = "linux",
    expect(clippy::useless_conversion, reason = "macOS has 16 bits")
)]
pub fn permissions(path: &Path) -> Option<u32> {
    let found = rustix::fs::lstat(path).ok()?;
    Some(rustix::fs::Mode::from_raw_mode(found.st_mode).bits().into())
}

/// The permission bits of `path` itself, as in `chmod`; nothing where there are none.
#[cfg(not(unix))]
pub fn permissions(_: &Path) -> Option<u32> {
    None
}

/// Asks the system to drop what it keeps in memory of a file that was written through, so that the
/// next read comes from the medium; returns whether it took the request.
#[cfg(target_os = "linux")]
pub fn forget_cached(path: &Path) -> bool {
    use rustix::fs::{Advice, Mode, OFlags, fadvise, open};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    open(path, flags, Mode::empty())
        .and_then(|file| fadvise(&file, 0, None, Advice::DontNeed))
        .is_ok()
}

/// Asks the system to drop what it keeps in memory of a file that was written through, so that the
/// next read comes from the medium; returns whether it took the request.
#[cfg(not(target_os = "linux"))]
pub fn forget_cached(_: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_it_lies_on() {
        let place = tempfile::tempdir().unwrap();
        let found = space(place.path()).unwrap();
        assert!(found.available > 0 && !found.read_only);
        assert_eq!(space(&place.path().join("gone")), None);
        // tempfile makes its files for the owner alone.
        let file = tempfile::NamedTempFile::new_in(place.path()).unwrap();
        assert_eq!(permissions(file.path()), Some(0o600));
        assert_eq!(permissions(&place.path().join("gone")), None);
        assert_eq!(forget_cached(file.path()), cfg!(target_os = "linux"));
        assert!(!forget_cached(&place.path().join("gone")));
    }
}
