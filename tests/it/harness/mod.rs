//! What several topics share.

pub(crate) mod forgery;
pub(crate) mod maths;
