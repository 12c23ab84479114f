//! A disk that changes one bit of one file, and says that all is well.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use conclave::store::disk::{Calls, RealDisk};

/// The disk.
#[derive(Debug)]
pub(crate) struct Flips(AtomicI64);

impl Flips {
    /// Changes the file that is written after `step` others.
    pub(crate) fn at(step: i64) -> Self {
        Self(AtomicI64::new(step + 1))
    }

    /// How many more files would have had to be written for the change to happen.
    pub(crate) fn left(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Calls for Flips {
    fn write(&self, file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut kept = bytes.to_vec();
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            let middle = kept.len() / 2;
            if let Some(byte) = kept.get_mut(middle) {
                *byte ^= 1;
            }
        }
        RealDisk.write(file, path, &kept)
    }
}
