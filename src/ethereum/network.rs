//! The networks that a plan can name, and their constants.
//!
//! A plan always spells the values out. A known name must carry exactly the values in here, and no
//! other name may carry a known network's fork version: a typing error cannot turn a test into a
//! deposit on mainnet, nor the reverse.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::Address;
pub use super::amount::Gwei;
use super::amount::{ETHEREUM, GNOSIS, Rules};
use crate::json::Hex;

/// The constants of a known network.
#[derive(Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name in `deposit_data` files.
    pub name: &'static str,
    /// `GENESIS_FORK_VERSION`: deposits, credential changes, builder registrations.
    pub genesis_fork_version: [u8; 4],
    /// `CAPELLA_FORK_VERSION`: voluntary exits, for ever (EIP-7044).
    pub capella_fork_version: [u8; 4],
    /// `genesis_validators_root` of its beacon chain; `None` if it changes and a plan supplies it.
    pub genesis_validators_root: Option<[u8; 32]>,
    /// The execution layer's chain id; `None` if it changes.
    pub chain_id: Option<u64>,
    /// The deposit contract.
    pub deposit_contract: Address,
    /// What it allows in a deposit.
    pub rules: &'static Rules,
    /// How long it lasts.
    pub life: Life,
}

/// How long a network lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// For good, or until it is told otherwise.
    Lasting,
    /// It starts anew now and then, with other validators and another genesis validators root.
    StartsAnew,
    /// It is no more.
    Retired,
}

impl Network {
    /// Every known network (values: each network's published configuration).
    pub const ALL: &'static [Network] = &[
        Network {
            name: "mainnet",
            genesis_fork_version: [0x00, 0x00, 0x00, 0x00],
            capella_fork_version: [0x03, 0x00, 0x00, 0x00],
            genesis_validators_root: Some(bytes(
                "4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
            )),
            chain_id: Some(1),
            deposit_contract: Address(bytes("00000000219ab540356cbb839cbe05303d7705fa")),
            rules: &ETHEREUM,
            life: Life::Lasting,
        },
        Network {
            name: "hoodi",
            genesis_fork_version: [0x10, 0x00, 0x09, 0x10],
            capella_fork_version: [0x40, 0x00, 0x09, 0x10],
            genesis_validators_root: Some(bytes(
                "212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f",
            )),
            chain_id: Some(560_048),
            deposit_contract: Address(bytes("00000000219ab540356cbb839cbe05303d7705fa")),
            rules: &ETHEREUM,
            life: Life::Lasting,
        },
        Network {
            name: "sepolia",
            genesis_fork_version: [0x90, 0x00, 0x00, 0x69],
            capella_fork_version: [0x90, 0x00, 0x00, 0x72],
            genesis_validators_root: Some(bytes(
                "d8ea171f3c94aea21ebc42a1ed61052acf3f9209c00e4efbaaddac09ed9b8078",
            )),
            chain_id: Some(11_155_111),
            deposit_contract: Address(bytes("7f02c3e3c98b133055b8b348b2ac625669ed295d")),
            rules: &ETHEREUM,
            life: Life::Lasting,
        },
        Network {
            name: "gnosis",
            genesis_fork_version: [0x00, 0x00, 0x00, 0x64],
            capella_fork_version: [0x03, 0x00, 0x00, 0x64],
            genesis_validators_root: Some(bytes(
                "f5dcb5564e829aab27264b9becd5dfaa017085611224cb3036f573368dbb9d47",
            )),
            chain_id: Some(100),
            deposit_contract: Address(bytes("0b98057ea310f4d31f2a452b414647007d1645d9")),
            rules: &GNOSIS,
            life: Life::Lasting,
        },
        Network {
            name: "chiado",
            genesis_fork_version: [0x00, 0x00, 0x00, 0x6f],
            capella_fork_version: [0x03, 0x00, 0x00, 0x6f],
            genesis_validators_root: Some(bytes(
                "9d642dac73058fbf39c0ae41ab1e34e4d889043cb199851ded7095bc99eb4c1e",
            )),
            chain_id: Some(10_200),
            deposit_contract: Address(bytes("b97036a26259b7147018913bd58a774cf91acf25")),
            rules: &GNOSIS,
            life: Life::Lasting,
        },
        Network {
            name: "ephemery",
            genesis_fork_version: [0x10, 0x00, 0x10, 0x1b],
            capella_fork_version: [0x40, 0x00, 0x10, 0x1b],
            genesis_validators_root: None,
            chain_id: None,
            deposit_contract: Address(bytes("00000000219ab540356cbb839cbe05303d7705fa")),
            rules: &ETHEREUM,
            life: Life::StartsAnew,
        },
        Network {
            name: "holesky",
            genesis_fork_version: [0x01, 0x01, 0x70, 0x00],
            capella_fork_version: [0x04, 0x01, 0x70, 0x00],
            genesis_validators_root: Some(bytes(
                "9143aa7c615a7f7115e2b6aac319c03529df8242ae705fba9df39b79c59fa8b1",
            )),
            chain_id: Some(17_000),
            deposit_contract: Address([0x42; 20]),
            rules: &ETHEREUM,
            life: Life::Retired,
        },
    ];

    /// The fork version of rehearsals (ASCII `play`). No known network, current or retired, has it,
    /// and [`NetworkSpec`] refuses it outside rehearsals: what is signed under it is valid nowhere.
    pub const REHEARSAL_FORK_VERSION: [u8; 4] = *b"play";

    /// Looks a network up by name.
    pub fn known(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|network| network.name == name)
    }

    /// Looks a network up by its genesis fork version.
    pub fn by_fork_version(version: [u8; 4]) -> Option<&'static Self> {
        Self::ALL
            .iter()
            .find(|network| network.genesis_fork_version == version)
    }

    /// The network as a plan writes it. Where the genesis validators root changes it is zeros, which
    /// [`NetworkSpec::new`] refuses: good for deposits, which do not depend on it, and for no plan.
    pub fn spec(&self) -> NetworkSpec {
        NetworkSpec {
            name: self.name.to_owned(),
            fork_version: Hex(self.genesis_fork_version),
            genesis_validators_root: Hex(self.genesis_validators_root.unwrap_or([0; 32])),
        }
    }
}

