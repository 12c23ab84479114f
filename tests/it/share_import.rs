//! Shares of clusters that were made elsewhere: locks of another tool, homes that take shares in, and
//! death at every change of the disk while one does.

use std::path::Path;
use std::sync::Arc;

use conclave::ambient::OsRandomness;
use conclave::ceremony::Unobserved;
use conclave::ceremony::imported::{
    ImportedCluster, ImportedError, ImportedFacts, ImportedOperator,
};
use conclave::ceremony::plan::{ClusterRef, Plan, SignDraft, SignMessage, SignObject};
use conclave::ceremony::shares::OwnShares;
use conclave::crypto::identity::IdentityKey;
use conclave::crypto::point::G1;
use conclave::crypto::polynomial::Polynomial;
use conclave::crypto::scalar::Scalar;
use conclave::crypto::xof::Xof;
use conclave::ethereum::network::Network;
use conclave::formats::obol_lock::{LockValidator, ObolLock};
use conclave::hash::Digest;
use conclave::json::Text;
use conclave::secret::{Secret, Seed};
use conclave::store::cluster::{ClusterError, check_outcome, own_shares};
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::home::{Home, HomeError};
use conclave::store::imported::{self, ImportError};
use conclave::store::seat::SeatError;
use conclave::store::share_backup::{InHome, ShareBackup, ShareBackupError};
use conclave::store::upkeep::{Done, Note, Upkeep};
use conclave::store::vault::Vault;
use conclave::store::wrap::{Unlock, Wrap};
use conclave::wire::card::VerifiedCard;
use conclave::wire::roster::Index;

use crate::harness::disk::{Death, at_every_death, every_file};
use crate::harness::homes::Group;
use crate::harness::schema;
use crate::vectors::folder;

const MADE: u64 = 1_790_000_000;
const N: u64 = 4;
const T: usize = 3;

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// The polynomials of a cluster's keys; other seeds are other keys.
fn polynomials(seed: u8, m: usize) -> Vec<Polynomial> {
    let mut stream = Xof::new(&[seed; 32]);
    (0..m).map(|_| Polynomial::draw(&mut stream, T)).collect()
}

fn public(secret: &Scalar) -> [u8; 48] {
    G1::generator_times(secret).unwrap().to_bytes()
}

/// The lock of a cluster of four.
fn lock_of(polynomials: &[Polynomial]) -> ObolLock {
    let validators = polynomials.iter().map(|f| LockValidator {
        public_key: public(&f.evaluate(0)),
        public_shares: (1..=N).map(|x| public(&f.evaluate(x))).collect(),
    });
    ObolLock {
        name: "Pool West".to_owned(),
        fork_version: [0x10, 0, 9, 0x10],
        operators: 4,
        threshold: T,
        validators: validators.collect(),
    }
}

fn cluster(seed: u8, m: usize) -> ImportedCluster {
    ImportedCluster::of_lock(&lock_of(&polynomials(seed, m))).unwrap()
}

/// What operator `x` has of a cluster.
fn own(cluster: &ImportedCluster, polynomials: &[Polynomial], x: u64) -> OwnShares {
    let shares = polynomials.iter().map(|f| f.evaluate(x)).collect();
    cluster.own_shares(Index::new(x).unwrap(), shares)
}

/// A home that holds nothing.
struct Fresh {
    root: std::path::PathBuf,
    key: age::x25519::Identity,
}

impl Fresh {
    fn new(root: &Path, byte: u8) -> Self {
        let key = age::x25519::Identity::generate();
        let wrap = Wrap::Recipient(key.to_public());
        let seed: Seed = Secret::new([byte; 32]);
        let identity = IdentityKey::from_seed(&seed).public().to_string();
        drop(Home::create(real(), root, &wrap, &identity, &seed).unwrap());
        Self {
            root: root.to_owned(),
            key,
        }
    }

    fn open(&self, disk: Arc<dyn Disk>) -> Result<Home, HomeError> {
        Home::open(disk, &self.root, &Unlock::Identity(self.key.clone()))
    }
}

/// The files of a home, without its locks.
fn files(root: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    every_file(root)
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(root).unwrap().to_owned(), bytes))
        .filter(|(path, _)| !path.starts_with("lock") && !path.starts_with("locks"))
        .collect()
}

