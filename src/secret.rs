//! Secrets: values that redact themselves, are wiped on drop and compare in constant time.
//!
//! What this does not protect: copies that arithmetic leaves in registers and on the stack (blst's
//! field elements are plain memory), and pages that the system swaps out. Both are the process's
//! affair as a whole, in a module of its own on this floor.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A value that never prints, copies or serialises itself and is wiped when dropped.
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of `value`.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Lends the value to `f`; a reference cannot outlive the call unless `f` copies it out.
    pub fn expose<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        f(&self.0)
    }

    /// Fills or changes the value in place.
    pub fn expose_mut<R>(&mut self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0)
    }
}

impl<T: Zeroize + AsRef<[u8]>> Secret<T> {
    /// Compares in constant time for equal lengths.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.as_ref().ct_eq(other.0.as_ref()).into()
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl<T: Zeroize> ZeroizeOnDrop for Secret<T> {}

/// 32 secret bytes: a seed, a derived key, an Ed25519 or BLS secret in its encoded form.
pub type Seed = Secret<[u8; 32]>;

/// Secret bytes of any length.
pub type SecretBytes = Secret<Vec<u8>>;

/// A passphrase as a person typed it or a file held it, UTF-8, never empty.
#[derive(Debug)]
pub struct Passphrase(Secret<String>);

impl Passphrase {
    /// The longest passphrase taken, in bytes; bounds the work before any key derivation.
    pub const MAX_BYTES: usize = 1024;

    /// Takes a passphrase; refuses an empty one and one over [`Self::MAX_BYTES`].
    pub fn new(text: String) -> Result<Self, PassphraseError> {
        let text = Secret::new(text);
        match text.expose(String::len) {
            0 => Err(PassphraseError::Empty),
            n if n > Self::MAX_BYTES => Err(PassphraseError::TooLong),
            _ => Ok(Self(text)),
        }
    }

    /// Lends the text.
    pub fn expose<R>(&self, f: impl FnOnce(&str) -> R) -> R {
        self.0.expose(|text| f(text))
    }

    /// Compares in constant time for equal lengths.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }
}

/// Why a passphrase was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Nothing was given.
    #[error("the passphrase is empty")]
    Empty,
    /// Over [`Passphrase::MAX_BYTES`].
    #[error("the passphrase is longer than {} bytes", Passphrase::MAX_BYTES)]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_redacts_whatever_it_holds() {
        assert_eq!(format!("{:?}", Secret::new([7u8; 32])), "<secret>");
        let passphrase = Passphrase::new("hunter2".into()).unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(<secret>)");
    }

    #[test]
    fn passphrases_are_bounded_and_compared_whole() {
        assert_eq!(
            Passphrase::new(String::new()).unwrap_err(),
            PassphraseError::Empty
        );
        assert_eq!(
            Passphrase::new("x".repeat(1025)).unwrap_err(),
            PassphraseError::TooLong
        );
        let a = Passphrase::new("correct horse".into()).unwrap();
        assert!(a.ct_eq(&Passphrase::new("correct horse".into()).unwrap()));
        assert!(!a.ct_eq(&Passphrase::new("correct horsf".into()).unwrap()));
        assert!(!a.ct_eq(&Passphrase::new("correct".into()).unwrap()));
    }
}
