//! `keystore check`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Context;
use super::capacity::KeystoreMemory;
use super::error::{CommandError, ErrorCode};
use super::lanes::{self, Job as _, in_order};
use super::progress::Progress;
use super::values::counted;
use crate::ceremony::{Observer as _, Stage};
use crate::ethereum::keystore::{CapacityError, ForeignKeystore, MAX_BYTES};
use crate::json::Hex;
use crate::secret::Passphrase;
use crate::store::disk::Kind;

const EXAMPLE: &str = "\
Reads: the keystores, and where no flag names a passphrase, the file that holds it: keystore-x.txt
beside keystore-x.json, passwords/keystore-x.txt beside the keys' folder (Teku), or secrets/0x*
beside the validators' folder (Lighthouse). Folders are searched four levels deep for
keystore*.json and voting-keystore.json. Writes nothing and shows no secret.

Keystores are opened on all cores, as many at once as fit into memory.
Ends with 1 when one of them fails.

Example:
  conclave keystore check validator_keys/ --keystore-passphrase-file keystores.txt";

/// Check keystores of any tool (EIP-2335)
///
/// Checks the structure and the cost of the key derivation, and says which clients refuse what is
/// unusual. With a passphrase it also decrypts the secret, in memory only, and checks that it belongs
/// to the public key that the file names.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct CheckArgs {
    /// Keystores, or folders that hold some
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
    /// Open all of them with the passphrase in FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    keystore_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    memory: KeystoreMemory,
    /// Check the structure only
    #[arg(long, conflicts_with_all = ["keystore_passphrase_file", "passphrase_file", "passphrase_fd"])]
    no_decrypt: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    file: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pubkey: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_derivation: Option<String>,
    decrypted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    refused_by: Vec<Refusal>,
    warnings: Vec<String>,
}

/// A client that does not take the file, and why.
#[derive(Serialize)]
struct Refusal {
    client: &'static str,
    reason: &'static str,
}

/// The most keystores of one call, and how deep folders are searched.
const MAX_FILES: usize = 100_000;
pub(super) const MAX_DEPTH: usize = 4;

/// A keystore that was read and is yet to be opened.
struct Job {
    row: Row,
    opening: Option<(ForeignKeystore, Passphrase)>,
}

impl lanes::Job for Job {
    fn bytes(&self) -> u64 {
        let opening = self.opening.as_ref();
        opening.map_or(0, |(keystore, _)| keystore.crypto().memory_bytes())
    }
}

pub(super) fn run(args: &CheckArgs, cx: &mut Context) -> Result<(), CommandError> {
    let mut files = Vec::new();
    for path in &args.paths {
        match cx.disk.kind(path)? {
            Some(Kind::Directory) => {
                let before = files.len();
                search(path, MAX_DEPTH, &mut files, cx)?;
                if files.len() == before {
                    let words = "holds no keystore*.json file";
                    return Err(CommandError::of(ErrorCode::FILE_MISSING, words).about(path));
                }
            }
            _ => files.push(path.clone()),
        }
    }
    let given = match &args.keystore_passphrase_file {
        Some(path) => Some(cx.passphrase_in(path)?),
        None if args.no_decrypt => None,
        None => cx.flag_passphrase()?,
    };
    let bar = Progress::new(cx.global.quiet);
    let mut rows: Vec<Row> = Vec::new();
    let mut seen = BTreeMap::new();
    let capacity = args.memory.capacity();
    let prepare = |file: &PathBuf, cx: &mut Context| {
        let mut job = prepare(file, given.as_ref(), args.no_decrypt, cx);
        let needed = job.bytes();
        if capacity.at_once(needed) == 0 {
            job.opening = None;
            job.row.ok = false;
            let error = CapacityError::Memory { needed, capacity };
            job.row.problem = Some(error.to_string());
        }
        job
    };
    // Told in the order of the files, each as soon as those before it are told.
    let mut told = |mut row: Row, cx: &mut Context| {
        if let Some(pubkey) = &row.pubkey
            && let Some(earlier) = seen.insert(pubkey.clone(), row.file.clone())
        {
            row.warnings.push(format!(
                "{earlier} has the same public key; a key in two clients is slashed"
            ));
        }
        if !args.json {
            bar.aside(|| tell(&row, cx));
        }
        rows.push(row);
        bar.progress(Stage::Keystores, rows.len(), files.len());
    };
    in_order(capacity, &files, cx, prepare, open, &mut told)?;
    if args.json {
        cx.ui.json(&serde_json::json!({ "keystores": rows }))?;
    }
    let bad = rows.iter().filter(|row| !row.ok).count();
    if bad > 0 {
        let all = counted(rows.len(), "keystore");
        return Err(CommandError::of(
            ErrorCode::KEYSTORE_INVALID,
            format!("{bad} of {all} failed; no file was changed"),
        ));
    }
    Ok(())
}