/// A network as a plan writes it: every value that signatures depend on. Reading one checks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawSpec")]
pub struct NetworkSpec {
    fork_version: Hex<4>,
    genesis_validators_root: Hex<32>,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpec {
    name: String,
    fork_version: Hex<4>,
    genesis_validators_root: Hex<32>,
}

/// Why a plan's network is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not lower-case letters, digits and hyphens, 1 to 32 of them.
    #[error("a network name is 1 to 32 ASCII lower-case letters, digits and hyphens")]
    Name,
    /// A known name with another value.
    #[error("the network {name} has the {what} {known}, not {given}")]
    Differs {
        /// The known network.
        name: &'static str,
        /// Which value.
        what: &'static str,
        /// The network's.
        known: String,
        /// The plan's.
        given: String,
    },
    /// Another name with a known network's fork version.
    #[error("the network {name} has the fork version {version}, which is {known}'s")]
    Taken {
        /// The plan's name.
        name: String,
        /// Its fork version.
        version: Hex<4>,
        /// Whose it is.
        known: &'static str,
    },
    /// Another network's genesis validators root.
    #[error("the network {name} has the genesis validators root of {known}")]
    RootTaken {
        /// The plan's name.
        name: String,
        /// Whose it is.
        known: &'static str,
    },
    /// A root of zeros.
    #[error("the network {0} has a genesis validators root of zeros, which no chain has")]
    NoRoot(&'static str),
    /// A rehearsal's name without the rehearsal's fork version, or the reverse.
    #[error(
        "the network {name} has the fork version {version}; names that end in \"{}\", and only they, have {}",
        REHEARSAL_SUFFIX,
        Hex(Network::REHEARSAL_FORK_VERSION)
    )]
    Rehearsal {
        /// The plan's name.
        name: String,
        /// Its fork version.
        version: Hex<4>,
    },
}

const REHEARSAL_SUFFIX: &str = "-rehearsal";

impl NetworkSpec {
    /// The longest name of a network; a rehearsal of it adds its suffix.
    pub const MAX_NAME_CHARS: usize = 32;

