//! Shelves in an object store: one object a manifest, one an entry, none ever changed.
//!
//! ```text
//! v1/{shelf}/manifest         what made the shelf
//! v1/{shelf}/{key}/{label}    an entry
//! v1/{shelf}/closed           no entry stands there any more, and none may
//! ```
//!
//! Writing is the store's own "create if it does not exist". What a store answers to it is not taken
//! at its word: "exists already" may mean that nothing is there (a conflict that was over when we
//! looked), so the bytes that stand there are read and compared.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::limit::LimitStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    ClientOptions, Error as StoreFailure, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode,
    PutOptions, PutPayload, RetryConfig,
};

use super::address::{Label, Manifest, Place, ShelfName, parse_key};
use crate::crypto::identity::RelayKey;
use crate::secret::Secret;

const ROOT: &str = "v1";
const PROBE: &str = "probe";
const MANIFEST: &str = "manifest";
const CLOSED: &str = "closed";
/// Calls of the store at a time. Each takes a file or a connection, and on a disk a thread: more of
/// them wait no shorter.
const CALLS_ON_DISK: usize = 32;
const CALLS_OF_S3: usize = 64;
/// Files that such calls, listeners and the program itself have open at most.
pub const OPEN_FILES: usize = 512;
/// How often a write is tried whose place seems taken and then is empty.
const TRIES: u32 = 4;

/// Where shelves are kept.
#[derive(Debug)]
pub enum Location {
    /// A directory, which exists.
    Directory(PathBuf),
    /// An S3-compatible store.
    S3(S3),
}

/// An S3-compatible store. What is not given comes from where S3's own tools take it: the `AWS_…`
/// variables, a web identity, or the machine's role.
#[derive(Debug)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// What all names begin with; may be empty.
    pub prefix: String,
    /// The address of a store that is not Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Access key id and secret access key.
    pub keys: Option<(String, Secret<String>)>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "file:{}", path.display()),
            Self::S3(s3) => write!(f, "s3://{}/{}", s3.bucket, s3.prefix),
        }
    }
}

/// Why shelves cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShelfError {
    /// The store failed, or is not reachable.
    #[error("the store failed: {0}")]
    Store(String),
    /// The store overwrites what it was told to create.
    #[error(
        "the store does not do conditional writes: it took a second object under a name that was \
         taken; a relay over it could lose messages"
    )]
    NotOnce,
    /// Something else stands in this place.
    #[error("another entry stands in this place")]
    Taken,
}

impl From<StoreFailure> for ShelfError {
    fn from(error: StoreFailure) -> Self {
        Self::Store(without_names(&error.to_string()))
    }
}

/// What a store says of a failure, the names of shelves, keys and labels cut to eight characters: it
/// goes to the log.
fn without_names(text: &str) -> String {
    const NAME: usize = 64;
    let no_name = |c: char| !c.is_ascii_hexdigit();
    text.split_inclusive(no_name)
        .map(|piece| {
            let name = piece.trim_end_matches(no_name);
            match piece.split_at_checked(name.len()) {
                Some((name, rest)) if name.len() >= NAME => {
                    let short: String = name.chars().take(8).collect();
                    format!("{short}…{rest}")
                }
                _ => piece.to_owned(),
            }
        })
        .collect()
}

/// What a write found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Written now.
    New,
    /// The same bytes stood there.
    Same,
}

/// All shelves of a store.
#[derive(Debug, Clone)]
pub struct Shelves {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// The entries of a shelf, with their sizes.
pub type Entries = BTreeMap<(RelayKey, Label), u64>;

/// What stands on a shelf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stands {
    /// The entries.
    pub entries: Entries,
    /// Whether the shelf is closed.
    pub closed: bool,
}

