//! The real disk.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use conclave::store::disk::{
    Access, Disk, DiskError, Kind, RealDisk, is_temporary, peak_memory_bytes,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_created_once_with_its_bytes_and_permissions() {
    let home = tempfile::tempdir().unwrap();
    let (secret, public) = (home.path().join("secret"), home.path().join("public"));
    RealDisk.create(&secret, b"one", Access::Private).unwrap();
    RealDisk.create(&public, b"two", Access::Public).unwrap();
    assert_eq!(mode(&secret), 0o600);
    assert_eq!(mode(&public) & 0o600, 0o600);
    assert_eq!(mode(&public) & 0o022, 0);

    assert_eq!(
        RealDisk.create(&secret, b"other", Access::Private),
        Err(DiskError::AlreadyExists(secret.clone()))
    );
    assert_eq!(RealDisk.read(&secret, 3).unwrap(), b"one");
    assert_eq!(names(home.path()), ["public", "secret"]);

    assert!(
        !RealDisk
            .create_or_same(&secret, b"one", Access::Private)
            .unwrap()
    );
    for other in [b"on".as_slice(), b"onf", b"one more"] {
        assert_eq!(
            RealDisk.create_or_same(&secret, other, Access::Private),
            Err(DiskError::Differs(secret.clone()))
        );
    }

    RealDisk
        .replace(&secret, b"three", Access::Private)
        .unwrap();
    assert_eq!(RealDisk.read(&secret, 5).unwrap(), b"three");
    assert_eq!(mode(&secret), 0o600);
    assert_eq!(names(home.path()), ["public", "secret"]);
}

#[test]
fn of_many_writers_of_one_name_exactly_one_wins() {
    let home = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let path = home.path().join(format!("{round}"));
        let wins: Vec<u8> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8u8)
                .map(|writer| {
                    let path = &path;
                    scope.spawn(move || {
                        let result = RealDisk.create(path, &[writer; 1000], Access::Private);
                        result.is_ok().then_some(writer)
                    })
                })
                .collect();
            writers
                .into_iter()
                .filter_map(|writer| writer.join().unwrap())
                .collect()
        });
        assert_eq!(wins.len(), 1);
        assert_eq!(RealDisk.read(&path, 1000).unwrap(), [wins[0]; 1000]);
    }
    assert_eq!(names(home.path()).len(), 20);
}

#[test]
fn only_regular_files_within_the_limit_are_read() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, [7u8; 100]).unwrap();
    let link = home.path().join("link");
    symlink(&file, &link).unwrap();
    let socket = home.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();

    assert_eq!(RealDisk.read(&file, 100).unwrap().len(), 100);
    let error = RealDisk.read(&file, 99).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is 100 bytes long; the limit is 99")
    );
    for (path, kind) in [
        (link.as_path(), Kind::Symlink),
        (home.path(), Kind::Directory),
        (&socket, Kind::Special),
        (Path::new("/dev/zero"), Kind::Special),
    ] {
        let path = path.to_owned();
        assert_eq!(
            RealDisk.read(&path, 1000),
            Err(DiskError::NotRegular { path, kind })
        );
    }
    // A file of /proc says that it has no bytes; the limit holds for what comes.
    assert!(matches!(
        RealDisk.read(Path::new("/proc/self/status"), 10),
        Err(DiskError::TooLarge { limit: 10, .. })
    ));
    // Nothing is written through a link, whatever it points to.
    assert_eq!(
        RealDisk.create(&link, b"x", Access::Public),
        Err(DiskError::AlreadyExists(link.clone()))
    );
    assert!(RealDisk.replace(&link, b"x", Access::Public).is_err());
    let dangling = home.path().join("dangling");
    symlink(home.path().join("nowhere"), &dangling).unwrap();
    assert!(RealDisk.create(&dangling, b"x", Access::Public).is_err());
    assert!(RealDisk.lock(&dangling).is_err());
    assert_eq!(RealDisk.read(&file, 100).unwrap(), [7u8; 100]);
    assert!(!home.path().join("nowhere").exists());
}

#[test]
fn a_listing_is_sorted_hides_temporary_files_and_names_the_rest_honestly() {
    let home = tempfile::tempdir().unwrap();
    for name in ["b", "a", ".tmp-12-0-conclave", ".hidden"] {
        fs::write(home.path().join(name), name).unwrap();
    }
    fs::write(home.path().join(OsStr::from_bytes(b"z\xff")), b"").unwrap();
    fs::create_dir(home.path().join("c")).unwrap();
    symlink("a", home.path().join("d")).unwrap();
    let listing: Vec<_> = RealDisk
        .list(home.path())
        .unwrap()
        .into_iter()
        .map(|entry| (entry.name, entry.kind))
        .collect();
    let expected = [
        (".hidden", Kind::File),
        ("a", Kind::File),
        ("b", Kind::File),
        ("c", Kind::Directory),
        ("d", Kind::Symlink),
        ("z\u{fffd}", Kind::Unnameable),
    ];
    assert_eq!(
        listing,
        expected.map(|(name, kind)| (name.to_owned(), kind))
    );

    assert!(is_temporary(".tmp-12-0-conclave") && !is_temporary(".hidden"));
    RealDisk.clean_temporaries(home.path()).unwrap();
    assert!(!home.path().join(".tmp-12-0-conclave").exists());
    assert_eq!(RealDisk.list(home.path()).unwrap().len(), 6);
    RealDisk
        .clean_temporaries(&home.path().join("nowhere"))
        .unwrap();
}

