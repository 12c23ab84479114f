//! What the targets take from the integration tests: `harness/` is a link to theirs.

pub(crate) mod ceremony;
pub(crate) mod faultplan;
pub(crate) mod faults;
pub(crate) mod forgery;
pub(crate) mod homes;
