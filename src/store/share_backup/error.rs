//! Why a backup of shares was refused.

use super::SHARE_BACKUP_VERSION;
use crate::ceremony::shares::SharesError;
use crate::crypto::identity::IdentityPublic;
use crate::hash::Digest;
use crate::store::backup::{MAX_BACKUP_BYTES, MAX_BACKUP_FILES};
use crate::store::folder::FolderError;
use crate::store::home::HomeError;
use crate::store::imported::ImportError;
use crate::store::vault::VaultError;

/// Why shares could not be backed up, checked or restored.
#[derive(Debug, thiserror::Error)]
pub enum ShareBackupError {
    /// The home refused.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The ceremony's folder refused.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The stored shares are damaged.
    #[error(transparent)]
    Shares(#[from] SharesError),
    /// The shares of an imported cluster were refused.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The vault holds no shares of the ceremony.
    #[error("this home holds no shares of ceremony {}", .0.short())]
    NoShares(Digest),
    /// The ceremony is larger than a backup may be.
    #[error(
        "the ceremony holds more than {MAX_BACKUP_FILES} files or {MAX_BACKUP_BYTES} bytes; back the home up instead"
    )]
    TooLarge,
    /// The archive is not one that this tool wrote, or not a whole one.
    #[error("is no backup of shares: {0}; nothing was written")]
    Malformed(String),
    /// The archive is of another version.
    #[error(
        "is a backup of shares of version {0}; this tool reads version {SHARE_BACKUP_VERSION}; nothing was written"
    )]
    Version(u64),
    /// The home has another identity.
    #[error(
        "is a backup of the shares of {backup}, and this home is {home}'s: shares never change hands; nothing was written"
    )]
    OtherIdentity {
        /// Whose shares.
        backup: IdentityPublic,
        /// Whose home.
        home: IdentityPublic,
    },
    /// The home holds other shares of the same ceremony.
    #[error(
        "this home holds other shares of ceremony {} than the backup; they are never mixed, and nothing was written", .0.short()
    )]
    OtherShares(Digest),
    /// The backup was made before this operator confirmed.
    #[error(
        "holds shares of ceremony {} that were not confirmed when it was made: they come back together with the confirm in the record of the complete ceremony, or not at all; nothing was written", .0.short()
    )]
    Unconfirmed(Digest),
}
