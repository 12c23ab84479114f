//! Directories and archives: homes, backups, books, sticks and records, from anyone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conclave::artifacts::record::read_record;
use conclave::audit::audit;
use conclave::ceremony::Unobserved;
use conclave::ceremony::plan::Plan;
use conclave::ceremony::session::{Registered, Session, label};
use conclave::ceremony::shares::OwnShares;
use conclave::courier::folder::FolderCourier;
use conclave::courier::{self, BoardError, ContentHash, Courier, Labelled, LocalBoard, Offered};
use conclave::secret::{Passphrase, Secret};
use conclave::store::backup::Backup;
use conclave::store::disk::{Disk, Kind};
use conclave::store::home::Home;
use conclave::store::keys::{Identities, Recipient, Talk};
use conclave::store::known::{Book, How};
use conclave::store::share_backup::ShareBackup;
use conclave::store::wrap::{HomeKey, Unlock, is_passphrase_file, unseal};
use serde_json::Value;

use super::boards::{Stage, stage};
use super::memory::{Memory, Node};
use super::{listed, said, taken};

/// Nobody is there.
#[derive(Debug)]
struct Nobody;

impl Talk for Nobody {
    fn tell(&self, _: &str) {}
    fn choose(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }
    fn ask(&self, _: &str) -> Option<String> {
        None
    }
    fn ask_secret(&self, _: &str) -> Option<Passphrase> {
        None
    }
}

/// The age key that the seeds are encrypted to: it protects nothing.
pub(crate) const KEY: &str =
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

/// What stands in every seed.
pub(crate) const PLAIN: &[u8] = b"what was sealed\n";

/// Reads the key.
fn key() -> Identities {
    let file = Secret::new(format!("# a key\n{KEY}\n").into_bytes());
    Identities::parse(&file, Arc::new(Nobody)).unwrap()
}

/// An age file from anyone: it opens to what was sealed, or not at all.
pub(crate) fn age_file(bytes: &[u8]) {
    let passphrase = is_passphrase_file(bytes);
    let unlock = Unlock::Keys(key());
    match unseal(bytes, &unlock) {
        Ok(plain) => {
            assert!(!passphrase);
            plain.expose(|plain| assert_eq!(plain, PLAIN, "a changed file opens"));
        }
        Err(error) => drop(said(error)),
    }
    match HomeKey::unwrap(bytes, &unlock) {
        Ok(_) => panic!("no seed holds a key"),
        Err(error) => drop(said(error)),
    }
}

/// A file of age identities, and a recipient: no error repeats any of it.
pub(crate) fn age_keys(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let file = Secret::new(bytes.to_vec());
    if let Err(error) = Identities::parse(&file, Arc::new(Nobody)) {
        let error = said(error);
        for word in text.split_whitespace().filter(|word| word.len() >= 12) {
            assert!(!error.contains(word), "{error}");
        }
    }
    match text.parse::<Recipient>() {
        Ok(recipient) => {
            let own = said(&recipient);
            let again: Recipient = own.parse().unwrap_or_else(|error| panic!("{own}: {error}"));
            assert_eq!(again.to_string(), own);
            if let Some(program) = recipient.plugin() {
                // It is looked for on the PATH: no way out of there.
                assert!(!program.contains(['/', '\\', '\0']), "{program}");
                said(program);
            }
        }
        Err(error) => drop(said(error)),
    }
}

/// An archive of a home, as it is and with its headers' checksums set right.
pub(crate) fn backup(bytes: &[u8]) {
    restore(bytes);
    restore(&summed(bytes));
}

fn restore(bytes: &[u8]) {
    let backup = match Backup::from_tar(bytes) {
        Ok(backup) => backup,
        Err(error) => return drop(said(error)),
    };
    // What it says of itself is read before it is trusted.
    let written = match backup.to_tar() {
        Ok(written) => written,
        Err(error) => return drop(said(error)),
    };
    let again = Backup::from_tar(&written).unwrap();
    assert_eq!(again, backup);
    assert_eq!(again.to_tar().unwrap(), written);
    assert!(backup.unspent_cards() <= backup.cards() || backup.cards() < 1000);
    let memory = Arc::new(Memory::default());
    let disk: Arc<dyn Disk> = memory.clone();
    let root = Path::new("/homes/restored");
    memory.lay(Path::new("/homes/other"), Node::File(b"mine".to_vec()));
    match backup.restore(&disk, root, 7) {
        Ok(public) => {
            assert_eq!(public.identity, backup.about.identity);
            Home::public(disk.as_ref(), root).unwrap();
        }
        Err(error) => drop(said(error)),
    }
    // Nothing lies outside of the home and the site where it was built.
    let site = Path::new("/homes/.tmp-restored-conclave");
    for (path, node) in memory.all() {
        let known = ["/", "/homes", "/homes/other"]
            .map(PathBuf::from)
            .contains(&path);
        assert!(
            known || path.starts_with(root) || path.starts_with(site),
            "{path:?}"
        );
        if path == Path::new("/homes/other") {
            assert_eq!(node, Node::File(b"mine".to_vec()));
        }
    }
}

