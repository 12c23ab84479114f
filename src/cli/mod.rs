//! The command line: one file a command, and the only floor that talks to a person.
//!
//! A new command is a file with its arguments and a `run`, a variant in an enum below, and a line in
//! `help`'s groups; the tests name what was forgotten.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, FromArgMatches as _, Parser, Subcommand};

use crate::ambient::{Clock, OsRandomness, SystemClock};
use crate::courier::qr::sight;
use crate::memory::{self, Hardened};
use crate::store::disk::{Disk, RealDisk};

pub mod error;
pub mod files;
pub mod home;
pub mod page;
pub mod prompt;
pub mod ui;
pub mod validators_csv;

mod abandon;
mod audit;
mod call;
mod capacity;
mod card;
mod ceremonies;
mod completions;
mod deposit_check;
mod doctor;
mod expect;
mod help;
mod home_backup;
mod home_passphrase;
mod identity;
mod keystore_check;
mod known;
mod lanes;
mod layout;
mod man;
mod needs;
mod plan_check;
mod plan_new;
mod plan_show;
mod progress;
mod qr;
mod rehearse;
#[cfg(feature = "server")]
mod relay_serve;
mod restored;
mod run;
mod sealed;
mod share;
mod sign;
mod status;
mod stopped;
mod unlock;
mod values;
mod via;

use error::{CommandError, Kind};
pub use expect::Expected;
use ui::Ui;

