//! The published test vectors, which are read where `CONCLAVE_VECTORS` points and are not part of
//! the project.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use conclave::json::decode_hex;
use serde_json::Value;

/// The folder of vectors; without it a test is skipped, and the count of those is said past the
/// test runner, which would swallow it.
pub(crate) fn folder() -> Option<PathBuf> {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let folder = std::env::var_os("CONCLAVE_VECTORS").map(PathBuf::from);
    if folder.is_none() {
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        let text = format!("skipped, since CONCLAVE_VECTORS is not set: {count} vector tests\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    folder
}

/// Reads one JSON file.
pub(crate) fn load(path: PathBuf) -> Value {
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads hex of exactly `N` bytes, with or without `0x`; nothing for another length.
pub(crate) fn try_hex<const N: usize>(value: &Value) -> Option<[u8; N]> {
    let text = value.as_str().unwrap();
    let text = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    let mut bytes = [0u8; N];
    decode_hex(&text, &mut bytes)?;
    Some(bytes)
}

/// Reads hex of exactly `N` bytes, with or without `0x`.
pub(crate) fn hex<const N: usize>(value: &Value) -> [u8; N] {
    try_hex(value).unwrap_or_else(|| panic!("not {N} bytes of hex: {value}"))
}

/// Reads an integer that stands in a string or a number.
pub(crate) fn int(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

/// The items of an array.
pub(crate) fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}
