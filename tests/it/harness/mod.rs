//! What several topics need.

pub(crate) mod disk;
pub(crate) mod homes;
