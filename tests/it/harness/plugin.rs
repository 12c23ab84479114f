//! The age plugin of the tests, and keys of its kind.

use bech32::{Bech32, Hrp};

use crate::harness::binary::example;

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

/// The directory that holds the plugin, for `PATH`.
pub(crate) fn path() -> String {
    let plugin = example("age-plugin-conclavetest");
    plugin.parent().unwrap().to_str().unwrap().to_owned()
}
