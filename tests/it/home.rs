//! An operator's home: what it keeps, through crashes and repeats, and from whom.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use conclave::crypto::identity::IdentityKey;
use conclave::secret::{Passphrase, Secret, SecretBytes, Seed};
use conclave::store::disk::{Disk, DiskError, RealDisk};
use conclave::store::home::{Home, HomeError, WrappedBy};
use conclave::store::wrap::{Unlock, WorkFactor, Wrap, WrapError};

use crate::harness::disk::{Death, FaultDisk, assert_nowhere, at_every_death, every_file};

const IDENTITY: &str = "conclave132yw8ht5p8cetl2jmvknewjawt9xwzdlrk2pyxlnwjyqrdq0dawq2zwcgs";
const SEED: [u8; 32] = *b"a seed that no other file quotes";
const CEREMONY: [u8; 32] = *b"the secret of one ceremony, 32 B";
const KEY: [u8; 48] = [0xe1; 48];

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

fn wrap() -> Wrap {
    Wrap::Passphrase(passphrase("horse"), WorkFactor::new(2).unwrap())
}

fn unlock() -> Unlock {
    Unlock::Passphrase(passphrase("horse"))
}

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn seed() -> Seed {
    Secret::new(SEED)
}

fn secret(bytes: &[u8]) -> SecretBytes {
    Secret::new(bytes.to_vec())
}

fn create(disk: Arc<dyn Disk>, root: &Path) -> Result<Home, HomeError> {
    Home::create(disk, root, &wrap(), IDENTITY, &seed())
}

fn open(disk: Arc<dyn Disk>, root: &Path) -> Result<Home, HomeError> {
    Home::open(disk, root, &unlock())
}

#[test]
fn a_home_opens_with_what_wrapped_it_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("deep/home");
    let home = create(real(), &root).unwrap();
    assert!(home.identity_seed().unwrap().ct_eq(&seed()));
    drop(home);

    let public = Home::public(&RealDisk, &root).unwrap();
    assert_eq!(public.identity, IDENTITY);
    assert_eq!(public.wrapped_by, WrappedBy::Passphrase);
    assert!(
        open(real(), &root)
            .unwrap()
            .identity_seed()
            .unwrap()
            .ct_eq(&seed())
    );
    assert_eq!(
        Home::open(real(), &root, &Unlock::Passphrase(passphrase("mule"))).unwrap_err(),
        HomeError::WrongPassphrase(root.clone())
    );
    let stranger = Unlock::Identity(age::x25519::Identity::generate());
    assert!(matches!(
        Home::open(real(), &root, &stranger).unwrap_err(),
        HomeError::Sealed {
            reason: WrapError::WrongKey,
            ..
        }
    ));

    let key = age::x25519::Identity::generate();
    let root = place.path().join("by-key");
    let by_key = Wrap::Recipient(key.to_public());
    drop(Home::create(real(), &root, &by_key, IDENTITY, &seed()).unwrap());
    let home = Home::open(real(), &root, &Unlock::Identity(key.clone())).unwrap();
    assert!(home.identity_seed().unwrap().ct_eq(&seed()));
    assert_eq!(
        home.description().wrapped_by,
        WrappedBy::Recipient(key.to_public().to_string())
    );
    assert_nowhere(place.path(), &SEED);
}

#[test]
fn nobody_else_may_read_a_home() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("home");
    let home = create(real(), &root).unwrap();
    home.put_card(b"{}", &KEY, &Secret::new(CEREMONY)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&root.join("cards")), 0o700);
    let mut sealed = 0;
    for (path, _) in every_file(&root) {
        if path.extension().is_some_and(|extension| extension == "age") {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            sealed += 1;
        }
    }
    assert_eq!(sealed, 3);
    assert_nowhere(place.path(), &SEED);
    assert_nowhere(place.path(), &CEREMONY);
}

