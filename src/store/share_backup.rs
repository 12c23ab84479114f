//! A backup of the shares of one ceremony: a tar archive inside of an age file, and back.
//!
//! It holds what gives the shares back and nothing that opens more: plan, board, own messages and the
//! shares, never a ceremony secret and never the identity. Unlike in a backup of a home the shares
//! stand in clear inside of the age file: who opens it has them.
//!
//! Restoring says nothing new. Shares come back together with the confirm that speaks of them, or not
//! at all: a home that holds both only repeats what this operator said (docs/protocol.md section 14).
//! Of a cluster that was made elsewhere there is nothing to say: the archive holds its description in
//! place of plan and messages.

mod check;
mod error;
mod facts;

pub use error::ShareBackupError;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::archive::{self, Malformed};
use super::backup::{MAX_BACKUP_BYTES, MAX_BACKUP_FILES, is_plain};
use super::folder::safe_name;
use super::home::{Home, HomeError};
use super::imported;
use super::vault::{Marker, Vault, VaultError};
use crate::ceremony::imported::ImportedCluster;
use crate::ceremony::plan::Plan;
use crate::ceremony::session::{Session, label};
use crate::ceremony::shares::OwnShares;
use crate::crypto::identity::{IdentityKey, IdentityPublic};
use crate::crypto::scalar::Scalar;
use crate::crypto::sharing::Sharing;
use crate::hash::Digest;
use crate::json::{self, MAX_QUOTED_CHARS, excerpt};
use crate::protocol::confirm::ConfirmPayload;
use crate::secret::{Secret, SecretBytes};
use crate::wire::envelope::Kind;
use crate::wire::roster::Index;

/// The version of the archive.
pub const SHARE_BACKUP_VERSION: u64 = 1;

const PREFIX: &str = "conclave-shares/";
const ABOUT: &str = "backup.json";
const PLAN: &str = "plan.json";
const CLUSTER: &str = "cluster.json";
const SHARES: &str = "shares.bin";
const MAX_ABOUT_BYTES: usize = 64 << 10;

/// What a backup says of itself: `backup.json`, its first file. Fields in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareAbout {
    /// The ceremony.
    pub cid: Digest,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// How often the shares were dealt anew: never.
    pub epoch: u64,
    /// How many files follow.
    pub files: u64,
    /// Whose shares.
    pub identity: IdentityPublic,
    /// The operator's index.
    pub index: Index,
    /// The version of the tool that made it.
    pub tool: String,
    /// The transcript T that the shares belong to.
    pub transcript: Digest,
    /// For how many validators.
    pub validators: u64,
    /// [`SHARE_BACKUP_VERSION`].
    pub version: u64,
}

/// The shares of one ceremony with all that belongs to them, in memory. There is no other way in than
/// all checks.
#[derive(Debug)]
pub struct ShareBackup {
    about: ShareAbout,
    origin: Origin,
    blob: SecretBytes,
    shares: OwnShares,
}

/// What the shares come from.
#[derive(Debug)]
enum Origin {
    Ceremony(Box<CeremonyFiles>),
    Imported(Box<ImportedCluster>),
}

/// What belongs to shares that a ceremony made.
#[derive(Debug)]
struct CeremonyFiles {
    plan: Plan,
    board: BTreeMap<String, Vec<u8>>,
    own: BTreeMap<String, Vec<u8>>,
    /// The message hash of the own confirm, if there is one.
    confirmed: Option<Digest>,
}

/// What a home holds of the shares in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InHome {
    /// The very same.
    Same,
    /// None.
    Missing,
}

/// The files of an archive, in parts.
#[derive(Default)]
struct Files {
    about: Option<ShareAbout>,
    plan: Option<Vec<u8>>,
    cluster: Option<Vec<u8>>,
    blob: Option<SecretBytes>,
    board: BTreeMap<String, Vec<u8>>,
    own: BTreeMap<String, Vec<u8>>,
}

