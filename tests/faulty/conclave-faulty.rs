//! `conclave` over a disk that fails at a chosen call, with any clock; for the tests, and installed
//! nowhere.
//!
//! ```text
//! conclave-faulty [--fault WHAT:K] [--below DIR] [--count FILE] [--clock SECONDS] -- ARGS
//! ```
//!
//! Calls are counted from 0, those that change something and those that read apart; with `--below`
//! only those on paths in DIR. What happens at call K:
//!
//! | WHAT | |
//! | --- | --- |
//! | `before`, `after` | the process is killed before or after it |
//! | `torn` | killed when half of it is done: half of the bytes are written |
//! | `cut` | the power fails after it: all that no fsync had written through is undone |
//! | `eio` | it fails, once |
//! | `full` | it and every later one that needs space fails: no space left |
//! | `gone` | it, half done, and every later one, reading ones too, fail: the stick was pulled out |
//! | `read-eio`, `read-gone`, `read-short` | the same for call K that reads; or it gives half of the bytes |
//!
//! `--count` writes what calls there were: a letter for each that changes something (`c` makes a file,
//! `w` writes to one, `f` is an fsync, `l` a link, `r` a rename, `u` an unlink, `m` and `d` make and
//! remove a directory), then, on a line of its own, how many read.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code: what fails here fails the test, and the disk is what it is about"
)]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use conclave::ambient::Clock;
use conclave::cli::{Outside, run_in};
use conclave::store::disk::{Access, Calls, RealDisk};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Before,
    After,
    Torn,
    Cut,
    Eio,
    Full,
    Gone,
    ReadEio,
    ReadGone,
    ReadShort,
}

impl What {
    fn parse(word: &str) -> Self {
        match word {
            "before" => Self::Before,
            "after" => Self::After,
            "torn" => Self::Torn,
            "cut" => Self::Cut,
            "eio" => Self::Eio,
            "full" => Self::Full,
            "gone" => Self::Gone,
            "read-eio" => Self::ReadEio,
            "read-gone" => Self::ReadGone,
            "read-short" => Self::ReadShort,
            _ => panic!("no such fault: {word}"),
        }
    }
}

/// A change that no fsync has written through yet, and how to undo it.
#[derive(Debug)]
struct Pending {
    /// The directories whose fsync makes it last.
    directories: Vec<PathBuf>,
    undo: Undo,
}

#[derive(Debug)]
enum Undo {
    RemoveFile(PathBuf),
    RemoveDirectory(PathBuf),
    MakeDirectory(PathBuf),
    /// What was taken away or replaced is kept under another name.
    PutBack {
        kept: PathBuf,
        path: PathBuf,
    },
    RenameBack {
        from: PathBuf,
        to: PathBuf,
    },
}

#[derive(Debug, Default)]
struct State {
    changes: String,
    reads: u64,
    gone: bool,
    pending: Vec<Pending>,
    /// Files whose contents no fsync has written through.
    dirty: Vec<PathBuf>,
    kept: u64,
}

#[derive(Debug)]
struct FaultyDisk {
    fault: Option<(What, u64)>,
    below: Option<PathBuf>,
    /// Where taken-away files are kept, for a power cut to bring back.
    keep: tempfile::TempDir,
    state: Mutex<State>,
}

fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // Not reached: whoever sees another signal than KILL knows.
    std::process::abort()
}

fn eio() -> io::Error {
    rustix::io::Errno::IO.into()
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(up) if up.as_os_str().is_empty() => PathBuf::from("."),
        Some(up) => up.to_owned(),
        None => path.to_owned(),
    }
}

