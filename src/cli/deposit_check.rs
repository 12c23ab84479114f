//! `deposit check`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::audit;
use super::error::{CommandError, ErrorCode};
use super::values::{self, counted};
use super::{Context, values::ranges};
use crate::ambient::Randomness as _;
use crate::audit::deposits::{Proof, prove};
use crate::ceremony::outcome::{KeygenOutcome, Outcome};
use crate::ceremony::plan::Plan;
use crate::ethereum::address::Address;
use crate::ethereum::amount::{ETHEREUM, Gwei, Rules};
use crate::ethereum::deposit::{ForeignEntry, MAX_BYTES, Spot, Totals, check_files, parse_entries};
use crate::ethereum::network::NetworkSpec;
use crate::ethereum::withdrawal::CredentialsKind;
use crate::hash::Digest;
use crate::json::{Hex, Text};
use crate::wire::code::Code;

const EXAMPLE: &str = "\
Reads: the deposit files, and with --record the record of a ceremony. Writes nothing.

Files that are named together are checked together: instalments of one validator may lie in several.
With --record it also proves that every deposit comes from that ceremony: the record is audited from
its first message to its last, and key, credentials, amount, signature and network are compared.

Ends with 1 when an entry has an error; a warning alone is no failure. A record that is not complete
ends with 3, one with proved misbehaviour with 4, a rehearsal's with 5; then nothing is proved.

Example:
  conclave deposit check deposit_data-1767225600.json --network hoodi --record /media/stick/pool";

/// Check deposit files of any tool
///
/// Checks what launchpads check and what they forget: fields, roots, amounts, credentials, network,
/// every signature, what stands twice, and the sums for each withdrawal address.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct CheckArgs {
    /// Deposit files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The network that the deposits are for, or its rehearsal such as hoodi-rehearsal
    #[arg(long, value_name = "NAME", value_parser = values::known_network)]
    network: Option<NetworkSpec>,
    /// Prove that the deposits come from the ceremony with this record
    #[arg(long, value_name = "RECORD")]
    record: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    deposits: usize,
    validators: usize,
    /// Decimal strings: the sums may exceed the largest integer of our JSON.
    gwei: String,
    validators_below_activation: usize,
    validators_above_maximum: usize,
    withdrawals: Vec<WithdrawalRow>,
    files: Vec<FileRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ceremony: Option<CeremonyRow>,
}

#[derive(Serialize)]
struct WithdrawalRow {
    address: Address,
    credentials: CredentialsKind,
    deposits: usize,
    validators: usize,
    gwei: String,
    #[serde(skip)]
    sum: Gwei,
}

#[derive(Serialize)]
struct FileRow {
    file: String,
    ok: bool,
    deposits: usize,
    gwei: String,
    findings: Vec<FindingRow>,
    #[serde(skip)]
    sum: Gwei,
}

#[derive(Serialize)]
struct FindingRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pubkey: Option<String>,
    warning: bool,
    problem: String,
}

/// What the record proves.
#[derive(Serialize)]
struct CeremonyRow {
    cid: Digest,
    name: Text,
    plan_code: String,
    outcome_code: String,
    proved: usize,
    missing: Vec<MissingRow>,
}

#[derive(Serialize)]
struct MissingRow {
    validator: usize,
    pubkey: Hex<48>,
    gwei: String,
    #[serde(skip)]
    amount: Gwei,
}

/// A complete ceremony.
struct Ceremony {
    plan: Plan,
    outcome: KeygenOutcome,
    codes: (Code, Code),
}

pub(super) fn run(args: &CheckArgs, cx: &mut Context) -> Result<(), CommandError> {
    let ceremony = match &args.record {
        Some(path) => Some(audited(path, cx)?),
        None => None,
    };
    let network = meant(args.network.as_ref(), ceremony.as_ref())?;
    let read: Vec<Result<Vec<ForeignEntry>, String>> =
        args.files.iter().map(|file| read(file, cx)).collect();
    let report = examine(args, &read, network.as_ref(), ceremony.as_ref(), cx)?;
    if args.json {
        cx.ui.json(&report)?;
    } else {
        let rules = rules(&read, network.as_ref());
        print(&report, rules, cx);
    }
    if report.ok {
        return Ok(());
    }
    let bad = report.files.iter().filter(|file| !file.ok).count();
    let all = counted(report.files.len(), "deposit file");
    Err(CommandError::of(
        ErrorCode::DEPOSIT_INVALID,
        format!("{bad} of {all} failed; no file was changed"),
    )
    .hint("do not submit deposits from a file that failed"))
}