#[test]
fn several_processes_open_one_home_and_share_its_locks() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("home");
    let one = create(real(), &root).unwrap();
    let two = open(real(), &root).unwrap();
    let cid = |byte| conclave::hash::Digest::from_bytes([byte; 32]);
    let turn = one.lock_ceremony(&cid(1)).unwrap();
    assert_eq!(
        two.lock_ceremony(&cid(1)).unwrap_err(),
        HomeError::CeremonyBusy(root.clone())
    );
    drop(two.lock_ceremony(&cid(2)).unwrap());
    drop(turn);
    drop(two.lock_ceremony(&cid(1)).unwrap());

    // The home's own lock is waited for: a card is made once it is free.
    let lock = one.lock().unwrap();
    std::thread::scope(|scope| {
        let made = scope.spawn(|| two.put_card(b"{}", &KEY, &Secret::new(CEREMONY)));
        std::thread::sleep(std::time::Duration::from_millis(800));
        assert!(one.cards().unwrap().is_empty() && !made.is_finished());
        drop(lock);
        made.join().unwrap().unwrap();
    });
    assert_eq!(one.cards().unwrap().len(), 1);
}

#[test]
fn a_home_is_never_made_over_anything() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("home");
    drop(create(real(), &root).unwrap());
    let before = every_file(place.path());
    let other = Secret::new([9; 32]);
    assert_eq!(
        Home::create(real(), &root, &wrap(), "another", &other).unwrap_err(),
        HomeError::Exists {
            root: root.clone(),
            identity: IDENTITY.to_owned()
        }
    );
    // A home whose description was lost is not taken for an empty place either.
    fs::remove_file(root.join("home.json")).unwrap();
    assert_eq!(
        create(real(), &root).unwrap_err(),
        HomeError::Occupied(root.clone())
    );
    assert_eq!(
        open(real(), &root).unwrap_err(),
        HomeError::NoHome(root.clone())
    );
    assert_eq!(every_file(place.path()).len(), before.len() - 1);

    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    drop(create(real(), &empty).unwrap());
    drop(open(real(), &empty).unwrap());
}

#[test]
fn creation_killed_anywhere_and_repeated_gives_a_home() {
    let deaths = at_every_death(&Death::SOUND, |disk| {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        let shown = create(disk.clone(), &root).map(drop);
        assert_eq!(shown.is_ok(), !disk.died());
        assert_nowhere(place.path(), &SEED);

        // The next process brings another identity, as a fresh attempt would.
        let seed_of_second = Secret::new([2; 32]);
        let identity_of_second = IdentityKey::from_seed(&seed_of_second).public().to_string();
        let second = Home::create(real(), &root, &wrap(), &identity_of_second, &seed_of_second);
        match second.map(drop) {
            Ok(()) => {
                assert!(disk.died(), "a home that was shown was replaced");
                assert_eq!(
                    Home::public(&RealDisk, &root).unwrap().identity,
                    identity_of_second
                );
            }
            Err(HomeError::Exists { identity, .. }) => {
                assert_eq!(identity, IDENTITY);
                assert!(
                    open(real(), &root)
                        .unwrap()
                        .identity_seed()
                        .unwrap()
                        .ct_eq(&seed())
                );
            }
            Err(error) => panic!("stuck: {error}"),
        }
        drop(open(real(), &root).unwrap());
        let names: Vec<_> = every_file(place.path())
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(names.len(), 4, "{names:?}");
    });
    assert!(deaths > 20, "{deaths}");
}

fn mule() -> Unlock {
    Unlock::Passphrase(passphrase("mule"))
}

/// Which of the two passphrases open the home.
fn opens(root: &Path) -> (bool, bool) {
    let tries = |unlock: &Unlock| match Home::open(real(), root, unlock) {
        Ok(home) => {
            assert!(home.identity_seed().unwrap().ct_eq(&seed()));
            true
        }
        Err(HomeError::WrongPassphrase(_)) => false,
        Err(error) => panic!("{error}"),
    };
    (tries(&unlock()), tries(&mule()))
}

#[test]
fn a_new_passphrase_killed_anywhere_leaves_the_old_or_the_new_one() {
    let (old, new) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let deaths = at_every_death(&Death::SOUND, |disk| {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        let home = create(real(), &root).unwrap();
        home.put_card(b"{}", &KEY, &Secret::new(CEREMONY)).unwrap();
        drop(home);
        let others = |root: &Path| {
            let mut files = every_file(root);
            files.retain(|(path, _)| !path.ends_with("home-key.age"));
            files
        };
        let before = others(&root);
        let to = Wrap::Passphrase(passphrase("mule"), WorkFactor::new(2).unwrap());
        let done = open(disk.clone(), &root).and_then(|mut home| home.rewrap(&to, None));
        assert_eq!(done.is_ok(), !disk.died());
        match opens(&root) {
            (true, false) => old.set(old.get() + 1),
            (false, true) => new.set(new.get() + 1),
            both => panic!("{both:?}"),
        }
        assert!(done.is_err() || !opens(&root).0);
        // Opening repaired what was cut short: nothing is left over, nothing else changed.
        assert_eq!(others(&root), before);
        assert_nowhere(place.path(), &SEED);
    });
    assert!(deaths > 20 && old.get() > 5 && new.get() > 5);
}

