//! Where files are collected before they get their name.
//!
//! `.<name>-partial-conclave` beside the target holds a marker, made first and removed last, and
//! `files`, which becomes the target in one step. Whatever a crash leaves is therefore empty or
//! marked, and is made anew; what is neither was not made here and is left alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ArtifactError;
use crate::store::disk::{Access, Disk, Kind};

const MARKER: &str = "made-by-conclave";
const FILES: &str = "files";

/// Whether nothing, or an empty directory, stands there.
pub(super) fn is_vacant(disk: &dyn Disk, directory: &Path) -> Result<bool, ArtifactError> {
    match disk.kind(directory)? {
        None => Ok(true),
        Some(Kind::Directory) => Ok(disk.list(directory)?.is_empty()),
        Some(other) => Err(ArtifactError::Occupied {
            path: directory.to_owned(),
            why: format!("it is {other}"),
        }),
    }
}

/// Lets `fill` fill a new directory and gives it its name. If anything fails, nothing is left.
pub(super) fn publish<T>(
    disk: &dyn Disk,
    directory: &Path,
    fill: impl FnOnce(&Path) -> Result<T, ArtifactError>,
) -> Result<T, ArtifactError> {
    let partial = partial(directory)?;
    if !remove(disk, &partial)? {
        return Err(ArtifactError::InTheWay(partial));
    }
    let result = (|| {
        disk.create_dir_all(&partial, Access::Private)?;
        disk.create(&partial.join(MARKER), b"", Access::Private)?;
        let files = partial.join(FILES);
        disk.create_dir_all(&files, Access::Public)?;
        let result = fill(&files)?;
        disk.publish_dir(&files, directory)?;
        Ok(result)
    })();
    // What went wrong first is what is told; the next attempt removes what stays now.
    match (result, remove(disk, &partial)) {
        (Ok(result), Ok(_)) => Ok(result),
        (Ok(_), Err(error)) => Err(error),
        (Err(error), _) => Err(error),
    }
}

/// Removes what a crash after the last step left behind.
pub(super) fn sweep(disk: &dyn Disk, directory: &Path) -> Result<(), ArtifactError> {
    remove(disk, &partial(directory)?).map(drop)
}

fn partial(directory: &Path) -> Result<PathBuf, ArtifactError> {
    let name = directory
        .file_name()
        .ok_or_else(|| ArtifactError::Name(directory.to_owned()))?;
    let mut partial = OsString::from(".");
    partial.push(name);
    partial.push("-partial-conclave");
    Ok(directory.with_file_name(partial))
}

/// Removes a partial directory of ours; says no if one stands there that is not.
fn remove(disk: &dyn Disk, partial: &Path) -> Result<bool, ArtifactError> {
    match disk.kind(partial)? {
        None => return Ok(true),
        Some(Kind::Directory) => {}
        Some(_) => return Ok(false),
    }
    let entries = disk.list(partial)?;
    let marked = entries
        .iter()
        .any(|entry| entry.name == MARKER && entry.kind == Kind::File);
    if !marked && !entries.is_empty() {
        return Ok(false);
    }
    // The marker last: a removal that is cut short can be taken up again.
    disk.remove_tree(&partial.join(FILES))?;
    disk.remove_tree(partial)?;
    Ok(true)
}
