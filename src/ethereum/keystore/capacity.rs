//! How many key derivations run at one time: as many as cores and memory bear.
//!
//! scrypt is made to need memory, 256 MiB with our parameters; a machine that has less than its cores
//! could use runs fewer at once, and none that would not fit.

use std::fmt;
use std::ops::Deref;

use super::KdfChoice;
use crate::memory::{STACK_BYTES, wipe_stack};

/// What remains for the rest of the machine of the memory that is free: one part in so many.
const SPARED: u64 = 8;

/// Memory that is used where the system does not say how much is free, in bytes: 1 GiB.
const UNKNOWN_BYTES: u64 = 1 << 30;

/// Cores and memory for key derivations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    cores: usize,
    bytes: u64,
    chosen: bool,
}

/// Why no key derivation was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapacityError {
    /// Not even one fits.
    #[error("a keystore's key derivation takes {} of memory, and {}", Size(*.needed), .capacity.words())]
    Memory {
        /// Bytes that one takes.
        needed: u64,
        /// What there is.
        capacity: Capacity,
    },
    /// The system gave no threads.
    #[error("cannot start the threads that work on keystores: {0}")]
    Threads(String),
}

impl Capacity {
    /// All of these cores, and these bytes, because somebody chose them.
    pub const fn chosen(cores: usize, bytes: u64) -> Self {
        Self {
            cores: if cores == 0 { 1 } else { cores },
            bytes,
            chosen: true,
        }
    }

    /// All of these cores, and what is free of the memory; a part of it stays free, unless not even
    /// one scrypt would fit then. Without a figure, 1 GiB.
    pub fn free(cores: usize, bytes: Option<u64>) -> Self {
        let one = KdfChoice::Scrypt.memory_bytes();
        let bytes = bytes.map_or(UNKNOWN_BYTES, |bytes| {
            let spared = bytes.saturating_sub(bytes.div_euclid(SPARED));
            if spared < one { bytes.min(one) } else { spared }
        });
        Self {
            chosen: false,
            ..Self::chosen(cores, bytes)
        }
    }

    /// How many derivations that take `each` bytes run at one time: at most one a core, and none if
    /// not even one fits.
    pub fn at_once(self, each: u64) -> usize {
        let fitting = self.bytes.checked_div(each).unwrap_or(u64::MAX);
        usize::try_from(fitting)
            .unwrap_or(usize::MAX)
            .min(self.cores)
    }

    /// The threads for derivations that take `each` bytes: so many run at one time, and no more.
    pub fn threads(self, each: u64) -> Result<Threads, CapacityError> {
        let count = self.at_once(each);
        if count == 0 {
            return Err(CapacityError::Memory {
                needed: each,
                capacity: self,
            });
        }
        rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .stack_size(STACK_BYTES)
            .build()
            .map(Threads)
            .map_err(|error| CapacityError::Threads(error.to_string()))
    }

    /// The cores.
    pub const fn cores(self) -> usize {
        self.cores
    }

    /// The memory for all derivations together, in bytes.
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// The memory in words, and whence it comes: `1 GiB is allowed`, `700 MiB is free`.
    pub fn words(self) -> String {
        let source = if self.chosen { "allowed" } else { "free" };
        format!("{} is {source}", Size(self.bytes))
    }
}

/// Threads whose stacks are wiped when they are given up, whatever secrets were worked on: a stack
/// outlives its thread.
#[derive(Debug)]
pub struct Threads(rayon::ThreadPool);

impl Deref for Threads {
    type Target = rayon::ThreadPool;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.0.broadcast(|_| wipe_stack());
    }
}

/// Bytes in words, rounded down: `256 MiB`, `1 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1 << 20;
        let whole = self.0.div_euclid(MIB);
        if whole >= 1024 && whole.is_multiple_of(1024) {
            write!(f, "{} GiB", whole.div_euclid(1024))
        } else {
            write!(f, "{whole} MiB")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    #[test]
    fn chosen_memory_bounds_scrypt_and_cores_bound_both() {
        let scrypt = KdfChoice::Scrypt.memory_bytes();
        assert_eq!(scrypt, 256 * MIB);
        for (cores, bytes, expected) in [
            (8, 0, 0),
            (8, 256 * MIB - 1, 0),
            (8, 256 * MIB, 1),
            (8, 511 * MIB, 1),
            (8, 512 * MIB, 2),
            (8, GIB, 4),
            (8, 2 * GIB, 8),
            (8, u64::MAX, 8),
            (1, u64::MAX, 1),
            (0, GIB, 1),
            (usize::MAX, u64::MAX, (u64::MAX / (256 * MIB)) as usize),
        ] {
            let capacity = Capacity::chosen(cores, bytes);
            assert_eq!(capacity.at_once(scrypt), expected, "{cores} {bytes}");
            let unbounded = KdfChoice::Pbkdf2.memory_bytes();
            assert_eq!(capacity.at_once(unbounded), cores.max(1));
        }
    }

    #[test]
    fn free_memory_is_not_used_up_unless_one_needs_it() {
        let scrypt = KdfChoice::Scrypt.memory_bytes();
        for (free, expected) in [
            (Some(0), 0),
            (Some(255 * MIB), 0),
            // The 512 MB machine.
            (Some(256 * MIB), 1),
            (Some(300 * MIB), 1),
            (Some(512 * MIB), 1),
            (Some(586 * MIB), 2),
            (Some(2 * GIB), 7),
            (Some(64 * GIB), 16),
            (Some(u64::MAX), 16),
            (None, 4),
        ] {
            let capacity = Capacity::free(16, free);
            assert_eq!(capacity.at_once(scrypt), expected, "{free:?}");
            assert!(capacity.bytes() <= free.unwrap_or(GIB));
        }
    }

    #[test]
    fn so_many_threads_start_or_none() {
        let two = Capacity::chosen(8, 600 * MIB).threads(256 * MIB).unwrap();
        assert_eq!(two.current_num_threads(), 2);
        let error = Capacity::chosen(8, 200 * MIB).threads(256 * MIB);
        assert_eq!(
            error.unwrap_err().to_string(),
            "a keystore's key derivation takes 256 MiB of memory, and 200 MiB is allowed"
        );
        let error = Capacity::free(8, Some(MIB)).threads(256 * MIB).unwrap_err();
        assert!(error.to_string().ends_with("1 MiB is free"), "{error}");
    }
}