#[test]
fn the_description_never_lies_about_what_opens_a_home() {
    let key = age::x25519::Identity::generate();
    let public = key.to_public().to_string();
    at_every_death(&Death::SOUND, |disk| {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        drop(create(real(), &root).unwrap());
        let to = Wrap::Recipient(key.to_public());
        let done = open(disk.clone(), &root).and_then(|mut home| home.rewrap(&to, None));
        assert_eq!(done.is_ok(), !disk.died());
        // Twice: as the dead process left it, and after it was opened again.
        for _ in 0..2 {
            let unlock = match Home::public(&RealDisk, &root).unwrap().wrapped_by {
                WrappedBy::Passphrase => unlock(),
                WrappedBy::Recipient(recipient) => {
                    assert_eq!(recipient, public);
                    Unlock::Identity(key.clone())
                }
            };
            drop(Home::open(real(), &root, &unlock).unwrap());
        }
        assert!(!root.join("home-key.next").exists());
        // And it can be changed again.
        let unlock = match Home::public(&RealDisk, &root).unwrap().wrapped_by {
            WrappedBy::Passphrase => unlock(),
            WrappedBy::Recipient(_) => Unlock::Identity(key.clone()),
        };
        let mut home = Home::open(real(), &root, &unlock).unwrap();
        home.rewrap(&wrap(), None).unwrap();
        assert_eq!(home.description().wrapped_by, WrappedBy::Passphrase);
        drop(open(real(), &root).unwrap());
    });
}

#[test]
fn a_home_is_not_wrapped_to_a_key_that_is_tried_and_does_not_open_it() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("home");
    let mut home = create(real(), &root).unwrap();
    let before = every_file(&root);
    let to = Wrap::Recipient(age::x25519::Identity::generate().to_public());
    let trial = Unlock::Identity(age::x25519::Identity::generate());
    assert!(matches!(
        home.rewrap(&to, Some(&trial)).unwrap_err(),
        HomeError::WrongIdentity { .. }
    ));
    assert_eq!(every_file(&root), before);
    fs::write(root.join("home-key.next"), b"not json").unwrap();
    assert!(matches!(
        open(real(), &root).unwrap_err(),
        HomeError::Malformed { .. }
    ));
}

#[test]
fn a_secret_stored_by_a_process_that_dies_is_whole_or_absent() {
    let payload = [CEREMONY; 5000].concat();
    let deaths = at_every_death(&Death::SOUND, |disk| {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        drop(create(real(), &root).unwrap());
        let stored = open(disk.clone(), &root)
            .and_then(|home| home.put_secret("vault/a/shares.age", &secret(&payload)));
        assert_eq!(stored.is_ok(), !disk.died());
        assert_nowhere(place.path(), &CEREMONY);

        let home = open(real(), &root).unwrap();
        let limit = 1 << 20;
        if let Some(found) = home.get_secret("vault/a/shares.age", limit).unwrap() {
            assert!(found.ct_eq(&secret(&payload)));
        }
        home.put_secret("vault/a/shares.age", &secret(&payload))
            .unwrap();
        home.put_secret("vault/a/shares.age", &secret(&payload))
            .unwrap();
        let found = home
            .get_secret("vault/a/shares.age", limit)
            .unwrap()
            .unwrap();
        assert!(found.ct_eq(&secret(&payload)));
        assert!(home.identity_seed().unwrap().ct_eq(&seed()));
        assert_eq!(every_file(&root.join("vault")).len(), 1);
    });
    assert!(deaths > 10, "{deaths}");
}

