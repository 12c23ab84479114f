//! The first page of help: every command once, in groups, by the words of the command itself.

use clap::CommandFactory as _;

use super::layout::{Part, parts, wrap};
use super::{Cli, home, ui};

/// Every command, by the part of the work that it belongs to.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Prepare",
        &[
            "identity new",
            "identity show",
            "home change-passphrase",
            "home backup",
            "home restore",
            "card",
            "plan new keygen",
            "plan show",
            "plan check",
            "doctor",
        ],
    ),
    (
        "Ceremony",
        &[
            "rehearse",
            "run",
            "status",
            "ceremony list",
            "ceremony archive",
            "ceremony abandon",
            "audit",
        ],
    ),
    (
        "Keys",
        &[
            "share list",
            "share show",
            "share prove",
            "share check-proof",
            "share backup",
            "share check-backup",
            "share restore",
            "share import",
            "share paper",
            "share check-paper",
            "share restore-paper",
            "keystore check",
            "deposit check",
        ],
    ),
    (
        "Sign",
        &[
            "sign exit",
            "sign bls-change",
            "sign registration",
            "sign deposit",
            "sign verify",
        ],
    ),
    #[cfg(feature = "server")]
    ("Transport", &["qr show", "qr scan", "relay serve"]),
    #[cfg(not(feature = "server"))]
    ("Transport", &["qr show", "qr scan"]),
    ("This tool", &["completions", "man"]),
];

/// What each exit code says; see [`super::error::Kind`].
pub(super) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong call"),
    ("3", "waiting for others"),
    ("4", "misbehaviour proved"),
    ("5", "refused for safety"),
    ("70", "a bug in conclave"),
];

const POINTERS: &[&str] = &[
    "`conclave COMMAND --help` says more of a command and ends with an example.",
    "With TERM=dumb in the environment, progress is told in lines, for screen readers.",
];

/// Lines are wrapped here on wider terminals, and where no terminal is.
const MAX_WIDTH: usize = 100;

/// On narrower terminals a command of the first page has its words below it.
const MIN_COLUMNS_WIDTH: usize = 60;

/// On narrower terminals the words of a flag stand below it.
const MIN_FLAGS_WIDTH: usize = 80;

/// Holds a command's words together while the parser lays out; printed as a space.
const NO_BREAK: char = '\u{a0}';

/// The whole command line as the derived types say it: for manuals and shells.
pub(super) fn tree() -> clap::Command {
    Cli::command().color(clap::ColorChoice::Never)
}

/// The whole command line, laid out for the terminal, with the grouped first page. What it prints is
/// to be passed through [`printable`].
pub(super) fn command() -> clap::Command {
    laid_out(width())
}

/// The text of a page that [`command`] laid out. The parser wraps all but the usage.
pub(super) fn printable(page: &str) -> String {
    let wide = width();
    let lines = page
        .split('\n')
        .map(|line| match line.starts_with("Usage: ") {
            true => wrap(line, "", wide).join("\n"),
            false => line.replace(NO_BREAK, " "),
        });
    lines.collect::<Vec<_>>().join("\n")
}

fn width() -> usize {
    let width = ui::terminal_width().or_else(home::columns);
    width.unwrap_or(MAX_WIDTH).clamp(ui::MIN_WIDTH, MAX_WIDTH)
}

fn laid_out(width: usize) -> clap::Command {
    let command = tree().term_width(width);
    let (groups, ending) = (groups(&command, width), ending(width));
    let template =
        format!("{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}{{all-args}}\n\n{ending}");
    unbroken(hide_commands(command), width < MIN_FLAGS_WIDTH)
        .override_usage("conclave [OPTIONS] <COMMAND>")
        .help_template(template)
}

