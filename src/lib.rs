//! tmp
pub mod ambient;
pub mod hash;
pub mod json;
pub mod secret;

pub mod crypto;

pub mod ethereum;
pub mod protocol;
pub mod wire;
