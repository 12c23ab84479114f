//! Backups of shares: what is in them, what comes of them, and archives from anyone.

use std::path::Path;
use std::sync::Arc;

use conclave::ceremony::shares::OwnShares;
use conclave::courier::{Courier, folder::FolderCourier};
use conclave::crypto::identity::IdentityKey;
use conclave::driver::Standing;
use conclave::hash::Digest;
use conclave::secret::Seed;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::home::Home;
use conclave::store::seat::{self, SeatError};
use conclave::store::share_backup::{InHome, ShareBackup, ShareBackupError};
use conclave::store::upkeep::{Done, Note, Upkeep};
use conclave::store::vault::{Marker, Vault, VaultError};
use conclave::store::wrap::{Unlock, Wrap};
use serde_json::Value;

use crate::harness::disk::{Death, at_every_death, every_file};
use crate::harness::homes::Group;
use crate::harness::schema;

const MADE: u64 = 1_790_000_000;

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// A group whose ceremony is complete for everybody.
fn complete(directory: &Path, n: usize, validators: usize) -> Group {
    let group = Group::new(directory, n, validators);
    for operator in (0..n).chain(0..n).chain(0..n) {
        group.run(operator);
    }
    group
}

fn collect(group: &Group, operator: usize) -> ShareBackup {
    let home = group.members[operator].open(real()).unwrap();
    let (backup, left) = ShareBackup::collect(&home, group.plan.cid(), MADE).unwrap();
    assert!(left.is_empty(), "{left:?}");
    backup
}

fn tar(backup: &ShareBackup) -> Vec<u8> {
    backup.to_tar().unwrap().expose(Clone::clone)
}

/// A new home of this identity, which knows nothing else.
struct Fresh {
    root: std::path::PathBuf,
    key: age::x25519::Identity,
}

impl Fresh {
    fn new(root: &Path, seed: &Seed) -> Self {
        let key = age::x25519::Identity::generate();
        let wrap = Wrap::Recipient(key.to_public());
        let identity = IdentityKey::from_seed(seed).public().to_string();
        drop(Home::create(real(), root, &wrap, &identity, seed).unwrap());
        Self {
            root: root.to_owned(),
            key,
        }
    }

    fn open(&self, disk: Arc<dyn Disk>) -> Result<Home, conclave::store::home::HomeError> {
        Home::open(disk, &self.root, &Unlock::Identity(self.key.clone()))
    }
}

fn seed(group: &Group, operator: usize) -> Seed {
    let home = group.members[operator].open(real()).unwrap();
    home.identity_seed().unwrap()
}

/// Runs the ceremony in a home over a directory.
fn over(group: &Group, home: &Home, stick: &Path) -> Result<Standing, String> {
    std::fs::create_dir_all(stick).unwrap();
    let mut couriers: Vec<Box<dyn Courier>> = vec![Box::new(FolderCourier::new(real(), stick))];
    group
        .run_with(home, &mut couriers)
        .map(|ran| ran.standing)
        .map_err(|error| error.to_string())
}

fn shares(home: &Home, cid: &Digest) -> OwnShares {
    OwnShares::from_blob(&Vault::new(home).shares(cid).unwrap().unwrap()).unwrap()
}