impl ShareBackup {
    /// Collects the shares of a ceremony or of an imported cluster. Returns beside it the files of its board that are no messages
    /// of it, which are left out.
    ///
    /// Without the ceremony's lock, which a `run` has that waits for this very backup: every file here is
    /// written once, by a rename, and an own message lies in `own` before it lies on the board, which is
    /// read first. Whatever is added meanwhile is in the backup or not, and what is in it fits.
    pub fn collect(
        home: &Home,
        cid: &Digest,
        created: u64,
    ) -> Result<(Self, Vec<String>), ShareBackupError> {
        let vault = Vault::new(home);
        let blob = vault.shares(cid)?.ok_or(ShareBackupError::NoShares(*cid))?;
        let shares = OwnShares::from_blob(&blob)?;
        if let Some(cluster) = imported::stored(home, cid)? {
            return Ok((
                Self::of_imported(home, cluster, blob, shares, created)?,
                Vec::new(),
            ));
        }
        let folder = vault.standing_board(cid)?;
        let damaged = |reason: String| HomeError::Malformed {
            path: folder.path().to_owned(),
            reason,
        };
        let plan =
            Plan::parse(&folder.plan_bytes()?).map_err(|error| damaged(error.to_string()))?;
        let mut total = blob.expose(Vec::len);
        let mut room = |bytes: &[u8]| {
            total = total.saturating_add(bytes.len()).saturating_add(1024);
            match total as u64 > MAX_BACKUP_BYTES >> 1 {
                true => Err(ShareBackupError::TooLarge),
                false => Ok(()),
            }
        };
        let session = Session::new(&plan);
        let (mut board, mut left) = (BTreeMap::new(), Vec::new());
        for file in folder.messages()? {
            let bytes = folder.read(&file.name)?;
            if !is_plain(&file.name) || session.read(&bytes).is_err() {
                left.push(file.name);
                continue;
            }
            room(&bytes)?;
            board.insert(file.name, bytes);
        }
        let mut own = BTreeMap::new();
        for file in vault.own(cid)? {
            if let Some(bytes) = vault.read_own(cid, &file.name)? {
                room(&bytes)?;
                own.insert(file.name, bytes);
            }
        }
        let files = board.len().saturating_add(own.len()).saturating_add(2);
        if files > MAX_BACKUP_FILES {
            return Err(ShareBackupError::TooLarge);
        }
        let index = Index::new(shares.index).map_err(|error| damaged(error.to_string()))?;
        let identity = IdentityKey::from_seed(&home.identity_seed()?).public();
        let about = ShareAbout::new(&shares, index, identity, files, created);
        let confirmed = check::ceremony(&about, &plan, &board, &own, &shares).map_err(damaged)?;
        let files = CeremonyFiles {
            plan,
            board,
            own,
            confirmed,
        };
        let backup = Self {
            about,
            origin: Origin::Ceremony(Box::new(files)),
            blob,
            shares,
        };
        Ok((backup, left))
    }

    fn of_imported(
        home: &Home,
        cluster: ImportedCluster,
        blob: SecretBytes,
        shares: OwnShares,
        created: u64,
    ) -> Result<Self, ShareBackupError> {
        let damaged = |reason: String| HomeError::Malformed {
            path: Vault::shares_path(home.root(), cluster.cid()),
            reason,
        };
        let index = Index::new(shares.index).map_err(|error| damaged(error.to_string()))?;
        let identity = IdentityKey::from_seed(&home.identity_seed()?).public();
        let about = ShareAbout::new(&shares, index, identity, 2, created);
        check::imported(&about, &cluster, &shares).map_err(damaged)?;
        Ok(Self {
            about,
            origin: Origin::Imported(Box::new(cluster)),
            blob,
            shares,
        })
    }

