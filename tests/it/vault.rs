//! Markers, own messages and shares of ceremonies in a home, and ceremony folders.

use std::path::Path;
use std::sync::Arc;

use conclave::crypto::identity::IdentityKey;
use conclave::hash::Digest;
use conclave::secret::{Passphrase, Secret, SecretBytes};
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::folder::{BoardFolder, FolderError, MAX_FILE_BYTES, Put};
use conclave::store::home::Home;
use conclave::store::vault::{Marker, Vault, VaultError};
use conclave::store::wrap::{Unlock, WorkFactor, Wrap};

use crate::harness::disk::{Death, assert_nowhere, at_every_death, every_file};

const CID: Digest = Digest::from_bytes([0xc1; 32]);
const PLAN: &[u8] = b"{\"plan\":1}";
const SHARES: [u8; 32] = *b"shares that stay on this machine";

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn passphrase() -> Passphrase {
    Passphrase::new("horse".to_owned()).unwrap()
}

fn create(root: &Path) -> Home {
    let wrap = Wrap::Passphrase(passphrase(), WorkFactor::new(2).unwrap());
    let seed = Secret::new([1; 32]);
    let identity = IdentityKey::from_seed(&seed).public().to_string();
    Home::create(real(), root, &wrap, &identity, &seed).unwrap()
}

fn shares() -> SecretBytes {
    Secret::new(SHARES.to_vec())
}

#[test]
fn markers_are_made_once_and_exclude_each_other() {
    let place = tempfile::tempdir().unwrap();
    let home = create(&place.path().join("home"));
    let vault = Vault::new(&home);
    assert!(vault.ceremonies().unwrap().is_empty());
    for marker in Marker::ALL {
        assert_eq!(vault.marker(&CID, marker).unwrap(), None);
    }
    assert!(vault.mark(&CID, Marker::Accepted, b"first").unwrap());
    assert!(!vault.mark(&CID, Marker::Accepted, b"second").unwrap());
    assert_eq!(
        vault.marker(&CID, Marker::Accepted).unwrap().unwrap(),
        b"first"
    );

    let other = Digest::from_bytes([2; 32]);
    vault.mark(&CID, Marker::Confirmed, b"").unwrap();
    vault.mark(&other, Marker::Abandoned, b"").unwrap();
    for (cid, standing, wanted) in [
        (CID, Marker::Confirmed, Marker::Abandoned),
        (other, Marker::Abandoned, Marker::Confirmed),
    ] {
        assert_eq!(
            vault.mark(&cid, wanted, b"").unwrap_err(),
            VaultError::Excluded {
                cid,
                standing,
                wanted
            }
        );
        assert_eq!(vault.marker(&cid, wanted).unwrap(), None);
    }
    std::fs::create_dir(home.root().join("ceremonies/notes")).unwrap();
    assert_eq!(vault.ceremonies().unwrap(), [other, CID]);
    assert!(matches!(
        vault
            .mark(&CID, Marker::Ended, &vec![0; (1 << 20) + 1])
            .unwrap_err(),
        VaultError::TooLarge { .. }
    ));
}

#[test]
fn an_operator_never_stores_two_versions_of_a_message() {
    let place = tempfile::tempdir().unwrap();
    let home = create(&place.path().join("home"));
    let vault = Vault::new(&home);
    assert!(vault.own(&CID).unwrap().is_empty());
    let name = vault.put_own(&CID, "1 Deal Alice.json", b"deal").unwrap();
    assert_eq!(name, "1-deal-alice.json");
    vault.put_own(&CID, "1 Deal Alice.json", b"deal").unwrap();
    let error = vault
        .put_own(&CID, "1-deal-alice.json", b"other")
        .unwrap_err();
    assert!(matches!(error, VaultError::SaidDifferently(_)));
    assert!(error.to_string().contains("must not be sent"));
    assert_eq!(vault.read_own(&CID, &name).unwrap().unwrap(), b"deal");
    assert_eq!(vault.read_own(&CID, "2.json").unwrap(), None);
    let own = vault.own(&CID).unwrap();
    assert_eq!(
        (own[0].name.as_str(), own[0].len, own.len()),
        (name.as_str(), 4, 1)
    );
}

