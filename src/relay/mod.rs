//! The relay: a write-once shelf for opaque blobs that nobody needs to trust.
//!
//! A shelf belongs to a list of relay write keys and is found by the hash of that list and a salt.
//! An entry is addressed by (shelf, write key, label), signed by its write key, and never changes.
//! There are no accounts, no order and no locks, so a retry is harmless and any number of instances
//! can stand before one store. The relay knows neither ceremonies nor messages: what it keeps is
//! sealed by its clients.
//!
//! [`address`] is what both sides agree on; [`shelf`] keeps entries in an object store; [`server`]
//! speaks HTTP.

pub mod address;
pub mod refusal;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod shelf;

/// Chooses the TLS library of this process, for everything that opens a connection; the first call
/// counts.
#[cfg(any(feature = "net", feature = "server"))]
pub fn use_tls_provider() {
    // It fails when it was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