    /// Puts shares that were kept outside of every archive, on paper say, together with the messages
    /// of their ceremony, by name: all that an archive of them would hold. The own confirm among the
    /// messages says which deals the shares come from.
    pub fn of_record(
        plan: Plan,
        messages: BTreeMap<String, Vec<u8>>,
        index: Index,
        sharing: Sharing,
        shares: Vec<Scalar>,
        created: u64,
    ) -> Result<Self, ShareBackupError> {
        let operator = plan.roster().operator(index);
        let identity = operator.map(|operator| *operator.card.identity());
        let identity = identity.ok_or_else(|| malformed(&"the plan does not have its operator"))?;
        let session = Session::new(&plan);
        let mut own: BTreeMap<String, (Digest, Vec<u8>)> = BTreeMap::new();
        let mut confirm: Option<ConfirmPayload> = None;
        for bytes in messages.values() {
            let Ok(message) = session.read(bytes) else {
                continue;
            };
            if message.sender() != index {
                continue;
            }
            let hash = message.message_hash();
            // Of several confirms the one with the smallest hash counts, as everywhere.
            let name = safe_name(&label(&plan, &message));
            if own.get(&name).is_some_and(|(standing, _)| *standing < hash) {
                continue;
            }
            if message.kind() == Kind::Confirm {
                confirm = message.decode().ok();
            }
            own.insert(name, (hash, bytes.clone()));
        }
        let payload = confirm.ok_or(ShareBackupError::Unconfirmed(*plan.cid()))?;
        let shares = OwnShares {
            cid: *plan.cid(),
            index: index.get(),
            transcript: payload.transcript,
            deals: payload.deals,
            sharing,
            shares,
        };
        let own: BTreeMap<String, Vec<u8>> = own
            .into_iter()
            .map(|(name, (_, bytes))| (name, bytes))
            .collect();
        let files = messages.len().saturating_add(own.len()).saturating_add(2);
        let about = ShareAbout::new(&shares, index, identity, files, created);
        let blob = shares.to_blob()?;
        // Read back, so that every share is the secret of its public share, whoever calls.
        let shares = OwnShares::from_blob(&blob)?;
        let confirmed = check::ceremony(&about, &plan, &messages, &own, &shares)
            .map_err(|reason| malformed(&reason))?;
        let files = CeremonyFiles {
            plan,
            board: messages,
            own,
            confirmed,
        };
        Ok(Self {
            about,
            origin: Origin::Ceremony(Box::new(files)),
            blob,
            shares,
        })
    }