/// Audits the record completely; anything but a complete and faultless one proves nothing.
fn audited(path: &Path, cx: &mut Context) -> Result<Ceremony, CommandError> {
    let found = audit::examine(cx, path)?;
    if found.plan.is_rehearsal() {
        return Err(CommandError::of(
            ErrorCode::REHEARSAL_PLAN,
            "this is the record of a rehearsal: its keys are worth nothing, and it proves nothing about a deposit",
        )
        .about(path)
        .hint("name the record of the real ceremony"));
    }
    let sentences = found.report.sentences(&found.plan);
    if let Err(error) = audit::verdict(&found.report) {
        let error = error.about(path).hint(format!(
            "nothing is proved about the deposits; see `conclave audit {}`",
            path.display()
        ));
        return Err(sentences.into_iter().fold(error, CommandError::cause));
    }
    let outcome = match found.report.examination.outcome {
        Some(Outcome::Keygen(outcome)) => outcome,
        Some(Outcome::Sign(_)) | None => {
            return Err(CommandError::of(
                ErrorCode::RECORD_INVALID,
                "the record has no outcome of a keygen",
            )
            .about(path));
        }
    };
    let codes = outcome.codes()?;
    Ok(Ceremony {
        plan: found.plan,
        outcome,
        codes,
    })
}

/// The network that the deposits have to be for.
fn meant(
    flag: Option<&NetworkSpec>,
    ceremony: Option<&Ceremony>,
) -> Result<Option<NetworkSpec>, CommandError> {
    let planned = ceremony.map(|ceremony| ceremony.plan.network());
    match (flag, planned) {
        (Some(flag), Some(planned)) if flag != planned => Err(CommandError::failed(format!(
            "the ceremony of the record is for {planned}, not for {flag}; no deposit was checked"
        ))),
        (flag, planned) => Ok(planned.or(flag).cloned()),
    }
}

fn read(file: &Path, cx: &Context) -> Result<Vec<ForeignEntry>, String> {
    let bytes = cx
        .read(file, MAX_BYTES)
        .map_err(|error| error.to_string())?;
    parse_entries(&bytes).map_err(|error| error.to_string())
}

fn rules(
    read: &[Result<Vec<ForeignEntry>, String>],
    network: Option<&NetworkSpec>,
) -> &'static Rules {
    let first = || read.iter().flatten().flatten().next()?.network();
    network
        .map(NetworkSpec::rules)
        .or_else(|| first().map(|network| network.rules))
        .unwrap_or(&ETHEREUM)
}

