//! A disk that changes one bit of one file, and says that all is well.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use conclave::store::disk::{Access, Disk, DiskError, DiskLock, Entry, Kind, RealDisk};

/// The disk.
#[derive(Debug)]
pub(crate) struct Flips(AtomicI64);

impl Flips {
    /// Changes the file that is created after `step` others.
    pub(crate) fn at(step: i64) -> Self {
        Self(AtomicI64::new(step + 1))
    }

    /// How many more files would have had to be created for the change to happen.
    pub(crate) fn left(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Disk for Flips {
    fn create(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
        let mut kept = bytes.to_vec();
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            let middle = kept.len() / 2;
            if let Some(byte) = kept.get_mut(middle) {
                *byte ^= 1;
            }
        }
        RealDisk.create(path, &kept, access)
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, DiskError> {
        RealDisk.read(path, limit)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError> {
        RealDisk.list(directory)
    }

    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError> {
        RealDisk.kind(path)
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
        RealDisk.remove_file(path)
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
