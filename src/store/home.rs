//! An operator's home: a directory whose secrets are encrypted to one home key.
//!
//! ```text
//! home.json                       public: identity, home key, how it is wrapped
//! home-key.age                    the home key, wrapped
//! identity.age                    the identity's 32-byte Ed25519 seed
//! cards/<16 hex of E_i>/          card.json, and secret.age until the card is spent
//! ceremonies/<cid>/…              board, own messages, markers (see `vault`)
//! imported/<cid>/…                clusters that were made elsewhere (see `imported`)
//! vault/<cid>/shares.age          shares
//! lock                            held for what ceremonies share; see below
//! locks/<cid>                     held while a process is at work in that ceremony
//! home-key.next                   only while the home key is wrapped anew; see `rewrap`
//! ```
//!
//! Several processes may use one home. Each ceremony's files belong to the process that holds the
//! ceremony's lock ([`Home::lock_ceremony`]). What ceremonies share, the files in the root and the
//! cards, is changed only under the home's own lock ([`Home::lock`]), which is held for moments: a
//! key derivation never falls under it. Who needs both takes the ceremony's first.
//!
//! Promises: a secret is encrypted in memory and only then written, so that no file, temporary ones
//! included, ever holds it in clear; nothing is overwritten; every call has fsynced when it returns.
//! A home comes into being whole, by one rename: a process killed earlier leaves a directory
//! `.tmp-…-conclave` beside it, which the next attempt reuses; its identity was never shown.
//!
//! [`Home::destroy_secret`] unlinks a file. Flash storage and journals may keep its old blocks for a
//! while; what they keep is encrypted to the home key.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::disk::{Access, Disk, DiskError, DiskLock, Kind};
use super::wrap::{HomeKey, Unlock, Wrap, WrapError};
use crate::hash::Digest;
use crate::json::{self, encode_hex};
use crate::secret::{Secret, SecretBytes, Seed};

const MAX_CARD_BYTES: u64 = crate::wire::card::MAX_CARD_BYTES as u64;

mod public;
mod rewrap;

use public::describe;
pub use public::{HomePublic, WrappedBy};

/// The version of the layout above.
pub const HOME_VERSION: u32 = 1;

const DESCRIPTION: &str = "home.json";
const KEY: &str = "home-key.age";
const IDENTITY: &str = "identity.age";
const LOCK: &str = "lock";
const LOCKS: &str = "locks";
const CARDS: &str = "cards";
const CARD: &str = "card.json";
const CARD_SECRET: &str = "secret.age";
const SMALL_FILE_BYTES: u64 = 64 << 10;

/// How often the home's lock is tried for; each try waits half a second. It is held for moments, by a
/// backup for as long as the home takes to be read.
const LOCK_TRIES: u32 = 20;

/// Why a home could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HomeError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A home stands there already.
    #[error("a home with the identity {identity} stands at {} already; nothing was changed", root.display())]
    Exists {
        /// The home.
        root: PathBuf,
        /// Its identity.
        identity: String,
    },
    /// The directory is not empty, and is no home.
    #[error("{} holds other files; a new home needs an empty or new directory; nothing was changed", .0.display())]
    Occupied(PathBuf),
    /// No home stands there.
    #[error("there is no home at {}", .0.display())]
    NoHome(PathBuf),
    /// A file did not encrypt or decrypt.
    #[error("{} {reason}; nothing was changed", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: WrapError,
    },
    /// The passphrase does not open this home.
    #[error("the passphrase does not open the home at {}; nothing was changed", .0.display())]
    WrongPassphrase(PathBuf),
    /// No key of the identity file opens this home.
    #[error("no key of that identity file opens the home at {}, which is wrapped to {recipient}; nothing was changed", root.display())]
    WrongIdentity {
        /// The home.
        root: PathBuf,
        /// What it is wrapped to.
        recipient: String,
    },
    /// Another process is at work in this ceremony.
    #[error("another conclave is at work in this ceremony, with the home at {}; nothing was done here", .0.display())]
    CeremonyBusy(PathBuf),
    /// A file of the home does not hold what it should.
    #[error("{} {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The layout is of another version.
    #[error("the home at {} has version {version}; this tool reads version {HOME_VERSION}", root.display())]
    Version {
        /// The home.
        root: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The path ends in `.`, `..` or is a root, so that nothing can be built beside it.
    #[error("{} does not end in a name; give the new home's directory by its name", .0.display())]
    Nameless(PathBuf),
    /// Our own code named a file outside of the home.
    #[error("{0} is not a name inside of a home")]
    Name(String),
    /// The card's secret was destroyed when its ceremony was complete.
    #[error("the card at {} is spent: its ceremony is complete; make a new card", .0.display())]
    Spent(PathBuf),
    /// No card with this encryption key was made in this home.
    #[error("this home never made the card at {}", .0.display())]
    NoCard(PathBuf),
}