#[test]
fn a_standing_secret_is_neither_changed_nor_believed_when_damaged() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("home");
    let home = create(real(), &root).unwrap();
    home.put_secret("a.age", &secret(b"one")).unwrap();
    let path = root.join("a.age");
    for other in [b"two".as_slice(), b"", &[1; 10_000]] {
        assert_eq!(
            home.put_secret("a.age", &secret(other)).unwrap_err(),
            HomeError::Disk(DiskError::Differs(path.clone()))
        );
    }
    assert!(
        home.get_secret("a.age", 1000)
            .unwrap()
            .unwrap()
            .ct_eq(&secret(b"one"))
    );
    assert!(matches!(
        home.get_secret("a.age", 100).unwrap_err(),
        HomeError::Disk(DiskError::TooLarge { limit: 100, .. })
    ));

    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(
        home.get_secret("a.age", 1000).unwrap_err(),
        HomeError::Sealed {
            reason: WrapError::Damaged,
            ..
        }
    ));
    fs::remove_file(&path).unwrap();
    symlink(root.join("identity.age"), &path).unwrap();
    assert!(matches!(
        home.get_secret("a.age", 1000).unwrap_err(),
        HomeError::Disk(DiskError::NotRegular { .. })
    ));

    home.destroy_secret("b.age").unwrap();
    home.put_secret("b.age", &secret(b"x")).unwrap();
    home.destroy_secret("b.age").unwrap();
    assert!(home.get_secret("b.age", 1000).unwrap().is_none());
}

#[test]
fn no_name_leads_out_of_a_home() {
    let place = tempfile::tempdir().unwrap();
    let home = create(real(), &place.path().join("home")).unwrap();
    for name in [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "..",
        "A",
        "a b",
        "a\\b",
        "a\0b",
    ] {
        assert_eq!(
            home.put_public(name, b"x").unwrap_err(),
            HomeError::Name(name.to_owned())
        );
    }
    let nameless = place.path().join("nowhere/..");
    assert_eq!(
        create(real(), &nameless).unwrap_err(),
        HomeError::Nameless(nameless)
    );
    assert!(home.put_public("a/b-1.json", b"x").unwrap());
    assert!(!home.put_public("a/b-1.json", b"x").unwrap());
    assert_eq!(home.get_public("a/b-1.json", 1).unwrap().unwrap(), b"x");
    assert_eq!(home.get_public("a/c.json", 1).unwrap(), None);
}

#[test]
fn parts_of_two_homes_do_not_mix() {
    let place = tempfile::tempdir().unwrap();
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    drop(create(real(), &one).unwrap());
    drop(create(real(), &two).unwrap());
    fs::copy(one.join("identity.age"), two.join("identity.age")).unwrap();
    let home = open(real(), &two).unwrap();
    assert!(matches!(
        home.identity_seed().unwrap_err(),
        HomeError::Sealed {
            reason: WrapError::WrongKey,
            ..
        }
    ));
    drop(home);
    fs::copy(one.join("home-key.age"), two.join("home-key.age")).unwrap();
    assert!(matches!(
        open(real(), &two).unwrap_err(),
        HomeError::Malformed { .. }
    ));

    let description = fs::read_to_string(one.join("home.json")).unwrap();
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2, \"more\": 1"),
        ("\"version\": 1", "\"version\": 1, \"more\": 1"),
        ("\"version\": 1", "\"version\": \"1\""),
        ("{", "[{"),
    ] {
        let changed = description.replacen(from, to, 1);
        assert_ne!(changed, description);
        fs::write(one.join("home.json"), changed).unwrap();
        let error = open(real(), &one).unwrap_err();
        if to.contains("2,") {
            assert_eq!(
                error,
                HomeError::Version {
                    root: one.clone(),
                    version: 2
                }
            );
        } else {
            assert!(matches!(error, HomeError::Malformed { .. }), "{error}");
        }
    }
}

#[test]
fn a_card_that_exists_has_its_secret_until_it_is_spent() {
    let deaths = at_every_death(&Death::SOUND, |disk| {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        drop(create(real(), &root).unwrap());
        let ceremony = || Secret::new(CEREMONY);
        let made = open(disk.clone(), &root)
            .and_then(|home| home.put_card(b"{\"card\":1}", &KEY, &ceremony()));
        assert_eq!(made.is_ok(), !disk.died());
        assert_nowhere(place.path(), &CEREMONY);

        let home = open(real(), &root).unwrap();
        for card in home.cards().unwrap() {
            assert!(!card.spent);
            assert!(
                home.ceremony_secret(&KEY)
                    .unwrap()
                    .unwrap()
                    .ct_eq(&ceremony())
            );
        }
        home.put_card(b"{\"card\":1}", &KEY, &ceremony()).unwrap();
        let cards = home.cards().unwrap();
        assert_eq!(cards.len(), 1);
        assert_eq!(cards[0].bytes, b"{\"card\":1}");
        assert!(
            home.ceremony_secret(&KEY)
                .unwrap()
                .unwrap()
                .ct_eq(&ceremony())
        );
    });
    assert!(deaths > 15, "{deaths}");
}

