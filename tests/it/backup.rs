//! Backups of a home: what is in them, what comes of them, and archives from anyone.

use std::path::Path;
use std::sync::Arc;

use conclave::courier::{Courier, folder::FolderCourier};
use conclave::crypto::identity::IdentityKey;
use conclave::driver::Standing;
use conclave::store::backup::{Backup, BackupError, restored};
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::home::{Home, HomeError};
use conclave::store::seat::Turn;
use conclave::store::wrap::{Unlock, Wrap};

use crate::harness::disk::{Death, at_every_death, every_file};
use crate::harness::homes::Group;

const MADE: u64 = 1_790_000_000;

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn collect(home: &Home) -> Backup {
    let (backup, left) = Backup::collect(home, MADE).unwrap();
    assert!(left.is_empty(), "{left:?}");
    backup
}

/// A home's files as a backup holds them.
fn kept(root: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    every_file(root)
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(root).unwrap().to_owned(), bytes))
        .filter(|(path, _)| !path.starts_with("lock") && !path.starts_with("locks"))
        .filter(|(path, _)| !path.ends_with("restored.json"))
        .collect()
}

#[test]
fn a_restored_home_goes_on_with_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    for operator in 0..3 {
        group.run(operator);
    }
    let member = &group.members[0];
    let home = member.open(real()).unwrap();
    let backup = collect(&home);
    assert_eq!((backup.cards(), backup.unspent_cards()), (1, 1));
    assert_eq!((backup.ceremonies(), backup.shares()), (1, 0));
    let tar = backup.to_tar().unwrap();
    assert_eq!(collect(&home).to_tar().unwrap(), tar);
    assert_eq!(Backup::from_tar(&tar).unwrap(), backup);

    // The home goes on, and is lost before its confirm left: the restored one makes the same.
    let stick_before = directory.path().join("before");
    copy(&group.stick, &stick_before);
    group.run(0);
    let confirmed = group.on_stick();
    let root = directory.path().join("restored");
    let public = backup.restore(&real(), &root, MADE + 1).unwrap();
    assert_eq!(&public, home.description());
    let again = member.open_at(real(), &root).unwrap();
    assert_eq!(
        kept(&root).len(),
        usize::try_from(backup.about.files).unwrap()
    );
    let memory = restored(&again).unwrap().unwrap();
    assert_eq!((memory.backup_made, memory.restored), (MADE, MADE + 1));
    assert!(memory.knows(&member.card.encryption_key().to_bytes()));
    assert!(!memory.knows(&[0xee; 48]));
    assert!(restored(&home).unwrap().is_none());
    std::fs::remove_dir_all(&group.stick).unwrap();
    copy(&stick_before, &group.stick);
    let over = |home: &Home| {
        let mut couriers: Vec<Box<dyn Courier>> =
            vec![Box::new(FolderCourier::new(real(), &group.stick))];
        group.run_with(home, &mut couriers).unwrap().standing
    };
    over(&again);
    assert_eq!(group.on_stick(), confirmed);

    // And to the end, with everybody.
    group.run(1);
    group.run(2);
    assert!(matches!(over(&again), Standing::Complete { .. }));
    // A backup of the restored home remembers that it was one.
    drop(again);
    let again = member.open_at(real(), &root).unwrap();
    let second = directory.path().join("second");
    let backup = collect(&again);
    assert_eq!(backup.shares(), 1);
    backup.restore(&real(), &second, MADE + 2).unwrap();
    assert_eq!(kept(&second), kept(&root));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for (path, bytes) in every_file(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
    }
}

#[test]
fn a_home_at_work_is_not_backed_up_and_strange_files_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    group.run(0);
    let home = group.members[0].open(real()).unwrap();
    let turn = Turn::take(&home, &group.plan).unwrap();
    assert!(matches!(
        Backup::collect(&home, MADE).unwrap_err(),
        BackupError::Home(HomeError::CeremonyBusy(_))
    ));
    drop(turn);
    let root = &group.members[0].root;
    std::fs::write(root.join("notes.txt"), "mine").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("cards/link")).unwrap();
    let (backup, mut left) = Backup::collect(&home, MADE).unwrap();
    left.sort();
    assert_eq!(left, ["cards/link", "notes.txt"]);
    let tar = backup.to_tar().unwrap();
    assert_eq!(Backup::from_tar(&tar).unwrap(), backup);
}

#[test]
fn restoring_killed_anywhere_and_repeated_gives_the_home() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 2, 1);
    group.run(0);
    let member = &group.members[0];
    let backup = collect(&member.open(real()).unwrap());
    let deaths = at_every_death(&[Death::Before, Death::After], |disk| {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        let dying: Arc<dyn Disk> = disk.clone();
        let done = backup.restore(&dying, &root, MADE);
        assert_eq!(done.is_ok(), !disk.died());
        // The home stands whole, or not at all.
        if root.exists() {
            assert_eq!(kept(&root), kept(&member.root));
        } else {
            backup.restore(&real(), &root, MADE).unwrap();
        }
        drop(member.open_at(real(), &root).unwrap());
        assert_eq!(kept(&root), kept(&member.root));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    });
    assert!(deaths > 20, "{deaths}");

    // A new home at that place takes nothing from a restore that died.
    let disk = crate::harness::disk::FaultDisk::dying(14, Death::Before);
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("home");
    let dying: Arc<dyn Disk> = disk;
    assert!(backup.restore(&dying, &root, MADE).is_err());
    assert!(!every_file(place.path()).is_empty());
    let key = age::x25519::Identity::generate();
    let wrap = Wrap::Recipient(key.to_public());
    let seed = conclave::secret::Secret::new([3; 32]);
    let identity = IdentityKey::from_seed(&seed).public().to_string();
    drop(Home::create(real(), &root, &wrap, &identity, &seed).unwrap());
    assert_eq!(kept(&root).len(), 3);
    drop(Home::open(real(), &root, &Unlock::Identity(key)).unwrap());
    assert!(matches!(
        backup.restore(&real(), &root, MADE).unwrap_err(),
        BackupError::Home(HomeError::Exists { .. })
    ));
    let full = place.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("x"), "").unwrap();
    assert!(matches!(
        backup.restore(&real(), &full, MADE).unwrap_err(),
        BackupError::Home(HomeError::Occupied(_))
    ));
}