/// A card that this home made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    /// The card's bytes, as they were given out.
    pub bytes: Vec<u8>,
    /// Whether its secret was destroyed.
    pub spent: bool,
}

/// An open home. Others may have it open too; see the module's text.
#[derive(Debug)]
pub struct Home {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    key: HomeKey,
    public: HomePublic,
}

impl Home {
    /// Makes a home at `root` (a new or empty directory, not a mount point) for the identity with
    /// this seed, whose public form is `identity`, and opens it. Whoever shows the identity does so
    /// after this returned.
    pub fn create(
        disk: Arc<dyn Disk>,
        root: &Path,
        wrap: &Wrap,
        identity: &str,
        seed: &Seed,
    ) -> Result<Self, HomeError> {
        refuse_standing(&*disk, root)?;
        // Held until the home stands, wherever the file lies by then.
        let (building, _lock) = building_site(&*disk, root)?;

        let key = HomeKey::generate();
        let public = HomePublic {
            version: HOME_VERSION,
            identity: identity.to_owned(),
            home_key: key.recipient(),
            wrapped_by: WrappedBy::from(wrap),
        };
        let home = Self {
            disk,
            root: building,
            key,
            public,
        };
        let wrapped = home.wrapped_key(wrap)?;
        home.disk
            .create(&home.root.join(KEY), &wrapped, Access::Private)?;
        home.put_secret(IDENTITY, &seed.expose(|seed| Secret::new(seed.to_vec())))?;
        let description = json::pretty(&home.public)
            .map_err(|error| malformed(&root.join(DESCRIPTION), &error))?;
        home.put_public(DESCRIPTION, &description)?;
        publish(&*home.disk, &home.root, root)?;
        Ok(Self {
            root: root.to_owned(),
            ..home
        })
    }

    /// Opens a home, and ends what a dead process began; costs one key derivation.
    pub fn open(disk: Arc<dyn Disk>, root: &Path, unlock: &Unlock) -> Result<Self, HomeError> {
        Self::public(&*disk, root)?;
        let path = root.join(KEY);
        let lock = lock_home(&*disk, root)?;
        disk.clean_temporaries(root)?;
        for card in optional(disk.list(&root.join(CARDS)))?.unwrap_or_default() {
            if card.kind == Kind::Directory {
                disk.clean_temporaries(&root.join(CARDS).join(card.name))?;
            }
        }
        rewrap::settle(&*disk, root)?;
        let public = Self::public(&*disk, root)?;
        let file = disk.read(&path, SMALL_FILE_BYTES)?;
        drop(lock);
        let key = HomeKey::unwrap(&file, unlock).map_err(|reason| match (reason, unlock) {
            (WrapError::WrongPassphrase, _) => HomeError::WrongPassphrase(root.to_owned()),
            (WrapError::WrongKey, Unlock::Keys(_)) => HomeError::WrongIdentity {
                root: root.to_owned(),
                recipient: match &public.wrapped_by {
                    WrappedBy::Passphrase => "a passphrase".to_owned(),
                    WrappedBy::Recipient(recipient) => recipient.clone(),
                },
            },
            (reason, _) => sealed(&path, reason),
        })?;
        if key.recipient() != public.home_key {
            let error =
                "holds another key than home.json says; one of them comes from another home";
            return Err(malformed(&path, &error));
        }
        Ok(Self {
            disk,
            root: root.to_owned(),
            key,
            public,
        })
    }

