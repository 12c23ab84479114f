//! Backups as files: encrypted to a passphrase of their own or to age recipients, read back, and
//! opened again.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use super::error::{CommandError, ErrorCode, Kind, plugin};
use super::unlock::Sealing;
use crate::secret::{Passphrase, SecretBytes};
use crate::store::backup::MAX_BACKUP_BYTES;
use crate::store::disk::Access;
use crate::store::share_backup::ShareBackup;
use crate::store::wrap::{Unlock, WorkFactor, Wrap, WrapError, is_passphrase_file, seal, unseal};

/// The flags that answer who may open a new backup.
pub(super) const TWIN: &str =
    "--backup-passphrase-file FILE, --backup-passphrase-fd N or --recipient AGE_RECIPIENT";

/// Where a backup's own passphrase is.
#[derive(Debug, Args)]
pub(super) struct BackupPassphrase {
    /// Read the backup's own passphrase from FILE [default: asked for]
    #[arg(long, value_name = "FILE")]
    backup_passphrase_file: Option<PathBuf>,
    /// Read the backup's own passphrase from the open file descriptor N
    #[arg(long, value_name = "N", conflicts_with = "backup_passphrase_file")]
    backup_passphrase_fd: Option<u32>,
}

impl BackupPassphrase {
    /// Whether a flag names one.
    pub(super) fn is_given(&self) -> bool {
        self.backup_passphrase_file.is_some() || self.backup_passphrase_fd.is_some()
    }

    /// The passphrase that a flag names.
    pub(super) fn given(&self, cx: &mut Context) -> Result<Option<Passphrase>, CommandError> {
        let file = self.backup_passphrase_file.as_deref();
        cx.passphrase_of(file, self.backup_passphrase_fd)
    }
}

/// Who may open a new backup.
pub(super) enum By {
    /// Whoever knows it.
    Passphrase(Passphrase),
    /// The holders of these keys.
    Recipients(Sealing),
}

/// Encrypts `plain` into a new file, readable by its owner alone, and compares what stands there then.
/// Returns whether it was opened again, which takes a passphrase: what is encrypted to somebody's age
/// key only its owner can open.
pub(super) fn write(
    cx: &Context,
    output: &Path,
    by: By,
    plain: &[u8],
) -> Result<bool, CommandError> {
    let sealed = |error| told(output, error);
    let (file, opens) = match by {
        By::Passphrase(passphrase) => {
            let wraps = [Wrap::Passphrase(passphrase, WorkFactor::DEFAULT)];
            let file = seal(&wraps, plain).map_err(sealed)?;
            let [Wrap::Passphrase(passphrase, _)] = wraps else {
                return Err(CommandError::new(Kind::Bug, "no passphrase"));
            };
            (file, Some(Unlock::Passphrase(passphrase)))
        }
        By::Recipients(sealing) => (
            sealing.seal(|wraps| seal(wraps, plain).map_err(sealed))?,
            None,
        ),
    };
    cx.disk.create(output, &file, Access::Private)?;
    let back = cx.disk.read(output, MAX_BACKUP_BYTES)?;
    let same = match &opens {
        Some(unlock) => unseal(&back, unlock)
            .map_err(sealed)?
            .expose(|opened| *opened == plain),
        None => back == file,
    };
    match same {
        true => Ok(opens.is_some()),
        false => Err(differs(output)),
    }
}

/// A backup that is not what was written.
pub(super) fn differs(output: &Path) -> CommandError {
    CommandError::of(
        ErrorCode::DISK_FAILED,
        "the backup does not read back as it was written; do not trust this disk",
    )
    .about(output)
}

/// A kind of backup, as it is opened.
pub(super) struct Kept {
    /// Of what, in words.
    of: &'static str,
    /// The flag that names an age identity file for it.
    unlock: &'static str,
}

/// A backup of a home.
pub(super) const HOME: Kept = Kept {
    of: "a home",
    unlock: "--unlock FILE",
};

/// A backup of shares.
const SHARES: Kept = Kept {
    of: "shares",
    unlock: "--backup-unlock FILE",
};

impl Kept {
    /// Opens a backup: by its passphrase, or with the age identity file at `keys`. Returns the file
    /// beside what is in it.
    pub(super) fn open(
        &self,
        cx: &mut Context,
        path: &Path,
        passphrase: &BackupPassphrase,
        keys: Option<&Path>,
    ) -> Result<(Vec<u8>, SecretBytes), CommandError> {
        let file = cx.disk.read(path, MAX_BACKUP_BYTES)?;
        let sealed = |error| told(path, error);
        let plain = if is_passphrase_file(&file) {
            let passphrase = match passphrase.given(cx)? {
                Some(passphrase) => passphrase,
                None => cx.asked_passphrase(
                    "passphrase of the backup",
                    "--backup-passphrase-file FILE or --backup-passphrase-fd N",
                )?,
            };
            unseal(&file, &Unlock::Passphrase(passphrase)).map_err(sealed)?
        } else if !file.starts_with(b"age-encryption.org/") {
            return Err(CommandError::of(
                ErrorCode::BACKUP_INVALID,
                format!(
                    "is no backup of {}: it is no age file; nothing was written",
                    self.of
                ),
            )
            .about(path));
        } else if let Some(keys) = keys {
            let keys = cx.unlock_file(keys)?;
            keys.open(|unlock| unseal(&file, unlock).map_err(sealed))?
        } else {
            return Err(CommandError::of(
                ErrorCode::HOME_KEY_KIND,
                "the backup opens with an age key, not with a passphrase; nothing was written",
            )
            .about(path)
            .hint(format!("name its age identity file with {}", self.unlock)));
        };
        Ok((file, plain))
    }
}

/// The flags that open a backup of shares.
#[derive(Debug, Args)]
pub(super) struct ShareBackupKey {
    #[command(flatten)]
    passphrase: BackupPassphrase,
    /// Open the backup with the age identity in FILE [default: that of --unlock]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["backup_passphrase_file", "backup_passphrase_fd"])]
    backup_unlock: Option<PathBuf>,
}

impl ShareBackupKey {
    /// Opens a backup of shares and makes every check. Returns the file beside what is in it.
    pub(super) fn open(
        &self,
        cx: &mut Context,
        path: &Path,
    ) -> Result<(Vec<u8>, ShareBackup), CommandError> {
        let keys = self.backup_unlock.clone().or(cx.global.unlock.clone());
        let (file, plain) = SHARES.open(cx, path, &self.passphrase, keys.as_deref())?;
        let backup = plain
            .expose(|tar| ShareBackup::from_tar(tar))
            .map_err(|error| CommandError::from(error).about(path))?;
        Ok((file, backup))
    }
}

fn told(path: &Path, error: WrapError) -> CommandError {
    let text = format!("{} {error}; nothing was restored or kept", path.display());
    match &error {
        WrapError::WrongPassphrase => CommandError::of(
            ErrorCode::WRONG_PASSPHRASE,
            format!("the passphrase does not open the backup {}", path.display()),
        ),
        WrapError::WrongKey => CommandError::of(
            ErrorCode::WRONG_IDENTITY,
            format!(
                "no key of that identity file opens the backup {}",
                path.display()
            ),
        ),
        WrapError::NoPlugin(_) | WrapError::Plugin(_) => {
            plugin(CommandError::of(ErrorCode::PLUGIN_FAILED, text), &error)
        }
        _ => CommandError::of(ErrorCode::BACKUP_INVALID, text),
    }
}