fn groups(command: &clap::Command, width: usize) -> String {
    let names = GROUPS.iter().flat_map(|(_, names)| names.iter());
    let longest = names.map(|name| name.len()).max().unwrap_or(0);
    let indent = " ".repeat(longest.saturating_add(4));
    let mut text = String::new();
    for (title, names) in GROUPS {
        text.push_str(&format!("{title}:\n"));
        for name in *names {
            let found = name
                .split(' ')
                .try_fold(command, |at, part| at.find_subcommand(part));
            let about = found
                .and_then(clap::Command::get_about)
                .map(ToString::to_string)
                .unwrap_or_default();
            if width < MIN_COLUMNS_WIDTH {
                text.push_str(&format!("  {name}\n"));
                for line in wrap(&about, "    ", width) {
                    text.push_str(&format!("{line}\n"));
                }
                continue;
            }
            for (position, line) in wrap(&about, &indent, width).iter().enumerate() {
                match (position, line.get(indent.len()..)) {
                    (0, Some(words)) => text.push_str(&format!("  {name:longest$}  {words}\n")),
                    _ => text.push_str(&format!("{line}\n")),
                }
            }
        }
        text.push('\n');
    }
    text
}

fn ending(width: usize) -> String {
    let codes: Vec<String> = EXIT_CODES
        .iter()
        .map(|(code, meaning)| format!("{code} {meaning}"))
        .collect();
    let codes = format!("Exit codes: {}", codes.join(", "));
    let mut lines = wrap(&codes, "", width);
    lines.push(String::new());
    lines.extend(POINTERS.iter().flat_map(|text| wrap(text, "", width)));
    lines.join("\n")
}

/// Lets the parser wrap every command's notes as they fit, but no command in them; on a `narrow`
/// screen words stand below their flags.
fn unbroken(mut command: clap::Command, narrow: bool) -> clap::Command {
    command = command.next_line_help(narrow);
    if let Some(notes) = command.get_after_long_help() {
        let notes = notes.to_string();
        let lines = parts(&notes).into_iter().map(|part| match part {
            Part::Words(words) => words,
            Part::Command(line) => line.replace(' ', &NO_BREAK.to_string()),
            Part::Gap => String::new(),
        });
        let notes = lines.collect::<Vec<_>>().join("\n");
        command = command.after_long_help(notes);
    }
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(name, |sub| unbroken(sub, narrow));
    }
    command
}

/// The groups list what clap would list again.
fn hide_commands(mut command: clap::Command) -> clap::Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(name, |sub| sub.hide(true));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(command: &clap::Command, path: &str, out: &mut Vec<String>) {
        for sub in command.get_subcommands() {
            let path = format!("{path}{}", sub.get_name());
            if sub.has_subcommands() {
                leaves(sub, &format!("{path} "), out);
            } else {
                out.push(path);
            }
        }
    }

    #[test]
    fn every_command_is_listed_once() {
        let mut found = Vec::new();
        leaves(&command(), "", &mut found);
        let mut listed: Vec<String> = GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned()))
            .collect();
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
        for (width, after) in [(100, ' '), (60, ' '), (40, '\n')] {
            let page = laid_out(width).render_help().to_string();
            for name in &listed {
                let line = format!("\n  {name}{after}");
                assert_eq!(page.matches(&line).count(), 1, "{name}: {page}");
            }
        }
    }

    #[test]
    fn exit_codes_are_those_of_errors() {
        use crate::cli::error::Kind;
        for kind in [
            Kind::Failed,
            Kind::Usage,
            Kind::Waiting,
            Kind::Misbehaviour,
            Kind::Refused,
            Kind::Bug,
        ] {
            let code = kind.exit_code().to_string();
            assert!(
                EXIT_CODES.iter().any(|(listed, _)| *listed == code),
                "{code}"
            );
        }
    }

    /// House style: an imperative first line without a period, and an example at the end.
    #[test]
    fn every_command_has_its_words() {
        fn check(command: &clap::Command) {
            let about = command.get_about().unwrap().to_string();
            assert!(!about.ends_with('.') && about.len() < 80, "{about}");
            if !command.has_subcommands() {
                let end = command.get_after_long_help();
                let end = end.map(ToString::to_string).unwrap_or_default();
                assert!(end.contains("  conclave "), "{about}: no example");
            }
            for argument in command.get_arguments() {
                let help = argument
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    !help.is_empty() && !help.ends_with('.'),
                    "{}",
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(check);
        }
        tree().get_subcommands().for_each(check);
    }
}
