//! What stays on this machine: the disk, an operator's home, the book of known
//! identities, a ceremony's folder and the vault.

pub mod backup;
pub mod disk;
pub mod folder;
pub mod home;
pub mod keys;
pub mod known;
pub mod medium;
pub mod seat;
pub mod vault;
pub mod wrap;
