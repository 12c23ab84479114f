//! This machine, as facts: asked of the system and judged elsewhere.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::ambient::Randomness;
use crate::json::Hex;
use crate::memory::Hardened;
use crate::store::disk::{Access, Disk, DiskError, Kind};
use crate::store::medium;

/// What `doctor` writes to a stick and reads back: 4 MiB.
pub(super) const READ_BACK_BYTES: usize = 4 << 20;

/// Named like a temporary file, so that nothing takes it for a message if `doctor` is killed, and
/// always the same, so that the next `doctor` removes it.
const READ_BACK_NAME: &str = ".tmp-doctor-conclave";

/// The largest program that is hashed: 1 GiB.
const MAX_PROGRAM_BYTES: u64 = 1 << 30;
const MAX_SYSTEM_FILE_BYTES: u64 = 64 * 1024;
const MAX_HOME_ENTRIES: usize = 20_000;

/// A network interface.
#[derive(Debug, Clone)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) loopback: bool,
}

/// Where swapped pages go.
#[derive(Debug, Clone)]
pub(super) struct Swap {
    pub(super) name: String,
    pub(super) kind: SwapKind,
}

/// What becomes of what is swapped out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SwapKind {
    /// Compressed memory.
    Memory,
    /// Encrypted on the disk.
    Encrypted,
    /// On the disk, for all that is known.
    Plain,
}

/// Core dumps.
#[derive(Debug, Clone, Default)]
pub(super) struct Core {
    /// The most bytes of one; `Some(None)` is no limit, nothing is unknown.
    pub(super) limit: Option<Option<u64>>,
    /// The kernel's pattern, where it says.
    pub(super) pattern: Option<String>,
}

/// Room on a medium.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    pub(super) available: Option<u64>,
    pub(super) needed: u64,
}

/// Randomness.
#[derive(Debug, Clone)]
pub(super) struct Entropy {
    /// Whether two draws were made and differ, or why none was made.
    pub(super) draws: Result<bool, String>,
    /// Bits in the kernel's pool, where it says.
    pub(super) pool: Option<u64>,
}

/// How people meet the tool here.
#[derive(Debug, Clone, Default)]
pub(super) struct Terminal {
    pub(super) input: bool,
    pub(super) messages: bool,
    pub(super) columns: Option<usize>,
    pub(super) locale: Option<String>,
}

/// The home.
#[derive(Debug, Clone)]
pub(super) enum HomeFound {
    /// There is none.
    Missing(PathBuf),
    /// It cannot be read.
    Broken(String),
    /// It stands.
    Found {
        path: PathBuf,
        /// Entries that others can read or change and should not.
        loose: Vec<String>,
        /// Why nothing can be written, if so.
        unwritable: Option<String>,
    },
}

/// A stick that was written to and read.
#[derive(Debug, Clone)]
pub(super) struct Stick {
    pub(super) path: PathBuf,
    pub(super) outcome: ReadBack,
}

/// How that went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadBack {
    /// The same bytes came back; with whether the system was made to forget them first.
    Same { forgotten: bool },
    /// Others came back.
    Differs,
    /// It can be read and not written.
    ReadOnly,
    /// It is not there, or failed.
    Failed(String),
}

/// All facts.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// Nothing where the system does not say.
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) swaps: Option<Vec<Swap>>,
    pub(super) core: Core,
    /// What was done about this process's own memory.
    pub(super) hardened: Hardened,
    /// Seconds since 1970.
    pub(super) now: u64,
    /// The youngest plan that is known here: its time and name.
    pub(super) youngest: Option<(u64, String)>,
    pub(super) rooms: Vec<Room>,
    pub(super) entropy: Entropy,
    pub(super) terminal: Terminal,
    /// Bytes of memory that programs can still get.
    pub(super) memory: Option<u64>,
    pub(super) home: HomeFound,
    pub(super) sticks: Vec<Stick>,
    pub(super) version: &'static str,
    /// Of the running program, or why there is none.
    pub(super) sha256: Result<String, String>,
}