#[test]
fn shares_come_back_with_what_was_said_and_say_nothing_new() {
    let directory = tempfile::tempdir().unwrap();
    let group = complete(directory.path(), 3, 2);
    let backup = collect(&group, 0);
    assert!(backup.is_confirmed());
    assert_eq!((backup.messages(), backup.about().index.get()), (6, 1));
    let bytes = tar(&backup);
    // The same home, the same bytes; and read back they are the same.
    assert_eq!(tar(&collect(&group, 0)), bytes);
    assert_eq!(tar(&ShareBackup::from_tar(&bytes).unwrap()), bytes);
    let about = bytes[512..].split(|byte| *byte == 0).next().unwrap();
    schema::assert_valid_json("share-backup", about);

    // No secret of a card and no identity is in it, and the shares are.
    let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
    let home = group.members[0].open(real()).unwrap();
    let card = group.members[0].card.encryption_key().to_bytes();
    let secret = home.ceremony_secret(&card).unwrap().unwrap();
    assert!(!secret.expose(|secret| holds(&secret[..8])));
    assert!(!seed(&group, 0).expose(|seed| holds(&seed[..8])));
    let own = shares(&home, group.plan.cid());
    assert!(own.shares[1].to_bytes().expose(|share| holds(share)));
    assert_eq!(backup.compare(&home).unwrap(), InHome::Same);
    drop(home);

    // A new home of the same identity, without anything of the ceremony: complete over nothing.
    let fresh = Fresh::new(&directory.path().join("fresh"), &seed(&group, 0));
    let home = fresh.open(real()).unwrap();
    assert_eq!(backup.compare(&home).unwrap(), InHome::Missing);
    assert_eq!(backup.restore(&home).unwrap(), InHome::Missing);
    assert_eq!(backup.restore(&home).unwrap(), InHome::Same);
    assert_eq!(shares(&home, group.plan.cid()).shares, own.shares);
    let cards = home.cards().unwrap();
    assert!(cards.len() == 1 && cards[0].spent);
    let stick = directory.path().join("empty");
    let standing = over(&group, &home, &stick).unwrap();
    assert!(matches!(standing, Standing::Complete { .. }));
    let said = group.on_stick();
    for (path, bytes) in every_file(&stick) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            name == "plan.json" || said.get(name) == Some(&bytes),
            "{name}"
        );
    }
    // Its card is spent: it takes part in nothing new.
    let plan = crate::harness::homes::draft(
        &[&group.members[0].card, &group.members[1].card],
        vec![crate::harness::homes::validator()],
    );
    let plan = conclave::ceremony::plan::Plan::draft(plan).unwrap();
    assert!(matches!(
        seat::accept(&home, &plan).unwrap_err(),
        SeatError::SpentCard
    ));

    // In the home that only lost the file, too.
    let root = &group.members[0].root;
    let file = Vault::shares_path(root, group.plan.cid());
    std::fs::remove_file(&file).unwrap();
    let home = group.members[0].open(real()).unwrap();
    assert!(matches!(
        ShareBackup::collect(&home, group.plan.cid(), MADE).unwrap_err(),
        ShareBackupError::NoShares(_)
    ));
    let before = every_file(root);
    assert_eq!(backup.restore(&home).unwrap(), InHome::Missing);
    let changed: Vec<_> = every_file(root)
        .into_iter()
        .filter(|file| !before.contains(file))
        .collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0].0, file);
}

#[test]
fn a_home_older_than_its_confirm_says_after_a_restore_what_it_said() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    for operator in 0..3 {
        group.run(operator);
    }
    // As it was after its deal: with the card's secret, without the confirm.
    let old = directory.path().join("old");
    crate::harness::disk::copy_tree(&group.members[0].root, &old);
    for operator in [0, 1, 2, 0] {
        group.run(operator);
    }
    let said = group.on_stick();
    let backup = collect(&group, 0);
    let home = group.members[0].open_at(real(), &old).unwrap();
    assert_eq!(backup.restore(&home).unwrap(), InHome::Missing);
    let vault = Vault::new(&home);
    assert!(
        vault
            .marker(group.plan.cid(), Marker::Confirmed)
            .unwrap()
            .is_some()
    );
    let stick = directory.path().join("empty");
    assert!(matches!(
        over(&group, &home, &stick).unwrap(),
        Standing::Complete { .. }
    ));
    for (path, bytes) in every_file(&stick) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            name == "plan.json" || said.get(name) == Some(&bytes),
            "{name}"
        );
    }
}