fn examine(
    args: &CheckArgs,
    read: &[Result<Vec<ForeignEntry>, String>],
    network: Option<&NetworkSpec>,
    ceremony: Option<&Ceremony>,
    cx: &mut Context,
) -> Result<Report, CommandError> {
    let files: Vec<&[ForeignEntry]> = read
        .iter()
        .map(|entries| entries.as_deref().unwrap_or_default())
        .collect();
    let mut seed = [0u8; 32];
    cx.rng.fill(&mut seed)?;
    let proof = ceremony.and_then(|ceremony| {
        let plan = ceremony.plan.keygen()?;
        Some(prove(plan, &ceremony.outcome, &files))
    });
    let mut findings: BTreeMap<Spot, Vec<FindingRow>> = BTreeMap::new();
    for finding in check_files(&files, network, &seed) {
        let row = FindingRow {
            entry: Some(finding.spot.entry),
            warning: finding.problem.is_warning(),
            problem: finding.problem.to_string(),
            pubkey: finding.pubkey,
        };
        findings.entry(finding.spot).or_default().push(row);
    }
    let entry_at = |spot: &Spot| {
        let file = files.get(spot.file.checked_sub(1)?)?;
        file.get(spot.entry.checked_sub(1)?)
    };
    for (spot, why) in proof.iter().flat_map(|proof| &proof.unproved) {
        let pubkey = entry_at(spot).and_then(ForeignEntry::pubkey);
        findings.entry(*spot).or_default().push(FindingRow {
            entry: Some(spot.entry),
            pubkey: pubkey.map(|bytes| Hex(bytes).to_string()),
            warning: false,
            problem: why.to_string(),
        });
    }
    let rules = rules(read, network);
    let mut rows: Vec<FileRow> = args
        .files
        .iter()
        .zip(&files)
        .map(|(file, entries)| {
            let sum = Totals::of(&[entries], rules).sum;
            FileRow {
                file: file.display().to_string(),
                ok: true,
                deposits: entries.len(),
                gwei: sum.0.to_string(),
                findings: Vec::new(),
                sum,
            }
        })
        .collect();
    for (row, entries) in rows.iter_mut().zip(read) {
        // Unreadable as a whole.
        row.findings
            .extend(entries.as_ref().err().map(|problem| FindingRow {
                entry: None,
                pubkey: None,
                warning: false,
                problem: problem.clone(),
            }));
    }
    for (spot, found) in findings {
        if let Some(row) = spot.file.checked_sub(1).and_then(|at| rows.get_mut(at)) {
            row.findings.extend(found);
        }
    }
    for row in &mut rows {
        row.ok = row.findings.iter().all(|finding| finding.warning);
    }
    let totals = Totals::of(&files, rules);
    Ok(Report {
        ok: rows.iter().all(|row| row.ok),
        network: network
            .map(|network| network.name().to_owned())
            .or_else(|| {
                let first = files.iter().find_map(|entries| entries.first());
                first?.network().map(|network| network.name.to_owned())
            }),
        deposits: totals.deposits,
        validators: totals.validators,
        gwei: totals.sum.0.to_string(),
        validators_below_activation: totals.below_activation,
        validators_above_maximum: totals.above_maximum,
        withdrawals: totals
            .withdrawals
            .iter()
            .map(|((address, kind), row)| WithdrawalRow {
                address: *address,
                credentials: *kind,
                deposits: row.deposits,
                validators: row.validators,
                gwei: row.sum.0.to_string(),
                sum: row.sum,
            })
            .collect(),
        files: rows,
        ceremony: ceremony.zip(proof).map(|(ceremony, proof)| {
            let (plan_code, outcome_code) = &ceremony.codes;
            ceremony_row(&ceremony.plan, (plan_code, outcome_code), proof)
        }),
    })
}

fn ceremony_row(
    plan: &Plan,
    (plan_code, outcome_code): (&Code, &Code),
    proof: Proof,
) -> CeremonyRow {
    CeremonyRow {
        cid: *plan.cid(),
        name: plan.name().clone(),
        plan_code: plan_code.to_string(),
        outcome_code: outcome_code.to_string(),
        proved: proof.proved,
        missing: proof
            .missing
            .into_iter()
            .map(|missing| MissingRow {
                validator: missing.validator,
                pubkey: missing.pubkey,
                gwei: missing.amount.0.to_string(),
                amount: missing.amount,
            })
            .collect(),
    }
}

/// How many rows of one kind are printed; JSON has all.
const LISTED: usize = 20;

