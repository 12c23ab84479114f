//! What several topics need.

pub(crate) mod apart;
pub(crate) mod binary;
pub(crate) mod ceremony;
pub(crate) mod disk;
pub(crate) mod faultplan;
pub(crate) mod faults;
pub(crate) mod film;
pub(crate) mod flips;
pub(crate) mod forgery;
pub(crate) mod homes;
#[cfg(all(feature = "net", feature = "server"))]
pub(crate) mod hostile;
pub(crate) mod kills;
pub(crate) mod maths;
pub(crate) mod plugin;
#[cfg(all(feature = "net", feature = "server"))]
pub(crate) mod relay;
#[cfg(all(feature = "net", feature = "server"))]
pub(crate) mod relay_store;
pub(crate) mod schema;
pub(crate) mod screen;
pub(crate) mod secrets;
pub(crate) mod signing;
pub(crate) mod signplan;
pub(crate) mod story;
pub(crate) mod terminal;