#[test]
fn restoring_killed_anywhere_says_nothing_new_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let group = complete(directory.path(), 2, 1);
    let backup = collect(&group, 0);
    let seed = seed(&group, 0);
    let said = group.on_stick();
    let whole = {
        let place = tempfile::tempdir().unwrap();
        let fresh = Fresh::new(&place.path().join("home"), &seed);
        backup.restore(&fresh.open(real()).unwrap()).unwrap();
        names(&fresh.root)
    };
    let deaths = at_every_death(&[Death::Before, Death::After], |disk| {
        let place = tempfile::tempdir().unwrap();
        let fresh = Fresh::new(&place.path().join("home"), &seed);
        let dying: Arc<dyn Disk> = disk.clone();
        let done = match fresh.open(dying) {
            Ok(home) => backup.restore(&home).is_ok(),
            Err(_) => false,
        };
        assert_eq!(done, !disk.died());
        let home = fresh.open(real()).unwrap();
        // Whatever stands now: it says what was said, or nothing.
        let stick = place.path().join("stick");
        let _ = over(&group, &home, &stick);
        for (path, bytes) in every_file(&stick) {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(
                name == "plan.json" || said.get(name) == Some(&bytes),
                "{name}"
            );
        }
        backup.restore(&home).unwrap();
        assert_eq!(backup.compare(&home).unwrap(), InHome::Same);
        let standing = over(&group, &home, &stick).unwrap();
        assert!(matches!(standing, Standing::Complete { .. }));
        let names = names(&fresh.root);
        let missing: Vec<_> = whole.iter().filter(|name| !names.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    });
    assert!(deaths > 20, "{deaths}");
}

/// The files of a home, without locks and what is half-written.
fn names(root: &Path) -> Vec<std::path::PathBuf> {
    every_file(root)
        .into_iter()
        .map(|(path, _)| path.strip_prefix(root).unwrap().to_owned())
        .filter(|path| !path.starts_with("lock") && !path.starts_with("locks"))
        .collect()
}

#[test]
fn what_is_not_this_homes_or_not_confirmed_is_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let group = complete(directory.path(), 3, 1);
    let backup = collect(&group, 0);
    let refused = |home: &Home| {
        let before = names_and_bytes(home.root());
        let error = backup.restore(home).unwrap_err();
        assert_eq!(names_and_bytes(home.root()), before, "{error}");
        error
    };
    // Another operator's home.
    let home = group.members[1].open(real()).unwrap();
    assert!(matches!(
        refused(&home),
        ShareBackupError::OtherIdentity { .. }
    ));
    // A home that left the ceremony: it would say two things.
    let fresh = Fresh::new(&directory.path().join("left"), &seed(&group, 0));
    let home = fresh.open(real()).unwrap();
    Vault::new(&home)
        .mark(group.plan.cid(), Marker::Abandoned, b"")
        .unwrap();
    assert!(matches!(
        refused(&home),
        ShareBackupError::Vault(VaultError::Excluded { .. })
    ));
    // One that said something else under the same name.
    let fresh = Fresh::new(&directory.path().join("other"), &seed(&group, 0));
    let home = fresh.open(real()).unwrap();
    Vault::new(&home)
        .put_own(group.plan.cid(), "1-deal-1-alice.json", b"{}")
        .unwrap();
    assert!(matches!(
        refused(&home),
        ShareBackupError::Vault(VaultError::SaidDifferently(_))
    ));
    // One with other shares of the same ceremony.
    let fresh = Fresh::new(&directory.path().join("mixed"), &seed(&group, 0));
    let home = fresh.open(real()).unwrap();
    let others = group.members[1].open(real()).unwrap();
    let blob = Vault::new(&others)
        .shares(group.plan.cid())
        .unwrap()
        .unwrap();
    Vault::new(&home)
        .store_shares(group.plan.cid(), &blob)
        .unwrap();
    assert!(matches!(refused(&home), ShareBackupError::OtherShares(_)));
    assert!(matches!(
        backup.compare(&home).unwrap_err(),
        ShareBackupError::OtherShares(_)
    ));

    // Shares without the confirm that speaks of them.
    let bytes = tar(&backup);
    let mut entries = entries(&bytes);
    entries.retain(|(name, _)| !name.contains("own/2-confirm"));
    count(&mut entries);
    let unconfirmed = ShareBackup::from_tar(&archive(&entries)).unwrap();
    assert!(!unconfirmed.is_confirmed());
    let fresh = Fresh::new(&directory.path().join("early"), &seed(&group, 0));
    let home = fresh.open(real()).unwrap();
    let before = names_and_bytes(home.root());
    assert!(matches!(
        unconfirmed.restore(&home).unwrap_err(),
        ShareBackupError::Unconfirmed(_)
    ));
    assert_eq!(names_and_bytes(home.root()), before);

    // The record brings it: of this ceremony, with this operator's word over these very shares.
    let mut messages = group.on_stick();
    messages.remove("plan.json");
    let unconfirmed = || ShareBackup::from_tar(&archive(&entries)).unwrap();
    let strange = crate::harness::homes::draft(
        &[&group.members[0].card, &group.members[1].card],
        vec![crate::harness::homes::validator()],
    );
    let strange = conclave::ceremony::plan::Plan::draft(strange).unwrap();
    let refused = unconfirmed().with_record(&strange, messages.clone());
    assert!(matches!(
        refused.unwrap_err(),
        ShareBackupError::Malformed(_)
    ));
    let mut silent = messages.clone();
    silent.remove("2-confirm-1-alice.json").unwrap();
    let refused = unconfirmed().with_record(&group.plan, silent);
    assert!(matches!(
        refused.unwrap_err(),
        ShareBackupError::Unconfirmed(_)
    ));
    let whole = unconfirmed().with_record(&group.plan, messages).unwrap();
    assert!(whole.is_confirmed());
    assert_eq!(whole.restore(&home).unwrap(), InHome::Missing);
    let standing = over(&group, &home, &directory.path().join("early-stick")).unwrap();
    assert!(matches!(standing, Standing::Complete { .. }));
}