#[test]
fn real_locks_are_read_and_their_keys_fit_each_other() {
    let Some(folder) = folder() else { return };
    for (file, network, validators, name) in [
        ("clusterLockSoloV1X10.json", "hoodi", 1, "test v1.10.0"),
        (
            "clusterLockV1X10.json",
            "hoodi",
            1,
            "test group flow v1.10.0",
        ),
        (
            "clusterLockWithCompoundingWithdrawalss.json",
            "hoodi",
            1,
            "test v1.10.0",
        ),
        (
            "nullDepositAmountsClusterLockV1X8.json",
            "mainnet",
            2,
            "null deposit_amounts",
        ),
    ] {
        let path = folder.join("obol/obol-sdk-locks").join(file);
        let bytes = std::fs::read(path).unwrap();
        let lock = ObolLock::parse(&bytes).unwrap();
        let cluster = ImportedCluster::of_lock(&lock).unwrap();
        assert_eq!(cluster.network().name(), network, "{file}");
        assert_eq!(cluster.name().as_str(), name, "{file}");
        assert_eq!(cluster.sharing().validators(), validators, "{file}");
        assert_eq!(cluster.sharing().threshold(), 3, "{file}");
        schema::assert_valid_json("imported-cluster", cluster.bytes());
        // One key of it from elsewhere is not passed over.
        for operator in 0..4 {
            let mut wrong = lock.clone();
            wrong.validators[0].public_shares[operator] = lock.validators[0].public_key;
            let error = ImportedCluster::of_lock(&wrong).unwrap_err();
            assert!(matches!(error, ImportedError::Sharing(_)), "{error}");
        }
    }
}

#[test]
fn an_import_stands_in_the_home_and_the_same_again_is_harmless() {
    let place = tempfile::tempdir().unwrap();
    let fresh = Fresh::new(&place.path().join("home"), 1);
    let home = fresh.open(real()).unwrap();
    let (cluster, secrets) = (cluster(1, 2), polynomials(1, 2));
    let mine = own(&cluster, &secrets, 2);
    assert!(!imported::put(&home, &cluster, &mine).unwrap());
    let after = files(&fresh.root);
    assert!(imported::put(&home, &cluster, &mine).unwrap());
    assert_eq!(files(&fresh.root), after);
    let stored = imported::stored(&home, cluster.cid()).unwrap().unwrap();
    assert_eq!(stored.bytes(), cluster.bytes());
    let glances = imported::glance(&RealDisk, &fresh.root).unwrap();
    assert_eq!(glances.len(), 1);
    assert!(glances[0].stored && glances[0].cluster.is_ok());
    assert_eq!(glances[0].index.map(Index::get), Some(2));
    let vault = Vault::new(&home);
    assert!(vault.ceremonies().unwrap().is_empty());
    let blob = vault.shares(cluster.cid()).unwrap().unwrap();
    assert_eq!(OwnShares::from_blob(&blob).unwrap().shares, mine.shares);
    // The shares stand nowhere in clear.
    for share in &mine.shares {
        share.to_bytes().expose(|share| {
            crate::harness::disk::assert_nowhere(&fresh.root, share);
        });
    }
    // A note of upkeep stands beside the description, and not among the ceremonies.
    let note = Note::new(Done::Proved, cluster.cid(), cluster.cid(), b"proof", MADE);
    note.keep(&**home.disk(), home.root()).unwrap();
    let upkeep = Upkeep::at(&RealDisk, &glances[0].directory).unwrap();
    assert_eq!(upkeep.last(Done::Proved), Some(&note));
    assert!(!fresh.root.join("ceremonies").exists());
}