    /// Reads what a home says of itself; needs neither passphrase nor lock.
    pub fn public(disk: &dyn Disk, root: &Path) -> Result<HomePublic, HomeError> {
        let path = root.join(DESCRIPTION);
        let bytes = match disk.read(&path, SMALL_FILE_BYTES) {
            Err(DiskError::NotFound(_)) => return Err(HomeError::NoHome(root.to_owned())),
            other => other?,
        };
        let standing = describe(root, &path, &bytes)?;
        Ok(rewrap::switched(disk, root)?.unwrap_or(standing))
    }

    /// Takes the lock on what ceremonies share; waits up to about ten seconds for others.
    pub fn lock(&self) -> Result<DiskLock, HomeError> {
        lock_home(&*self.disk, &self.root)
    }

    /// Takes the lock on one ceremony, which the caller holds for as long as it works in it. Fails
    /// soon with [`HomeError::CeremonyBusy`] if another process holds it.
    pub fn lock_ceremony(&self, cid: &Digest) -> Result<DiskLock, HomeError> {
        let locks = self.path(LOCKS)?;
        self.disk.create_dir_all(&locks, Access::Private)?;
        match self.disk.lock(&locks.join(cid.to_string())) {
            Err(DiskError::Locked(_)) => Err(HomeError::CeremonyBusy(self.root.clone())),
            other => Ok(other?),
        }
    }

    /// What the home says of itself.
    pub fn description(&self) -> &HomePublic {
        &self.public
    }

    /// Where the home lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The disk that it lies on.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Returns the identity's Ed25519 seed.
    pub fn identity_seed(&self) -> Result<Seed, HomeError> {
        let path = self.path(IDENTITY)?;
        let secret = self
            .get_secret(IDENTITY, SMALL_FILE_BYTES)?
            .ok_or_else(|| HomeError::Disk(DiskError::NotFound(path.clone())))?;
        to_seed(&path, &secret)
    }

    /// Encrypts `secret` under a name inside of the home (`/` between the parts), and reads it back.
    /// The same secret under the same name again is fine; another one is refused.
    pub fn put_secret(&self, name: &str, secret: &SecretBytes) -> Result<(), HomeError> {
        let path = self.path(name)?;
        if let Some(standing) = self.read_secret(&path, sealed_limit(secret))? {
            if !standing.ct_eq(secret) {
                return Err(DiskError::Differs(path).into());
            }
            return Ok(self.disk.sync(&path)?);
        }
        let file = self
            .key
            .encrypt(secret)
            .map_err(|reason| sealed(&path, reason))?;
        self.prepare(&path)?;
        self.disk.create(&path, &file, Access::Private)?;
        match self.read_secret(&path, sealed_limit(secret))? {
            Some(standing) if standing.ct_eq(secret) => Ok(()),
            _ => Err(malformed(
                &path,
                &"does not read back as it was written; do not trust this disk",
            )),
        }
    }

    /// Decrypts the secret under a name, if one stands there; `limit` bounds the file in bytes.
    pub fn get_secret(&self, name: &str, limit: u64) -> Result<Option<SecretBytes>, HomeError> {
        self.read_secret(&self.path(name)?, limit)
    }

    /// Removes the secret under a name, for good as far as the disk allows; see the module's text.
    /// Succeeds if none stands there.
    pub fn destroy_secret(&self, name: &str) -> Result<(), HomeError> {
        Ok(self.disk.remove_file(&self.path(name)?)?)
    }

    /// Stores public bytes under a name, once. The same bytes again are fine, others are refused.
    /// Returns whether they were stored now.
    pub fn put_public(&self, name: &str, bytes: &[u8]) -> Result<bool, HomeError> {
        let path = self.path(name)?;
        self.prepare(&path)?;
        Ok(self.disk.create_or_same(&path, bytes, Access::Public)?)
    }

