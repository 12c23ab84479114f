//! Operators with real homes on a real (or faulty) disk, in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use conclave::ambient::{OsRandomness, Randomness};
use conclave::ceremony::Unobserved;
use conclave::ceremony::plan::{Draft, Plan, Validator, default_threshold};
use conclave::courier::Courier;
use conclave::courier::folder::FolderCourier;
use conclave::crypto::identity::IdentityKey;
use conclave::driver::{self, DriverError, Ran};
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::keystore::KdfChoice;
use conclave::ethereum::network::Network;
use conclave::ethereum::withdrawal::CredentialsKind;
use conclave::json::Text;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::home::Home;
use conclave::store::seat::{self, Seat};
use conclave::store::wrap::{Unlock, Wrap};
use conclave::wire::card::{VerifiedCard, ceremony_secret};
use conclave::wire::roster::Index;

/// The names that operators get, in order.
pub(crate) const NAMES: [&str; 7] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace"];

/// One operator: where its home lies, how it opens, and its card.
pub(crate) struct Member {
    pub(crate) root: PathBuf,
    key: age::x25519::Identity,
    pub(crate) card: VerifiedCard,
}

/// A group of operators with a plan, and a directory as their stick.
pub(crate) struct Group {
    pub(crate) members: Vec<Member>,
    pub(crate) plan: Plan,
    pub(crate) stick: PathBuf,
}

impl Member {
    /// Makes a home with an identity and a card.
    pub(crate) fn new(root: &Path, name: &str) -> Self {
        let key = age::x25519::Identity::generate();
        let seed = OsRandomness.seed().unwrap();
        let identity = IdentityKey::from_seed(&seed);
        let wrap = Wrap::Recipient(key.to_public());
        let public = identity.public().to_string();
        let home = Home::create(Arc::new(RealDisk), root, &wrap, &public, &seed).unwrap();
        let secret = ceremony_secret(&OsRandomness.seed().unwrap(), &identity);
        let name = Text::try_from(name.to_owned()).unwrap();
        let card = VerifiedCard::make(&identity, name, &secret).unwrap();
        home.put_card(card.bytes(), &card.encryption_key().to_bytes(), &secret)
            .unwrap();
        Self {
            root: root.to_owned(),
            key,
            card,
        }
    }

    /// Opens the home on a disk.
    pub(crate) fn open(
        &self,
        disk: Arc<dyn Disk>,
    ) -> Result<Home, conclave::store::home::HomeError> {
        self.open_at(disk, &self.root)
    }

    /// The age key that opens the home, as an identity file has it.
    pub(crate) fn key(&self) -> String {
        age::secrecy::ExposeSecret::expose_secret(&self.key.to_string()).to_owned()
    }

    /// Opens a copy of the home.
    pub(crate) fn open_at(
        &self,
        disk: Arc<dyn Disk>,
        root: &Path,
    ) -> Result<Home, conclave::store::home::HomeError> {
        Home::open(disk, root, &Unlock::Identity(self.key.clone()))
    }
}

/// One validator as plans of tests have it.
pub(crate) fn validator() -> Validator {
    Validator {
        withdrawal_address: Address([0x11; 20]),
        credentials: CredentialsKind::Eth1,
        deposits: vec![Gwei(32_000_000_000)],
        registration: None,
    }
}

/// Drafts a plan for cards with indices 1, 2, ….
pub(crate) fn draft(cards: &[&VerifiedCard], validators: Vec<Validator>) -> Draft {
    let mut random = [0u8; 32];
    OsRandomness.fill(&mut random).unwrap();
    Draft {
        name: Text::try_from("Test ceremony".to_owned()).unwrap(),
        created: 1_790_000_000,
        network: Network::known("hoodi").unwrap().spec(),
        threshold: default_threshold(cards.len()) as u64,
        roster: (1..)
            .zip(cards)
            .map(|(index, card)| (Index::new(index).unwrap(), (*card).clone()))
            .collect(),
        validators,
        keystores: KdfChoice::Pbkdf2,
        backups: None,
        danger_low_threshold: false,
        random,
    }
}

impl Group {
    /// Makes n operators with homes under `directory` and a plan for some validators.
    pub(crate) fn new(directory: &Path, n: usize, validators: usize) -> Self {
        Self::with(directory, n, vec![validator(); validators])
    }

    /// Makes n operators with homes under `directory` and a plan for these validators.
    pub(crate) fn with(directory: &Path, n: usize, validators: Vec<Validator>) -> Self {
        Self::drafted(directory, n, |draft| draft.validators = validators)
    }

    /// Makes n operators with homes under `directory` and a plan for one validator, changed.
    pub(crate) fn drafted(directory: &Path, n: usize, change: impl FnOnce(&mut Draft)) -> Self {
        let members: Vec<Member> = NAMES
            .iter()
            .take(n)
            .map(|name| Member::new(&directory.join(name), name))
            .collect();
        let cards: Vec<&VerifiedCard> = members.iter().map(|member| &member.card).collect();
        let mut draft = draft(&cards, vec![validator()]);
        change(&mut draft);
        let plan = Plan::draft(draft).unwrap();
        let stick = directory.join("stick");
        std::fs::create_dir_all(&stick).unwrap();
        Self {
            members,
            plan,
            stick,
        }
    }

    /// Accepts the plan and does what `run` does, once, over the stick.
    pub(crate) fn run_on(&self, disk: &Arc<dyn Disk>, operator: usize) -> Result<Ran, String> {
        let home = self.members[operator]
            .open(disk.clone())
            .map_err(|error| error.to_string())?;
        let mut couriers: Vec<Box<dyn Courier>> =
            vec![Box::new(FolderCourier::new(disk.clone(), &self.stick))];
        let ran = self.run_with(&home, &mut couriers);
        ran.map_err(|error| error.to_string())
    }

    /// [`Self::run_on`] for an open home and any couriers.
    pub(crate) fn run_with(
        &self,
        home: &Home,
        couriers: &mut [Box<dyn Courier>],
    ) -> Result<Ran, DriverError> {
        seat::accept(home, &self.plan)?;
        let mut seat = Seat::open(home, &self.plan)?;
        driver::run(&mut seat, couriers, &mut OsRandomness, &Unobserved)
    }

    /// [`Self::run_on`] the operating system's disk.
    pub(crate) fn run(&self, operator: usize) -> Ran {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        self.run_on(&disk, operator).unwrap()
    }

    /// The message bytes on the stick, by file name.
    pub(crate) fn on_stick(&self) -> std::collections::BTreeMap<String, Vec<u8>> {
        let mut found = std::collections::BTreeMap::new();
        for directory in std::fs::read_dir(&self.stick).unwrap() {
            let directory = directory.unwrap().path();
            if !directory.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(directory).unwrap() {
                let file = file.unwrap();
                let name = file.file_name().into_string().unwrap();
                found.insert(name, std::fs::read(file.path()).unwrap());
            }
        }
        found
    }
}