/// Sets the checksum of whatever stands where a header would.
fn summed(bytes: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits: String = header[124..136]
            .iter()
            .map(|byte| char::from(*byte))
            .collect();
        let digits = digits.trim_matches(['\0', ' ']);
        let size = usize::from_str_radix(digits, 8).unwrap_or(0);
        at = match size
            .checked_next_multiple_of(BLOCK)
            .and_then(|size| size.checked_add(at + BLOCK))
        {
            Some(next) => next,
            None => break,
        };
    }
    bytes
}

/// What a home says of itself.
pub(crate) fn home(bytes: &[u8]) {
    let memory = Memory::default();
    memory.lay(Path::new("/home/home.json"), Node::File(bytes.to_vec()));
    match Home::public(&memory, Path::new("/home")) {
        Ok(_) => taken("home", bytes),
        Err(error) => drop(said(error)),
    }
}

/// The book of known identities: what is read can be added to, and is read again.
pub(crate) fn known(bytes: &[u8]) {
    let memory = Memory::default();
    let path = Path::new("/home.known.json");
    memory.lay(path, Node::File(bytes.to_vec()));
    let plan = &stage().plan;
    match Book::read(&memory, path) {
        Ok(book) => {
            taken("known-identities", bytes);
            assert_eq!(book.standings(plan).len(), plan.roster().len());
            let added = Book::remember(&memory, path, plan, How::Accepted).unwrap();
            let now = Book::read(&memory, path).unwrap();
            assert_eq!(added == 0, now == book);
            assert_eq!(
                now.standings(plan),
                book.standings(plan),
                "a plan is no news to itself"
            );
            assert_eq!(
                Book::remember(&memory, path, plan, How::Accepted).unwrap(),
                0
            );
        }
        Err(error) => {
            said(error);
            assert!(Book::remember(&memory, path, plan, How::Accepted).is_err());
            assert_eq!(
                memory.all()[path],
                Node::File(bytes.to_vec()),
                "a bad book stays as it is"
            );
        }
    }
}

/// The blob of an operator's shares.
pub(crate) fn shares(bytes: &[u8]) {
    match OwnShares::from_blob(&Secret::new(bytes.to_vec())) {
        Ok(shares) => shares
            .to_blob()
            .unwrap()
            .expose(|blob| assert_eq!(blob, bytes)),
        Err(error) => drop(said(error)),
    }
}

/// An archive of shares, as it is and with its headers' checksums set right.
pub(crate) fn share_backup(bytes: &[u8]) {
    restore_shares(bytes);
    restore_shares(&summed(bytes));
}

fn restore_shares(bytes: &[u8]) {
    let backup = match ShareBackup::from_tar(bytes) {
        Ok(backup) => backup,
        Err(error) => return drop(said(error)),
    };
    let written = backup.to_tar().unwrap();
    let again = written.expose(|tar| ShareBackup::from_tar(tar)).unwrap();
    assert!(written.ct_eq(&again.to_tar().unwrap()));
    assert_eq!(again.about(), backup.about());
    // A confirm fixes the public shares, and they the shares: nobody can make others up.
    if backup.is_confirmed() && backup.about().cid == *stage().plan.cid() {
        assert_eq!(backup.shares().sharing, *stage().ended.sharing());
    }
}

/// Lays out what an input says: an array of `[path, contents]`. Contents are text, `$` and the label
/// of a message for its bytes, `$plan` for the plan, or a number for something that is no file.
fn layout(bytes: &[u8], root: &Path) -> Option<Memory> {
    let Stage { plan, board, .. } = stage();
    let files: Vec<(String, Value)> = serde_json::from_slice(bytes).ok()?;
    let memory = Memory::default();
    memory.lay(root, Node::Directory);
    for (path, contents) in files.iter().take(64) {
        let parts = path
            .split('/')
            .filter(|part| !matches!(*part, "" | "." | ".."));
        let parts = parts.map(|part| part.replace(['\0', '\\'], "_"));
        let mut place = root.to_owned();
        place.extend(parts.take(4));
        let node = match contents {
            Value::String(text) if text == "$plan" => Node::File(plan.bytes().to_vec()),
            Value::String(text) => {
                let message = text.strip_prefix('$').and_then(|label| board.0.get(label));
                Node::File(message.cloned().unwrap_or_else(|| text.as_bytes().to_vec()))
            }
            Value::Number(_) => Node::Other(Kind::Symlink),
            Value::Bool(_) => Node::Other(Kind::Special),
            Value::Null => Node::Directory,
            other => Node::File(other.to_string().into_bytes()),
        };
        memory.lay(&place, node);
    }
    Some(memory)
}

