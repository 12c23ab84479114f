//! What stays on this machine: the disk, an operator's home, the book of known
//! identities, a ceremony's folder and the vault.

mod archive;
pub mod arrivals;
pub mod backup;
pub mod cluster;
pub mod disk;
pub mod folder;
pub mod home;
pub mod imported;
pub mod keys;
pub mod known;
pub mod medium;
pub mod seat;
pub mod share_backup;
pub mod upkeep;
pub mod vault;
pub mod wrap;