impl Shelves {
    /// Opens the shelves there; the store is first asked when they are used.
    pub fn open(location: &Location) -> Result<Self, ShelfError> {
        match location {
            Location::Directory(path) => {
                let store = LocalFileSystem::new_with_prefix(path)?
                    .with_fsync(true)
                    .with_automatic_cleanup(true);
                let store = LimitStore::new(store, CALLS_ON_DISK);
                Ok(Self::over(Arc::new(store), ""))
            }
            Location::S3(s3) => {
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(&s3.bucket)
                    .with_retry(RetryConfig {
                        max_retries: 4,
                        retry_timeout: Duration::from_secs(20),
                        ..RetryConfig::default()
                    });
                if let Some(endpoint) = &s3.endpoint {
                    let plain = endpoint.starts_with("http://");
                    builder = builder.with_endpoint(endpoint).with_client_options(
                        ClientOptions::new()
                            .with_allow_http(plain)
                            .with_timeout(Duration::from_secs(30)),
                    );
                }
                if let Some(region) = &s3.region {
                    builder = builder.with_region(region);
                }
                if let Some((id, secret)) = &s3.keys {
                    builder = secret.expose(|secret| {
                        builder
                            .with_access_key_id(id)
                            .with_secret_access_key(secret)
                    });
                }
                let store = LimitStore::new(builder.build()?, CALLS_OF_S3);
                Ok(Self::over(Arc::new(store), &s3.prefix))
            }
        }
    }

    /// Takes any store.
    pub fn over(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self {
            store,
            prefix: Path::from(prefix),
        }
    }

    /// Whether the store writes a name once, asked by writing one twice; `unique` is fresh random
    /// bytes. What a store does when two write at once this cannot show.
    pub async fn probe(&self, unique: &str) -> Result<(), ShelfError> {
        let path = self.prefix.clone().join(PROBE).join(unique);
        self.create(&path, Bytes::from_static(b"first")).await?;
        let second = self.create(&path, Bytes::from_static(b"other")).await;
        let stands = self.read(&path).await?;
        self.store.delete(&path).await?;
        match second {
            Ok(false) if stands.as_deref() == Some(b"first") => Ok(()),
            Ok(_) => Err(ShelfError::NotOnce),
            Err(error) => Err(error),
        }
    }

    /// Whether the store answers.
    pub async fn reachable(&self) -> Result<(), ShelfError> {
        self.read(&self.prefix.clone().join(PROBE).join("health"))
            .await
            .map(|_| ())
    }

    /// Makes a shelf, if it is not there.
    pub async fn make(&self, manifest: &Manifest) -> Result<Put, ShelfError> {
        let path = self.shelf(&manifest.name()).join(MANIFEST);
        self.put_once(&path, Bytes::copy_from_slice(manifest.bytes()))
            .await
    }

    /// Reads what made a shelf. A manifest that is not the one of its name counts as none.
    pub async fn manifest(&self, shelf: &ShelfName) -> Result<Option<Manifest>, ShelfError> {
        let bytes = self.read(&self.shelf(shelf).join(MANIFEST)).await?;
        Ok(bytes
            .and_then(|bytes| Manifest::parse(&bytes).ok())
            .filter(|manifest| manifest.name() == *shelf))
    }

    /// Puts an entry in its place; fails with [`ShelfError::Taken`] if another one stands there.
    pub async fn put(&self, place: &Place, entry: Bytes) -> Result<Put, ShelfError> {
        self.put_once(&self.place(place), entry).await
    }

    /// Reads an entry.
    pub async fn get(&self, place: &Place) -> Result<Option<Bytes>, ShelfError> {
        self.read(&self.place(place)).await
    }

    /// Lists what stands on a shelf; nothing if its manifest is not there, which is so once it expired.
    pub async fn list(&self, shelf: &ShelfName) -> Result<Option<Stands>, ShelfError> {
        let folder = self.shelf(shelf);
        let objects = self.objects(&folder).await?;
        let has = |name| {
            let wanted = folder.clone().join(name);
            objects.iter().any(|object| object.location == wanted)
        };
        Ok(has(MANIFEST).then(|| Stands {
            closed: has(CLOSED),
            entries: objects.iter().filter_map(entry_of).collect(),
        }))
    }