#[test]
fn shares_of_another_operator_cluster_or_epoch_are_refused_before_anything_is_written() {
    let place = tempfile::tempdir().unwrap();
    let fresh = Fresh::new(&place.path().join("home"), 1);
    let home = fresh.open(real()).unwrap();
    let (first, secrets) = (cluster(1, 2), polynomials(1, 2));
    // What is not the cluster's.
    let other = cluster(2, 2);
    let strange = own(&other, &polynomials(2, 2), 1);
    let before = files(&fresh.root);
    let error = imported::put(&home, &first, &strange).unwrap_err();
    assert!(
        matches!(error, ImportError::Differs("another cluster")),
        "{error}"
    );
    // A share that is not the secret of its public share.
    let wrong = own(&first, &polynomials(2, 2), 1);
    let error = imported::put(&home, &first, &wrong).unwrap_err();
    assert!(matches!(error, ImportError::Shares(_)), "{error}");
    assert_eq!(files(&fresh.root), before);

    imported::put(&home, &first, &own(&first, &secrets, 2)).unwrap();
    let before = files(&fresh.root);
    // Another operator's of the same cluster.
    let error = imported::put(&home, &first, &own(&first, &secrets, 3)).unwrap_err();
    assert!(matches!(error, ImportError::OtherShares(_)), "{error}");
    // The same key with another polynomial: dealt anew elsewhere.
    let dealt = |seed: u8| {
        let mut stream = Xof::new(&[seed; 32]);
        let again = secrets.iter().map(|f| {
            let mut fresh = vec![f.evaluate(0)];
            fresh.extend((1..T).map(|_| stream.scalar()));
            Polynomial::from_coefficients(fresh)
        });
        again.collect::<Vec<_>>()
    };
    let again = dealt(9);
    let reshared = ImportedCluster::of_lock(&lock_of(&again)).unwrap();
    assert_ne!(reshared.cid(), first.cid());
    let error = imported::put(&home, &reshared, &own(&reshared, &again, 2)).unwrap_err();
    assert!(
        error.to_string().contains("another epoch of the key")
            && matches!(error, ImportError::OtherEpoch { .. }),
        "{error}"
    );
    // One of the keys among others is enough.
    let mut mixed = polynomials(4, 2);
    mixed[1] = dealt(9).remove(1);
    let mixture = ImportedCluster::of_lock(&lock_of(&mixed)).unwrap();
    let error = imported::put(&home, &mixture, &own(&mixture, &mixed, 2)).unwrap_err();
    assert!(matches!(error, ImportError::OtherEpoch { .. }), "{error}");
    // The same keys under another name: nothing is gained, and it is said where they are.
    let renamed = ImportedCluster::new(&ImportedFacts {
        name: Text::try_from("Another name".to_owned()).unwrap(),
        network: first.network().clone(),
        operators: first.operators().to_vec(),
        sharing: first.sharing().clone(),
    })
    .unwrap();
    let error = imported::put(&home, &renamed, &own(&renamed, &secrets, 2)).unwrap_err();
    assert!(matches!(error, ImportError::Standing { .. }), "{error}");
    assert_eq!(files(&fresh.root), before);
    // A cluster with other keys comes beside it.
    let second = cluster(3, 1);
    imported::put(&home, &second, &own(&second, &polynomials(3, 1), 1)).unwrap();
    assert_eq!(imported::glance(&RealDisk, &fresh.root).unwrap().len(), 2);
}

