//! `share check-paper`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::ceremony::paper::PaperShare;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::share::holding::own_index;
use crate::cli::share::paper_lines;
use crate::cli::share::public::{Public, cluster};
use crate::crypto::point::G1;
use crate::hash::Digest;
use crate::json::Text;
use crate::store::upkeep::{Done, Note};

const EXAMPLE: &str = "\
Reads: pictures (PNG, JPEG) of pages or of their codes, and text files that hold lines; without a file
it asks for one line at the terminal, in as many pieces as you like. And the cluster: a cluster.json,
which is taken on trust, as an Obol cluster-lock.json is; or a record, which is audited first; or a
ceremony of this home, which is audited too; or an imported cluster of this home. Opens no home, and
stores nothing of a paper. If the lines are all shares that the home holds of an audited or imported
cluster, a note there says when they were found on paper.

A line that was mistyped is not mended: the groups to look at are named, and it is typed again. Ends with
1 when a line is not right.

Examples:
  conclave share check-paper --cluster cluster.json
  conclave share check-paper page.jpg --cluster cluster.json";

/// Check that a share on paper is whole and is the cluster's
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// Pictures of pages, or text files with their lines [default: ask for a line]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The cluster: its cluster.json or cluster-lock.json, a record's directory, or one of this home
    #[arg(long, value_name = "CLUSTER")]
    cluster: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    ok: bool,
    cid: Digest,
    name: Text,
    /// Whether the cluster was recomputed from messages here.
    audited: bool,
    /// Whether this home holds these shares, all of them, and notes that they are on paper.
    noted: bool,
    lines: Vec<Row>,
}

#[derive(serde::Serialize)]
struct Row {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validator: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    paper_lines::require(&args.files, cx)?;
    let (cluster, transcript) = cluster(&args.cluster, cx)?;
    let mut lines = paper_lines::in_files(&args.files, cx)?;
    if args.files.is_empty() {
        paper_lines::explain(cx);
        lines.extend(paper_lines::typed(cx)?);
    }
    let rows = lines.into_iter().map(|line| {
        let read = line.text.expose(|text| PaperShare::read(text));
        let checked = read.and_then(|paper| {
            paper.check(cluster.cid(), cluster.sharing())?;
            Ok(paper)
        });
        let paper = checked.as_ref().ok();
        Row {
            ok: checked.is_ok(),
            file: line.file,
            validator: paper.map(PaperShare::position),
            index: paper.map(PaperShare::index),
            problem: checked.as_ref().err().map(ToString::to_string),
        }
    });
    let lines: Vec<Row> = rows.collect();
    let ok = !lines.is_empty() && lines.iter().all(|row| row.ok);
    let noted = ok
        && note(cx, &cluster, transcript, &lines).unwrap_or_else(|error| {
            cx.ui.warn(format!(
                "this home could not note the check: {}",
                error.message()
            ));
            false
        });
    let report = Report {
        ok,
        cid: *cluster.cid(),
        name: cluster.name().clone(),
        audited: transcript.is_some(),
        noted,
        lines,
    };
    if args.json {
        cx.ui.json(&report)?;
    } else {
        tell(cx, &report, &cluster);
    }
    if report.ok {
        return Ok(());
    }
    let bad = report.lines.iter().filter(|row| !row.ok).count();
    Err(CommandError::of(
        ErrorCode::PAPER_WRONG,
        match report.lines.len() {
            0 => "no share on paper was found".to_owned(),
            1 => "the share on paper is not right".to_owned(),
            all => format!("{bad} of {all} shares on paper are not right"),
        },
    )
    .hint("compare with the paper, and check again; while the vault has the share, print it anew: conclave share paper"))
}

/// Notes in this home that its shares are on paper, if they are the ones that were read, and all.
fn note(
    cx: &Context,
    cluster: &Public,
    transcript: Option<Digest>,
    lines: &[Row],
) -> Result<bool, CommandError> {
    let transcript = match (cluster, transcript) {
        (_, Some(transcript)) => transcript,
        // Its description is all that there is of it, and the id is the description's hash.
        (Public::Imported(cluster), None) => *cluster.cid(),
        // A file that holds no signature may describe other keys than the home's.
        (Public::Made(_), None) => return Ok(false),
    };
    let Some((index, root)) = own_index(cx, cluster.cid())? else {
        return Ok(false);
    };
    let sharing = cluster.sharing();
    let read: BTreeSet<usize> = lines.iter().filter_map(|row| row.validator).collect();
    let mine = lines.iter().all(|row| row.index == Some(index.get()));
    let position = sharing.indices().iter().position(|x| *x == index.get());
    let (true, true, Some(position)) = (mine, read.len() == sharing.validators(), position) else {
        return Ok(false);
    };
    let keys: Vec<u8> = sharing.shares_of(position).flat_map(G1::to_bytes).collect();
    let now = cx.clock.unix_seconds();
    let note = Note::new(Done::PaperChecked, cluster.cid(), &transcript, &keys, now);
    note.keep(&*cx.disk, &root)?;
    Ok(true)
}

fn tell(cx: &mut Context, report: &Report, cluster: &Public) {
    if !report.audited && matches!(cluster, Public::Made(_)) {
        cx.ui.note("the cluster file was taken on trust: it holds no signature; name the record to have it audited");
    }
    for row in &report.lines {
        let place = row
            .file
            .as_ref()
            .map_or_else(String::new, |file| format!("{file}: "));
        cx.ui.data(match (&row.problem, row.validator, row.index) {
            (None, Some(validator), Some(index)) => format!(
                "{place}right: the share of validator {validator} at operator {index} of {}",
                report.name
            ),
            (problem, ..) => format!(
                "{place}NOT RIGHT: {}",
                problem.as_deref().unwrap_or_default()
            ),
        });
    }
    if report.noted {
        cx.ui
            .note("this home holds the same shares, and notes that they are on paper");
    }
}