    /// Checks and takes the three values.
    pub fn new(
        name: String,
        fork_version: [u8; 4],
        genesis_validators_root: [u8; 32],
    ) -> Result<Self, NetworkError> {
        let version = Hex(fork_version);
        let (base, rehearsal) = match name.strip_suffix(REHEARSAL_SUFFIX) {
            Some(base) => (base, true),
            None => (name.as_str(), false),
        };
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if base.is_empty() || base.len() > Self::MAX_NAME_CHARS || !base.bytes().all(plain) {
            return Err(NetworkError::Name);
        }
        if rehearsal != (fork_version == Network::REHEARSAL_FORK_VERSION) {
            return Err(NetworkError::Rehearsal { name, version });
        }
        if let Some(known) = Network::known(&name) {
            known.must_equal(fork_version, &genesis_validators_root)?;
        } else if let Some(known) = Network::ALL.iter().find(|known| known.has(fork_version)) {
            return Err(NetworkError::Taken {
                name,
                version,
                known: known.name,
            });
        }
        if let Some(other) = Network::ALL
            .iter()
            .find(|other| other.genesis_validators_root == Some(genesis_validators_root))
            .filter(|other| other.name != base)
        {
            return Err(NetworkError::RootTaken {
                name,
                known: other.name,
            });
        }
        Ok(Self {
            name,
            fork_version: version,
            genesis_validators_root: Hex(genesis_validators_root),
        })
    }

    /// The same network under the fork version of no chain. A rehearsal of a rehearsal is itself.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        let base = self.base_name();
        Self {
            name: format!("{base}{REHEARSAL_SUFFIX}"),
            fork_version: Hex(Network::REHEARSAL_FORK_VERSION),
            genesis_validators_root: self.genesis_validators_root,
        }
    }

    /// Tells whether signatures for it are valid on no chain.
    pub fn is_rehearsal(&self) -> bool {
        self.fork_version.0 == Network::REHEARSAL_FORK_VERSION
    }

    /// The name, with its suffix in a rehearsal: `network_name` in deposit files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The genesis fork version.
    pub const fn fork_version(&self) -> [u8; 4] {
        self.fork_version.0
    }

    /// The genesis validators root.
    pub const fn genesis_validators_root(&self) -> &[u8; 32] {
        &self.genesis_validators_root.0
    }

    /// The known network that it is or rehearses.
    pub fn known(&self) -> Option<&'static Network> {
        Network::known(self.base_name())
    }

    /// The fork version of voluntary exits: Capella's, in a rehearsal that of no chain, and `None`
    /// for a custom network, whose plan does not tell it.
    pub fn exit_fork_version(&self) -> Option<[u8; 4]> {
        if self.is_rehearsal() {
            return Some(Network::REHEARSAL_FORK_VERSION);
        }
        self.known().map(|network| network.capella_fork_version)
    }

    /// What a deposit may carry: the known network's rules, for a custom one Ethereum's.
    pub fn rules(&self) -> &'static Rules {
        self.known().map_or(&ETHEREUM, |network| network.rules)
    }

    fn base_name(&self) -> &str {
        self.name
            .strip_suffix(REHEARSAL_SUFFIX)
            .unwrap_or(&self.name)
    }
}

impl fmt::Display for NetworkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl TryFrom<RawSpec> for NetworkSpec {
    type Error = NetworkError;

    fn try_from(raw: RawSpec) -> Result<Self, NetworkError> {
        Self::new(raw.name, raw.fork_version.0, raw.genesis_validators_root.0)
    }
}

impl Network {
    /// Exits carry the Capella version, so that one is as much this network's as genesis'.
    fn has(&self, version: [u8; 4]) -> bool {
        [self.genesis_fork_version, self.capella_fork_version].contains(&version)
    }

    fn must_equal(&self, fork_version: [u8; 4], root: &[u8; 32]) -> Result<(), NetworkError> {
        let differs = |what, known: String, given: String| {
            Err(NetworkError::Differs {
                name: self.name,
                what,
                known,
                given,
            })
        };
        if fork_version != self.genesis_fork_version {
            return differs(
                "fork version",
                Hex(self.genesis_fork_version).to_string(),
                Hex(fork_version).to_string(),
            );
        }
        match self.genesis_validators_root {
            Some(own) if own != *root => differs(
                "genesis validators root",
                Hex(own).to_string(),
                Hex(*root).to_string(),
            ),
            None if *root == [0; 32] => Err(NetworkError::NoRoot(self.name)),
            _ => Ok(()),
        }
    }
}

