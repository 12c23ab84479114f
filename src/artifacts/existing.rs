//! A directory that stands there already: accepted only as the complete set of the same ceremony.
//!
//! Public files must be the very bytes that would be written (but for a page of another version), every keystore must open to its share,
//! the messages of the record must lead to the same outcome, and nothing else may lie there. The
//! messages need not be the very same: late ones join a board after its end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keystores::KeystoreSet;
use super::record::{MESSAGES, read_record};
use super::{ArtifactError, KEYS, PublicFile, Purpose, RECORD, WrittenFile, report};
use crate::ceremony::outcome::Outcome;
use crate::ceremony::plan::Plan;
use crate::ceremony::session::{Registered, Session};
use crate::ceremony::{Messages as _, Observer};
use crate::store::disk::Disk;

/// What the record in the directory has to be of.
pub(super) struct Subject<'a> {
    pub(super) plan: &'a Plan,
    /// Whether an outcome is the expected one.
    pub(super) leads_to: &'a dyn Fn(&Outcome) -> bool,
}

/// Verifies the directory and lists its files.
pub(super) fn verify(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    subject: &Subject<'_>,
    public: &[PublicFile],
    keystores: Option<&KeystoreSet<'_>>,
    observer: &dyn Observer,
) -> Result<Vec<WrittenFile>, ArtifactError> {
    let differs = |why: String| ArtifactError::Occupied {
        path: directory.to_owned(),
        why,
    };
    let mut files: Vec<WrittenFile> = public.iter().map(PublicFile::written).collect();
    files.extend(keystores.map(KeystoreSet::files).unwrap_or_default());
    check_names(disk.as_ref(), directory, &files, true).map_err(differs)?;
    for file in public {
        let path = directory.join(&file.name);
        if disk.holds(&path, &file.bytes)? {
            continue;
        }
        // Another version words the page otherwise: it stays, and is not among what was verified.
        let foreign = file.purpose == Purpose::Report
            && report::is_of_another_version(&disk.read(&path, report::MAX_BYTES)?);
        if !foreign {
            return Err(differs(format!("{} is another", file.name)));
        }
        files.retain(|listed| listed.purpose != Purpose::Report);
    }
    let messages = check_record(disk, directory, subject, observer).map_err(differs)?;
    files.extend(messages.into_iter().map(|name| WrittenFile {
        path: [RECORD, MESSAGES, &name].iter().collect(),
        purpose: Purpose::Message,
    }));
    if let Some(keystores) = keystores {
        keystores
            .verify(disk.as_ref(), &directory.join(KEYS), observer)
            .map_err(|error| match error {
                ArtifactError::ReadBack { path, why } => {
                    differs(format!("{} {why}", path.display()))
                }
                other => other,
            })?;
    }
    Ok(files)
}

/// Whether these files, the directories they lie in and, where messages are `recorded`, the messages'
/// directory stand there, and nothing else.
pub(super) fn check_names(
    disk: &dyn Disk,
    directory: &Path,
    files: &[WrittenFile],
    recorded: bool,
) -> Result<(), String> {
    let mut expected: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    let messages = Path::new(RECORD).join(MESSAGES);
    for path in files
        .iter()
        .map(|file| file.path.as_path())
        .chain(recorded.then_some(messages.as_path()))
    {
        // The file in its directory, that one in its own, up to the top.
        let mut inner = path;
        while let Some(outer) = inner.parent() {
            let names = expected.entry(outer.to_owned()).or_default();
            names.insert(inner.to_owned());
            inner = outer;
        }
    }
    for (outer, names) in &expected {
        let listed = disk
            .list(&directory.join(outer))
            .map_err(|error| error.to_string())?;
        let listed: BTreeSet<PathBuf> =
            listed.iter().map(|entry| outer.join(&entry.name)).collect();
        if let Some(missing) = names.difference(&listed).next() {
            return Err(format!("{} is missing", missing.display()));
        }
        if let Some(more) = listed.difference(names).next() {
            return Err(format!("{} is none of them", more.display()));
        }
    }
    Ok(())
}

/// Whether the record's messages lead to the outcome by themselves; returns their names.
pub(super) fn check_record(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    subject: &Subject<'_>,
    observer: &dyn Observer,
) -> Result<Vec<String>, String> {
    let record = read_record(disk, &directory.join(RECORD)).map_err(|error| error.to_string())?;
    if let Some(other) = record.ignored().first() {
        return Err(format!("its record holds {other}"));
    }
    let mut session = Session::new(subject.plan);
    for id in record.messages() {
        let bytes = record.load(id).map_err(|error| error.to_string())?;
        if let Registered::Noise(why) = session.register(&bytes, id) {
            return Err(format!(
                "{MESSAGES}/{id} of its record is no message: {why}"
            ));
        }
    }
    let examination = session
        .examine(&record, observer)
        .map_err(|error| error.to_string())?;
    if examination.outcome.as_ref().is_some_and(subject.leads_to) {
        Ok(record.messages().to_vec())
    } else {
        Err("the messages of its record do not lead to this outcome".to_owned())
    }
}
