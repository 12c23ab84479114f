//! What several topics need.

pub(crate) mod binary;
pub(crate) mod ceremony;
pub(crate) mod disk;
pub(crate) mod faultplan;
pub(crate) mod faults;
pub(crate) mod flips;
pub(crate) mod forgery;
pub(crate) mod homes;
pub(crate) mod kills;
pub(crate) mod maths;
pub(crate) mod plugin;
pub(crate) mod schema;
pub(crate) mod screen;
pub(crate) mod secrets;
pub(crate) mod story;
pub(crate) mod terminal;