/// Network interfaces.
pub(super) fn interfaces() -> Option<Vec<Interface>> {
    use sysinfo::InterfaceOperationalState as State;
    let networks = sysinfo::Networks::new_with_refreshed_list().ok()?;
    let mut found: Vec<Interface> = networks
        .iter()
        .map(|(name, data)| {
            let name = name.to_string_lossy().into_owned();
            let addresses = data.ip_networks();
            let loopback = matches!(name.as_str(), "lo" | "lo0")
                || !addresses.is_empty() && addresses.iter().all(|ip| ip.addr.is_loopback());
            let up = match data.operational_state() {
                State::Up => true,
                State::Down | State::NotPresent | State::LowerLayerDown => false,
                // Tunnels and virtual interfaces do not say.
                _ => !addresses.is_empty(),
            };
            Interface { name, up, loopback }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Some(found)
}

/// Swap: by the kernel's list where there is one, else whether there is any.
pub(super) fn swaps(disk: &dyn Disk) -> Option<Vec<Swap>> {
    if let Some(list) = system_file(disk, "/proc/swaps") {
        let names = list.lines().skip(1);
        let names = names.filter_map(|line| line.split_whitespace().next());
        return Some(
            names
                .map(|name| Swap {
                    name: name.to_owned(),
                    kind: swap_kind(disk, name),
                })
                .collect(),
        );
    }
    let system = memory_of_system()?;
    let kind = if cfg!(target_os = "macos") {
        // Always encrypted, since 10.7.
        SwapKind::Encrypted
    } else {
        SwapKind::Plain
    };
    let swap = Swap {
        name: "swap".to_owned(),
        kind,
    };
    Some(if system.total_swap() > 0 {
        vec![swap]
    } else {
        Vec::new()
    })
}

fn swap_kind(disk: &dyn Disk, name: &str) -> SwapKind {
    let device = name.rsplit('/').next().unwrap_or_default();
    if device.starts_with("zram") {
        return SwapKind::Memory;
    }
    let mapped = format!("/sys/class/block/{device}/dm/uuid");
    // The device mapper names what made the mapping.
    match system_file(disk, &mapped) {
        Some(uuid) if uuid.starts_with("CRYPT-") => SwapKind::Encrypted,
        _ => SwapKind::Plain,
    }
}

/// Memory that programs can still get, within what this process is confined to, in bytes.
pub(in crate::cli) fn memory() -> Option<u64> {
    let mut system = memory_of_system()?;
    let available = Some(system.available_memory()).filter(|available| *available > 0);
    // What confines a container is found at the root that it sees, what confines a service or a
    // session at the process.
    let container = system.cgroup_limits();
    let process = sysinfo::get_current_pid().ok().and_then(|own| {
        let only = sysinfo::ProcessesToUpdate::Some(&[own]);
        let nothing = sysinfo::ProcessRefreshKind::nothing();
        system.refresh_processes_specifics(only, true, nothing);
        system.process(own)?.cgroup_limits()
    });
    let confined = container.into_iter().chain(process);
    available
        .into_iter()
        .chain(confined.map(|limits| limits.free_memory))
        .min()
}

fn memory_of_system() -> Option<sysinfo::System> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    Some(system)
}

/// Core dumps.
pub(super) fn core(disk: &dyn Disk) -> Core {
    Core {
        limit: core_limit(),
        pattern: system_file(disk, "/proc/sys/kernel/core_pattern")
            .map(|pattern| pattern.trim().to_owned()),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such limit")]
fn core_limit() -> Option<Option<u64>> {
    use rustix::process::{Resource, getrlimit};
    Some(getrlimit(Resource::Core).current)
}

#[cfg(not(unix))]
fn core_limit() -> Option<Option<u64>> {
    None
}

/// Randomness.
pub(super) fn entropy(disk: &dyn Disk, randomness: &mut dyn Randomness) -> Entropy {
    let mut draw = || {
        let mut bytes = [0u8; 32];
        let filled = randomness.fill(&mut bytes);
        filled.map(|()| bytes).map_err(|error| error.to_string())
    };
    let draws = draw().and_then(|first| {
        let second = draw()?;
        Ok(first != second && first != [0; 32] && second != [0; 32])
    });
    let pool = system_file(disk, "/proc/sys/kernel/random/entropy_avail");
    Entropy {
        draws,
        pool: pool.and_then(|bits| bits.trim().parse().ok()),
    }
}

/// How people meet the tool here.
pub(super) fn terminal(columns: Option<usize>, locale: Option<String>) -> Terminal {
    Terminal {
        input: std::io::stdin().is_terminal(),
        messages: std::io::stderr().is_terminal(),
        columns,
        locale,
    }
}

/// SHA-256 of the running program.
pub(super) fn program_sha256(disk: &dyn Disk) -> Result<String, String> {
    let path = std::env::current_exe().map_err(|error| error.to_string())?;
    let bytes = disk
        .read(&path, MAX_PROGRAM_BYTES)
        .map_err(|error| error.to_string())?;
    Ok(Hex::<32>(Sha256::digest(&bytes).into()).to_string())
}

/// Looks at permissions in a home, and writes a file there that is removed again.
pub(super) fn home(disk: &dyn Disk, path: &Path) -> HomeFound {
    let mut loose = Vec::new();
    let mut left = MAX_HOME_ENTRIES;
    if medium::permissions(path).is_some_and(|mode| mode & 0o077 != 0) {
        loose.push(path.display().to_string());
    }
    if let Err(error) = walk(disk, path, &mut left, &mut loose) {
        return HomeFound::Broken(error.to_string());
    }
    let trial = path.join(READ_BACK_NAME);
    let written = disk
        .remove_file(&trial)
        .and_then(|()| disk.create(&trial, b"conclave doctor\n", Access::Private))
        .and_then(|()| disk.remove_file(&trial));
    HomeFound::Found {
        path: path.to_owned(),
        loose,
        unwritable: written.err().map(|error| error.to_string()),
    }
}

/// Secrets are for their owner alone; what is public there may be read, since its folder may not.
fn walk(
    disk: &dyn Disk,
    directory: &Path,
    left: &mut usize,
    loose: &mut Vec<String>,
) -> Result<(), DiskError> {
    for entry in disk.list(directory)? {
        let Some(rest) = left.checked_sub(1) else {
            return Ok(());
        };
        *left = rest;
        let path = directory.join(&entry.name);
        let forbidden = if entry.name.ends_with(".age") {
            0o077
        } else {
            0o022
        };
        if medium::permissions(&path).is_some_and(|mode| mode & forbidden != 0)
            && entry.kind != Kind::Symlink
        {
            loose.push(path.display().to_string());
        }
        if entry.kind == Kind::Directory {
            walk(disk, &path, left, loose)?;
        }
    }
    Ok(())
}

/// Writes random bytes to a stick, reads them back through a fresh open, and removes them.
pub(super) fn read_back(disk: &dyn Disk, path: &Path, randomness: &mut dyn Randomness) -> ReadBack {
    match disk.kind(path) {
        Ok(Some(Kind::Directory | Kind::Symlink)) => {}
        Ok(_) => return ReadBack::Failed(format!("{} is no folder", path.display())),
        Err(error) => return ReadBack::Failed(error.to_string()),
    }
    let mut bytes = vec![0u8; READ_BACK_BYTES];
    if let Err(error) = randomness.fill(&mut bytes) {
        return ReadBack::Failed(error.to_string());
    }
    let file = path.join(READ_BACK_NAME);
    let compared = disk
        // A doctor that was killed may have left one.
        .remove_file(&file)
        .and_then(|()| disk.create(&file, &bytes, Access::Public))
        .map(|()| medium::forget_cached(&file))
        .and_then(|forgotten| {
            Ok((
                disk.read(&file, READ_BACK_BYTES as u64)? == bytes,
                forgotten,
            ))
        });
    // Also after a failure: nothing stays there.
    let removed = disk.remove_file(&file);
    match compared.and_then(|compared| removed.map(|()| compared)) {
        Ok((true, forgotten)) => ReadBack::Same { forgotten },
        Ok((false, _)) => ReadBack::Differs,
        Err(DiskError::TooLarge { .. }) => ReadBack::Differs,
        Err(DiskError::ReadOnly(_)) => ReadBack::ReadOnly,
        Err(error) => ReadBack::Failed(error.to_string()),
    }
}

fn system_file(disk: &dyn Disk, path: &str) -> Option<String> {
    let bytes = disk.read(Path::new(path), MAX_SYSTEM_FILE_BYTES).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::OsRandomness;
    use crate::store::disk::{DiskLock, Entry, RealDisk};

    /// How a medium fails.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Medium {
        Flips,
        Shrinks,
        ReadOnly,
        Full,
        KeepsAll,
    }

    impl Disk for Medium {
        fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, DiskError> {
            let mut bytes = RealDisk.read(path, limit)?;
            match self {
                Self::Flips => bytes[READ_BACK_BYTES / 2] ^= 1,
                Self::Shrinks => bytes.truncate(READ_BACK_BYTES / 2),
                _ => {}
            }
            Ok(bytes)
        }
        fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError> {
            RealDisk.list(directory)
        }
        fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError> {
            RealDisk.kind(path)
        }
        fn create(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
            match self {
                Self::ReadOnly => Err(DiskError::ReadOnly(path.to_owned())),
                Self::Full => Err(DiskError::Full(path.to_owned())),
                _ => RealDisk.create(path, bytes, access),
            }
        }
        fn replace(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
            RealDisk.replace(path, bytes, access)
        }
        fn create_dir_all(&self, path: &Path, access: Access) -> Result<(), DiskError> {
            RealDisk.create_dir_all(path, access)
        }
        fn publish_dir(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
            RealDisk.publish_dir(from, to)
        }
        fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
            match self {
                Self::KeepsAll => Err(DiskError::ReadOnly(path.to_owned())),
                _ => RealDisk.remove_file(path),
            }
        }
        fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
            RealDisk.remove_tree(path)
        }
        fn sync(&self, path: &Path) -> Result<(), DiskError> {
            RealDisk.sync(path)
        }
        fn lock(&self, path: &Path) -> Result<DiskLock, DiskError> {
            RealDisk.lock(path)
        }
        fn clean_temporaries(&self, directory: &Path) -> Result<(), DiskError> {
            RealDisk.clean_temporaries(directory)
        }
    }

    #[test]
    fn a_stick_that_fails_is_found_out_and_left_clean() {
        let place = tempfile::tempdir().unwrap();
        for (medium, expected) in [
            (Medium::Flips, ReadBack::Differs),
            (Medium::Shrinks, ReadBack::Differs),
            (Medium::ReadOnly, ReadBack::ReadOnly),
            (Medium::KeepsAll, ReadBack::ReadOnly),
        ] {
            let found = read_back(&medium, place.path(), &mut OsRandomness);
            assert_eq!(found, expected, "{medium:?}");
            let left = RealDisk.kind(&place.path().join(READ_BACK_NAME)).unwrap();
            assert_eq!(left, None, "{medium:?}");
        }
        let full = read_back(&Medium::Full, place.path(), &mut OsRandomness);
        assert!(
            matches!(&full, ReadBack::Failed(why) if why.contains("full") || why.contains("space")),
            "{full:?}"
        );
        let good = read_back(&RealDisk, place.path(), &mut OsRandomness);
        assert!(matches!(good, ReadBack::Same { .. }), "{good:?}");
        let file = place.path().join("file");
        RealDisk.create(&file, b"x", Access::Public).unwrap();
        let none = read_back(&RealDisk, &file, &mut OsRandomness);
        assert!(matches!(none, ReadBack::Failed(_)), "{none:?}");
    }

    #[test]
    fn a_home_that_takes_nothing_is_found_out() {
        let place = tempfile::tempdir().unwrap();
        for (medium, fine) in [
            (Medium::ReadOnly, false),
            (Medium::Full, false),
            (Medium::Flips, true),
        ] {
            let HomeFound::Found { unwritable, .. } = home(&medium, place.path()) else {
                panic!("{medium:?}")
            };
            assert_eq!(unwritable.is_none(), fine, "{medium:?}: {unwritable:?}");
        }
    }

    /// What it says is this machine's business; that it says something is ours.
    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_answers() {
        let interfaces = interfaces().unwrap();
        assert!(
            interfaces
                .iter()
                .all(|found| found.name != "lo" || found.loopback)
        );
        assert!(swaps(&RealDisk).is_some());
        assert!(memory().unwrap() > 0);
        assert!(core(&RealDisk).limit.is_some());
        assert_eq!(entropy(&RealDisk, &mut OsRandomness).draws, Ok(true));
    }
}
