//! Calls that were not understood, in the words and with the exit code of every other error.

use std::ffi::OsString;
use std::io::{self, ErrorKind as Io, Write as _};

use clap::error::ErrorKind;

use super::error::{CommandError, Kind};
use super::help;
use super::run::Events;
use super::ui::Ui;

/// Whether the command was called with `--json`.
pub(super) fn wants_json(matches: &clap::ArgMatches) -> bool {
    let mut leaf = matches;
    while let Some((_, inner)) = leaf.subcommand() {
        leaf = inner;
    }
    matches!(leaf.try_get_one::<bool>("json"), Ok(Some(true)))
}

/// Says why a call was not taken and returns the exit code. Help and version come this way too: they
/// go to standard output and are no failure.
pub(super) fn not_taken(error: &clap::Error, args: &[OsString]) -> u8 {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if is_help {
        let code = u8::try_from(error.exit_code()).unwrap_or(Kind::Usage.exit_code());
        return match print(error) {
            Err(failed) if failed.kind() != Io::BrokenPipe => Kind::Failed.exit_code(),
            _ => code,
        };
    }
    let json = args.iter().skip(1).take_while(|arg| *arg != "--");
    let json = json.into_iter().any(|arg| arg == "--json");
    let command = named_command(args);
    let error = in_house_words(&error.render().to_string(), &command);
    let mut ui = Ui::new(false).for_programs(json);
    if json && command == "conclave run" {
        // What was asked for is a stream, and a stream has an end.
        Events::new(Some(ui.lines())).end(&Err(error.clone()));
    }
    ui.fail(&error);
    error.kind().exit_code()
}

/// Prints a page where the parser would: help that was asked for is data.
fn print(page: &clap::Error) -> io::Result<()> {
    let text = help::printable(&page.render().to_string());
    if page.use_stderr() {
        io::stderr().write_all(text.as_bytes())
    } else {
        let mut stdout = io::stdout();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

/// The command that the arguments name, as far as they do: `conclave plan new`.
fn named_command(args: &[OsString]) -> String {
    let tree = help::command();
    let mut at = &tree;
    let mut name = "conclave".to_owned();
    for arg in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if let Some(inner) = at.find_subcommand(arg) {
            at = inner;
            name = format!("{name} {arg}");
        }
    }
    name
}

/// Takes the parser's text apart: what happened, to which arguments, and its tips.
fn in_house_words(text: &str, command: &str) -> CommandError {
    let mut lines = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(first);
    let error = CommandError::usage(message.trim_end_matches(':'));
    lines
        .fold(error, |error, line| match line.strip_prefix("tip: ") {
            Some(tip) => error.hint(tip),
            None => error.cause(line),
        })
        .hint(format!("`{command} --help` says how it is called"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(args: &[&str]) -> CommandError {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let error = help::command().try_get_matches_from(&args).unwrap_err();
        in_house_words(&error.render().to_string(), &named_command(&args))
    }

    #[test]
    fn wrong_calls_are_told_like_other_errors() {
        let error = told(&["conclave", "run"]);
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.message().contains("required arguments"), "{error:?}");
        assert_eq!(error.causes(), ["<PLAN>"]);
        assert!(error.hints()[0].contains("`conclave run --help`"));

        let error = told(&["conclave", "--quiet", "plan", "shwo", "x"]);
        assert!(error.message().contains("'shwo'"), "{error:?}");
        assert!(error.hints()[0].contains("'show'"), "{error:?}");
        assert!(error.hints()[1].contains("`conclave plan --help`"));
    }

    #[test]
    fn json_is_seen_in_the_command_that_was_named() {
        let wants = |args: &[&str]| wants_json(&help::command().get_matches_from(args));
        assert!(wants(&["conclave", "plan", "check", "--json", "x"]));
        assert!(!wants(&["conclave", "plan", "check", "x"]));
        assert!(!wants(&["conclave", "card", "--name=--json"]));
    }
}
