//! conclave: key ceremonies and key shares for distributed Ethereum validators.
//!
//! The library exists for the `conclave` binary, its tests and its fuzz targets; its interface may
//! change in any release.
//!
//! A module imports only from floors below its own, and modules of one floor do not see each other
//! (`tests/it/architecture.rs` holds this table and fails on a breach):
//!
//! ```text
//! floor 9  cli          one file per command; the only floor that talks to a person
//! floor 8  rehearsal    a whole ceremony with throw-away operators on this machine
//! floor 7  driver       the one loop: courier in, session, fsync, courier out
//! floor 6  courier      carries messages     artifacts   what a ceremony leaves behind
//! floor 5  audit        outcome, recomputed  store       the only disk access
//!          relay        a shelf for blobs that nobody trusts
//! floor 4  ceremony     plan, session, flows, outcome: bytes in, verdicts and next steps out
//! floor 3  formats      files of other tools for distributed validators
//! floor 2  ethereum     signing objects      wire        signed messages    protocol  dealing, pure
//! floor 1  crypto       the only blst, the only unsafe
//! floor 0  secret  json  hash  ambient  memory
//! ```

pub mod ambient;
pub mod hash;
pub mod json;
pub mod memory;
pub mod secret;

pub mod crypto;

pub mod ethereum;
pub mod protocol;
pub mod wire;

pub mod formats;

pub mod ceremony;

pub mod audit;
pub mod relay;
pub mod store;

pub mod artifacts;
pub mod courier;

pub mod driver;

pub mod rehearsal;

pub mod cli;
