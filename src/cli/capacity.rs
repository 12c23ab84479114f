//! How much memory keystores may take: the flag, what is free without it, and what is said of it.

use super::Context;
use super::doctor::free_memory;
use super::error::CommandError;
use super::values;
use crate::ethereum::keystore::{Capacity, CapacityError, KdfChoice, Size};

/// The flag of all commands that derive keystores' keys.
#[derive(Debug, clap::Args)]
pub(super) struct KeystoreMemory {
    /// The most memory for keystores, such as 1GiB: scrypt takes 256 MiB for each that is worked on at one time, at most one a core [default: what is free, but for an eighth]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    keystore_memory: Option<u64>,
}

impl KeystoreMemory {
    /// What key derivations may take now.
    pub(super) fn capacity(&self) -> Capacity {
        let cores = rayon::current_num_threads();
        match self.keystore_memory {
            Some(bytes) => Capacity::chosen(cores, bytes),
            None => Capacity::free(cores, free_memory()),
        }
    }

    /// Refuses a choice that not even one keystore fits into.
    pub(super) fn check(&self, kdf: Option<KdfChoice>) -> Result<(), CommandError> {
        let needed = kdf.map_or(0, KdfChoice::memory_bytes);
        match self.keystore_memory {
            Some(bytes) if bytes < needed => Err(CommandError::usage(format!(
                "--keystore-memory: a keystore takes {}, and {} is allowed; nothing was done",
                Size(needed),
                Size(bytes)
            ))
            .hint("allow more, or choose keystores that take none: --keystores pbkdf2")),
            _ => Ok(()),
        }
    }

    /// [`Self::capacity`] for so many keystores: refused where not even one fits, and said where
    /// memory leaves cores idle.
    pub(super) fn prepared(
        &self,
        kdf: Option<KdfChoice>,
        keystores: usize,
        cx: &mut Context,
    ) -> Result<Capacity, CommandError> {
        let capacity = self.capacity();
        let needed = kdf.map_or(0, KdfChoice::memory_bytes);
        let at_once = capacity.at_once(needed);
        if at_once == 0 {
            return Err(CapacityError::Memory { needed, capacity }.into());
        }
        if at_once < keystores.min(capacity.cores()) {
            cx.ui.note(fewer(capacity, needed));
        }
        Ok(capacity)
    }
}

/// Why not all cores work.
fn fewer(capacity: Capacity, needed: u64) -> String {
    format!(
        "{} of {} cores work on keystores at one time: each takes {}, and {}",
        capacity.at_once(needed),
        capacity.cores(),
        Size(needed),
        capacity.words()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_that_nothing_fits_into_is_refused_before_anything_is_done() {
        let allowed = |bytes| KeystoreMemory {
            keystore_memory: Some(bytes),
        };
        let error = allowed(255 << 20)
            .check(Some(KdfChoice::Scrypt))
            .unwrap_err();
        assert_eq!(error.kind().exit_code(), 2);
        assert!(error.message().contains("255 MiB is allowed"), "{error:?}");
        for (bytes, kdf) in [
            (256 << 20, Some(KdfChoice::Scrypt)),
            (0, Some(KdfChoice::Pbkdf2)),
            (0, None),
        ] {
            allowed(bytes).check(kdf).unwrap();
        }
        let free = KeystoreMemory {
            keystore_memory: None,
        };
        free.check(Some(KdfChoice::Scrypt)).unwrap();
    }

    #[test]
    fn idle_cores_are_explained() {
        assert_eq!(
            fewer(Capacity::free(8, Some(700 << 20)), 256 << 20),
            "2 of 8 cores work on keystores at one time: each takes 256 MiB, and 612 MiB is free"
        );
    }
}
