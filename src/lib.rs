//! tmp
pub mod ambient;
pub mod hash;
pub mod json;
pub mod secret;
pub mod store;

pub mod courier;
