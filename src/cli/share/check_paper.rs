//! `share check-paper`.

use std::path::PathBuf;

use crate::ceremony::paper::PaperShare;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::share::paper_lines;
use crate::cli::share::public::{Public, cluster};
use crate::hash::Digest;
use crate::json::Text;

const EXAMPLE: &str = "\
Reads: pictures (PNG, JPEG) of pages or of their codes, and text files that hold lines; without a file
it asks for one line at the terminal, in as many pieces as you like. And the cluster: a cluster.json,
which is taken on trust, as an Obol cluster-lock.json is; or a record, which is audited first; or a
ceremony of this home, which is audited too; or an imported cluster of this home. Opens no home. Stores nothing.

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
    let (cluster, audited) = cluster(&args.cluster, cx)?;
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
    let report = Report {
        ok: !lines.is_empty() && lines.iter().all(|row| row.ok),
        cid: *cluster.cid(),
        name: cluster.name().clone(),
        audited,
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
}