/// Adds the keystores of a folder and of those in it, by name.
pub(super) fn search(
    folder: &Path,
    depth: usize,
    files: &mut Vec<PathBuf>,
    cx: &Context,
) -> Result<(), CommandError> {
    for entry in cx.disk.list(folder)? {
        let name = entry.name.as_str();
        let named = name == "voting-keystore.json"
            || (name.starts_with("keystore") && name.ends_with(".json"));
        match entry.kind {
            Kind::Unnameable => {}
            Kind::Directory if depth > 1 && !name.starts_with('.') => {
                search(&folder.join(name), depth.saturating_sub(1), files, cx)?;
            }
            Kind::Directory => {}
            _ if named => files.push(folder.join(name)),
            _ => {}
        }
        if files.len() > MAX_FILES {
            return Err(CommandError::failed(format!(
                "holds more than {MAX_FILES} keystores; name parts of it"
            ))
            .about(folder));
        }
    }
    Ok(())
}

/// Reads one keystore and finds its passphrase.
fn prepare(file: &Path, given: Option<&Passphrase>, no_decrypt: bool, cx: &mut Context) -> Job {
    let mut row = Row {
        file: file.display().to_string(),
        ok: false,
        pubkey: None,
        key_derivation: None,
        decrypted: false,
        problem: None,
        refused_by: Vec::new(),
        warnings: Vec::new(),
    };
    match examine(file, given, no_decrypt, &mut row, cx) {
        Ok(opening) => {
            row.ok = true;
            Job { row, opening }
        }
        Err(error) => {
            row.problem = Some(error.message().to_owned());
            Job { row, opening: None }
        }
    }
}

fn examine(
    file: &Path,
    given: Option<&Passphrase>,
    no_decrypt: bool,
    row: &mut Row,
    cx: &mut Context,
) -> Result<Option<(ForeignKeystore, Passphrase)>, CommandError> {
    let keystore = ForeignKeystore::parse(&cx.read(file, MAX_BYTES)?)?;
    row.pubkey = keystore.pubkey().map(|bytes| Hex(*bytes).to_string());
    let cost = keystore.crypto().key_derivation();
    if keystore.crypto().is_cheap_to_guess() {
        row.warnings.push(format!(
            "{cost} is below the usual cost: the passphrase is easier to guess"
        ));
    }
    row.key_derivation = Some(cost);
    for remark in keystore.remarks() {
        let refusals = remark.refused_by.iter().map(|client| Refusal {
            client,
            reason: remark.what,
        });
        row.refused_by.extend(refusals);
        row.warnings.push(format!(
            "{}: refused by {}",
            remark.what,
            remark.refused_by.join(", ")
        ));
    }
    if no_decrypt {
        return Ok(None);
    }
    let passphrase = match given {
        Some(passphrase) => Some(passphrase.expose(|text| Passphrase::new(text.to_owned()))?),
        None => found_passphrase(file, cx)?,
    };
    Ok(passphrase.map(|passphrase| (keystore, passphrase)))
}

/// The passphrase that lies where other tools keep it.
pub(super) fn found_passphrase(
    file: &Path,
    cx: &mut Context,
) -> Result<Option<Passphrase>, CommandError> {
    let beside = file.with_extension("txt");
    let folder = file.parent();
    let outer = folder.and_then(Path::parent);
    let mut places = vec![beside.clone()];
    if let (Some(outer), Some(name)) = (outer, beside.file_name()) {
        places.push(outer.join("passwords").join(name));
    }
    if let (Some(name), Some(root)) = (
        folder.and_then(Path::file_name),
        outer.and_then(Path::parent),
    ) {
        places.push(root.join("secrets").join(name));
    }
    for place in places {
        if matches!(cx.disk.kind(&place), Ok(Some(Kind::File))) {
            return cx.passphrase_in(&place).map(Some);
        }
    }
    Ok(None)
}

fn open(job: Job) -> Row {
    let Job { mut row, opening } = job;
    let Some((keystore, passphrase)) = opening else {
        return row;
    };
    match keystore.open(&passphrase) {
        Ok(pubkey) => {
            row.decrypted = true;
            row.pubkey = Some(Hex(pubkey).to_string());
        }
        Err(error) => {
            row.ok = false;
            row.problem = Some(error.to_string());
        }
    }
    row
}

fn tell(row: &Row, cx: &mut Context) {
    cx.ui.data(line(row));
    for warning in &row.warnings {
        cx.ui.warn(format!("{}: {warning}", row.file));
    }
}

fn line(row: &Row) -> String {
    if let Some(problem) = &row.problem {
        return format!("{}: FAILED: {problem}", row.file);
    }
    let pubkey = row.pubkey.as_deref().unwrap_or("not named");
    let cost = row.key_derivation.as_deref().unwrap_or_default();
    let opened = if row.decrypted {
        "decrypted, the secret has this public key"
    } else {
        "not decrypted"
    };
    format!("{}: ok, pubkey {pubkey}, {cost}, {opened}", row.file)
}
