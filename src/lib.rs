//! tmp
pub mod ambient;
pub mod hash;
pub mod json;
pub mod secret;

pub mod crypto;

pub mod protocol;

pub mod store;

pub mod courier;
