//! What several topics need.

pub(crate) mod ceremony;
pub(crate) mod disk;
pub(crate) mod flips;
