//! `share show`.

use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::share::holding::find;
use crate::cli::share::{Care, State, own_shares};
use crate::cli::values::{counted, utc};
use crate::hash::Digest;
use crate::json::{Hex, Text};

/// Of more validators, this many at each end are listed.
const ENDS: usize = 5;

const EXAMPLE: &str = "\
Reads: the home. It opens the shares, and checks that each is the secret of its public share, but
shows only public keys. Writes nothing.

Example:
  conclave share show 1f2e3d4c --all";

/// Show the public side of the shares of one ceremony
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// The ceremony: the start of its id, its name, or its plan's file
    ceremony: String,
    /// List every validator, also of thousands
    #[arg(long)]
    all: bool,
    /// Print JSON, with every validator
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    cid: Digest,
    name: Text,
    network: String,
    state: State,
    epoch: u64,
    transcript: Digest,
    threshold: usize,
    operators: Vec<Operator>,
    index: u64,
    #[serde(flatten)]
    care: Care,
    validators: Vec<Row>,
}

#[derive(serde::Serialize)]
struct Operator {
    index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text>,
}

#[derive(serde::Serialize)]
struct Row {
    position: usize,
    public_key: Hex<48>,
    public_share: Hex<48>,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    cx.require(cx.home_needs()?.into_iter().collect())?;
    let root = cx.home_root()?;
    let holding = find(cx, &root, &args.ceremony)?;
    let home = cx.open_home()?;
    let own = own_shares(&home, holding.cid())?;
    let sharing = &own.sharing;
    let position = sharing.indices().iter().position(|x| *x == own.index);
    let keys = sharing
        .group_keys()
        .zip(sharing.shares_of(position.unwrap_or(0)));
    let validators = keys.enumerate().map(|(position, (key, share))| Row {
        position,
        public_key: Hex(key.to_bytes()),
        public_share: Hex(share.to_bytes()),
    });
    let operators = holding.operators().into_iter();
    let operators = operators.map(|(index, name)| Operator { index, name });
    let report = Report {
        cid: *holding.cid(),
        name: holding.name().clone(),
        network: holding.network().name().to_owned(),
        state: holding.state,
        epoch: 0,
        transcript: own.transcript,
        threshold: sharing.threshold(),
        operators: operators.collect(),
        index: own.index,
        care: Care::of(holding.cid(), &holding.directory, cx)?,
        validators: validators.collect(),
    };
    if args.json {
        return cx.ui.json(&report);
    }
    tell(args, cx, &report);
    Ok(())
}

fn tell(args: &Args, cx: &mut Context, report: &Report) {
    cx.ui.data(format!(
        "{} on {}: {}",
        report.name,
        report.network,
        report.state.words()
    ));
    let what = match report.state {
        State::Imported => "imported cluster",
        _ => "ceremony",
    };
    cx.ui.data(format!("{what} {}", report.cid));
    cx.ui.data(format!(
        "epoch {}, threshold {} of {}",
        report.epoch,
        report.threshold,
        counted(report.operators.len(), "operator")
    ));
    for operator in &report.operators {
        let own = if operator.index == report.index {
            "  (you)"
        } else {
            ""
        };
        let name = operator.name.as_ref().map_or("(no name)", Text::as_str);
        cx.ui.data(format!("  {:>3}  {name}{own}", operator.index));
    }
    cx.ui.data(report.care.words());
    for (done, time) in [
        ("proved", &report.care.proved),
        ("backup checked", &report.care.backup_checked),
        ("paper checked", &report.care.paper_checked),
    ] {
        if let Some(time) = time {
            let challenge = time.challenge.as_ref();
            let answers = challenge.map_or_else(String::new, |text| format!(", for \"{text}\""));
            cx.ui.data(format!("  {done} {}{answers}", utc(time.at)));
        }
    }
    let count = report.validators.len();
    cx.ui.data(format!(
        "{}, each with its group key and the public key of your share:",
        counted(count, "validator")
    ));
    let all = args.all || count <= ENDS.saturating_mul(2);
    let mut gap = false;
    for row in &report.validators {
        let ends = row.position < ENDS || row.position.saturating_add(ENDS) >= count;
        if all || ends {
            cx.ui
                .data(format!("  {:>5}  {}", row.position, row.public_key));
            cx.ui
                .data(format!("  {:>5}  {}", "share", row.public_share));
        } else if !gap {
            gap = true;
            let left = count.saturating_sub(ENDS.saturating_mul(2));
            cx.ui.data(format!("  {:>5}  {left} more: --all", "..."));
        }
    }
}