#[test]
fn shares_and_own_messages_survive_a_death_at_any_step() {
    let deaths = at_every_death(&Death::SOUND, |disk| {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        drop(create(&root));
        let act = |disk: Arc<dyn Disk>| -> Result<(), VaultError> {
            let home = Home::open(disk, &root, &Unlock::Passphrase(passphrase()))?;
            let vault = Vault::new(&home);
            vault.mark(&CID, Marker::Accepted, b"code")?;
            vault.board(&CID, PLAN)?.put("1-deal.json", b"deal")?;
            vault.store_shares(&CID, &shares())?;
            vault.mark(&CID, Marker::Confirmed, b"")?;
            vault.put_own(&CID, "2-confirm.json", b"confirm")?;
            Ok(())
        };
        assert_eq!(act(disk.clone()).is_ok(), !disk.died());
        assert_nowhere(place.path(), &SHARES);
        {
            let home = Home::open(real(), &root, &Unlock::Passphrase(passphrase())).unwrap();
            let vault = Vault::new(&home);
            // What a later step relies on stands before it.
            if vault.marker(&CID, Marker::Confirmed).unwrap().is_some() {
                assert!(vault.marker(&CID, Marker::Shares).unwrap().is_some());
            }
            if vault.marker(&CID, Marker::Shares).unwrap().is_some() {
                assert!(vault.shares(&CID).unwrap().unwrap().ct_eq(&shares()));
            }
        }
        act(real()).unwrap();
        act(real()).unwrap();
        let home = Home::open(real(), &root, &Unlock::Passphrase(passphrase())).unwrap();
        let vault = Vault::new(&home);
        assert!(vault.shares(&CID).unwrap().unwrap().ct_eq(&shares()));
        let board = vault.board(&CID, PLAN).unwrap();
        assert_eq!(board.messages().unwrap().len(), 1);
        assert_eq!(board.read("1-deal.json").unwrap(), b"deal");
        assert_eq!(
            vault.read_own(&CID, "2-confirm.json").unwrap().unwrap(),
            b"confirm"
        );
        let left = every_file(&root);
        assert!(
            left.iter()
                .all(|(path, _)| !path.display().to_string().contains(".tmp-"))
        );

        vault.destroy_shares(&CID).unwrap();
        assert!(vault.shares(&CID).unwrap().is_none());
        assert!(vault.marker(&CID, Marker::Shares).unwrap().is_some());
    });
    assert!(deaths > 30, "{deaths}");
}

#[test]
fn a_folder_belongs_to_one_plan_and_lists_only_messages() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("board");
    let board = BoardFolder::create_or_open(real(), &path, PLAN).unwrap();
    assert_eq!(board.plan_bytes().unwrap(), PLAN);
    BoardFolder::create_or_open(real(), &path, PLAN).unwrap();
    assert_eq!(
        BoardFolder::create_or_open(real(), &path, b"{\"plan\":2}").unwrap_err(),
        FolderError::OtherCeremony(path.clone())
    );

    board.put("b.json", b"b").unwrap();
    board.put("a", b"a").unwrap();
    for noise in [".tmp-1-1-conclave", "notes.txt", "._a.json", "PLAN.JSON"] {
        std::fs::write(path.join(noise), b"x").unwrap();
    }
    std::fs::create_dir(path.join("c.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", path.join("d.json")).unwrap();
    let huge = std::fs::File::create(path.join("e.json")).unwrap();
    huge.set_len(MAX_FILE_BYTES + 1).unwrap();
    let (messages, notes) = board.survey().unwrap();
    let names: Vec<_> = messages
        .iter()
        .map(|message| message.name.as_str())
        .collect();
    assert_eq!(names, ["a.json", "b.json"]);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(board.read("e.json").is_err());
    assert!(board.read("d.json").is_err());
}

#[test]
fn a_taken_name_is_left_alone_and_the_next_one_used() {
    let place = tempfile::tempdir().unwrap();
    let board = BoardFolder::create_or_open(real(), &place.path().join("b"), PLAN).unwrap();
    let torn = board.path().join("deal.json");
    std::fs::write(&torn, b"de").unwrap();
    assert_eq!(
        board.put("deal.json", b"deal").unwrap(),
        Put::Written("deal~2.json".into())
    );
    assert_eq!(
        board.put("deal.json", b"deal").unwrap(),
        Put::Same("deal~2.json".into())
    );
    assert_eq!(
        board.put("deal.json", b"else").unwrap(),
        Put::Written("deal~3.json".into())
    );
    assert_eq!(std::fs::read(&torn).unwrap(), b"de");
    assert_eq!(
        board.put("plan.json", b"x").unwrap(),
        Put::Written("plan~2.json".into())
    );
    assert_eq!(board.plan_bytes().unwrap(), PLAN);

    let long = board.put(&"n".repeat(300), b"x").unwrap();
    assert!(long.name().len() <= 100 && long.name().ends_with(".json"));

    for n in 0..99u8 {
        board.put("full.json", &[n, 0]).unwrap();
    }
    assert!(matches!(
        board.put("full.json", b"one more").unwrap_err(),
        FolderError::NamesTaken(_)
    ));
}
