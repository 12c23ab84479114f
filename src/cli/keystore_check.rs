//! `keystore check`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Context;
use super::error::{CommandError, ErrorCode};
use super::values::counted;
use crate::ethereum::keystore::{Keystore, MAX_BYTES};
use crate::json::Hex;
use crate::secret::Passphrase;
use crate::store::disk::Kind;

const EXAMPLE: &str = "\
Reads: the keystores, and where no flag names a passphrase, the .txt file beside each.
Ends with 1 when one of them fails.

Example:
  conclave keystore check validator_keys/ --passphrase-file keystores.txt";

/// Check keystores of any tool (EIP-2335)
///
/// Checks the structure and the cost of the key derivation. With a passphrase it also decrypts the
/// secret, in memory only, and checks that it belongs to the public key that the file names. The
/// passphrase comes from the global flags, or from keystore-x.txt beside keystore-x.json.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct CheckArgs {
    /// Keystores, or folders with keystore*.json files
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
    /// Check the structure only
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
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
    warnings: Vec<String>,
}

pub(super) fn run(args: &CheckArgs, cx: &mut Context) -> Result<(), CommandError> {
    let mut files = Vec::new();
    for path in &args.paths {
        match cx.disk.kind(path)? {
            Some(Kind::Directory) => files.extend(keystores_in(path, cx)?),
            _ => files.push(path.clone()),
        }
    }
    let passphrase = if args.no_decrypt {
        None
    } else {
        cx.flag_passphrase()?
    };
    let mut rows = Vec::new();
    let mut seen = BTreeMap::new();
    for file in &files {
        let mut row = check(file, passphrase.as_ref(), args.no_decrypt, cx);
        if let Some(pubkey) = &row.pubkey
            && let Some(earlier) = seen.insert(pubkey.clone(), row.file.clone())
        {
            row.warnings.push(format!(
                "{earlier} has the same public key; a key in two clients is slashed"
            ));
        }
        if !args.json {
            cx.ui.data(line(&row));
            for warning in &row.warnings {
                cx.ui.warn(format!("{}: {warning}", row.file));
            }
        }
        rows.push(row);
    }
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

fn keystores_in(folder: &Path, cx: &Context) -> Result<Vec<PathBuf>, CommandError> {
    let entries = cx.disk.list(folder)?;
    let files: Vec<PathBuf> = entries
        .iter()
        .filter(|entry| entry.kind != Kind::Unnameable)
        .filter(|entry| entry.name.starts_with("keystore") && entry.name.ends_with(".json"))
        .map(|entry| folder.join(&entry.name))
        .collect();
    if files.is_empty() {
        return Err(
            CommandError::of(ErrorCode::FILE_MISSING, "holds no keystore*.json file").about(folder),
        );
    }
    Ok(files)
}

fn check(file: &Path, given: Option<&Passphrase>, no_decrypt: bool, cx: &mut Context) -> Row {
    let mut row = Row {
        file: file.display().to_string(),
        ok: false,
        pubkey: None,
        key_derivation: None,
        decrypted: false,
        problem: None,
        warnings: Vec::new(),
    };
    match examine(file, given, no_decrypt, &mut row, cx) {
        Ok(()) => row.ok = true,
        Err(error) => row.problem = Some(error.message().to_owned()),
    }
    row
}

fn examine(
    file: &Path,
    given: Option<&Passphrase>,
    no_decrypt: bool,
    row: &mut Row,
    cx: &mut Context,
) -> Result<(), CommandError> {
    let keystore = Keystore::parse(&cx.read(file, MAX_BYTES)?)?;
    row.pubkey = Some(Hex(*keystore.pubkey()).to_string());
    row.key_derivation = Some(keystore.key_derivation());
    if keystore.is_cheap_to_guess() {
        let cost = keystore.key_derivation();
        row.warnings.push(format!(
            "{cost} is below the usual cost: the passphrase is easier to guess"
        ));
    }
    if no_decrypt {
        return Ok(());
    }
    let beside = file.with_extension("txt");
    let found;
    let passphrase = match given {
        Some(passphrase) => passphrase,
        None if cx.disk.kind(&beside)?.is_some() => {
            found = cx.passphrase_in(&beside)?;
            &found
        }
        None => return Ok(()),
    };
    keystore.decrypt(passphrase)?;
    row.decrypted = true;
    Ok(())
}

fn line(row: &Row) -> String {
    if let Some(problem) = &row.problem {
        return format!("{}: FAILED: {problem}", row.file);
    }
    let pubkey = row.pubkey.as_deref().unwrap_or_default();
    let cost = row.key_derivation.as_deref().unwrap_or_default();
    let opened = if row.decrypted {
        "decrypted, the secret has this public key"
    } else {
        "not decrypted"
    };
    format!("{}: ok, pubkey {pubkey}, {cost}, {opened}", row.file)
}
