//! Stores that do not keep to their word, as real ones at times do not.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A store in memory with faults that can be set while it is in use; clones are the same store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Odd(Arc<State>);

#[derive(Debug, Default)]
struct State {
    inner: InMemory,
    conflicts: AtomicU32,
    fails: AtomicBool,
    overwrites: AtomicBool,
    deleted: Mutex<Vec<String>>,
}

impl Odd {
    /// The next writes are told that something stands in their place, and none of them is done.
    pub(crate) fn conflict(&self, times: u32) {
        self.0.conflicts.store(times, Ordering::SeqCst);
    }

    /// Whether every call fails from now on.
    pub(crate) fn fail(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }

    /// From now on it takes an object under a name that is taken.
    pub(crate) fn overwrite(&self) {
        self.0.overwrites.store(true, Ordering::SeqCst);
    }

    /// The names of what was removed, in order.
    pub(crate) fn deleted(&self) -> Vec<String> {
        self.0.deleted.lock().unwrap().clone()
    }

    fn asked(&self, path: &str) -> Result<&InMemory> {
        if self.0.fails.load(Ordering::SeqCst) {
            return Err(Error::Generic {
                store: "Odd",
                source: format!("no answer about {path}").into(),
            });
        }
        Ok(&self.0.inner)
    }
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Odd")
    }
}

#[async_trait]
impl ObjectStore for Odd {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let inner = self.asked(location.as_ref())?;
        let less = |left: u32| left.checked_sub(1);
        let conflicts = &self.0.conflicts;
        if conflicts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
        {
            return Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "a conflict".into(),
            });
        }
        if self.0.overwrites.load(Ordering::SeqCst) {
            options.mode = PutMode::Overwrite;
        }
        inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.asked(location.as_ref())?;
        inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let inner = self.asked(location.as_ref())?;
        inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        if let Err(error) = self.asked("what to delete") {
            return stream::once(async { Err(error) }).boxed();
        }
        let this = self.clone();
        let noted = locations.inspect(move |location| {
            let name = location.as_ref().unwrap().to_string();
            this.0.deleted.lock().unwrap().push(name);
        });
        self.0.inner.delete_stream(noted.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let path = prefix.map(ToString::to_string).unwrap_or_default();
        match self.asked(&path) {
            Ok(inner) => inner.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.map(ToString::to_string).unwrap_or_default();
        self.asked(&path)?.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.asked(from.as_ref())?
            .copy_opts(from, to, options)
            .await
    }
}
