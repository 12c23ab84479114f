//! The `conclave` binary: everything is in the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    conclave::cli::run(std::env::args_os())
}
