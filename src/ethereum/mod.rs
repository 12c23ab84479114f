//! What Ethereum fixes: networks, addresses, signing roots, the messages that a validator key
//! signs here, and the files of its ecosystem. Nothing in here touches a disk, a clock or a socket.

pub mod address;
pub mod amount;
mod api;
pub mod bls_change;
pub mod deposit;
pub mod exit;
pub mod hd;
pub mod keystore;
pub mod network;
pub mod registration;
pub mod signed;
pub mod signing_root;
pub mod withdrawal;
