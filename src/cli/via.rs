//! `--via`: how messages travel.

use std::path::Path;
use std::sync::Arc;

use super::Context;
use super::error::CommandError;
use crate::courier::Courier;
use crate::courier::folder::FolderCourier;

/// How messages travel: `folder:PATH`, or a bare path
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Via {
    /// How messages travel: a folder, as PATH or folder:PATH (can be repeated)
    #[arg(long, value_name = "COURIER")]
    via: Vec<String>,
}

impl Via {
    /// Whether no courier was named.
    pub(super) fn is_empty(&self) -> bool {
        self.via.is_empty()
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
        self.via.iter().map(|text| folder(text)).collect()
    }

    /// Makes the couriers.
    pub(super) fn couriers(&self, cx: &Context) -> Result<Vec<Box<dyn Courier>>, CommandError> {
        self.via.iter().map(|text| courier(text, cx)).collect()
    }
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

fn courier(text: &str, cx: &Context) -> Result<Box<dyn Courier>, CommandError> {
    let folder = FolderCourier::new(Arc::clone(&cx.disk), folder(text)?);
    Ok(Box::new(folder))
}

fn folder(text: &str) -> Result<&Path, CommandError> {
    let path = text.strip_prefix("folder:").unwrap_or(text);
    // A scheme that this build does not know is no folder that somebody meant.
    let unknown = path.split_once("://").map(|(scheme, _)| scheme);
    match unknown {
        Some(scheme) => Err(
            CommandError::usage(format!("no courier {scheme}:// is built in"))
                .hint("name a folder: --via /media/stick"),
        ),
        None if path.is_empty() => Err(CommandError::usage("--via names no folder")),
        None => Ok(Path::new(path)),
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
