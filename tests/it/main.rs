//! The integration tests: one binary, one file a topic. `architecture` checks that none is forgotten.
//!
//! Each module is marked as test code: there, and only there, the lints let a helper unwrap and index.
#![expect(
    clippy::disallowed_methods,
    reason = "tests read the source tree, the vectors and what they wrote themselves"
)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "test arithmetic: an overflow is a failed test"
)]

#[cfg(test)]
mod adversary;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod backups_required;
#[cfg(test)]
mod ceremonies;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cli_audit;
#[cfg(test)]
mod cli_deposit;
#[cfg(test)]
mod cli_doctor;
#[cfg(test)]
mod cli_files;
#[cfg(test)]
mod cli_home;
#[cfg(test)]
mod cli_import;
#[cfg(test)]
mod cli_plan;
#[cfg(test)]
mod cli_qr;
#[cfg(unix)]
#[cfg(test)]
mod cli_qr_screen;
#[cfg(test)]
mod cli_screen;
#[cfg(test)]
mod cli_share;
#[cfg(test)]
mod cli_shell;
#[cfg(unix)]
#[cfg(test)]
mod cli_sign;
#[cfg(test)]
mod cli_status;
#[cfg(test)]
mod cli_unlock;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod courier_folder;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod four_homes;
#[cfg(test)]
mod fuzz_corpus;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod home;
#[cfg(test)]
mod keystores;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod known;
#[cfg(test)]
mod offline;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod plan_questions;
#[cfg(test)]
mod prompts;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod qr_ceremony;
#[cfg(test)]
mod qr_crash;
#[cfg(test)]
mod qr_switch;
#[cfg(test)]
mod record;
#[cfg(test)]
mod rehearse;
#[cfg(all(unix, feature = "net", feature = "server"))]
#[cfg(test)]
mod relay_binary;
#[cfg(all(feature = "net", feature = "server"))]
#[cfg(test)]
mod relay_homes;
#[cfg(all(feature = "net", feature = "server"))]
#[cfg(test)]
mod relay_hostile;
#[cfg(all(feature = "net", feature = "server"))]
#[cfg(test)]
mod relay_server;
#[cfg(all(feature = "net", feature = "server"))]
#[cfg(test)]
mod relay_shelves;
#[cfg(all(feature = "net", feature = "server"))]
#[cfg(test)]
mod relay_wait;
#[cfg(test)]
mod releases;
#[cfg(test)]
mod report;
#[cfg(test)]
mod run_events;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod session;
#[cfg(test)]
mod share_backup;
#[cfg(test)]
mod share_import;
#[cfg(test)]
mod share_paper;
#[cfg(test)]
mod side_by_side;
#[cfg(test)]
mod sign;
#[cfg(all(unix, feature = "net", feature = "server"))]
#[cfg(test)]
mod sign_couriers;
#[cfg(test)]
mod sign_home;
#[cfg(test)]
mod source;
#[cfg(test)]
mod vault;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod vectors_bls;
#[cfg(test)]
mod vectors_ethereum;
#[cfg(test)]
mod vectors_keystore;
#[cfg(test)]
mod words;
#[cfg(test)]
mod work;
