//! A disk that fails on demand: a process that dies at its k-th change, a full, read-only or lying
//! medium. What survives lies on the real disk below, for the next process to find.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use conclave::store::disk::{Access, Disk, DiskError, DiskLock, Entry, Kind, RealDisk};

/// How far the fatal operation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// It changed nothing.
    Before,
    /// It left a half-written temporary file.
    Torn,
    /// It left half of the file under its final name, as a medium without a journal may.
    HalfCopied,
    /// It was done, and nobody was told.
    After,
}

impl Death {
    /// What a sound file system can do.
    pub(crate) const SOUND: [Death; 3] = [Death::Before, Death::Torn, Death::After];
    /// What a stick can do.
    pub(crate) const STICK: [Death; 4] =
        [Death::Before, Death::Torn, Death::HalfCopied, Death::After];
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Dies { step: u64, how: Death },
    Full,
    ReadOnly,
    Lies,
}

/// The disk.
#[derive(Debug)]
pub(crate) struct FaultDisk {
    fault: Fault,
    steps: AtomicU64,
    dead: AtomicBool,
}

impl FaultDisk {
    fn with(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            steps: AtomicU64::new(0),
            dead: AtomicBool::new(false),
        })
    }

    /// Dies at the change number `step` (from 0); every operation after it fails.
    pub(crate) fn dying(step: u64, how: Death) -> Arc<Self> {
        Self::with(Fault::Dies { step, how })
    }

    /// Has no space for another file.
    pub(crate) fn full() -> Arc<Self> {
        Self::with(Fault::Full)
    }

    /// Allows no change at all.
    pub(crate) fn read_only() -> Arc<Self> {
        Self::with(Fault::ReadOnly)
    }

    /// Says that a file is written and keeps half of it.
    pub(crate) fn lying() -> Arc<Self> {
        Self::with(Fault::Lies)
    }

    /// Whether the fatal operation was reached.
    pub(crate) fn died(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn alive(&self) -> Result<(), DiskError> {
        if self.died() {
            return Err(DiskError::Other {
                action: "use",
                path: PathBuf::new(),
                reason: "the process is dead".to_owned(),
            });
        }
        Ok(())
    }

    /// One change: done, refused, or cut off.
    fn change<T>(
        &self,
        path: &Path,
        bytes: Option<&[u8]>,
        act: impl FnOnce() -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        self.alive()?;
        let half = bytes.map(|bytes| &bytes[..bytes.len() / 2]);
        match self.fault {
            Fault::Full if bytes.is_some() && RealDisk.kind(path)?.is_none() => {
                return Err(DiskError::Full(path.to_owned()));
            }
            Fault::ReadOnly if RealDisk.kind(path)?.is_none() => {
                return Err(DiskError::ReadOnly(path.to_owned()));
            }
            Fault::Dies { step, how } if self.steps.fetch_add(1, Ordering::SeqCst) == step => {
                match (how, half) {
                    (Death::Before, _) | (Death::Torn | Death::HalfCopied, None) => {}
                    (Death::Torn, Some(half)) => {
                        let name = format!(".tmp-dead-{step}-conclave");
                        let _ = std::fs::write(path.with_file_name(name), half);
                    }
                    (Death::HalfCopied, Some(half)) => {
                        if RealDisk.kind(path)?.is_none() {
                            std::fs::write(path, half).unwrap();
                        }
                    }
                    (Death::After, _) => drop(act()),
                }
                self.dead.store(true, Ordering::SeqCst);
                self.alive()?;
                unreachable!("a dead process goes nowhere");
            }
            _ => {}
        }
        act()
    }
}

impl Disk for FaultDisk {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, DiskError> {
        self.alive()?;
        RealDisk.read(path, limit)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError> {
        self.alive()?;
        RealDisk.list(directory)
    }

    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError> {
        self.alive()?;
        RealDisk.kind(path)
    }

    fn create(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
        let kept = match self.fault {
            Fault::Lies => &bytes[..bytes.len() / 2],
            _ => bytes,
        };
        self.change(path, Some(bytes), || RealDisk.create(path, kept, access))
    }

    fn replace(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
        self.change(path, Some(bytes), || RealDisk.replace(path, bytes, access))
    }

    fn create_dir_all(&self, path: &Path, access: Access) -> Result<(), DiskError> {
        self.change(path, None, || RealDisk.create_dir_all(path, access))
    }

    fn publish_dir(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.change(to, None, || RealDisk.publish_dir(from, to))
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        self.change(path, None, || RealDisk.remove_file(path))
    }

    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        self.change(path, None, || RealDisk.remove_tree(path))
    }

    fn sync(&self, path: &Path) -> Result<(), DiskError> {
        self.change(path, None, || RealDisk.sync(path))
    }

    fn lock(&self, path: &Path) -> Result<DiskLock, DiskError> {
        self.change(path, None, || RealDisk.lock(path))
    }

    fn clean_temporaries(&self, directory: &Path) -> Result<(), DiskError> {
        self.change(directory, None, || RealDisk.clean_temporaries(directory))
    }
}

/// Runs `attempt` again and again, each time on a disk that dies one change later, in each of the
/// given ways, until it survives. Returns how many deaths there were.
pub(crate) fn at_every_death(deaths: &[Death], attempt: impl Fn(Arc<FaultDisk>)) -> u64 {
    let mut count = 0;
    for how in deaths {
        for step in 0.. {
            let disk = FaultDisk::dying(step, *how);
            attempt(disk.clone());
            if !disk.died() {
                break;
            }
            count += 1;
        }
    }
    count
}

/// Copies all of a directory.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let permissions = std::fs::metadata(from).unwrap().permissions();
    std::fs::set_permissions(to, permissions).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every regular file below `directory`, temporary ones included, with its bytes.
pub(crate) fn every_file(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let (kind, path) = (entry.file_type().unwrap(), entry.path());
        if kind.is_dir() {
            files.extend(every_file(&path));
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            files.push((path, bytes));
        }
    }
    files.sort();
    files
}

/// Fails if any file below `directory` holds a piece of `secret`, as bytes or as hex.
pub(crate) fn assert_nowhere(directory: &Path, secret: &[u8]) {
    let hex = conclave::json::encode_hex(secret);
    for (path, bytes) in every_file(directory) {
        for piece in secret
            .chunks_exact(8)
            .chain(hex.as_bytes().chunks_exact(16))
        {
            assert!(
                !bytes.windows(piece.len()).any(|window| window == piece),
                "{} holds a secret in clear",
                path.display()
            );
        }
    }
}