/// One entry of a hostile archive: its raw name, kind and contents.
type Item<'a> = (&'a [u8], tar::EntryType, &'a [u8]);

fn archive(items: &[Item<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, contents) in items {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(*kind);
        header.set_size(contents.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        builder.append(&header, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn hostile_archives_are_refused_whole() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 2, 1);
    let backup = collect(&group.members[0].open(real()).unwrap());
    let tar = backup.to_tar().unwrap();
    let about = serde_json::to_vec(&backup.about).unwrap();
    let read = |name: &str| std::fs::read(group.members[0].root.join(name)).unwrap();
    let root = [
        read("home.json"),
        read("home-key.age"),
        read("identity.age"),
    ];
    let file = tar::EntryType::Regular;
    let base: Vec<Item<'_>> = vec![
        (b"conclave-home/backup.json", file, &about),
        (b"conclave-home/home.json", file, &root[0]),
        (b"conclave-home/home-key.age", file, &root[1]),
        (b"conclave-home/identity.age", file, &root[2]),
    ];
    let cards = group.members[0].root.join("cards");
    let card = std::fs::read_dir(cards).unwrap().next().unwrap().unwrap();
    let card = card.file_name().into_string().unwrap();
    let names =
        ["card.json", "secret.age"].map(|file| format!("conclave-home/cards/{card}/{file}"));
    let contents = names
        .each_ref()
        .map(|name| read(name.strip_prefix("conclave-home/").unwrap()));
    let mut good = base.clone();
    good.extend(
        names
            .iter()
            .zip(&contents)
            .map(|(name, contents)| (name.as_bytes(), file, contents.as_slice())),
    );
    assert_eq!(Backup::from_tar(&archive(&good)).unwrap(), backup);

    let refused = |items: &[Item<'_>], words: &str| {
        let error = Backup::from_tar(&archive(items)).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert!(error.contains("nothing was written"), "{error}");
    };
    for name in [
        &b"../evil"[..],
        b"conclave-home/../evil",
        b"/etc/passwd",
        b"conclave-home//home.json",
        b"conclave-home/./home.json",
        b"conclave-home/cards/../home.json",
        b"home.json",
        b"conclave-home/notes.txt",
        b"conclave-home/lock",
        b"conclave-home/\xff",
        b"conclave-home/",
    ] {
        refused(
            &[&good[..], &[(name, file, b"x")]].concat(),
            "a home holds no file",
        );
    }
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Directory,
        tar::EntryType::Fifo,
        tar::EntryType::Block,
        tar::EntryType::GNULongName,
        tar::EntryType::XHeader,
        tar::EntryType::GNUSparse,
    ] {
        let name = b"conclave-home/restored.json";
        refused(
            &[&good[..], &[(name, kind, b"")]].concat(),
            "no regular file",
        );
    }
    refused(&[&good[..], &good[1..2]].concat(), "twice");
    refused(&[&good[1..], &good[..1]].concat(), "not its first file");
    refused(&good[1..], "no backup.json");
    refused(&[&good[..1], &good[2..]].concat(), "as many files");
    refused(&base, "as many files");
    let strange = br#"{"version": 1, "more": 1}"#;
    refused(
        &[&[(base[0].0, file, &strange[..])], &good[1..]].concat(),
        "backup",
    );
    let later = br#"{"version": 2, "more": 1}"#;
    assert!(matches!(
        Backup::from_tar(&archive(&[(base[0].0, file, &later[..])])).unwrap_err(),
        BackupError::Version(2)
    ));
    // A size that the archive does not hold, and one that no file has.
    let mut cut = tar.clone();
    cut.truncate(tar.len() / 2);
    assert!(Backup::from_tar(&cut).is_err());
    let mut header = tar::Header::new_ustar();
    header.set_path("conclave-home/home.json").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    let huge = [header.as_bytes().as_slice(), &[0; 4096]].concat();
    let error = Backup::from_tar(&huge).unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
    for noise in [&b""[..], b"not a tar", &[0xff; 2048]] {
        assert!(Backup::from_tar(noise).is_err());
    }

    // Another home's description does not pass for this one.
    let other = group.members[1].root.join("home.json");
    let other = std::fs::read(other).unwrap();
    let mut mixed = good.clone();
    mixed[1].2 = &other;
    let place = directory.path().join("mixed");
    let error = Backup::from_tar(&archive(&mixed))
        .unwrap()
        .restore(&real(), &place, MADE)
        .unwrap_err();
    assert!(error.to_string().contains("another identity"), "{error}");
    assert!(!place.exists());
}