/// A board as a home keeps it.
struct Local {
    session: Session<'static>,
    messages: BTreeMap<String, Vec<u8>>,
}

impl LocalBoard for Local {
    fn messages(&self) -> Result<Vec<Labelled>, BoardError> {
        let all = self.messages.iter();
        Ok(all
            .map(|(label, bytes)| Labelled {
                label: label.clone(),
                content: ContentHash::of(bytes),
                own: false,
            })
            .collect())
    }

    fn read(&self, label: &str) -> Result<Vec<u8>, BoardError> {
        Ok(self.messages[label].clone())
    }

    fn offer(&mut self, bytes: Vec<u8>, _: &str) -> Result<Offered, BoardError> {
        let message = match self.session.read(&bytes) {
            Ok(message) => message,
            Err(why) => return Ok(Offered::Noise(why)),
        };
        let label = format!("{}~{}", label(&stage().plan, &message), self.messages.len());
        Ok(match self.session.place(&message, &label) {
            Registered::New => {
                self.messages.insert(label, bytes);
                Offered::New
            }
            Registered::Known => Offered::Known,
            Registered::Noise(why) => Offered::Noise(why),
        })
    }
}

/// A stick with anything on it: nothing of it is changed, all messages of ours that lie there come
/// in, and what this side has is there afterwards, once.
pub(crate) fn folder(bytes: &[u8]) {
    let root = Path::new("/stick");
    let Some(memory) = layout(bytes, root) else {
        return;
    };
    let memory = Arc::new(memory);
    let before = memory.all();
    let Stage { plan, board, .. } = stage();
    let mut local = Local {
        session: Session::new(plan),
        messages: BTreeMap::new(),
    };
    let (own, own_bytes) = board.0.first_key_value().unwrap();
    assert_eq!(local.session.register(own_bytes, own), Registered::New);
    local.messages.insert(own.clone(), own_bytes.clone());
    let mut courier = FolderCourier::new(memory.clone(), root);
    let stem = plan.name().file_stem();
    let ceremony = courier::Ceremony {
        cid: plan.cid(),
        plan: plan.bytes(),
        stem: &stem,
        meeting: courier::Meeting {
            random: plan.random(),
            operators: &[],
            own: None,
        },
    };
    let moved = match courier.exchange(&ceremony, &mut local) {
        Ok(moved) => moved,
        Err(error) => {
            said(&error);
            let untouched = memory.all();
            assert!(
                before
                    .iter()
                    .all(|(path, node)| untouched.get(path) == Some(node))
            );
            return;
        }
    };
    assert_eq!(moved.received, local.messages.len() - 1);
    let after = memory.all();
    for (path, node) in &before {
        assert_eq!(
            after.get(path),
            Some(node),
            "{} was changed",
            path.display()
        );
    }
    for (path, node) in after.iter().filter(|(path, _)| !before.contains_key(*path)) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            name.bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.~".contains(&c)),
            "{name}"
        );
        assert!(*node == Node::Directory || name.ends_with(".json"));
    }
    let lies = |bytes: &[u8]| {
        after
            .values()
            .any(|node| *node == Node::File(bytes.to_vec()))
    };
    assert!(local.messages.values().all(|bytes| lies(bytes)));
    let again = courier.exchange(&ceremony, &mut local).unwrap();
    assert_eq!((again.sent, again.received), (0, 0), "{again:?}");
    assert_eq!(memory.all(), after);
    let mut plans = 0;
    let found = courier.ceremonies(&mut |shelved| {
        plans += 1;
        if let Err(error) = Plan::parse(&shelved.plan) {
            listed(error);
        }
    });
    found.unwrap();
    assert!(plans > 0, "the one that was just written to");
}

/// A record from anyone.
pub(crate) fn record(bytes: &[u8]) {
    let root = Path::new("/record");
    let Some(memory) = layout(bytes, root) else {
        return;
    };
    let disk: Arc<dyn Disk> = Arc::new(memory);
    let record = match read_record(&disk, root) {
        Ok(record) => record,
        Err(_) => return,
    };
    let plan = match Plan::parse(record.plan()) {
        Ok(plan) => plan,
        Err(error) => return listed(error),
    };
    if plan.cid() != stage().plan.cid() {
        return;
    }
    let outcome = record.outcome().unwrap();
    let report = audit(
        &plan,
        record.messages(),
        &record,
        outcome.as_deref(),
        &Unobserved,
    )
    .unwrap();
    report
        .sentences(&plan)
        .iter()
        .for_each(|line| drop(said(line)));
    assert!(
        report.examination.faults.is_empty(),
        "nobody cheats here: {report:?}"
    );
    if let Some(made) = &report.outcome {
        assert_eq!(*made, stage().outcome);
    }
    assert_eq!(
        report.claim_holds,
        outcome.map(|claimed| Some(claimed) == report.outcome)
    );
}