#[test]
fn spending_killed_anywhere_ends_with_a_tombstone_without_a_secret() {
    let deaths = at_every_death(&Death::SOUND, |disk| {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        let ceremony = || Secret::new(CEREMONY);
        let home = create(real(), &root).unwrap();
        home.put_card(b"card", &KEY, &ceremony()).unwrap();
        drop(home);
        let spent = open(disk.clone(), &root).and_then(|home| home.spend_card(&KEY));
        assert_eq!(spent.is_ok(), !disk.died());

        let home = open(real(), &root).unwrap();
        home.spend_card(&KEY).unwrap();
        home.spend_card(&KEY).unwrap();
        let card = home.cards().unwrap().remove(0);
        assert_eq!(
            (card.bytes.as_slice(), card.spent),
            (b"card".as_slice(), true)
        );
        assert!(matches!(
            home.put_card(b"card", &KEY, &ceremony()).unwrap_err(),
            HomeError::Spent(_)
        ));
        assert!(home.ceremony_secret(&KEY).unwrap().is_none());
    });
    assert_eq!(deaths, 12);
}

#[test]
fn cards_do_not_replace_each_other() {
    let place = tempfile::tempdir().unwrap();
    let home = create(real(), &place.path().join("home")).unwrap();
    assert!(home.cards().unwrap().is_empty());
    assert!(matches!(
        home.spend_card(&KEY).unwrap_err(),
        HomeError::NoCard(_)
    ));
    home.put_card(b"one", &KEY, &Secret::new(CEREMONY)).unwrap();
    home.put_card(b"two", &[0xa0; 48], &Secret::new([4; 32]))
        .unwrap();
    // Same first bytes, another key.
    let mut clash = KEY;
    clash[47] = 0;
    assert!(
        home.put_card(b"three", &clash, &Secret::new([5; 32]))
            .is_err()
    );
    assert!(
        home.put_card(b"four", &KEY, &Secret::new(CEREMONY))
            .is_err()
    );
    home.spend_card(&[0xa0; 48]).unwrap();
    let cards: Vec<_> = home
        .cards()
        .unwrap()
        .into_iter()
        .map(|c| (c.bytes, c.spent))
        .collect();
    assert_eq!(cards, [(b"two".to_vec(), true), (b"one".to_vec(), false)]);
    assert!(
        home.ceremony_secret(&KEY)
            .unwrap()
            .unwrap()
            .ct_eq(&Secret::new(CEREMONY))
    );
}

#[test]
fn full_read_only_and_lying_disks_are_told_and_lose_nothing() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("home");
    assert!(matches!(
        create(FaultDisk::full(), &root).unwrap_err(),
        HomeError::Disk(DiskError::Full(_))
    ));
    assert!(matches!(
        create(FaultDisk::read_only(), &root).unwrap_err(),
        HomeError::Disk(DiskError::ReadOnly(_))
    ));
    assert!(!root.exists());
    assert!(create(FaultDisk::lying(), &root).is_err());
    assert!(!root.exists());
    let home = create(real(), &root).unwrap();
    home.put_card(b"one", &KEY, &Secret::new(CEREMONY)).unwrap();
    drop(home);

    for (disk, said) in [
        (FaultDisk::full(), "the disk is full; nothing was written"),
        (FaultDisk::read_only(), "read-only; nothing was written"),
    ] {
        let home = open(disk, &root).unwrap();
        let error = home.put_secret("x/y.age", &secret(b"x")).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(
            home.ceremony_secret(&KEY)
                .unwrap()
                .unwrap()
                .ct_eq(&Secret::new(CEREMONY))
        );
    }
    let home = open(FaultDisk::lying(), &root).unwrap();
    assert!(home.put_secret("z.age", &secret(&[1; 100])).is_err());
}