    /// Reads public bytes of at most `limit`, if they stand there.
    pub fn get_public(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, HomeError> {
        optional(self.disk.read(&self.path(name)?, limit))
    }

    /// Returns the place of a name inside of the home; refuses anything but lower-case letters,
    /// digits, `-`, `.`, `~` and `/` between parts.
    pub fn path(&self, name: &str) -> Result<PathBuf, HomeError> {
        let refuse = || HomeError::Name(name.to_owned());
        let safe = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '~' | '/')
        };
        if name.is_empty() || !name.chars().all(safe) {
            return Err(refuse());
        }
        let normal = |part| matches!(part, Component::Normal(_));
        if !Path::new(name).components().all(normal) {
            return Err(refuse());
        }
        Ok(self.root.join(name))
    }

    /// Stores a card and the ceremony secret behind its encryption key, the secret first: a card
    /// that can be given out always has its secret. The same again is fine.
    pub fn put_card(
        &self,
        card_bytes: &[u8],
        encryption_key: &[u8; 48],
        ceremony_secret: &Seed,
    ) -> Result<(), HomeError> {
        let card = card_file(encryption_key, CARD);
        let secret = card_file(encryption_key, CARD_SECRET);
        let _lock = self.lock()?;
        if self.get_public(&card, MAX_CARD_BYTES)?.is_some() && !self.stands(&secret)? {
            return Err(HomeError::Spent(self.path(&card)?));
        }
        self.put_secret(
            &secret,
            &ceremony_secret.expose(|seed| Secret::new(seed.to_vec())),
        )?;
        self.put_public(&card, card_bytes)?;
        Ok(())
    }

    /// Stores a card whose secret this home does not have: it is spent here, unless the secret stands
    /// already. The same again is fine.
    pub fn put_spent_card(
        &self,
        card_bytes: &[u8],
        encryption_key: &[u8; 48],
    ) -> Result<(), HomeError> {
        let _lock = self.lock()?;
        self.put_public(&card_file(encryption_key, CARD), card_bytes)?;
        Ok(())
    }

    /// Returns every card of this home, spent ones included, in the order of their encryption keys.
    pub fn cards(&self) -> Result<Vec<StoredCard>, HomeError> {
        let mut cards = Vec::new();
        for entry in optional(self.disk.list(&self.path(CARDS)?))?.unwrap_or_default() {
            // Of a card that was never finished, and never given out, only the secret stands.
            let name = format!("{CARDS}/{}/{CARD}", entry.name);
            let is_card = entry.kind == Kind::Directory && self.path(&name).is_ok();
            if let Some(bytes) = is_card
                .then(|| self.get_public(&name, MAX_CARD_BYTES))
                .transpose()?
                .flatten()
            {
                let spent = !self.stands(&format!("{CARDS}/{}/{CARD_SECRET}", entry.name))?;
                cards.push(StoredCard { bytes, spent });
            }
        }
        Ok(cards)
    }

    /// Returns the ceremony secret behind a card's encryption key; `None` once the card is spent, or
    /// if this home never made it.
    pub fn ceremony_secret(&self, encryption_key: &[u8; 48]) -> Result<Option<Seed>, HomeError> {
        let name = card_file(encryption_key, CARD_SECRET);
        self.get_secret(&name, SMALL_FILE_BYTES)?
            .map(|secret| to_seed(&self.path(&name)?, &secret))
            .transpose()
    }

    /// Destroys a card's secret and keeps the card. Spending a spent card is fine. Whoever decides
    /// that it may be destroyed holds [`Self::lock`] from before that decision.
    pub fn spend_card(&self, encryption_key: &[u8; 48]) -> Result<(), HomeError> {
        let card = card_file(encryption_key, CARD);
        if !self.stands(&card)? {
            return Err(HomeError::NoCard(self.path(&card)?));
        }
        self.destroy_secret(&card_file(encryption_key, CARD_SECRET))
    }

    fn stands(&self, name: &str) -> Result<bool, HomeError> {
        Ok(self.disk.kind(&self.path(name)?)?.is_some())
    }

    fn read_secret(&self, path: &Path, limit: u64) -> Result<Option<SecretBytes>, HomeError> {
        optional(self.disk.read(path, limit))?
            .map(|file| self.key.decrypt(&file))
            .transpose()
            .map_err(|reason| sealed(path, reason))
    }

    /// Makes the directory that `path` goes into, without what dead processes left there.
    fn prepare(&self, path: &Path) -> Result<(), HomeError> {
        let directory = path.parent().unwrap_or(&self.root);
        self.disk.create_dir_all(directory, Access::Private)?;
        Ok(self.disk.clean_temporaries(directory)?)
    }

    fn wrapped_key(&self, wrap: &Wrap) -> Result<Vec<u8>, HomeError> {
        let path = self.root.join(KEY);
        let file = self
            .key
            .wrap(wrap)
            .map_err(|reason| sealed(&path, reason))?;
        // A home that cannot be opened again is found out now, while nothing is lost by it. What is
        // wrapped to somebody's age key, only its owner can try.
        if let Wrap::Passphrase(passphrase, _) = wrap {
            HomeKey::check_passphrase(&file, passphrase).map_err(|reason| sealed(&path, reason))?;
        }
        Ok(file)
    }
}