#[test]
fn keys_that_a_ceremony_here_made_are_not_imported_again() {
    let place = tempfile::tempdir().unwrap();
    let group = Group::new(place.path(), 2, 1);
    for operator in [0, 1, 0, 1, 0] {
        group.run(operator);
    }
    let home = group.members[0].open(real()).unwrap();
    let blob = Vault::new(&home).shares(group.plan.cid()).unwrap().unwrap();
    let made = OwnShares::from_blob(&blob).unwrap();
    let same = ImportedCluster::new(&ImportedFacts {
        name: group.plan.name().clone(),
        network: group.plan.network().clone(),
        operators: cluster(1, 1).operators()[..2].to_vec(),
        sharing: made.sharing.clone(),
    })
    .unwrap();
    let shares = made.shares.iter().map(Scalar::duplicate).collect();
    let index = Index::new(made.index).unwrap();
    let error = imported::put(&home, &same, &same.own_shares(index, shares)).unwrap_err();
    let ImportError::Standing { cid, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(cid, *group.plan.cid());
}

#[test]
fn death_at_any_change_of_the_disk_leaves_an_import_that_goes_on() {
    let (cluster, secrets) = (cluster(1, 1), polynomials(1, 1));
    let mine = || own(&cluster, &secrets, 4);
    let whole = {
        let place = tempfile::tempdir().unwrap();
        let fresh = Fresh::new(&place.path().join("home"), 1);
        imported::put(&fresh.open(real()).unwrap(), &cluster, &mine()).unwrap();
        let names = files(&fresh.root).into_iter().map(|(path, _)| path);
        names.collect::<Vec<_>>()
    };
    let deaths = at_every_death(&[Death::Before, Death::After], |disk| {
        let place = tempfile::tempdir().unwrap();
        let fresh = Fresh::new(&place.path().join("home"), 1);
        let dying: Arc<dyn Disk> = disk.clone();
        let done = match fresh.open(dying) {
            Ok(home) => imported::put(&home, &cluster, &mine()).is_ok(),
            Err(_) => false,
        };
        assert_eq!(done, !disk.died());
        // Whatever stands now says nothing that is not so: who says that there are shares has them.
        let home = fresh.open(real()).unwrap();
        let vault = Vault::new(&home);
        for glance in imported::glance(&RealDisk, &fresh.root).unwrap() {
            assert!(!glance.stored || vault.shares(&glance.cid).unwrap().is_some());
        }
        imported::put(&home, &cluster, &mine()).unwrap();
        drop(home);
        let names: Vec<_> = files(&fresh.root)
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(names, whole);
    });
    assert!(deaths > 10, "{deaths}");
}

fn tar(backup: &ShareBackup) -> Vec<u8> {
    backup.to_tar().unwrap().expose(Clone::clone)
}

#[test]
fn a_backup_holds_the_description_and_comes_back_into_a_home_of_the_same_identity() {
    let place = tempfile::tempdir().unwrap();
    let (cluster, secrets) = (cluster(1, 2), polynomials(1, 2));
    let fresh = Fresh::new(&place.path().join("home"), 1);
    let home = fresh.open(real()).unwrap();
    let none = ShareBackup::collect(&home, cluster.cid(), MADE).unwrap_err();
    assert!(matches!(none, ShareBackupError::NoShares(_)), "{none}");
    imported::put(&home, &cluster, &own(&cluster, &secrets, 2)).unwrap();
    let (backup, left) = ShareBackup::collect(&home, cluster.cid(), MADE).unwrap();
    assert!(left.is_empty() && backup.is_imported() && backup.is_confirmed());
    assert_eq!((backup.messages(), backup.about().files), (0, 2));
    assert_eq!(backup.name().as_str(), "Pool West");
    let bytes = tar(&backup);
    assert_eq!(tar(&ShareBackup::from_tar(&bytes).unwrap()), bytes);
    assert_eq!(backup.compare(&home).unwrap(), InHome::Same);

    // A new home of the same identity; and one of another.
    let again = Fresh::new(&place.path().join("again"), 1);
    let home = again.open(real()).unwrap();
    assert_eq!(backup.restore(&home).unwrap(), InHome::Missing);
    assert_eq!(backup.restore(&home).unwrap(), InHome::Same);
    assert!(imported::stored(&home, cluster.cid()).unwrap().is_some());
    let other = Fresh::new(&place.path().join("other"), 2);
    let home = other.open(real()).unwrap();
    let error = backup.restore(&home).unwrap_err();
    assert!(
        matches!(error, ShareBackupError::OtherIdentity { .. }),
        "{error}"
    );
    // Another epoch is not mixed in by a backup either.
    let mut stream = Xof::new(&[7; 32]);
    let dealt: Vec<Polynomial> = secrets
        .iter()
        .map(|f| {
            Polynomial::from_coefficients(vec![f.evaluate(0), stream.scalar(), stream.scalar()])
        })
        .collect();
    let reshared = ImportedCluster::of_lock(&lock_of(&dealt)).unwrap();
    let later = Fresh::new(&place.path().join("later"), 1);
    let home = later.open(real()).unwrap();
    imported::put(&home, &reshared, &own(&reshared, &dealt, 2)).unwrap();
    let error = backup.restore(&home).unwrap_err();
    assert!(
        matches!(
            error,
            ShareBackupError::Import(ImportError::OtherEpoch { .. })
        ),
        "{error}"
    );
}

/// An archive with some of its files changed or left out.
fn archive(about: &serde_json::Value, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let about = serde_json::to_vec_pretty(about).unwrap();
    let all = std::iter::once(("backup.json", about.as_slice()))
        .chain(files.iter().map(|(name, bytes)| (*name, bytes.as_slice())));
    for (name, bytes) in all {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(MADE);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_path(format!("conclave-shares/{name}")).unwrap();
        header.set_cksum();
        tar.append(&header, bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn an_archive_whose_parts_do_not_fit_together_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let (first, secrets) = (cluster(1, 1), polynomials(1, 1));
    let fresh = Fresh::new(&place.path().join("home"), 1);
    let home = fresh.open(real()).unwrap();
    imported::put(&home, &first, &own(&first, &secrets, 2)).unwrap();
    let (backup, _) = ShareBackup::collect(&home, first.cid(), MADE).unwrap();
    let about = serde_json::to_value(backup.about()).unwrap();
    let description = first.bytes().to_vec();
    let blob = |own: &OwnShares| own.to_blob().unwrap().expose(Clone::clone);
    let shares = blob(&own(&first, &secrets, 2));
    let good = [
        ("cluster.json", description.clone()),
        ("shares.bin", shares.clone()),
    ];
    ShareBackup::from_tar(&archive(&about, &good)).unwrap();
    let refused = |about: &serde_json::Value, files: &[(&str, Vec<u8>)], words: &str| {
        let error = ShareBackup::from_tar(&archive(about, files)).unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
    };
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut about = about.clone();
        *about.pointer_mut(pointer).unwrap() = value;
        about
    };
    let zeros = serde_json::json!("00".repeat(32));
    refused(&changed("/cid", zeros.clone()), &good, "different ones");
    refused(&changed("/transcript", zeros), &good, "different ones");
    refused(&changed("/epoch", 1.into()), &good, "epoch");
    refused(
        &changed("/index", 3.into()),
        &good,
        "operator that it names",
    );
    refused(
        &changed("/validators", 2.into()),
        &good,
        "operator that it names",
    );
    let other = cluster(2, 1);
    let others = blob(&own(&other, &polynomials(2, 1), 2));
    let strange = [
        ("cluster.json", description.clone()),
        ("shares.bin", others),
    ];
    refused(&about, &strange, "another cluster");
    let strange = [
        ("cluster.json", other.bytes().to_vec()),
        ("shares.bin", shares.clone()),
    ];
    refused(&about, &strange, "different ones");
    let three = changed("/files", 3.into());
    let mut more = good.to_vec();
    more.push(("own/1-deal.json", b"{}".to_vec()));
    refused(&three, &more, "files of a ceremony beside it");
    more[2] = ("plan.json", b"{}".to_vec());
    refused(&about, &more, "files of a ceremony beside it");
    more[2] = ("cluster.json", description.clone());
    refused(&about, &more, "twice");
    refused(&about, &good[1..], "no plan.json");
    refused(&about, &good[..1], "no shares.bin");
    // A cluster that names its operators takes nobody else's shares.
    let named = ImportedCluster::new(&ImportedFacts {
        name: first.name().clone(),
        network: first.network().clone(),
        operators: (1..=4u8)
            .zip(first.operators())
            .map(|(byte, operator)| {
                let identity = IdentityKey::from_seed(&Secret::new([byte + 40; 32])).public();
                let mut operator = operator.clone();
                operator.identity = Some(identity);
                operator
            })
            .collect(),
        sharing: first.sharing().clone(),
    })
    .unwrap();
    let mut claimed = about.clone();
    for field in ["cid", "transcript"] {
        claimed[field] = serde_json::json!(named.cid().to_string());
    }
    let theirs = [
        ("cluster.json", named.bytes().to_vec()),
        ("shares.bin", blob(&own(&named, &secrets, 2))),
    ];
    refused(&claimed, &theirs, "operator that it names");
}

/// An exit by the second key of an imported cluster of two operators.
fn exit_draft(group: &Group, cluster: &ImportedCluster) -> SignDraft {
    let roster = group.plan.roster().iter();
    SignDraft {
        name: Text::try_from("Leaving".to_owned()).unwrap(),
        created: MADE,
        network: cluster.network().clone(),
        threshold: cluster.sharing().threshold() as u64,
        roster: roster
            .map(|operator| (operator.index, operator.card.clone()))
            .collect(),
        cluster: ClusterRef {
            cid: *cluster.cid(),
            outcome: *cluster.cid(),
        },
        keys: vec![(1, cluster.sharing().polynomials().nth(1).unwrap().to_vec())],
        messages: vec![SignMessage {
            key: 0,
            object: SignObject::Exit {
                epoch: 350_000,
                validator_index: 7,
            },
        }],
        random: [9; 32],
    }
}

/// What a home finds when it holds a plan against the cluster that it took in.
fn judged(home: &Home, draft: SignDraft) -> Result<(), SeatError> {
    let plan = Plan::draft_sign(draft).unwrap();
    let sign = plan.sign().unwrap();
    own_shares(home, sign)?;
    check_outcome(home, sign, &mut OsRandomness, &Unobserved)
}

#[test]
fn a_signing_plan_is_held_against_the_imported_cluster() {
    let place = tempfile::tempdir().unwrap();
    let group = Group::new(place.path(), 2, 1);
    let mut stream = Xof::new(&[31; 32]);
    let secrets: Vec<Polynomial> = (0..2).map(|_| Polynomial::draw(&mut stream, 2)).collect();
    let validators = secrets.iter().map(|f| LockValidator {
        public_key: public(&f.evaluate(0)),
        public_shares: (1..=2).map(|x| public(&f.evaluate(x))).collect(),
    });
    let lock = ObolLock {
        name: "Pool West".to_owned(),
        fork_version: [0x10, 0, 9, 0x10],
        operators: 2,
        threshold: 2,
        validators: validators.collect(),
    };
    let cluster = ImportedCluster::of_lock(&lock).unwrap();
    let home = group.members[0].open(real()).unwrap();
    let unknown = judged(&home, exit_draft(&group, &cluster)).unwrap_err();
    assert!(
        matches!(unknown, SeatError::Cluster(ClusterError::Unknown(cid)) if cid == *cluster.cid()),
        "{unknown}"
    );
    imported::put(&home, &cluster, &own(&cluster, &secrets, 1)).unwrap();
    judged(&home, exit_draft(&group, &cluster)).unwrap();
    type Change = fn(&mut SignDraft);
    let changes: [(&str, Change); 7] = [
        ("network", |draft| {
            draft.network = Network::known("mainnet").unwrap().spec();
        }),
        ("roster", |draft| draft.roster[1].0 = Index::new(9).unwrap()),
        ("index of this home's operator", |draft| {
            let (first, second) = (draft.roster[0].0, draft.roster[1].0);
            (draft.roster[0].0, draft.roster[1].0) = (second, first);
        }),
        ("keys", |draft| draft.keys[0].1.swap(0, 1)),
        ("keys", |draft| draft.keys[0].0 = 0),
        ("outcome", |draft| {
            draft.cluster.outcome = Digest::from_bytes([1; 32]);
        }),
        ("threshold", |draft| {
            draft.roster.push({
                let seed = Secret::new([77; 32]);
                let identity = IdentityKey::from_seed(&seed);
                let name = Text::try_from("zoe".to_owned()).unwrap();
                (
                    Index::new(3).unwrap(),
                    VerifiedCard::make(&identity, name, &seed).unwrap(),
                )
            });
            draft.threshold = 3;
            let again = draft.keys[0].1[1];
            draft.keys[0].1.push(again);
        }),
    ];
    for (expected, change) in changes {
        let mut changed = exit_draft(&group, &cluster);
        change(&mut changed);
        let error = judged(&home, changed).unwrap_err();
        let SeatError::Cluster(ClusterError::Differs { what, cid }) = error else {
            panic!("{expected}: {error}");
        };
        assert_eq!(cid, *cluster.cid());
        // A third operator is none of the cluster: that is found before the threshold is looked at.
        assert!(
            what == expected || (expected, what) == ("threshold", "roster"),
            "{expected}: {what}"
        );
    }
    // Shares that were moved to another cluster's place open there, and are noticed.
    let second = polynomials(5, 1);
    let other = ImportedCluster::of_lock(&lock_of(&second)).unwrap();
    imported::put(&home, &other, &own(&other, &second, 1)).unwrap();
    let file = |cid: &Digest| Vault::shares_path(home.root(), cid);
    std::fs::copy(file(other.cid()), file(cluster.cid())).unwrap();
    let moved = judged(&home, exit_draft(&group, &cluster)).unwrap_err();
    assert!(matches!(moved, SeatError::OtherShares(_)), "{moved}");
    // Where the cluster names identities, a plan with other ones is not its plan.
    let named = ImportedCluster::new(&ImportedFacts {
        name: cluster.name().clone(),
        network: cluster.network().clone(),
        operators: (1..=2u8)
            .zip(group.members.iter().rev())
            .map(|(index, member)| ImportedOperator {
                identity: Some(*member.card.identity()),
                index: Index::new(u64::from(index)).unwrap(),
                name: None,
            })
            .collect(),
        sharing: cluster.sharing().clone(),
    })
    .unwrap();
    let home = group.members[1].open(real()).unwrap();
    imported::put(&home, &named, &own(&named, &secrets, 1)).unwrap();
    let error = judged(&home, exit_draft(&group, &named)).unwrap_err();
    assert!(
        matches!(
            error,
            SeatError::Cluster(ClusterError::Differs { what: "roster", .. })
        ),
        "{error}"
    );
}
