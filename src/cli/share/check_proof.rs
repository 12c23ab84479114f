//! `share check-proof`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::ceremony::share_proof::{MAX_SHARE_PROOF_BYTES, ShareProof, ShareProofError, Subject};
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::share::public::{Public, cluster};
use crate::cli::values::{self, counted, utc};
use crate::crypto::identity::IdentityPublic;
use crate::hash::Digest;
use crate::json::Text;
use crate::wire::roster::Index;

const EXAMPLE: &str = "\
Reads: the proofs, and the cluster: a cluster.json or an Obol cluster-lock.json, which are taken on
trust; or a record, which is audited first; or a ceremony of this home, which is audited too; or an
imported cluster of this home. Needs no secret. Writes nothing.

A lock names no identities: of an imported cluster a proof shows that whoever signed it has the shares.
Whether that is the operator, its identity says, which is to be compared with the operator's.

With --challenge a proof has to answer it. Without, its date is only what its maker's clock said.
Ends with 1 when one of the proofs does not hold.

Example:
  conclave share check-proof *.proof.json --cluster cluster.json --challenge \"drill of April 2027\"";

/// Check proofs of other operators, or your own, that they hold their shares
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// Proofs of `share prove`
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The cluster: its cluster.json or cluster-lock.json, a record's directory, or one of this home
    #[arg(long, value_name = "CLUSTER")]
    cluster: String,
    /// The challenge that they have to answer
    #[arg(long, value_name = "TEXT", value_parser = values::text)]
    challenge: Option<Text>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    ok: bool,
    cid: Digest,
    outcome: Digest,
    name: Text,
    /// Whether the cluster was recomputed from messages here.
    audited: bool,
    proofs: Vec<Row>,
    /// Operators of whom no proof holds.
    unproved: Vec<Index>,
}

#[derive(serde::Serialize)]
struct Row {
    file: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What a proof says of itself.
#[derive(serde::Serialize)]
struct Claim {
    index: Index,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text>,
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<Text>,
    validators: u64,
    /// Who signed it, where the cluster names no identities.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityPublic>,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let (cluster, transcript) = cluster(&args.cluster, cx)?;
    let mut proofs = Vec::new();
    for file in &args.files {
        let bytes = cx.read(file, MAX_SHARE_PROOF_BYTES)?;
        let proof = ShareProof::parse(&bytes);
        let problem = match &proof {
            Ok(proof) => judge(proof, &cluster, args.challenge.as_ref()).err(),
            Err(error) => Some(error.to_string()),
        };
        proofs.push(Row {
            file: file.display().to_string(),
            ok: problem.is_none(),
            claim: proof.ok().map(|proof| claim(&proof, &cluster)),
            problem,
        });
    }
    let proved: BTreeSet<Index> = proofs
        .iter()
        .filter(|row| row.ok)
        .filter_map(|row| row.claim.as_ref().map(|claim| claim.index))
        .collect();
    let operators = cluster.operators();
    let operators = operators.iter().map(|operator| operator.index);
    let report = Report {
        ok: proofs.iter().all(|row| row.ok),
        cid: *cluster.cid(),
        outcome: *cluster.outcome(),
        name: cluster.name().clone(),
        audited: transcript.is_some(),
        unproved: operators.filter(|index| !proved.contains(index)).collect(),
        proofs,
    };
    if args.json {
        cx.ui.json(&report)?;
    } else {
        tell(args, cx, &report, &cluster);
    }
    if report.ok {
        return Ok(());
    }
    let bad = report.proofs.iter().filter(|row| !row.ok).count();
    Err(CommandError::of(
        ErrorCode::PROOF_INVALID,
        format!("{bad} of {} failed", counted(report.proofs.len(), "proof")),
    )
    .hint("ask the operator to make another: conclave share prove"))
}

/// Checks a proof for the cluster, and that it answers what was asked.
fn judge(proof: &ShareProof, cluster: &Public, challenge: Option<&Text>) -> Result<(), String> {
    let subject = Subject {
        cid: cluster.cid(),
        outcome: cluster.outcome(),
        epoch: 0,
        sharing: cluster.sharing(),
    };
    let operators = cluster.operators();
    let operator = operators
        .iter()
        .find(|operator| operator.index == proof.index())
        .ok_or_else(|| ShareProofError::OtherOperator(proof.index()).to_string())?;
    // Where the cluster names nobody, who signed is for people to compare.
    let identity = operator.identity.as_ref().unwrap_or(proof.identity());
    proof
        .verify(&subject, identity)
        .map_err(|error| error.to_string())?;
    match challenge {
        Some(challenge) if proof.challenge() != Some(challenge) => {
            Err("the share proof does not answer the challenge".to_owned())
        }
        _ => Ok(()),
    }
}

fn claim(proof: &ShareProof, cluster: &Public) -> Claim {
    let operators = cluster.operators();
    let nobody = operators.iter().all(|operator| operator.identity.is_none());
    Claim {
        index: proof.index(),
        name: operators
            .into_iter()
            .find(|operator| operator.identity == Some(*proof.identity()))
            .and_then(|operator| operator.name),
        identity: nobody.then(|| *proof.identity()),
        at: proof.created(),
        challenge: proof.challenge().cloned(),
        validators: proof.validators(),
    }
}

/// Says what nobody checked of the cluster.
pub(super) fn on_trust(cx: &mut Context, cluster: &Public, audited: bool) {
    match cluster {
        Public::Imported(_) => cx.ui.note("the cluster was made elsewhere: nothing here can say who has its shares; compare each identity with its operator's"),
        Public::Made(_) if !audited => cx.ui.note("the cluster file was taken on trust: it holds no signature; name the record to have it audited"),
        Public::Made(_) => {}
    }
}

fn tell(args: &Args, cx: &mut Context, report: &Report, cluster: &Public) {
    on_trust(cx, cluster, report.audited);
    for row in &report.proofs {
        let claim = row.claim.as_ref();
        let told = claim.map_or_else(String::new, |claim| {
            let name = match (&claim.name, &claim.identity) {
                (Some(name), _) => name.to_string(),
                (None, Some(identity)) => identity.to_string(),
                (None, None) => "?".to_owned(),
            };
            let answers = claim
                .challenge
                .as_ref()
                .map_or_else(String::new, |text| format!(", answers \"{text}\""));
            format!(
                "operator {} ({name}), {}, dated {}{answers}",
                claim.index,
                format_args!("{} validators", claim.validators),
                utc(claim.at)
            )
        });
        cx.ui.data(match &row.problem {
            None => format!("{}: holds: {told}", row.file),
            Some(problem) => format!("{}: DOES NOT HOLD: {problem}", row.file),
        });
    }
    let operators = cluster.operators().into_iter();
    let unproved: Vec<String> = operators
        .filter(|operator| report.unproved.contains(&operator.index))
        .map(|operator| match operator.name {
            Some(name) => format!("{name} ({})", operator.index),
            None => format!("operator {}", operator.index),
        })
        .collect();
    if !unproved.is_empty() {
        cx.ui
            .note(format!("not proved here: {}", unproved.join(", ")));
    }
    if args.challenge.is_none() {
        cx.ui
            .note("no challenge was asked for: the dates are what the makers' clocks said");
    }
}