    /// The same shares with the messages of their ceremony's record, by name, for a backup that was made
    /// before this operator confirmed. The own confirm among them has to speak of these very shares: its
    /// transcript is computed anew from their public side.
    pub fn with_record(
        self,
        record: &Plan,
        messages: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, ShareBackupError> {
        let (about, Origin::Ceremony(files)) = (self.about, self.origin) else {
            return Err(malformed(&"an imported cluster has no record"));
        };
        if record.cid() != &about.cid {
            return Err(malformed(&"the record is another ceremony's"));
        }
        let OwnShares {
            sharing, shares, ..
        } = self.shares;
        let (index, created) = (about.index, about.created);
        Self::of_record(files.plan, messages, index, sharing, shares, created)
    }

    /// Writes it as a tar archive: the same contents, the same bytes.
    pub fn to_tar(&self) -> Result<SecretBytes, ShareBackupError> {
        let about = json::pretty(&self.about).map_err(|error| malformed(&error))?;
        self.blob.expose(|blob| {
            let named = |directory: &str, files: &BTreeMap<String, Vec<u8>>| {
                let names = files.keys().map(|name| format!("{directory}/{name}"));
                names.collect::<Vec<_>>()
            };
            let nothing = BTreeMap::new();
            let (board, own, origin) = match &self.origin {
                Origin::Ceremony(files) => (&files.board, &files.own, (PLAN, files.plan.bytes())),
                Origin::Imported(cluster) => (&nothing, &nothing, (CLUSTER, cluster.bytes())),
            };
            let names = [named("board", board), named("own", own)].concat();
            let files = || {
                let messages = names.iter().zip(board.values().chain(own.values()));
                std::iter::once((ABOUT, about.as_slice()))
                    .chain(messages.map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
                    .chain([origin, (SHARES, blob.as_slice())])
            };
            // The whole capacity at once: growing would leave unwiped copies of shares behind.
            let size = archive::size(files().map(|(_, bytes)| bytes.len()));
            let mut tar = Secret::new(Vec::with_capacity(size));
            tar.expose_mut(|tar| archive::write(tar, PREFIX, self.about.created, files()))?;
            Ok(tar)
        })
    }

    /// Reads a tar archive of [`Self::to_tar`] and makes every check: each share is the secret of its
    /// public share, the public shares are those that the deals' signatures and the own confirm stand
    /// for, every message is one of this ceremony.
    pub fn from_tar(bytes: &[u8]) -> Result<Self, ShareBackupError> {
        let mut files = Files::default();
        let form = archive::Form {
            holder: "a backup of shares",
            prefix: PREFIX,
            is_file: has_name,
        };
        form.read(bytes, &mut |name, contents| files.take(&name, contents))?;
        let missing = |name: &str| malformed(&format!("it holds no {name}"));
        let about = files.about.ok_or_else(|| missing(ABOUT))?;
        if files.plan.is_none() && files.cluster.is_none() {
            return Err(missing(PLAN));
        }
        let blob = files.blob.ok_or_else(|| missing(SHARES))?;
        let (board, own) = (files.board, files.own);
        let count = board.len().saturating_add(own.len());
        if about.files != count.saturating_add(2) as u64 {
            return Err(malformed(&"it does not hold as many files as it says"));
        }
        let shares = || OwnShares::from_blob(&blob).map_err(|error| malformed(&error));
        let (origin, shares) = match (files.plan, files.cluster) {
            (Some(plan), None) => {
                let plan = Plan::parse(&plan).map_err(|error| {
                    malformed(&error.to_string().lines().next().unwrap_or_default())
                })?;
                let shares = shares()?;
                let confirmed = check::ceremony(&about, &plan, &board, &own, &shares)
                    .map_err(|reason| malformed(&reason))?;
                let files = CeremonyFiles {
                    plan,
                    board,
                    own,
                    confirmed,
                };
                (Origin::Ceremony(Box::new(files)), shares)
            }
            (None, Some(cluster)) if count == 0 => {
                let cluster =
                    ImportedCluster::parse(&cluster).map_err(|error| malformed(&error))?;
                let shares = shares()?;
                check::imported(&about, &cluster, &shares).map_err(|reason| malformed(&reason))?;
                (Origin::Imported(Box::new(cluster)), shares)
            }
            (_, None) => return Err(missing(PLAN)),
            (_, Some(_)) => {
                return Err(malformed(
                    &"it holds an imported cluster, and files of a ceremony beside it",
                ));
            }
        };
        Ok(Self {
            about,
            origin,
            blob,
            shares,
        })
    }

    /// Says what the home holds of these shares; others of the same ceremony are an error.
    pub fn compare(&self, home: &Home) -> Result<InHome, ShareBackupError> {
        match Vault::new(home).shares(&self.about.cid)? {
            None => Ok(InHome::Missing),
            Some(standing) if standing.ct_eq(&self.blob) => Ok(InHome::Same),
            Some(_) => Err(ShareBackupError::OtherShares(self.about.cid)),
        }
    }

    /// Puts the shares into a home of the same identity, with plan, board, own messages and the card,
    /// whose secret is in no backup of shares. Nothing is overwritten, and everything that could refuse
    /// is asked before anything is written. Repeated after a crash it goes on. Returns what the home
    /// held before.
    pub fn restore(&self, home: &Home) -> Result<InHome, ShareBackupError> {
        let cid = &self.about.cid;
        let identity = IdentityKey::from_seed(&home.identity_seed()?).public();
        if identity != self.about.identity {
            return Err(ShareBackupError::OtherIdentity {
                backup: self.about.identity,
                home: identity,
            });
        }
        let files = match &self.origin {
            Origin::Ceremony(files) => files,
            Origin::Imported(cluster) => {
                let before = imported::put(home, cluster, &self.shares)?;
                return Ok(match before {
                    true => InHome::Same,
                    false => InHome::Missing,
                });
            }
        };
        let confirmed = files.confirmed.ok_or(ShareBackupError::Unconfirmed(*cid))?;
        let _lock = home.lock_ceremony(cid)?;
        let vault = Vault::new(home);
        let before = self.compare(home)?;
        if vault.marker(cid, Marker::Abandoned)?.is_some() {
            return Err(ShareBackupError::Vault(VaultError::Excluded {
                cid: *cid,
                standing: Marker::Abandoned,
                wanted: Marker::Confirmed,
            }));
        }
        let mut own = Vec::new();
        for (name, bytes) in &files.own {
            match vault.read_own(cid, name)? {
                None => own.push((name, bytes)),
                // Another release writes the same message in other bytes; what stands may have left.
                Some(standing) if check::same_message(&standing, bytes) => {}
                Some(_) => {
                    let path = home.path(&format!("ceremonies/{cid}/own/{name}"))?;
                    return Err(VaultError::SaidDifferently(path).into());
                }
            }
        }
        let board = vault.board(cid, files.plan.bytes())?;
        for (name, bytes) in &files.board {
            board.put(name, bytes)?;
        }
        // What was said before what follows from it: a home that knows its confirm says nothing else.
        for (name, bytes) in own {
            vault.put_own(cid, name, bytes)?;
        }
        vault.mark(cid, Marker::Confirmed, confirmed.as_bytes())?;
        vault.store_shares(cid, &self.blob)?;
        let operator = files.plan.roster().operator(self.about.index);
        if let Some(card) = operator.map(|operator| &operator.card) {
            let key = card.encryption_key().to_bytes();
            home.put_spent_card(card.bytes(), &key)?;
            // Confirmed already, so never open: this keeps no card's secret alive.
            vault.mark(cid, Marker::Accepted, &key)?;
        }
        Ok(before)
    }
}

impl ShareAbout {
    fn new(
        shares: &OwnShares,
        index: Index,
        identity: IdentityPublic,
        files: usize,
        created: u64,
    ) -> Self {
        Self {
            cid: shares.cid,
            created,
            epoch: 0,
            files: files as u64,
            identity,
            index,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            transcript: shares.transcript,
            validators: shares.sharing.validators() as u64,
            version: SHARE_BACKUP_VERSION,
        }
    }
}

impl Files {
    fn take(&mut self, name: &str, contents: Vec<u8>) -> Result<(), ShareBackupError> {
        let twice = || malformed(&format!("it holds {name} twice"));
        if name == ABOUT {
            let first = self.plan.is_none() && self.cluster.is_none() && self.blob.is_none();
            if self.about.is_some() || !first || !self.board.is_empty() || !self.own.is_empty() {
                return Err(malformed(&format!("{ABOUT} is not its first file")));
            }
            self.about = Some(read_about(&contents)?);
            return Ok(());
        }
        let again = match name.split_once('/') {
            Some(("board", file)) => self.board.insert(file.to_owned(), contents).is_some(),
            Some((_, file)) => self.own.insert(file.to_owned(), contents).is_some(),
            None if name == PLAN => self.plan.replace(contents).is_some(),
            None if name == CLUSTER => self.cluster.replace(contents).is_some(),
            None => self.blob.replace(Secret::new(contents)).is_some(),
        };
        match again {
            true => Err(twice()),
            false => Ok(()),
        }
    }
}

impl From<Malformed> for ShareBackupError {
    fn from(Malformed(reason): Malformed) -> Self {
        malformed(&reason)
    }
}

fn has_name(name: &str) -> bool {
    match name.split_once('/') {
        Some(("board" | "own", file)) => is_plain(file),
        Some(_) => false,
        None => matches!(name, ABOUT | PLAN | CLUSTER | SHARES),
    }
}

fn read_about(bytes: &[u8]) -> Result<ShareAbout, ShareBackupError> {
    let value = json::parse(bytes, MAX_ABOUT_BYTES).map_err(|error| malformed(&error))?;
    match value.get("version").and_then(Value::as_u64) {
        Some(version) if version != SHARE_BACKUP_VERSION => Err(ShareBackupError::Version(version)),
        _ => json::decode(&value).map_err(|error| malformed(&error)),
    }
}

fn malformed(reason: &dyn std::fmt::Display) -> ShareBackupError {
    ShareBackupError::Malformed(excerpt(&reason.to_string(), MAX_QUOTED_CHARS))
}
