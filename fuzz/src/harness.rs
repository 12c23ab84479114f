//! What the targets take from the integration tests.

#[path = "../../tests/it/harness/ceremony.rs"]
pub(crate) mod ceremony;
#[path = "../../tests/it/harness/forgery.rs"]
pub(crate) mod forgery;
