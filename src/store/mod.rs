//! What stays on this machine: the disk, an operator's home, a ceremony's folder and the vault.

pub mod backup;
pub mod disk;
pub mod folder;
pub mod home;
pub mod keys;
pub mod medium;
pub mod seat;
pub mod vault;
pub mod wrap;
