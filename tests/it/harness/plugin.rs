//! The age plugin of the tests, and keys of its kind.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use bech32::{Bech32, Hrp};

/// How a key behaves when it is used.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behaviour {
    WantsTouch,
    WantsPin,
    NeverTouched,
    Dies,
    WantsYes,
}

/// The PIN of keys that want one.
pub(crate) const PIN: &str = "123456";

/// The recipient of a key with this name.
pub(crate) fn recipient(name: &str) -> String {
    let hrp = Hrp::parse("age1conclavetest").unwrap();
    bech32::encode::<Bech32>(hrp, name.as_bytes()).unwrap()
}

/// The identity of that key, as an identity file holds it.
pub(crate) fn identity(name: &str, behaviour: Behaviour) -> String {
    let hrp = Hrp::parse("age-plugin-conclavetest-").unwrap();
    let bytes = [&[behaviour as u8], name.as_bytes()].concat();
    let line = bech32::encode::<Bech32>(hrp, &bytes).unwrap();
    format!(
        "# a key for tests\n# Recipient: {}\n\n{}\n",
        recipient(name),
        line.to_uppercase()
    )
}

/// The directory that holds the plugin, for `PATH`. A run of one test target alone does not build it.
pub(crate) fn path() -> String {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = BUILT.get_or_init(|| {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_conclave"));
        let profile = binary.parent().unwrap();
        let mut build = Command::new(env!("CARGO"));
        build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["build", "--locked", "--quiet", "--example"])
            .arg("age-plugin-conclavetest")
            .arg("--target-dir")
            .arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
        profile.join("examples")
    });
    directory.to_str().unwrap().to_owned()
}
