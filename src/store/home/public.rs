//! What a home says of itself to anyone: `home.json`.

use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{HOME_VERSION, HomeError, SMALL_FILE_BYTES, malformed};
use crate::crypto::identity::IdentityPublic;
use crate::json::{self, JsonError};
use crate::store::keys::Recipient;
use crate::store::wrap::Wrap;

/// What a home says without a passphrase: the contents of `home.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomePublic {
    /// [`HOME_VERSION`].
    pub version: u32,
    /// The identity's public form.
    #[serde(deserialize_with = "identity")]
    pub identity: String,
    /// The home key's public form: an age recipient.
    #[serde(deserialize_with = "home_key")]
    pub home_key: String,
    /// What the home key is wrapped by.
    pub wrapped_by: WrappedBy,
}

/// What a home key is wrapped by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WrappedBy {
    /// A passphrase.
    Passphrase,
    /// This age recipient.
    Recipient(#[serde(deserialize_with = "recipient")] String),
}

impl From<&Wrap> for WrappedBy {
    fn from(wrap: &Wrap) -> Self {
        match wrap.recipient() {
            None => Self::Passphrase,
            Some(recipient) => Self::Recipient(recipient),
        }
    }
}

fn identity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked::<IdentityPublic, D>(deserializer)
}

fn home_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.parse::<age::x25519::Recipient>() {
        Ok(_) => Ok(text),
        Err(_) => Err(de::Error::custom("home_key is no age recipient")),
    }
}

fn recipient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked::<Recipient, D>(deserializer)
}

/// A text that people are shown and told to trust is what it says, or the file is refused.
fn checked<'de, T: FromStr<Err: std::fmt::Display>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.parse::<T>() {
        Ok(_) => Ok(text),
        Err(error) => Err(de::Error::custom(error)),
    }
}

/// Reads `home.json`.
pub(super) fn describe(root: &Path, path: &Path, bytes: &[u8]) -> Result<HomePublic, HomeError> {
    let limit = usize::try_from(SMALL_FILE_BYTES).unwrap_or(usize::MAX);
    let value = json::parse(bytes, limit).map_err(|error| malformed(path, &error))?;
    // A later layout may have other fields; its version is told first.
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    match version.and_then(|version| u32::try_from(version).ok()) {
        Some(version) if version != HOME_VERSION => Err(HomeError::Version {
            root: root.to_owned(),
            version,
        }),
        _ => json::decode(&value).map_err(|error: JsonError| malformed(path, &error)),
    }
}
