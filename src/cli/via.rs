//! `--via`: how messages travel.

use std::path::Path;
use std::sync::Arc;

use super::Context;
use super::error::CommandError;
use crate::courier::Courier;
use crate::courier::folder::FolderCourier;

/// How messages travel: `folder:PATH`, a bare path, or a relay's address
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Via {
    /// How messages travel: a folder, as PATH or folder:PATH, or a relay, as https://HOST (can be repeated)
    #[arg(long, value_name = "COURIER")]
    via: Vec<String>,
}

impl Via {
    /// Whether no courier was named.
    pub(super) fn is_empty(&self) -> bool {
        self.via.is_empty()
    }

    /// Whether a folder is among them.
    pub(super) fn has_folder(&self) -> bool {
        self.folders().is_ok_and(|folders| !folders.is_empty())
    }

    /// The flags as they were given, to be given again.
    pub(super) fn flags(&self) -> String {
        self.via
            .iter()
            .map(|courier| format!(" --via {}", quoted(courier)))
            .collect()
    }

    /// The folders among them.
    pub(super) fn folders(&self) -> Result<Vec<&Path>, CommandError> {
        let couriers = self.via.iter().map(|text| Address::parse(text));
        couriers
            .filter_map(|address| match address {
                Ok(Address::Folder(path)) => Some(Ok(path)),
                Ok(Address::Relay(_)) => None,
                Err(error) => Some(Err(error)),
            })
            .collect()
    }

    /// The relays among them.
    pub(super) fn relays(&self) -> impl Iterator<Item = &str> {
        self.via
            .iter()
            .filter_map(|text| match Address::parse(text) {
                Ok(Address::Relay(address)) => Some(address),
                _ => None,
            })
    }

    /// Makes the couriers. Nothing is asked of them yet.
    pub(super) fn couriers(&self, cx: &Context) -> Result<Vec<Box<dyn Courier>>, CommandError> {
        self.via
            .iter()
            .map(|text| match Address::parse(text)? {
                Address::Folder(path) => {
                    let folder = FolderCourier::new(Arc::clone(&cx.disk), path);
                    Ok(Box::new(folder) as Box<dyn Courier>)
                }
                Address::Relay(address) => relay(address),
            })
            .collect()
    }
}

/// What a `--via` names.
enum Address<'a> {
    Folder(&'a Path),
    Relay(&'a str),
}

impl<'a> Address<'a> {
    fn parse(text: &'a str) -> Result<Self, CommandError> {
        let path = text.strip_prefix("folder:").unwrap_or(text);
        // A scheme that this build does not know is no folder that somebody meant.
        match path.split_once("://").map(|(scheme, _)| scheme) {
            Some("https" | "http") => Ok(Self::Relay(text)),
            Some(scheme) => Err(
                CommandError::usage(format!("no courier {scheme}:// is built in"))
                    .hint("name a folder: --via /media/stick")
                    .hint("or a relay: --via https://HOST"),
            ),
            None if path.is_empty() => Err(CommandError::usage("--via names no folder")),
            None => Ok(Self::Folder(Path::new(path))),
        }
    }
}

#[cfg(feature = "net")]
fn relay(address: &str) -> Result<Box<dyn Courier>, CommandError> {
    match crate::courier::relay::RelayCourier::new(address) {
        Ok(relay) => Ok(Box::new(relay)),
        // An address may hold what is no business of a screen.
        Err(error) => Err(CommandError::usage(format!("what --via names {error}"))
            .hint("write it as https://HOST or https://HOST:PORT/PATH")),
    }
}

#[cfg(not(feature = "net"))]
fn relay(_address: &str) -> Result<Box<dyn Courier>, CommandError> {
    Err(
        CommandError::usage("this is the offline build: it has no network, and so no relay")
            .hint("carry the messages in a folder: --via /media/stick")
            .hint("or use the build with a network on a machine that has one"),
    )
}

/// Returns a word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '/' | '.' | '-' | '_' | ':' | '=' | '+' | ',' | '@' | '~')
    };
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(plain) {
        word.to_owned()
    } else if cfg!(windows) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_command_can_be_copied() {
        for (word, expected) in [
            ("/media/stick", "/media/stick"),
            ("pool.plan.json", "pool.plan.json"),
            ("my stick", "'my stick'"),
            ("it's", "'it'\\''s'"),
            ("a;rm -r *", "'a;rm -r *'"),
            ("~x", "'~x'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