/// Reads the description of a home; `root` and `path` are for messages.
pub(super) fn lock_home(disk: &dyn Disk, root: &Path) -> Result<DiskLock, HomeError> {
    let path = root.join(LOCK);
    for _ in 1..LOCK_TRIES {
        match disk.lock(&path) {
            Err(DiskError::Locked(_)) => {}
            other => return Ok(other?),
        }
    }
    Ok(disk.lock(&path)?)
}

/// Refuses a place where a home cannot be made: where one stands, or anything else.
pub fn refuse_standing(disk: &dyn Disk, root: &Path) -> Result<(), HomeError> {
    match Home::public(disk, root) {
        Ok(public) => {
            return Err(HomeError::Exists {
                root: root.to_owned(),
                identity: public.identity,
            });
        }
        Err(HomeError::NoHome(_)) => {}
        Err(error) => return Err(error),
    }
    match optional(disk.list(root))? {
        Some(entries) if !entries.is_empty() => Err(HomeError::Occupied(root.to_owned())),
        _ => Ok(()),
    }
}

/// Makes the directory in which a home is built, beside its place and so on the same file system,
/// without what a dead process left there. The lock keeps a second builder out.
pub(super) fn building_site(
    disk: &dyn Disk,
    root: &Path,
) -> Result<(PathBuf, DiskLock), HomeError> {
    let name = root
        .file_name()
        .ok_or_else(|| HomeError::Nameless(root.to_owned()))?;
    let mut building = std::ffi::OsString::from(".tmp-");
    building.push(name);
    building.push("-conclave");
    let building = root.with_file_name(building);
    disk.create_dir_all(&building, Access::Private)?;
    let lock = disk.lock(&building.join(LOCK))?;
    disk.clean_temporaries(&building)?;
    for entry in disk.list(&building)? {
        let path = building.join(&entry.name);
        match entry.kind {
            Kind::Directory => disk.remove_tree(&path)?,
            _ if entry.name == LOCK => {}
            _ => disk.remove_file(&path)?,
        }
    }
    Ok((building, lock))
}

/// Gives a home that was built its name.
pub(super) fn publish(disk: &dyn Disk, building: &Path, root: &Path) -> Result<(), HomeError> {
    match disk.publish_dir(building, root) {
        Err(DiskError::AlreadyExists(_)) => Err(HomeError::Occupied(root.to_owned())),
        other => Ok(other?),
    }
}

/// The first 8 bytes tell the cards of one home apart; a clash is refused when the second is stored.
fn card_file(encryption_key: &[u8; 48], file: &str) -> String {
    let (start, _) = encryption_key
        .split_first_chunk::<8>()
        .unwrap_or((&[0; 8], &[]));
    format!("{CARDS}/{}/{file}", encode_hex(start))
}

/// Bounds the file that a secret of this length becomes: age adds a header and 16 bytes to 64 KiB.
fn sealed_limit(secret: &SecretBytes) -> u64 {
    let len = secret.expose(|bytes| bytes.len() as u64);
    len.saturating_add(len >> 10).saturating_add(4096)
}

fn to_seed(path: &Path, secret: &SecretBytes) -> Result<Seed, HomeError> {
    secret.expose(|bytes| match <&[u8; 32]>::try_from(bytes.as_slice()) {
        Ok(seed) => Ok(Secret::new(*seed)),
        Err(_) => Err(malformed(path, &"does not hold 32 bytes")),
    })
}

fn optional<T>(result: Result<T, DiskError>) -> Result<Option<T>, HomeError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(DiskError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn sealed(path: &Path, reason: WrapError) -> HomeError {
    HomeError::Sealed {
        path: path.to_owned(),
        reason,
    }
}

fn malformed(path: &Path, reason: &dyn std::fmt::Display) -> HomeError {
    HomeError::Malformed {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