#[test]
fn a_directory_is_published_whole_and_replaces_only_an_empty_one() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let build = |name: &str| {
        RealDisk
            .create_dir_all(&at(name).join("inner"), Access::Private)
            .unwrap();
        RealDisk
            .create(&at(name).join("file"), b"x", Access::Private)
            .unwrap();
    };
    build("one");
    assert_eq!(mode(&at("one")), 0o700);
    assert_eq!(mode(&at("one/inner")), 0o700);
    RealDisk.publish_dir(&at("one"), &at("new")).unwrap();
    assert!(at("new/file").is_file() && at("new/inner").is_dir() && !at("one").exists());

    build("two");
    fs::create_dir(at("empty")).unwrap();
    RealDisk.publish_dir(&at("two"), &at("empty")).unwrap();
    assert!(at("empty/file").is_file());

    build("three");
    fs::write(at("plain"), b"").unwrap();
    fs::create_dir(at("other")).unwrap();
    symlink(at("other"), at("link")).unwrap();
    for taken in ["new", "plain", "link"] {
        assert_eq!(
            RealDisk.publish_dir(&at("three"), &at(taken)),
            Err(DiskError::AlreadyExists(at(taken)))
        );
    }
    assert!(at("three/file").is_file());
    assert!(RealDisk.publish_dir(&at("nowhere"), &at("x")).is_err());
}

#[test]
fn removal_follows_no_link_and_may_be_repeated() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir_all(at("precious")).unwrap();
    fs::write(at("precious/file"), b"").unwrap();
    fs::create_dir_all(at("tree/inner")).unwrap();
    symlink(at("precious"), at("tree/inner/link")).unwrap();
    symlink(at("precious"), at("link")).unwrap();

    assert_eq!(
        RealDisk.remove_tree(&at("link")),
        Err(DiskError::NotRegular {
            path: at("link"),
            kind: Kind::Symlink
        })
    );
    RealDisk.remove_tree(&at("tree")).unwrap();
    RealDisk.remove_tree(&at("tree")).unwrap();
    assert!(!at("tree").exists());
    RealDisk.remove_file(&at("link")).unwrap();
    RealDisk.remove_file(&at("link")).unwrap();
    assert!(at("precious/file").is_file());
}

#[test]
fn a_lock_is_held_by_one_and_freed_with_its_holder() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("lock");
    let first = RealDisk.lock(&path).unwrap();
    assert_eq!(
        RealDisk.lock(&path).unwrap_err(),
        DiskError::Locked(path.clone())
    );
    drop(first);
    RealDisk.lock(&path).unwrap();
}

#[test]
fn errors_carry_the_path_and_tell_missing_from_other() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("nowhere/file");
    assert_eq!(
        RealDisk.read(&path, 1),
        Err(DiskError::NotFound(path.clone()))
    );
    assert_eq!(
        RealDisk.create(&path, b"", Access::Public),
        Err(DiskError::NotFound(path.clone()))
    );
    assert_eq!(RealDisk.kind(&path), Ok(None));
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = RealDisk
        .create_dir_all(&file.join("x"), Access::Public)
        .unwrap_err();
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn peak_memory_is_known_and_plausible() {
    let block = std::hint::black_box(vec![1u8; 64 << 20]);
    assert!(peak_memory_bytes().unwrap() > 64 << 20);
    drop(block);
    assert!(peak_memory_bytes().unwrap() > 64 << 20);
}

#[test]
fn what_a_dead_process_left_of_a_file_goes_when_the_file_is_written_next() {
    let home = tempfile::tempdir().unwrap();
    let (new, old) = (home.path().join("new"), home.path().join("old"));
    fs::write(&old, b"old").unwrap();
    let left = |name: &str| home.path().join(format!(".tmp-{name}-conclave"));
    let leave = || {
        for name in ["new", "old", "other"] {
            fs::write(left(name), b"ol").unwrap();
        }
    };
    leave();
    RealDisk.create(&new, b"new", Access::Private).unwrap();
    assert_eq!(mode(&new), 0o600);
    let taken = RealDisk.create(&old, b"new", Access::Private);
    assert_eq!(taken, Err(DiskError::AlreadyExists(old.clone())));
    assert_eq!(names(home.path()), [".tmp-other-conclave", "new", "old"]);
    leave();
    RealDisk.replace(&old, b"two", Access::Private).unwrap();
    assert!(!left("old").exists());
    assert_eq!(fs::read(&old).unwrap(), b"two");
}

#[test]
fn what_a_living_process_is_writing_stays_its_own() {
    let home = tempfile::tempdir().unwrap();
    let (path, left) = (home.path().join("a"), home.path().join(".tmp-a-conclave"));
    let theirs = fs::File::create(&left).unwrap();
    theirs.lock().unwrap();
    RealDisk.create(&path, b"ours", Access::Public).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"ours");
    RealDisk.replace(&path, b"more", Access::Public).unwrap();
    assert_eq!(names(home.path()), [".tmp-a-conclave", "a"]);
    drop(theirs);
    // Whatever else has that name is nobody's temporary file.
    fs::remove_file(&left).unwrap();
    let precious = home.path().join("precious");
    fs::write(&precious, b"precious").unwrap();
    symlink(&precious, &left).unwrap();
    RealDisk.replace(&path, b"again", Access::Public).unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert!(fs::symlink_metadata(&left).unwrap().is_symlink());
    // A name that has no room for more is written all the same.
    let long = home.path().join("n".repeat(255));
    RealDisk.create(&long, b"long", Access::Public).unwrap();
    assert_eq!(names(home.path()).len(), 4);
}
