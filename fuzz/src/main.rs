//! The fuzzer: one program for all targets; `CONCLAVE_FUZZ_TARGET` names the one to run.
#![no_main]

use std::sync::OnceLock;

use targets::mutate::{Random, mutate};
use targets::{ALL, Target, find};

/// What the targets take from the integration tests; not all of it.
#[allow(dead_code, unused_imports)]
#[path = "../../tests/it/harness"]
mod harness {
    pub(crate) mod ceremony;
    pub(crate) mod disk;
    pub(crate) mod faultplan;
    pub(crate) mod faults;
    pub(crate) mod forgery;
    pub(crate) mod homes;
    pub(crate) mod signing;
    pub(crate) mod signplan;
}
#[allow(dead_code)]
#[path = "../targets/mod.rs"]
mod targets;

fn target() -> &'static Target {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("CONCLAVE_FUZZ_TARGET").unwrap_or_default();
        find(&name).unwrap_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
            eprintln!("CONCLAVE_FUZZ_TARGET names one of: {}", names.join(" "));
            std::process::exit(2);
        })
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (target().run)(bytes));

// Half of the inputs are changed by libFuzzer, half by the shape of what they are.
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random::new(seed.into());
    if random.below(2) == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    let changed = mutate(target().shape, &data[..size], max_size, &mut random);
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
});
