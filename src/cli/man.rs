//! `man`: a page for every command, out of the words of its help.

use std::io;
use std::path::PathBuf;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::error::{CommandError, ErrorCode};
use super::layout::{Part, parts};
use super::{Context, help, home};
use crate::store::disk::{Access, DiskError};

const EXAMPLE: &str = "\
Writes: with --out the folder and every page in it, and prints their paths. Pages that stand there
already are left as they are; if one of them differs, as from another version, nothing is written.

Examples:
  conclave man plan new keygen | man -l -
  conclave man --out ~/.local/share/man/man1";

/// Print a manual page, or write those of all commands
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct Args {
    /// The command whose page to print, as in `plan new keygen` [default: conclave itself]
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,
    /// Write the pages of all commands into DIR
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let tree = built();
    let Some(folder) = &args.out else {
        let found = args
            .command
            .iter()
            .try_fold(&tree, |at, name| at.find_subcommand(name))
            .ok_or_else(|| {
                CommandError::usage(format!("there is no command {:?}", args.command.join(" ")))
                    .hint("`conclave --help` lists them all")
            })?;
        let page = page(found, &tree)?;
        cx.ui.script(&page);
        return Ok(());
    };
    let mut commands = Vec::new();
    all(&tree, &mut commands);
    let mut pages = Vec::with_capacity(commands.len());
    for command in commands {
        let name = format!("{}.1", page_name(command));
        pages.push((folder.join(name), page(command, &tree)?));
    }
    for (path, page) in &pages {
        if cx.disk.kind(path)?.is_some() && !cx.disk.holds(path, page.as_bytes())? {
            return Err(CommandError::from(DiskError::Differs(path.clone()))
                .hint("remove the pages of another version first, or name another folder"));
        }
    }
    cx.disk.create_dir_all(folder, Access::Public)?;
    for (path, page) in &pages {
        cx.disk
            .create_or_same(path, page.as_bytes(), Access::Public)?;
        cx.ui.data(path.display());
    }
    Ok(())
}

/// The command line with the global flags in every command.
fn built() -> Command {
    let mut tree = help::tree();
    tree.build();
    tree
}

fn all<'a>(command: &'a Command, out: &mut Vec<&'a Command>) {
    out.push(command);
    for sub in command.get_subcommands() {
        all(sub, out);
    }
}

/// The name of a command's page: `conclave-plan-new`.
fn page_name(command: &Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

/// The page of a command, in the language of troff. It bears no date: the same version writes the
/// same bytes.
fn page(command: &Command, tree: &Command) -> Result<String, CommandError> {
    let mut bytes = Vec::new();
    render(command, tree, &mut bytes).map_err(|error| {
        CommandError::of(
            ErrorCode::OUTPUT_FAILED,
            format!("cannot lay out {}: {error}", page_name(command)),
        )
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn render(command: &Command, tree: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone())
        .source(concat!("conclave ", env!("CARGO_PKG_VERSION")))
        .manual("conclave manual");
    man.render_title(out)?;
    plain().to_writer(out)?;
    man.render_name_section(out)?;
    synopsis(command).to_writer(out)?;
    man.render_description_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    man.render_options_section(out)?;
    if let Some(notes) = command.get_after_long_help() {
        notes_and_examples(&notes.to_string()).to_writer(out)?;
    }
    if page_name(command) == page_name(tree) {
        environment().to_writer(out)?;
    }
    exit_status().to_writer(out)?;
    see_also(command, tree).to_writer(out)
}

/// No word is parted and no gap stretched: paths and flags stay whole, on narrow screens too.
fn plain() -> Roff {
    let mut roff = Roff::new();
    roff.control("nh", []);
    roff.control("ad", ["l"]);
    roff
}

/// As in the help: which flags there are is said below, once.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let name = command
        .get_bin_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned();
    let rest = usage.strip_prefix(&name).unwrap_or(usage).to_owned();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(name), roman(rest)]);
    roff
}

fn notes_and_examples(text: &str) -> Roff {
    let parts = parts(text);
    let (examples, notes): (Vec<&[Part<'_>]>, Vec<&[Part<'_>]>) = parts
        .split(|part| *part == Part::Gap)
        .filter(|paragraph| !paragraph.is_empty())
        .partition(|paragraph| {
            paragraph
                .iter()
                .any(|part| matches!(part, Part::Command(_)))
        });
    let mut roff = Roff::new();
    for (title, paragraphs) in [("NOTES", notes), ("EXAMPLES", examples)] {
        for (position, paragraph) in paragraphs.iter().enumerate() {
            if position == 0 {
                roff.control("SH", [title]);
            }
            lay_out(paragraph, &mut roff);
        }
    }
    roff
}

/// Commands stand line for line, as they are to be typed.
fn lay_out(paragraph: &[Part<'_>], roff: &mut Roff) {
    let mut block = false;
    for part in paragraph {
        match part {
            Part::Command(line) => {
                if !block {
                    roff.control("PP", []);
                    roff.control("RS", ["4"]);
                    roff.control("nf", []);
                }
                block = true;
                roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
            Part::Words(words) => {
                end(std::mem::take(&mut block), roff);
                if !matches!(words.as_str(), "Example:" | "Examples:") {
                    roff.control("PP", []);
                    roff.text([roman(words)]);
                }
            }
            Part::Gap => {}
        }
    }
    end(block, roff);
}

fn end(block: bool, roff: &mut Roff) {
    if block {
        roff.control("fi", []);
        roff.control("RE", []);
    }
}

fn environment() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, meaning) in home::VARIABLES {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*meaning)]);
    }
    roff
}

fn exit_status() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in help::EXIT_CODES {
        roff.control("TP", []);
        roff.text([bold(*code)]);
        roff.text([roman(*meaning)]);
    }
    roff
}

/// The whole, and what stands in the same group; from the first page, everything.
fn see_also(command: &Command, tree: &Command) -> Roff {
    let mut commands = Vec::new();
    all(tree, &mut commands);
    let own = page_name(command);
    let root = page_name(tree);
    let group = own.rsplit_once('-').map(|(group, _)| group);
    let related = |name: &str| {
        name == root
            || own == root
            || group.is_some_and(|group| {
                group != root && name.rsplit_once('-').map(|(group, _)| group) == Some(group)
            })
    };
    let names: Vec<String> = commands
        .iter()
        .map(|command| page_name(command))
        .filter(|name| *name != own && related(name))
        .map(|name| format!("{name}(1)"))
        .collect();
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(names.join(", "))]);
    roff
}
