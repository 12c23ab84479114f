//! `share restore-paper`.

use std::path::PathBuf;

use crate::ceremony::imported::ImportedCluster;
use crate::ceremony::paper::PaperShare;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::home::identity_of;
use crate::cli::share::paper_lines;
use crate::cli::share::public::{ClusterFile, audited, imported_of, messages, read_file};
use crate::cli::values::counted;
use crate::crypto::scalar::Scalar;
use crate::crypto::sharing::Sharing;
use crate::hash::Digest;
use crate::json::Text;
use crate::store::disk::Kind;
use crate::store::imported;
use crate::store::seat::SeatError;
use crate::store::share_backup::{InHome, ShareBackup};
use crate::wire::roster::Index;

const EXAMPLE: &str = "\
Reads: the record of the ceremony, which every operator and auditor has and which is audited first, or,
of shares that were imported, the file of their cluster, as `conclave share import` takes it; and
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
    /// The ceremony's record, or the file that imported shares came with
    record: PathBuf,
    /// Pictures of pages, or text files with their lines [default: ask for each line]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    cx.require(cx.home_needs()?.into_iter().collect())?;
    paper_lines::require(&args.files, cx)?;
    let cluster = match cx.disk.kind(&args.record)? {
        Some(Kind::Directory) => None,
        _ => Some(match read_file(cx, &args.record)? {
            ClusterFile::Made(cluster) => Box::new(imported_of(&cluster)?),
            ClusterFile::Imported(cluster) | ClusterFile::ObolLock(cluster) => cluster,
        }),
    };
    if let Some(cluster) = cluster {
        return elsewhere(args, cx, &cluster);
    }
    let (found, files) = audited(cx, &args.record)?;
    let (_, outcome) = found.keys().map_err(|error| error.about(&args.record))?;
    let home = cx.open_home()?;
    let identity = identity_of(&home)?.public();
    let operator = found.plan.roster().by_identity(&identity);
    let index = operator.ok_or(SeatError::NotInvited)?.index;
    let (plan, sharing) = (&found.plan, outcome.sharing());
    let shares = collect(args, cx, plan.cid(), sharing, Some(index.get()))?.1;
    let created = cx.clock.unix_seconds();
    let backup = ShareBackup::of_record(
        plan.clone(),
        messages(&files)?,
        index,
        sharing.clone(),
        shares,
        created,
    )?;
    let before = backup.restore(&home)? == InHome::Same;
    tell(cx, plan.cid(), plan.name(), index, sharing, before);
    cx.ui.next(
        "conclave run PLAN --via FOLDER writes your files again, and says whether the ceremony is complete",
    );
    Ok(())
}

/// The same for a cluster that was made elsewhere. Whose the shares are, the first line says where the
/// cluster does not.
fn elsewhere(args: &Args, cx: &mut Context, cluster: &ImportedCluster) -> Result<(), CommandError> {
    let home = cx.open_home()?;
    let identity = identity_of(&home)?.public();
    let mut operators = cluster.operators().iter();
    let mine = operators.find(|operator| operator.identity == Some(identity));
    let mine = mine.map(|operator| operator.index.get());
    let (index, shares) = collect(args, cx, cluster.cid(), cluster.sharing(), mine)?;
    let index = Index::new(index).map_err(|error| CommandError::failed(error.to_string()))?;
    if !cluster.admits(index, &identity) {
        return Err(SeatError::NotInvited.into());
    }
    let before = imported::put(&home, cluster, &cluster.own_shares(index, shares))?;
    tell(
        cx,
        cluster.cid(),
        cluster.name(),
        index,
        cluster.sharing(),
        before,
    );
    cx.ui.next("conclave share list shows what the vault holds");
    Ok(())
}

fn tell(
    cx: &mut Context,
    cid: &Digest,
    name: &Text,
    index: Index,
    sharing: &Sharing,
    before: bool,
) {
    cx.ui.data(cid);
    cx.ui.note(format!(
        "{}: the shares of operator {index} for {} of {name}, from paper",
        match before {
            true => "nothing was missing",
            false => "restored",
        },
        counted(sharing.validators(), "validator"),
    ));
    cx.ui.warn("never sign with the same share on two machines: stop the old one for good before this one signs");
}

/// Every share, from the files or from the keyboard; and whose they are.
fn collect(
    args: &Args,
    cx: &mut Context,
    cid: &Digest,
    sharing: &Sharing,
    mine: Option<u64>,
) -> Result<(u64, Vec<Scalar>), CommandError> {
    let mut wanted = Wanted {
        cid,
        sharing,
        index: mine,
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
    let index = wanted.index.unwrap_or_default();
    Ok((index, wanted.all()?))
}

/// The shares that are still to come.
struct Wanted<'a> {
    cid: &'a Digest,
    sharing: &'a Sharing,
    /// Whose, once it is known.
    index: Option<u64>,
    shares: Vec<Option<Scalar>>,
}

impl Wanted<'_> {
    /// Takes a line that holds one of them, and says of which validator.
    fn take(&mut self, line: &str) -> Result<usize, CommandError> {
        let paper = PaperShare::read(line)?;
        paper.check(self.cid, self.sharing)?;
        let index = *self.index.get_or_insert(paper.index());
        if paper.index() != index {
            return Err(CommandError::of(
                ErrorCode::PAPER_WRONG,
                format!(
                    "the share is operator {}'s, and this home is operator {index}'s: shares never change hands; it was not taken",
                    paper.index(),
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