    /// Closes a shelf: its entries go, and what says so stays until it expires.
    pub async fn close(&self, shelf: &ShelfName) -> Result<(), ShelfError> {
        let path = self.shelf(shelf);
        self.put_once(&path.clone().join(CLOSED), Bytes::new())
            .await?;
        for object in self.objects(&path).await? {
            if entry_of(&object).is_some() {
                self.remove(&object.location).await?;
            }
        }
        Ok(())
    }

    /// Removes every shelf whose newest object is older than `age`, as of `now` in seconds since 1970.
    /// The manifest goes first, so that nothing new comes; what a write lost to this is sent again by
    /// its client, which finds no shelf and makes it anew. Returns those that are gone.
    pub async fn sweep(&self, now: u64, age: Duration) -> Result<Vec<ShelfName>, ShelfError> {
        let root = self.prefix.clone().join(ROOT);
        let found = self.store.list_with_delimiter(Some(&root)).await?;
        let mut gone = Vec::new();
        for path in found.common_prefixes {
            let Some(name) = path.filename().and_then(ShelfName::parse) else {
                continue;
            };
            let mut objects = self.objects(&path).await?;
            let newest = objects
                .iter()
                .map(|object| object.last_modified.timestamp())
                .max()
                .and_then(|newest| u64::try_from(newest).ok())
                .unwrap_or(0);
            if newest.saturating_add(age.as_secs()) >= now {
                continue;
            }
            objects.sort_by_key(|object| object.location.filename() != Some(MANIFEST));
            for object in objects {
                self.remove(&object.location).await?;
            }
            gone.push(name);
        }
        Ok(gone)
    }

    /// Removes an object; another instance may have done so.
    async fn remove(&self, path: &Path) -> Result<(), ShelfError> {
        match self.store.delete(path).await {
            Ok(()) | Err(StoreFailure::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn objects(&self, below: &Path) -> Result<Vec<ObjectMeta>, ShelfError> {
        Ok(self.store.list(Some(below)).try_collect().await?)
    }

    fn shelf(&self, shelf: &ShelfName) -> Path {
        self.prefix.clone().join(ROOT).join(shelf.to_string())
    }

    fn place(&self, place: &Place) -> Path {
        self.shelf(&place.shelf)
            .join(place.key.to_string())
            .join(place.label.to_string())
    }

    async fn put_once(&self, path: &Path, bytes: Bytes) -> Result<Put, ShelfError> {
        for _ in 0..TRIES {
            if self.create(path, bytes.clone()).await? {
                return Ok(Put::New);
            }
            match self.read(path).await? {
                Some(stands) if stands == bytes => return Ok(Put::Same),
                Some(_) => return Err(ShelfError::Taken),
                // Whoever was there is gone, or was never there.
                None => {}
            }
        }
        let text = "it says that a place is taken where nothing stands";
        Err(ShelfError::Store(text.to_owned()))
    }

    /// Whether it was created.
    async fn create(&self, path: &Path, bytes: Bytes) -> Result<bool, ShelfError> {
        let options = PutOptions::from(PutMode::Create);
        match self
            .store
            .put_opts(path, PutPayload::from_bytes(bytes), options)
            .await
        {
            Ok(_) => Ok(true),
            Err(StoreFailure::AlreadyExists { .. } | StoreFailure::Precondition { .. }) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn read(&self, path: &Path) -> Result<Option<Bytes>, ShelfError> {
        match self.store.get(path).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(StoreFailure::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads an entry's address from its object's; anything else that lies there is passed over.
fn entry_of(object: &ObjectMeta) -> Option<((RelayKey, Label), u64)> {
    let mut parts: Vec<_> = object.location.parts().collect();
    let label = Label::parse(parts.pop()?.as_ref())?;
    let key = parse_key(parts.pop()?.as_ref())?;
    ShelfName::parse(parts.pop()?.as_ref())?;
    Some(((key, label), object.size))
}

/// The directory of a `file:` store, as its flag names it.
pub fn directory(text: &str) -> Option<&FilePath> {
    let path = text.strip_prefix("file:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.is_empty()).then(|| FilePath::new(path))
}
