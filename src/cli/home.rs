//! Where the home lies, and opening it; and all else that the environment says.
#![expect(
    clippy::disallowed_methods,
    reason = "the one reader of the environment: where this user's data folder is, how wide lines are, and the locale"
)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::Context;
use super::error::{CommandError, ErrorCode};
use crate::crypto::identity::IdentityKey;
use crate::store::home::{Home, WrappedBy};
use crate::store::wrap::Unlock;

/// The variable that names the home.
pub const HOME_VARIABLE: &str = "CONCLAVE_HOME";

/// What is read from the environment, for people.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    (HOME_VARIABLE, "The home, where --home does not name it."),
    (
        "XDG_DATA_HOME, HOME, LOCALAPPDATA",
        "Where the user's data folder is, which holds the home if nothing names another.",
    ),
    (
        "TERM",
        "If it is dumb, progress is told in lines instead of being drawn, as screen readers need it.",
    ),
    (
        "COLUMNS",
        "How wide help is laid out where no terminal says it.",
    ),
];

/// Whether the terminal, or who reads it aloud, wants lines that stay instead of lines drawn anew.
pub(super) fn plain_terminal() -> bool {
    is_plain(cfg!(windows), std::env::var_os("TERM").as_deref())
}

/// Whether the terminal knows the sixteen colours of old alone: it would take others for something else.
pub(super) fn sixteen_colours() -> bool {
    std::env::var("TERM").is_ok_and(|name| name == "linux" || name.starts_with("vt"))
}

/// Windows names its terminals by nothing; elsewhere a terminal without a name can do nothing.
fn is_plain(windows: bool, terminal: Option<&std::ffi::OsStr>) -> bool {
    match terminal {
        Some(name) => name == "dumb" || name.is_empty(),
        None => !windows,
    }
}

/// How many columns the environment says a line has: for output that goes to no terminal.
pub(super) fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok()
}

impl Context {
    /// Returns the home's folder: `--home`, else `CONCLAVE_HOME`, else in the user's data folder.
    pub fn home_root(&self) -> Result<PathBuf, CommandError> {
        if let Some(root) = &self.global.home {
            return Ok(root.clone());
        }
        locate(cfg!(target_os = "macos"), |name| std::env::var_os(name)).ok_or_else(|| {
            CommandError::usage("this user has no data folder")
                .hint("name the home with --home DIR")
        })
    }

    /// Opens the home: with the identity file of `--unlock`, or with its passphrase, which is asked
    /// for if no flag gives it.
    pub fn open_home(&mut self) -> Result<Home, CommandError> {
        let root = self.home_root()?;
        // Before the passphrase: a person is not asked in vain.
        let public = Home::public(&*self.disk, &root)?;
        let at = root.display();
        let unlock = match (public.wrapped_by, self.global.unlock.clone()) {
            (WrappedBy::Passphrase, None) => {
                let passphrase = self.passphrase("passphrase of the home")?;
                return Ok(Home::open(
                    Arc::clone(&self.disk),
                    &root,
                    &Unlock::Passphrase(passphrase),
                )?);
            }
            (WrappedBy::Passphrase, Some(_)) => {
                let text = format!("the home at {at} opens with a passphrase, not with an age key");
                return Err(CommandError::of(ErrorCode::HOME_KEY_KIND, text)
                    .hint("give the command without --unlock"));
            }
            (WrappedBy::Recipient(recipient), None) => {
                let text = format!(
                    "the home at {at} opens with the age key {recipient}, not with a passphrase"
                );
                return Err(CommandError::of(ErrorCode::HOME_KEY_KIND, text)
                    .hint("name its age identity file with --unlock FILE"));
            }
            (WrappedBy::Recipient(_), Some(file)) => self.unlock_file(&file)?,
        };
        let disk = Arc::clone(&self.disk);
        unlock.open(|unlock| Ok(Home::open(disk, &root, unlock)?))
    }
}

/// Returns the locale by which this user's terminal shows letters, if one is set.
pub(super) fn locale() -> Option<String> {
    // POSIX: the first that is set and not empty.
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(|value| value.to_string_lossy().into_owned())
        .find(|value| !value.is_empty())
}

/// Returns the identity key of an open home.
pub fn identity_of(home: &Home) -> Result<IdentityKey, CommandError> {
    Ok(IdentityKey::from_seed(&home.identity_seed()?))
}

fn locate(macos: bool, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let variable = |name| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(home) = variable(HOME_VARIABLE) {
        return Some(home);
    }
    let data = if cfg!(windows) {
        variable("LOCALAPPDATA")?
    } else if macos {
        variable("HOME")?.join("Library/Application Support")
    } else {
        // XDG base directories: "all paths must be absolute"; others are to be ignored.
        match variable("XDG_DATA_HOME").filter(|path| path.is_absolute()) {
            Some(data) => data,
            None => variable("HOME")?.join(".local/share"),
        }
    };
    Some(data.join("conclave"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_can_do_nothing_is_plain() {
        for (windows, name, plain) in [
            (false, Some("xterm"), false),
            (false, Some("dumb"), true),
            (true, Some("dumb"), true),
            (false, Some(""), true),
            (false, None, true),
            (true, None, false),
        ] {
            assert_eq!(is_plain(windows, name.map(std::ffi::OsStr::new)), plain);
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_home_is_found_in_order() {
        let find = |macos, set: &[(&str, &str)]| {
            locate(macos, |name| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            })
            .map(|path| path.display().to_string())
        };
        let all = [
            ("CONCLAVE_HOME", "x"),
            ("XDG_DATA_HOME", "/d"),
            ("HOME", "/h"),
        ];
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(find(false, &all), some("x"));
        assert_eq!(find(true, &all), some("x"));
        assert_eq!(find(false, &all[1..]), some("/d/conclave"));
        assert_eq!(
            find(true, &all[1..]),
            some("/h/Library/Application Support/conclave")
        );
        assert_eq!(find(false, &all[2..]), some("/h/.local/share/conclave"));
        let relative = [("XDG_DATA_HOME", "d"), ("HOME", "/h")];
        assert_eq!(find(false, &relative), some("/h/.local/share/conclave"));
        assert_eq!(find(false, &[("CONCLAVE_HOME", ""), ("HOME", "")]), None);
    }
}