impl FaultyDisk {
    fn concerns(&self, path: &Path) -> bool {
        self.below
            .as_ref()
            .is_none_or(|below| path.starts_with(below))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// One change: `half` of it, or all, or none. All changes of the process are in one order.
    fn change<T>(
        &self,
        letter: char,
        path: &Path,
        half: impl FnOnce(),
        all: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        if !self.concerns(path) {
            return all(&mut state);
        }
        let now = state.changes.len() as u64;
        state.changes.push(letter);
        if state.gone {
            return Err(eio());
        }
        let due = |what| self.fault == Some((what, now));
        if due(What::Before) {
            die();
        }
        if due(What::Torn) {
            half();
            die();
        }
        if due(What::Gone) {
            half();
            state.gone = true;
            return Err(eio());
        }
        if due(What::Eio) {
            return Err(eio());
        }
        let grows = "cwlm".contains(letter);
        if grows && matches!(self.fault, Some((What::Full, from)) if from <= now) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let done = all(&mut state);
        if due(What::After) {
            die();
        }
        if due(What::Cut) {
            state.cut();
            die();
        }
        done
    }

    /// One call that reads; says whether it gives only half.
    fn reads(&self, path: &Path) -> io::Result<bool> {
        let mut state = self.state();
        if !self.concerns(path) {
            return Ok(false);
        }
        let now = state.reads;
        state.reads += 1;
        let due = |what| self.fault == Some((what, now));
        state.gone |= due(What::ReadGone);
        if state.gone || due(What::ReadEio) {
            return Err(eio());
        }
        Ok(due(What::ReadShort))
    }

    /// Keeps a file that is about to lose its name.
    fn keep(&self, state: &mut State, path: &Path) -> Option<Undo> {
        let kept = self.keep.path().join(state.kept.to_string());
        state.kept += 1;
        fs::hard_link(path, &kept).ok()?;
        Some(Undo::PutBack {
            kept,
            path: path.to_owned(),
        })
    }

    fn unlink_one(&self, path: &Path) -> io::Result<()> {
        self.change(
            'u',
            path,
            || {},
            |state| {
                let undo = self.keep(state, path);
                fs::remove_file(path)?;
                state.will_last_with(&[path], undo);
                Ok(())
            },
        )
    }
}

impl State {
    fn will_last_with(&mut self, paths: &[&Path], undo: Option<Undo>) {
        let directories = paths.iter().map(|path| parent(path)).collect();
        self.pending
            .extend(undo.map(|undo| Pending { directories, undo }));
    }

    fn synced(&mut self, path: &Path) {
        self.dirty.retain(|dirty| dirty != path);
        for pending in &mut self.pending {
            pending.directories.retain(|directory| directory != path);
        }
        self.pending
            .retain(|pending| !pending.directories.is_empty());
    }

    /// A directory got another name: what is known of its contents lies elsewhere now.
    fn moved(&mut self, from: &Path, to: &Path) {
        let follow = |path: &mut PathBuf| {
            if let Ok(rest) = path.strip_prefix(from) {
                *path = to.join(rest);
            }
        };
        self.dirty.iter_mut().for_each(follow);
        for pending in &mut self.pending {
            pending.directories.iter_mut().for_each(follow);
            match &mut pending.undo {
                Undo::RemoveFile(path)
                | Undo::RemoveDirectory(path)
                | Undo::MakeDirectory(path)
                | Undo::PutBack { path, .. } => follow(path),
                Undo::RenameBack { from, to } => {
                    follow(from);
                    follow(to);
                }
            }
        }
    }

    /// The power fails: what was not written through is gone.
    fn cut(&mut self) {
        for path in &self.dirty {
            if let Ok(file) = File::options().write(true).open(path) {
                let len = file.metadata().unwrap().len();
                file.set_len(len / 2).unwrap();
            }
        }
        while let Some(Pending { undo, .. }) = self.pending.pop() {
            // What stands in something that is gone itself is gone with it.
            let _ = match undo {
                Undo::RemoveFile(path) => fs::remove_file(path),
                Undo::RemoveDirectory(path) => fs::remove_dir_all(path),
                Undo::MakeDirectory(path) => fs::create_dir(path),
                Undo::PutBack { kept, path } => fs::rename(kept, path),
                Undo::RenameBack { from, to } => fs::rename(to, from),
            };
        }
    }
}

impl Calls for FaultyDisk {
    fn open(&self, path: &Path) -> io::Result<File> {
        self.reads(path)?;
        RealDisk.open(path)
    }

