//! The first page of help: every command once, in groups, by the words of the command itself.

use clap::CommandFactory as _;

use super::Cli;

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
    ("Keys", &["keystore check", "deposit check"]),
];

const ENDING: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong call, 3 waiting for others, 4 misbehaviour proved,
5 refused for safety, 70 a bug in conclave

`conclave COMMAND --help` says more of a command and ends with an example.";

/// Lines are wrapped here on wider terminals.
const MAX_WIDTH: usize = 100;

/// The whole command line, with the grouped first page.
pub(super) fn command() -> clap::Command {
    let command = Cli::command()
        .color(clap::ColorChoice::Never)
        .max_term_width(MAX_WIDTH);
    let groups = groups(&command);
    let template =
        format!("{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}{{all-args}}\n\n{ENDING}");
    hide_commands(command)
        .override_usage("conclave [OPTIONS] <COMMAND>")
        .help_template(template)
}

fn groups(command: &clap::Command) -> String {
    let names = GROUPS.iter().flat_map(|(_, names)| names.iter());
    let width = names.map(|name| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (title, names) in GROUPS {
        text.push_str(&format!("{title}:\n"));
        for name in *names {
            let found = name
                .split(' ')
                .try_fold(command, |at, part| at.find_subcommand(part));
            let about = found
                .and_then(clap::Command::get_about)
                .map(ToString::to_string);
            text.push_str(&format!("  {name:width$}  {}\n", about.unwrap_or_default()));
        }
        text.push('\n');
    }
    text
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
        let page = command().render_help().to_string();
        for name in listed {
            assert_eq!(page.matches(&format!("\n  {name} ")).count(), 1, "{name}");
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
        command().get_subcommands().for_each(check);
    }
}