fn names_and_bytes(root: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = every_file(root);
    files.retain(|(path, _)| !path.to_string_lossy().contains("lock"));
    files
}

/// The files of an archive.
type Entries = Vec<(String, Vec<u8>)>;

fn entries(bytes: &[u8]) -> Entries {
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut contents = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut contents).unwrap();
            (name, contents)
        })
        .collect()
}

fn archive(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, contents) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(contents.len() as u64);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        builder.append(&header, contents.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Changes what an archive says of itself.
fn about(entries: &mut Entries, change: impl Fn(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&entries[0].1).unwrap();
    change(&mut value);
    entries[0].1 = serde_json::to_vec(&value).unwrap();
}

fn count(entries: &mut Entries) {
    let files = entries.len() - 1;
    about(entries, |about| about["files"] = Value::from(files));
}

#[test]
fn hostile_archives_are_refused_whole() {
    let directory = tempfile::tempdir().unwrap();
    let group = complete(directory.path(), 3, 2);
    let bytes = tar(&collect(&group, 0));
    let good = entries(&bytes);
    assert_eq!(tar(&ShareBackup::from_tar(&archive(&good)).unwrap()), bytes);
    let refused = |change: &dyn Fn(&mut Entries), words: &str| {
        let mut entries = good.clone();
        change(&mut entries);
        let error = ShareBackup::from_tar(&archive(&entries)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert!(error.contains("nothing was written"), "{error}");
    };
    for name in [
        "../evil",
        "/etc/passwd",
        "conclave-shares/../evil",
        "conclave-shares/board/../x",
        "conclave-shares/board/a/b",
        "conclave-shares/own/.hidden",
        "conclave-shares/secret.age",
        "conclave-home/home.json",
        "plan.json",
    ] {
        refused(
            &|entries| entries.push((name.to_owned(), Vec::new())),
            "holds no file",
        );
    }
    let at = |entries: &Entries, part: &str| {
        let found = entries.iter().position(|(name, _)| name.contains(part));
        found.unwrap_or_else(|| panic!("{part}"))
    };
    let without = |part: &'static str| {
        move |entries: &mut Entries| {
            let position = at(entries, part);
            entries.remove(position);
            if position > 0 {
                count(entries);
            }
        }
    };
    refused(&without("backup.json"), "no backup.json");
    refused(&without("plan.json"), "no plan.json");
    refused(&without("shares.bin"), "no shares.bin");
    refused(&|entries| entries.swap(0, 1), "not its first file");
    refused(&|entries| entries.push(entries[1].clone()), "twice");
    refused(
        &|entries| entries.push(entries[at(entries, "plan.json")].clone()),
        "twice",
    );
    refused(
        &|entries| entries.push(entries[at(entries, "shares.bin")].clone()),
        "twice",
    );
    refused(&|entries| drop(entries.remove(1)), "as many files");
    for (field, value, words) in [
        ("cid", Value::from("ab".repeat(32)), "different ceremonies"),
        ("epoch", Value::from(1), "epoch"),
        ("index", Value::from(2), "operator that it names"),
        ("validators", Value::from(3), "number of operators"),
        ("transcript", Value::from("ab".repeat(32)), "transcript"),
        ("more", Value::from(1), "more"),
        ("version", Value::from(2), "version 2"),
        (
            "identity",
            Value::from(group.members[1].card.identity().to_string()),
            "operator that it names",
        ),
    ] {
        refused(
            &|entries| about(entries, |about| about[field] = value.clone()),
            words,
        );
    }

    // Shares: changed, cut, another operator's, with other facts.
    let shares = |entries: &Entries| at(entries, "shares.bin");
    refused(
        &|entries| {
            let position = shares(entries);
            *entries[position].1.last_mut().unwrap() ^= 1;
        },
        "not the secret of its public share",
    );
    refused(
        &|entries| {
            let position = shares(entries);
            entries[position].1.pop();
        },
        "number of shares",
    );
    let others = entries(&tar(&collect(&group, 1)));
    refused(
        &|entries| {
            let position = shares(entries);
            entries[position].1 = others[shares(&others)].1.clone();
        },
        "operator that it names",
    );
    let facts = |entries: &mut Entries, change: &dyn Fn(&mut Value)| {
        let position = shares(entries);
        let blob = &entries[position].1;
        let end = blob.iter().position(|byte| *byte == b'\n').unwrap();
        let mut value: Value = serde_json::from_slice(&blob[..end]).unwrap();
        change(&mut value);
        let line = conclave::json::canonical_value(&value).unwrap();
        let rest = blob[end..].to_vec();
        entries[position].1 = [line, rest].concat();
    };
    let swapped = |entries: &mut Entries| {
        facts(entries, &|facts| {
            let deals = facts["deals"].as_array_mut().unwrap();
            deals.swap(0, 1);
        });
    };
    refused(&swapped, "did not sign");
    refused(
        &|entries| {
            facts(entries, &|facts| {
                facts["deals"].as_array_mut().unwrap().pop();
            });
        },
        "one deal of each operator",
    );
    refused(
        &|entries| {
            facts(entries, &|facts| {
                facts["transcript"] = Value::from("ab".repeat(32));
            });
        },
        "transcript",
    );
    refused(
        &|entries| {
            facts(entries, &|facts| {
                facts["indices"] = serde_json::json!([1, 2, 4])
            })
        },
        "number of operators",
    );
    // Validators in another order: shares that fit their public shares, and not the transcript.
    refused(
        &|entries| {
            facts(entries, &|facts| {
                facts["polynomials"].as_array_mut().unwrap().swap(0, 1);
            });
            let position = shares(entries);
            let blob = &mut entries[position].1;
            let half = blob.len() - 32;
            let (first, second) = blob.split_at_mut(half);
            let start = first.len() - 32;
            first[start..].swap_with_slice(second);
        },
        "transcript",
    );

    // Messages: of nobody, of others under the own name, another confirm, one too many.
    refused(
        &|entries| entries[1].1 = b"{}".to_vec(),
        "no message of its ceremony",
    );
    let own_deal = |entries: &Entries| at(entries, "own/1-deal");
    refused(
        &|entries| {
            let other = entries[at(entries, "board/1-deal-2")].1.clone();
            let position = own_deal(entries);
            entries[position].1 = other;
        },
        "not the own message",
    );
    refused(
        &|entries| {
            let position = own_deal(entries);
            entries[position].0 = "conclave-shares/own/1-deal-1-bob.json".to_owned();
        },
        "not the own message",
    );
    let session_key = IdentityKey::from_seed(&seed(&group, 0));
    let sign = |kind, payload: Value| {
        let place = conclave::wire::envelope::Place::Confirm;
        conclave::wire::envelope::Envelope::sign(
            &session_key,
            *group.plan.cid(),
            kind,
            place,
            payload,
        )
        .unwrap()
        .bytes()
        .to_vec()
    };
    use conclave::wire::envelope::Kind;
    refused(
        &|entries| {
            let position = at(entries, "own/2-confirm");
            let mut value: Value = serde_json::from_slice(&entries[position].1).unwrap();
            let mut payload = value["payload"].take();
            payload["transcript"] = Value::from("ab".repeat(32));
            entries[position].1 = sign(Kind::Confirm, payload);
        },
        "confirms other shares",
    );
    refused(
        &|entries| {
            let name = "conclave-shares/own/2-abandon-1-alice.json".to_owned();
            entries.push((name, sign(Kind::Abandon, serde_json::json!({}))));
            count(entries);
        },
        "both confirmed and left",
    );

    // A plan that is another's, and what is no archive at all.
    let other = complete(&directory.path().join("second"), 3, 2);
    let strange = entries(&tar(&collect(&other, 0)));
    refused(
        &|entries| {
            let position = at(entries, "plan.json");
            entries[position].1 = strange[at(&strange, "plan.json")].1.clone();
        },
        "different ceremonies",
    );
    for noise in [&b""[..], b"not a tar", &[0xff; 2048]] {
        assert!(ShareBackup::from_tar(noise).is_err());
    }
    let mut cut = bytes.clone();
    cut.truncate(bytes.len() / 2);
    assert!(ShareBackup::from_tar(&cut).is_err());
    let mut header = tar::Header::new_ustar();
    header.set_path("conclave-shares/shares.bin").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    let huge = [header.as_bytes().as_slice(), &[0; 4096]].concat();
    let error = ShareBackup::from_tar(&huge).unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
}

#[test]
fn notes_of_upkeep_are_written_once_and_count_for_their_ceremony_alone() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 2, 1);
    let home = group.members[0].open(real()).unwrap();
    let (cid, other) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
    let place = |cid: &Digest| home.root().join(format!("ceremonies/{cid}"));
    let upkeep = |cid: &Digest| Upkeep::at(&RealDisk, &place(cid)).unwrap();
    assert!(upkeep(&cid).last(Done::Proved).is_none());
    let note = |done, file: &[u8], at| Note::new(done, &cid, &other, file, at);
    let first = note(Done::Proved, b"first", 7);
    for note in [
        &first,
        &first,
        &note(Done::Proved, b"second", 9),
        &note(Done::Proved, b"third", 8),
        &note(Done::BackupChecked, b"backup", 3),
        &note(Done::PaperChecked, b"keys", 4),
    ] {
        note.keep(&**home.disk(), home.root()).unwrap();
    }
    // Something else in its place is never written over.
    let changed = Note {
        challenge: Some("new".to_owned().try_into().unwrap()),
        ..first.clone()
    };
    assert!(changed.keep(&**home.disk(), home.root()).is_err());
    let kept = upkeep(&cid);
    assert!(kept.unreadable().is_empty());
    assert_eq!(kept.last(Done::Proved).unwrap().at, 9);
    let backup = kept.last(Done::BackupChecked).unwrap();
    assert_eq!(*backup, note(Done::BackupChecked, b"backup", 3));
    assert_eq!(kept.last(Done::PaperChecked).unwrap().at, 4);
    let files = every_file(&place(&cid));
    assert_eq!(files.len(), 5);
    for (_, bytes) in &files {
        schema::assert_valid_json("upkeep", bytes);
    }

    // A note of another ceremony, one of another version, noise, one that is too long.
    let strange = place(&other).join("upkeep");
    std::fs::create_dir_all(&strange).unwrap();
    let text = String::from_utf8(files[0].1.clone()).unwrap();
    let ours = text.replace(&cid.to_string(), &other.to_string());
    for (name, text) in [
        ("moved.json", text.clone()),
        (
            "later.json",
            ours.replace("\"version\": 1", "\"version\": 2"),
        ),
        ("noise.json", "{".to_owned()),
        ("long.json", format!("{ours}{}", " ".repeat(5000))),
        ("good.json", ours),
    ] {
        std::fs::write(strange.join(name), text).unwrap();
    }
    let found = upkeep(&other);
    assert_eq!(
        found.unreadable(),
        ["later.json", "long.json", "moved.json", "noise.json"]
    );
    assert!(
        found
            .last(Done::BackupChecked)
            .or(found.last(Done::Proved))
            .is_some()
    );
}