/// Reads a hex constant while compiling; a wrong digit or length does not compile.
const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    const fn nibble(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit.wrapping_sub(b'0'),
            b'a'..=b'f' => digit.wrapping_sub(b'a').wrapping_add(10),
            _ => unreachable!(),
        }
    }
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    assert!(
        rest.is_empty() && pairs.len() == N,
        "a constant has another length"
    );
    let mut out = [0u8; N];
    let (mut from, mut to): (&[[u8; 2]], &mut [u8]) = (pairs, &mut out);
    while let ([[high, low], pairs @ ..], [byte, bytes @ ..]) = (from, to) {
        *byte = (nibble(*high) << 4) | nibble(*low);
        (from, to) = (pairs, bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_networks_have_distinct_versions_and_only_their_own_values() {
        for network in Network::ALL {
            let root = network.genesis_validators_root.unwrap_or([7; 32]);
            let spec =
                NetworkSpec::new(network.name.into(), network.genesis_fork_version, root).unwrap();
            let text = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<NetworkSpec>(&text).unwrap(), spec);
            assert_eq!(spec.known(), Some(network));
            assert_eq!(spec.exit_fork_version(), Some(network.capella_fork_version));
            assert_eq!(
                Network::ALL
                    .iter()
                    .filter(|n| n.has(network.genesis_fork_version))
                    .count(),
                1
            );
            assert_eq!(
                Network::ALL
                    .iter()
                    .filter(|n| n.has(network.capella_fork_version))
                    .count(),
                1
            );

            let version = network.genesis_fork_version;
            let name = network.name.to_owned();
            let error = NetworkSpec::new(name.clone(), [9, 9, 9, 9], root)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(&name) && error.contains("09090909"),
                "{error}"
            );
            let error = NetworkSpec::new(name.clone(), version, [0; 32])
                .unwrap_err()
                .to_string();
            assert!(error.contains("genesis validators root"), "{error}");
            assert_eq!(
                network.spec() == spec,
                network.genesis_validators_root.is_some()
            );
            if network.genesis_validators_root.is_some() {
                for (other, version) in [("devnet-1", [9; 4]), ("ephemery", [0x10, 0, 0x10, 0x1b])]
                {
                    let taken = NetworkSpec::new(other.into(), version, root).unwrap_err();
                    let known = network.name;
                    let name = other.to_owned();
                    assert_eq!(taken, NetworkError::RootTaken { name, known });
                }
            }
            for version in [version, network.capella_fork_version] {
                let error = NetworkSpec::new("devnet-1".into(), version, root)
                    .unwrap_err()
                    .to_string();
                assert!(
                    error.contains("devnet-1") && error.contains(&name),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn custom_networks_have_plain_names() {
        let new = |name: &str| NetworkSpec::new(name.to_owned(), [1, 2, 3, 4], [7; 32]);
        let spec = new("devnet-1").unwrap();
        assert_eq!((spec.known(), spec.exit_fork_version()), (None, None));
        assert_eq!(spec.rules(), &ETHEREUM);
        assert!(new(&"x".repeat(32)).is_ok());
        for bad in [
            "",
            "Devnet",
            "dev net",
            "dev_net",
            "dévnet",
            &"x".repeat(33),
        ] {
            assert_eq!(new(bad), Err(NetworkError::Name), "{bad}");
        }
        let text =
            r#"{"name":"devnet","fork_version":"01020304","genesis_validators_root":"00","x":1}"#;
        assert!(serde_json::from_str::<NetworkSpec>(text).is_err());
    }

    #[test]
    fn rehearsals_sign_for_no_chain_and_cannot_be_confused() {
        let hoodi = Network::known("hoodi").unwrap();
        let spec = hoodi.spec().rehearsal();
        assert_eq!(spec.name(), "hoodi-rehearsal");
        assert!(spec.is_rehearsal() && !hoodi.spec().is_rehearsal());
        assert_eq!(spec.rehearsal(), spec);
        assert_eq!(spec.known(), Some(hoodi));
        assert_eq!(
            spec.exit_fork_version(),
            Some(Network::REHEARSAL_FORK_VERSION)
        );
        assert!(
            Network::ALL
                .iter()
                .all(|n| !n.has(Network::REHEARSAL_FORK_VERSION))
        );
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<NetworkSpec>(&text).unwrap(), spec);
        for (name, version) in [
            ("hoodi-rehearsal", hoodi.genesis_fork_version),
            ("hoodi", Network::REHEARSAL_FORK_VERSION),
            ("devnet", Network::REHEARSAL_FORK_VERSION),
        ] {
            let root = hoodi.genesis_validators_root.unwrap();
            let refused = NetworkSpec::new(name.into(), version, root);
            assert!(
                matches!(refused, Err(NetworkError::Rehearsal { .. })),
                "{name}"
            );
        }
        let longest = NetworkSpec::new("x".repeat(32), [1, 2, 3, 4], [7; 32])
            .unwrap()
            .rehearsal();
        let text = serde_json::to_string(&longest).unwrap();
        assert_eq!(serde_json::from_str::<NetworkSpec>(&text).unwrap(), longest);
    }
}