    fn read_up_to(
        &self,
        file: &File,
        path: &Path,
        limit: u64,
        bytes: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let limit = if self.reads(path)? {
            file.metadata()?.len() / 2
        } else {
            limit
        };
        file.take(limit).read_to_end(bytes)
    }

    fn open_new(&self, path: &Path, access: Access) -> io::Result<File> {
        self.change(
            'c',
            path,
            || {},
            |state| {
                let file = RealDisk.open_new(path, access)?;
                state.will_last_with(&[path], Some(Undo::RemoveFile(path.to_owned())));
                Ok(file)
            },
        )
    }

    fn write(&self, file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let half = || {
            let mut file = file;
            file.write_all(&bytes[..bytes.len() / 2]).unwrap();
        };
        self.change('w', path, half, |state| {
            state.dirty.push(path.to_owned());
            RealDisk.write(file, path, bytes)
        })
    }

    fn fsync(&self, file: &File, path: &Path) -> io::Result<()> {
        // Not asked of the device: what these tests call durable is what the state says.
        let _ = file;
        self.change(
            'f',
            path,
            || {},
            |state| {
                state.synced(path);
                Ok(())
            },
        )
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(
            'l',
            to,
            || {},
            |state| {
                RealDisk.hard_link(from, to)?;
                if state.dirty.iter().any(|dirty| dirty == from) {
                    state.dirty.push(to.to_owned());
                }
                state.will_last_with(&[to], Some(Undo::RemoveFile(to.to_owned())));
                Ok(())
            },
        )
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(
            'r',
            to,
            || {},
            |state| {
                let undo = Undo::RenameBack {
                    from: from.to_owned(),
                    to: to.to_owned(),
                };
                let replaced = self.keep(state, to);
                let empty = replaced.is_none() && to.is_dir();
                RealDisk.rename(from, to)?;
                state.moved(from, to);
                let replaced = replaced.or(empty.then(|| Undo::MakeDirectory(to.to_owned())));
                // Undone last first: away with the new one, then back with the old one.
                state.will_last_with(&[to], replaced);
                state.will_last_with(&[from, to], Some(undo));
                Ok(())
            },
        )
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.unlink_one(path)
    }

    fn make_directory(&self, path: &Path, access: Access) -> io::Result<()> {
        self.change(
            'm',
            path,
            || {},
            |state| {
                RealDisk.make_directory(path, access)?;
                state.will_last_with(&[path], Some(Undo::RemoveDirectory(path.to_owned())));
                Ok(())
            },
        )
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.remove_tree(&entry.path())?;
            } else {
                self.unlink_one(&entry.path())?;
            }
        }
        self.change(
            'd',
            path,
            || {},
            |state| {
                fs::remove_dir(path)?;
                state.will_last_with(&[path], Some(Undo::MakeDirectory(path.to_owned())));
                Ok(())
            },
        )
    }
}

/// A clock that stands.
#[derive(Debug)]
struct Stopped(u64);

impl Clock for Stopped {
    fn unix_seconds(&self) -> u64 {
        self.0
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (mut fault, mut below, mut count) = (None, None, None);
    let mut outside = Outside::system();
    while let Some(flag) = args.next().filter(|flag| flag != "--") {
        let value = args.next().unwrap();
        let text = value.to_str().unwrap();
        match flag.to_str().unwrap() {
            "--fault" => {
                let (what, number) = text.split_once(':').unwrap();
                fault = Some((What::parse(what), number.parse().unwrap()));
            }
            "--below" => below = Some(PathBuf::from(value)),
            "--count" => count = Some(PathBuf::from(value)),
            "--clock" => outside.clock = Arc::new(Stopped(text.parse().unwrap())),
            other => panic!("no such flag: {other}"),
        }
    }
    let disk = Arc::new(FaultyDisk {
        fault,
        below,
        keep: tempfile::tempdir().unwrap(),
        state: Mutex::default(),
    });
    outside.disk = disk.clone();
    let ended = run_in(
        [OsString::from("conclave")].into_iter().chain(args),
        outside,
    );
    if let Some(count) = count {
        let state = disk.state();
        fs::write(count, format!("{}\n{}\n", state.changes, state.reads)).unwrap();
    }
    ended
}
