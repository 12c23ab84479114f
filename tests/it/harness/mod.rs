//! What several topics need.

pub(crate) mod binary;
pub(crate) mod disk;