fn print(report: &Report, rules: &Rules, cx: &mut Context) {
    for row in &report.files {
        for (warning, entries, text) in grouped(&row.findings) {
            let level = if warning { "warning" } else { "error" };
            cx.ui
                .data(format!("{}: {level}: {entries}{text}", row.file));
        }
    }
    if report.files.len() > 1 {
        cx.ui.data("\nFiles");
        for (number, row) in (1usize..).zip(&report.files) {
            let state = if row.ok { "ok" } else { "FAILED" };
            let sum = rules.display(row.sum);
            let count = counted(row.deposits, "deposit");
            cx.ui.data(format!(
                "  {number:>2}  {state:6}  {count}, {sum}  {}",
                row.file
            ));
        }
    }
    if !report.withdrawals.is_empty() {
        cx.ui.data("\nWithdrawal addresses");
        for row in report.withdrawals.iter().take(LISTED) {
            cx.ui.data(format!(
                "  {}  {}  {}, {}, {}",
                row.address,
                row.credentials,
                counted(row.validators, "validator"),
                counted(row.deposits, "deposit"),
                rules.display(row.sum)
            ));
        }
        more(report.withdrawals.len(), cx);
    }
    let (below, above) = (
        report.validators_below_activation,
        report.validators_above_maximum,
    );
    if below > 0 || above > 0 {
        cx.ui.data("\nNotes");
    }
    if below > 0 {
        cx.ui.data(format!(
            "  {} less than {} here: none of them starts before the rest is deposited",
            gets(below),
            rules.display(rules.activation)
        ));
    }
    if above > 0 {
        cx.ui.data(format!(
            "  {} more here than counts for one validator of its form",
            gets(above)
        ));
    }
    if let Some(ceremony) = &report.ceremony {
        print_ceremony(report, ceremony, rules, cx);
    }
    let network = report.network.as_deref().unwrap_or("an unknown network");
    let sum = report.gwei.parse().map(Gwei).unwrap_or_default();
    cx.ui.data(format!(
        "\nAll together: {} of {} for {network}, {}",
        counted(report.deposits, "deposit"),
        counted(report.validators, "validator"),
        rules.display(sum)
    ));
    let verdict = match (&report.ceremony, report.ok) {
        (_, false) => "FAILED: pay none of these deposits".to_owned(),
        (Some(ceremony), true) => format!(
            "ok: all checks passed, and every deposit comes from the ceremony {}",
            ceremony.name
        ),
        (None, true) => {
            "ok: all checks passed; whose keys these are, only --record RECORD proves".to_owned()
        }
    };
    cx.ui.data(format!("Verdict: {verdict}"));
}

fn print_ceremony(report: &Report, ceremony: &CeremonyRow, rules: &Rules, cx: &mut Context) {
    cx.ui.data(format!(
        "\nCeremony {} ({})",
        ceremony.name,
        ceremony.cid.short()
    ));
    cx.ui.data(format!(
        "  {} of {} here come from it",
        ceremony.proved,
        counted(report.deposits, "deposit")
    ));
    let missing = &ceremony.missing;
    if !missing.is_empty() {
        let sum = missing
            .iter()
            .fold(0u64, |sum, row| sum.saturating_add(row.amount.0));
        cx.ui.data(format!(
            "  {} of its plan, {}, stand in none of these files:",
            counted(missing.len(), "deposit"),
            rules.display(Gwei(sum))
        ));
        for row in missing.iter().take(LISTED) {
            cx.ui.data(format!(
                "    validator {} ({}): {}",
                row.validator,
                row.pubkey,
                rules.display(row.amount)
            ));
        }
        more(missing.len(), cx);
    }
    cx.ui.data(format!("  plan code: {}", ceremony.plan_code));
    cx.ui
        .data(format!("  outcome code: {}", ceremony.outcome_code));
    cx.ui.note("compare the outcome code with the one that the operators read to each other: it shows that the record is theirs");
}

fn gets(validators: usize) -> String {
    let verb = if validators == 1 { "gets" } else { "get" };
    format!("{} {verb}", counted(validators, "validator"))
}

fn more(count: usize, cx: &mut Context) {
    if let Some(more) = count.checked_sub(LISTED).filter(|more| *more > 0) {
        cx.ui
            .data(format!("    and {more} more; --json has them all"));
    }
}

/// One line for each thing that is wrong, with the entries that it is wrong with.
fn grouped(findings: &[FindingRow]) -> Vec<(bool, String, &str)> {
    let mut order: Vec<(bool, &str)> = Vec::new();
    let mut groups: BTreeMap<(bool, &str), Vec<&FindingRow>> = BTreeMap::new();
    for finding in findings {
        let key = (finding.warning, finding.problem.as_str());
        let group = groups.entry(key).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push(finding);
    }
    order
        .into_iter()
        .filter_map(|key| {
            let group = groups.get(&key)?;
            let numbers: Vec<usize> = group.iter().filter_map(|finding| finding.entry).collect();
            let entries = match (group.as_slice(), numbers.as_slice()) {
                (_, []) => String::new(),
                ([one], [number]) => {
                    let pubkey = one.pubkey.as_deref().unwrap_or("unreadable");
                    format!("entry {number} (pubkey {pubkey}): ")
                }
                _ => format!("{} entries ({}): ", numbers.len(), ranges(&numbers)),
            };
            Some((key.0, entries, key.1))
        })
        .collect()
}
