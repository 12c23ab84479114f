//! A disk in memory, laid out by an input: names and bytes that nobody would choose.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use conclave::store::disk::{
    Access, Disk, DiskError, DiskLock, Entry, Kind, MAX_ENTRIES, RealDisk,
};

/// What stands under a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A directory.
    Directory,
    /// What is never opened.
    Other(Kind),
}

/// The disk.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<BTreeMap<PathBuf, Node>>);

impl Memory {
    /// Puts something there, and the directories above it; what stands there or on the way stays.
    pub(crate) fn lay(&self, path: &Path, node: Node) {
        let mut nodes = self.0.lock().unwrap();
        let above: Vec<&Path> = path.ancestors().skip(1).collect();
        for directory in above.iter().rev() {
            let standing = nodes
                .entry(directory.to_path_buf())
                .or_insert(Node::Directory);
            if *standing != Node::Directory {
                return;
            }
        }
        nodes.entry(path.to_owned()).or_insert(node);
    }

    /// Everything that stands.
    pub(crate) fn all(&self) -> BTreeMap<PathBuf, Node> {
        self.0.lock().unwrap().clone()
    }

    fn node(&self, path: &Path) -> Option<Node> {
        self.0.lock().unwrap().get(path).cloned()
    }
}

fn kind(node: &Node) -> Kind {
    match node {
        Node::File(_) => Kind::File,
        Node::Directory => Kind::Directory,
        Node::Other(kind) => *kind,
    }
}

fn other(action: &'static str, path: &Path) -> DiskError {
    DiskError::Other {
        action,
        path: path.to_owned(),
        reason: "it is no directory".to_owned(),
    }
}

impl Disk for Memory {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, DiskError> {
        match self.node(path) {
            None => Err(DiskError::NotFound(path.to_owned())),
            Some(Node::File(bytes)) if bytes.len() as u64 <= limit => Ok(bytes),
            Some(Node::File(bytes)) => Err(DiskError::TooLarge {
                path: path.to_owned(),
                actual: bytes.len() as u64,
                limit,
            }),
            Some(node) => Err(DiskError::NotRegular {
                path: path.to_owned(),
                kind: kind(&node),
            }),
        }
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError> {
        match self.node(directory) {
            None => return Err(DiskError::NotFound(directory.to_owned())),
            Some(Node::Directory) => {}
            Some(_) => return Err(other("list", directory)),
        }
        let nodes = self.0.lock().unwrap();
        let here = nodes
            .iter()
            .filter(|(path, _)| path.parent() == Some(directory));
        let mut entries: Vec<Entry> = here
            .map(|(path, node)| Entry {
                name: path.file_name().unwrap().to_str().unwrap().to_owned(),
                kind: kind(node),
                len: match node {
                    Node::File(bytes) => bytes.len() as u64,
                    _ => 0,
                },
            })
            .collect();
        entries.retain(|entry| {
            !(entry.name.starts_with(".tmp-") && entry.name.ends_with("-conclave"))
        });
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(entries.len() < MAX_ENTRIES);
        Ok(entries)
    }

    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError> {
        Ok(self.node(path).as_ref().map(kind))
    }

    fn create(&self, path: &Path, bytes: &[u8], _: Access) -> Result<(), DiskError> {
        let mut nodes = self.0.lock().unwrap();
        if nodes.contains_key(path) {
            return Err(DiskError::AlreadyExists(path.to_owned()));
        }
        if path.parent().and_then(|parent| nodes.get(parent)) != Some(&Node::Directory) {
            return Err(other("write", path));
        }
        nodes.insert(path.to_owned(), Node::File(bytes.to_vec()));
        Ok(())
    }

    fn replace(&self, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
        match self.node(path) {
            None => return self.create(path, bytes, access),
            Some(Node::File(_)) => {}
            Some(node) => {
                return Err(DiskError::NotRegular {
                    path: path.to_owned(),
                    kind: kind(&node),
                });
            }
        }
        let node = Node::File(bytes.to_vec());
        self.0.lock().unwrap().insert(path.to_owned(), node);
        Ok(())
    }

    fn create_dir_all(&self, path: &Path, _: Access) -> Result<(), DiskError> {
        self.lay(path, Node::Directory);
        match self.node(path) {
            Some(Node::Directory) => Ok(()),
            _ => Err(other("create the directory", path)),
        }
    }

    fn publish_dir(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let mut nodes = self.0.lock().unwrap();
        let below = |path: &Path, top: &Path| path.starts_with(top) && path != top;
        let vacant = match nodes.get(to) {
            None => true,
            Some(node) => *node == Node::Directory && !nodes.keys().any(|path| below(path, to)),
        };
        if !vacant {
            return Err(DiskError::AlreadyExists(to.to_owned()));
        }
        let moved: Vec<PathBuf> = nodes
            .keys()
            .filter(|path| path.starts_with(from))
            .cloned()
            .collect();
        for path in moved {
            let node = nodes.remove(&path).unwrap();
            let rest = path.strip_prefix(from).unwrap();
            let target = if rest.as_os_str().is_empty() {
                to.to_owned()
            } else {
                to.join(rest)
            };
            nodes.insert(target, node);
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        if self.node(path) == Some(Node::Directory) {
            return Err(other("remove", path));
        }
        self.0.lock().unwrap().remove(path);
        Ok(())
    }

    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        self.0
            .lock()
            .unwrap()
            .retain(|standing, _| !standing.starts_with(path));
        Ok(())
    }

    fn sync(&self, _: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    /// A lock is a file of the system's: one of nobody else's.
    fn lock(&self, path: &Path) -> Result<DiskLock, DiskError> {
        self.lay(path, Node::File(Vec::new()));
        let file = tempfile::NamedTempFile::new().unwrap();
        RealDisk.lock(file.path())
    }

    fn clean_temporaries(&self, _: &Path) -> Result<(), DiskError> {
        Ok(())
    }
}
