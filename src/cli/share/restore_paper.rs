//! `share restore-paper`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::ceremony::Messages as _;
use crate::ceremony::paper::PaperShare;
use crate::ceremony::plan::Plan;
use crate::ceremony::step::SessionError;
use crate::cli::Context;
use crate::cli::audit::{Audited, examine_files, verdict};
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::home::identity_of;
use crate::cli::share::paper_lines;
use crate::cli::values::counted;
use crate::crypto::scalar::Scalar;
use crate::crypto::sharing::Sharing;
use crate::store::seat::SeatError;
use crate::store::share_backup::{InHome, ShareBackup};

const EXAMPLE: &str = "\
Reads: the record of the ceremony, which every operator and auditor has and which is audited first; and
your share of each validator: from pictures (PNG, JPEG) of pages or of their codes and from text files,
or, without a file, from the keyboard, line by line. Writes: the home, which has to be of the same
identity: what `conclave share restore` writes from a backup.

A line that was mistyped is not taken: the groups to look at are named, and it is asked for again.
Nothing is written before every share is there and is the secret of its public share. Given again after
a crash, it goes on.

Example:
  conclave share restore-paper /media/stick/record page.jpg";

/// Put the shares on paper into this home
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// The ceremony's record
    record: PathBuf,
    /// Pictures of pages, or text files with their lines [default: ask for each line]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    cx.require(cx.home_needs()?.into_iter().collect())?;
    paper_lines::require(&args.files, cx)?;
    let (found, messages) = audited(cx, &args.record)?;
    let (_, outcome) = found.keys().map_err(|error| error.about(&args.record))?;
    let home = cx.open_home()?;
    let identity = identity_of(&home)?.public();
    let operator = found.plan.roster().by_identity(&identity);
    let index = operator.ok_or(SeatError::NotInvited)?.index;
    let (plan, sharing) = (&found.plan, outcome.sharing());
    let mut wanted = Wanted {
        plan,
        sharing,
        index: index.get(),
        shares: (0..sharing.validators()).map(|_| None).collect(),
    };
    for line in paper_lines::in_files(&args.files, cx)? {
        let taken = line.text.expose(|text| wanted.take(text));
        taken.map_err(|error| match &line.file {
            Some(file) => error.about(file.as_ref()),
            None => error,
        })?;
    }
    if args.files.is_empty() {
        ask(cx, &mut wanted)?;
    }
    let shares = wanted.all()?;
    let created = cx.clock.unix_seconds();
    let backup = ShareBackup::of_record(
        plan.clone(),
        messages,
        index,
        sharing.clone(),
        shares,
        created,
    )?;
    let before = backup.restore(&home)?;
    cx.ui.data(plan.cid());
    cx.ui.note(format!(
        "{}: the shares of operator {index} for {} of {}, from paper",
        match before {
            InHome::Same => "nothing was missing",
            InHome::Missing => "restored",
        },
        counted(sharing.validators(), "validator"),
        plan.name(),
    ));
    cx.ui.warn("never sign with the same share on two machines: stop the old one for good before this one signs");
    cx.ui.next(
        "conclave run PLAN --via FOLDER writes your files again, and says whether the ceremony is complete",
    );
    Ok(())
}

/// Audits the record of a complete ceremony that makes keys; returns its messages beside it, by name.
pub(super) fn audited(
    cx: &mut Context,
    record: &Path,
) -> Result<(Audited, BTreeMap<String, Vec<u8>>), CommandError> {
    let (found, files) = examine_files(cx, record)?;
    if let Err(error) = verdict(&found.report)
        && error.error_code() != ErrorCode::MISBEHAVIOUR_BESIDE
    {
        return Err(error.about(record));
    }
    found.keys().map_err(|error| error.about(record))?;
    let mut messages = BTreeMap::new();
    for id in files.messages() {
        let bytes = files.load(id).map_err(SessionError::from)?;
        messages.insert(id.clone(), bytes);
    }
    Ok((found, messages))
}

/// The shares that are still to come.
struct Wanted<'a> {
    plan: &'a Plan,
    sharing: &'a Sharing,
    index: u64,
    shares: Vec<Option<Scalar>>,
}

impl Wanted<'_> {
    /// Takes a line that holds one of them, and says of which validator.
    fn take(&mut self, line: &str) -> Result<usize, CommandError> {
        let paper = PaperShare::read(line)?;
        paper.check(self.plan.cid(), self.sharing)?;
        if paper.index() != self.index {
            return Err(CommandError::of(
                ErrorCode::PAPER_WRONG,
                format!(
                    "the share is operator {}'s, and this home is operator {}'s: shares never change hands; it was not taken",
                    paper.index(),
                    self.index
                ),
            ));
        }
        if let Some(place) = self.shares.get_mut(paper.position()) {
            *place = Some(paper.share().duplicate());
        }
        Ok(paper.position())
    }

    fn missing(&self) -> Option<usize> {
        self.shares.iter().position(Option::is_none)
    }

    /// All of them; names the first that is missing.
    fn all(self) -> Result<Vec<Scalar>, CommandError> {
        let missing = self.missing();
        let all: Option<Vec<Scalar>> = self.shares.into_iter().collect();
        all.ok_or_else(|| {
            CommandError::of(
                ErrorCode::PAPER_WRONG,
                format!(
                    "the share of validator {} is missing; nothing was written",
                    missing.unwrap_or_default()
                ),
            )
            .hint("name the files of all pages, or none to be asked for each")
        })
    }
}

/// Asks for lines until every share is there or nothing is typed.
fn ask(cx: &mut Context, wanted: &mut Wanted<'_>) -> Result<(), CommandError> {
    paper_lines::explain(cx);
    while let Some(position) = wanted.missing() {
        cx.ui.note(format!("validator {position}:"));
        let Some(line) = paper_lines::typed(cx)? else {
            return Ok(());
        };
        match line.text.expose(|text| wanted.take(text)) {
            Ok(position) => cx.ui.note(format!("right: validator {position}")),
            Err(error) => cx.ui.warn(error.message()),
        }
    }
    Ok(())
}