/// Run key ceremonies for distributed Ethereum validators
#[derive(Debug, Parser)]
#[command(name = "conclave", version, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Keep this operator's state in DIR [default: $CONCLAVE_HOME, else the user's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Read the passphrase from FILE; one newline at its end is left out
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Read the passphrase from the open file descriptor N
    #[arg(
        long,
        global = true,
        value_name = "N",
        conflicts_with = "passphrase_file"
    )]
    pub passphrase_fd: Option<u32>,
    /// Open the home with the age identity in FILE, such as a hardware key's, instead of a passphrase
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    pub unlock: Option<PathBuf>,
    /// Answer yes to questions of convenience; never to one of safety
    #[arg(long, global = true)]
    pub yes: bool,
    /// Leave out notes; warnings and errors stay
    #[arg(long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Command {
    /// Make and show this operator's identity
    #[command(subcommand)]
    Identity(IdentityCommand),
    Card(card::CardArgs),
    /// Write, review and check plans
    #[command(subcommand)]
    Plan(PlanCommand),
    Rehearse(rehearse::Args),
    Run(Box<run::Args>),
    Status(status::Args),
    /// List, archive and leave ceremonies
    #[command(subcommand)]
    Ceremony(CeremonyCommand),
    /// Look after the home: passphrase, backup, restore
    #[command(subcommand)]
    Home(HomeCommand),
    /// Carry cards, plans and messages by screen and camera
    #[command(subcommand)]
    Qr(qr::QrCommand),
    Audit(audit::Args),
    Doctor(doctor::Args),
    /// Look after shares: list, prove, back up, restore
    #[command(subcommand)]
    Share(share::ShareCommand),
    /// Check keystores
    #[command(subcommand)]
    Keystore(KeystoreCommand),
    /// Check deposit files
    #[command(subcommand)]
    Deposit(DepositCommand),
    /// Plan signatures by keys of a cluster, and verify signed messages
    #[command(subcommand)]
    Sign(sign::SignCommand),
    /// Run a relay
    #[cfg(feature = "server")]
    #[command(subcommand)]
    Relay(RelayCommand),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// Whether memory holds secrets that count while it runs; those of a rehearsal do not.
    fn works_on_secrets(&self) -> bool {
        match self {
            Self::Identity(IdentityCommand::New(_))
            | Self::Card(_)
            | Self::Run(_)
            | Self::Home(_)
            | Self::Ceremony(CeremonyCommand::Abandon(_))
            | Self::Keystore(_) => true,
            Self::Share(command) => command.works_on_secrets(),
            Self::Identity(IdentityCommand::Show(_))
            | Self::Plan(_)
            | Self::Rehearse(_)
            | Self::Status(_)
            | Self::Ceremony(CeremonyCommand::List(_) | CeremonyCommand::Archive(_))
            | Self::Audit(_)
            | Self::Doctor(_)
            | Self::Qr(_)
            | Self::Deposit(_)
            | Self::Sign(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
            #[cfg(feature = "server")]
            Self::Relay(_) => false,
        }
    }
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum IdentityCommand {
    New(identity::NewArgs),
    Show(identity::ShowArgs),
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum PlanCommand {
    /// Write a plan
    New(plan_new::NewArgs),
    Show(plan_show::ShowArgs),
    Check(plan_check::CheckArgs),
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum HomeCommand {
    ChangePassphrase(home_passphrase::PassphraseArgs),
    Backup(home_backup::BackupArgs),
    Restore(home_backup::RestoreArgs),
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum CeremonyCommand {
    List(ceremonies::ListArgs),
    Archive(ceremonies::ArchiveArgs),
    Abandon(abandon::Args),
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum KeystoreCommand {
    Check(keystore_check::CheckArgs),
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum DepositCommand {
    Check(deposit_check::CheckArgs),
}

#[cfg(feature = "server")]
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum RelayCommand {
    Serve(Box<relay_serve::ServeArgs>),
}

/// What every command works with.
#[derive(Debug)]
pub struct Context {
    /// What a person and a pipe see.
    pub ui: Ui,
    /// All files.
    pub disk: Arc<dyn Disk>,
    /// The global flags.
    pub global: Global,
    /// All randomness.
    pub rng: OsRandomness,
    /// All time.
    pub clock: Arc<dyn Clock + Send + Sync>,
    /// What was done about this process's memory.
    pub hardened: Hardened,
}

/// The world outside of a command.
#[derive(Debug, Clone)]
pub struct Outside {
    /// All files.
    pub disk: Arc<dyn Disk>,
    /// All time.
    pub clock: Arc<dyn Clock + Send + Sync>,
}

impl Outside {
    /// The operating system's.
    pub fn system() -> Self {
        Self {
            disk: Arc::new(RealDisk),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// Runs the command that the arguments name (the first is the program's own name) and returns its
/// exit code; see [`Kind`].
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_in(args, Outside::system())
}

/// [`run`] in a world that a test made: no flag or variable of the program leads there.
pub fn run_in(args: impl IntoIterator<Item = OsString>, outside: Outside) -> ExitCode {
    std::panic::set_hook(Box::new(report_bug));
    let hardened = memory::harden();
    let args: Vec<OsString> = args.into_iter().collect();
    let done = guarded(|| memory::work(|| main(args, outside, hardened)));
    ExitCode::from(match done {
        Some(Ok(code)) => code,
        Some(Err(error)) => {
            let error = CommandError::failed(format!("the system gives no thread: {error}"));
            Ui::new(false).fail(&error);
            error.kind().exit_code()
        }
        None => Kind::Bug.exit_code(),
    })
}

fn main(args: Vec<OsString>, outside: Outside, hardened: Hardened) -> u8 {
    let parsed = help::command()
        .try_get_matches_from(&args)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, call::wants_json(&matches))));
    let (cli, json) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return call::not_taken(&error, &args),
    };
    let mut context = Context {
        ui: Ui::new(cli.global.quiet).for_programs(json),
        disk: outside.disk,
        global: cli.global,
        rng: OsRandomness,
        clock: outside.clock,
        hardened,
    };
    if cli.command.works_on_secrets() {
        doctor::warn_of_swap(&mut context);
    }
    let Some(done) = guarded(|| dispatch(cli.command, &mut context)) else {
        context.ui.error_object(&bug("standard error says where"));
        return Kind::Bug.exit_code();
    };
    match done.and(context.ui.finish()) {
        Ok(()) => 0,
        Err(error) => {
            context.ui.fail(&error);
            error.kind().exit_code()
        }
    }
}

fn dispatch(command: Command, cx: &mut Context) -> Result<(), CommandError> {
    match command {
        Command::Identity(IdentityCommand::New(args)) => identity::new(&args, cx),
        Command::Identity(IdentityCommand::Show(args)) => identity::show(&args, cx),
        Command::Card(args) => card::run(args, cx),
        Command::Plan(PlanCommand::New(args)) => plan_new::run(&args, cx),
        Command::Plan(PlanCommand::Show(args)) => plan_show::run(&args, cx),
        Command::Plan(PlanCommand::Check(args)) => plan_check::run(&args, cx),
        Command::Rehearse(args) => rehearse::run(&args, cx),
        Command::Run(args) => run::run(&args, cx),
        Command::Status(args) => status::run(&args, cx),
        Command::Home(HomeCommand::ChangePassphrase(args)) => home_passphrase::run(&args, cx),
        Command::Home(HomeCommand::Backup(args)) => home_backup::backup(&args, cx),
        Command::Home(HomeCommand::Restore(args)) => home_backup::restore(&args, cx),
        Command::Ceremony(CeremonyCommand::List(args)) => ceremonies::list(&args, cx),
        Command::Ceremony(CeremonyCommand::Archive(args)) => ceremonies::archive(&args, cx),
        Command::Ceremony(CeremonyCommand::Abandon(args)) => abandon::run(&args, cx),
        Command::Qr(qr::QrCommand::Show(args)) => qr::show::run(&args, cx),
        Command::Qr(qr::QrCommand::Scan(args)) => qr::scan::run(&args, cx),
        Command::Audit(args) => audit::run(&args, cx),
        Command::Doctor(args) => doctor::run(&args, cx),
        Command::Share(command) => share::run(&command, cx),
        Command::Keystore(KeystoreCommand::Check(args)) => keystore_check::run(&args, cx),
        Command::Deposit(DepositCommand::Check(args)) => deposit_check::run(&args, cx),
        Command::Sign(command) => sign::run(&command, cx),
        #[cfg(feature = "server")]
        Command::Relay(RelayCommand::Serve(args)) => relay_serve::run(&args, cx),
        Command::Completions(args) => completions::run(&args, cx),
        Command::Man(args) => man::run(&args, cx),
    }
}

/// Runs `f`, unless it panics: then the hook has said so.
fn guarded<T>(f: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

/// Says where the program broke, and not with which words: a panic's message may quote a secret.
fn report_bug(info: &PanicHookInfo<'_>) {
    // A picture that its decoder does not survive is a picture without a code.
    if sight::is_looking() {
        return;
    }
    let place = info.location().map_or_else(
        || "an unknown place".to_owned(),
        |location| format!("{}:{}", location.file(), location.line()),
    );
    Ui::new(false).error(&bug(&format!("at {place}")));
}

fn bug(place: &str) -> CommandError {
    CommandError::new(
        Kind::Bug,
        format!(
            "this is a bug in conclave {}, {place}; files that were written are whole",
            env!("CARGO_PKG_VERSION")
        ),
    )
    .hint("report the line above and the command; giving the same command again is safe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_has_its_own_exit_code() {
        assert_eq!(guarded(|| 3), Some(3));
        assert_eq!(guarded(|| -> u8 { panic!("on purpose") }), None);
    }

    #[test]
    fn the_command_tree_is_sound() {
        help::command().debug_assert();
    }
}
