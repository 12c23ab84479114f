//! `completions`.

use clap_complete::Shell;

use super::error::CommandError;
use super::{Context, help};

const EXAMPLE: &str = "\
Reads and writes nothing else. A shell finds the script at its next start if it lies, for
bash, in ~/.local/share/bash-completion/completions/conclave; for
fish, in ~/.config/fish/completions/conclave.fish; and for
zsh, as _conclave in a folder of its fpath. Elvish and PowerShell take it in their start-up file.

Example:
  conclave completions bash > ~/.local/share/bash-completion/completions/conclave";

/// Print the script with which a shell completes commands and flags
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let mut script = Vec::new();
    let mut tree = help::tree();
    let name = tree.get_name().to_owned();
    clap_complete::generate(args.shell, &mut tree, name, &mut script);
    cx.ui.script(&String::from_utf8_lossy(&script));
    Ok(())
}
