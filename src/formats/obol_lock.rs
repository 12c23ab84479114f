//! `cluster-lock.json` of Obol's tools: the keys and the public shares in it, and what they belong to.
//!
//! What is used is read strictly: a field twice, hex of another length, counts that contradict each
//! other. What is not used (operators' records and signatures, deposits, registrations) may be
//! anything. The hashes and signatures of a lock are not verified here: nothing says that who wrote the
//! file took part in anything. What its keys say of each other is for `crypto::sharing`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::json::{Hex, MAX_QUOTED_CHARS, excerpt};

/// The most bytes of a lock: 256 MiB.
pub const MAX_LOCK_BYTES: usize = 256 * 1024 * 1024;

/// The most operators of a lock.
pub const MAX_LOCK_OPERATORS: usize = 256;

/// The versions whose keys stand where they are read here.
const VERSIONS: [&str; 7] = [
    "v1.5.0", "v1.6.0", "v1.7.0", "v1.8.0", "v1.9.0", "v1.10.0", "v1.11.0",
];

/// Why a lock is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Over [`MAX_LOCK_BYTES`].
    #[error("the cluster lock is {0} bytes long; the limit is {MAX_LOCK_BYTES}")]
    TooLarge(usize),
    /// Not JSON, or a field that is used is missing, of the wrong type or there twice.
    #[error("not a cluster lock: {0}")]
    Invalid(String),
    /// Of another version.
    #[error("the cluster lock is of version {0}; this tool reads v1.5.0 to v1.11.0")]
    Version(String),
    /// A count or value that contradicts another, or that no lock has.
    #[error("the cluster lock contradicts itself: {0}")]
    Facts(String),
    /// A key that is not 48 bytes in hex.
    #[error(
        "the {what} of validator {validator} in the cluster lock is not 0x and 96 hex characters"
    )]
    Key {
        /// Which key.
        what: String,
        /// Position in the lock, from 0.
        validator: usize,
    },
}

/// What is used of a lock. The keys are bytes of the right length, checked by nobody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObolLock {
    /// What its authors call the cluster: any text, empty perhaps.
    pub name: String,
    /// The fork version of its network.
    pub fork_version: [u8; 4],
    /// How many operators it has.
    pub operators: usize,
    /// The threshold t: 2 to as many as there are operators.
    pub threshold: usize,
    /// The validators in the lock's order, one at least.
    pub validators: Vec<LockValidator>,
}

/// A validator of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockValidator {
    /// The group key.
    pub public_key: [u8; 48],
    /// The public shares, one for each operator: that of operator i, from 1, is the value at i.
    pub public_shares: Vec<[u8; 48]>,
}

#[derive(Deserialize)]
#[serde(expecting = "a cluster lock")]
struct File {
    cluster_definition: Definition,
    distributed_validators: Vec<Validator>,
}

#[derive(Deserialize)]
struct Definition {
    #[serde(default)]
    name: String,
    version: String,
    operators: Vec<IgnoredAny>,
    num_validators: u64,
    threshold: u64,
    fork_version: String,
}

#[derive(Deserialize)]
struct Validator {
    distributed_public_key: String,
    public_shares: Vec<String>,
}

impl ObolLock {
    /// Reads a lock of at most [`MAX_LOCK_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LockError> {
        if bytes.len() > MAX_LOCK_BYTES {
            return Err(LockError::TooLarge(bytes.len()));
        }
        let file: File = serde_json::from_slice(bytes)
            .map_err(|error| LockError::Invalid(excerpt(&error.to_string(), MAX_QUOTED_CHARS)))?;
        let definition = file.cluster_definition;
        if !VERSIONS.contains(&definition.version.as_str()) {
            return Err(LockError::Version(excerpt(&definition.version, 20)));
        }
        let facts = |what: &str| LockError::Facts(what.to_owned());
        let n = definition.operators.len();
        if !(2..=MAX_LOCK_OPERATORS).contains(&n) {
            return Err(LockError::Facts(format!(
                "it has {n} operators, and a cluster has 2 to {MAX_LOCK_OPERATORS}"
            )));
        }
        let threshold = usize::try_from(definition.threshold).unwrap_or(usize::MAX);
        if !(2..=n).contains(&threshold) {
            return Err(LockError::Facts(format!(
                "its threshold is {} of {n} operators",
                definition.threshold
            )));
        }
        let fork_version = hex(&definition.fork_version)
            .ok_or_else(|| facts("its fork version is not 0x and 8 hex characters"))?;
        let found = file.distributed_validators.len();
        if found == 0 {
            return Err(facts("it has no validator"));
        }
        if definition.num_validators != found as u64 {
            return Err(LockError::Facts(format!(
                "it says that it has {} validators and holds {found}",
                definition.num_validators
            )));
        }
        let mut validators = Vec::with_capacity(found);
        for (validator, row) in file.distributed_validators.into_iter().enumerate() {
            let key = |what: String| LockError::Key { what, validator };
            let held = row.public_shares.len();
            if held != n {
                return Err(LockError::Facts(format!(
                    "validator {validator} has {held} public shares for {n} operators"
                )));
            }
            let shares = row.public_shares.iter().zip(1u64..).map(|(text, index)| {
                hex(text).ok_or_else(|| key(format!("public share of operator {index}")))
            });
            validators.push(LockValidator {
                public_key: hex(&row.distributed_public_key)
                    .ok_or_else(|| key("distributed public key".to_owned()))?,
                public_shares: shares.collect::<Result<_, _>>()?,
            });
        }
        Ok(Self {
            name: definition.name,
            fork_version,
            operators: n,
            threshold,
            validators,
        })
    }
}

/// `0x` and exactly `N` bytes of hex, in either case.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.strip_prefix("0x")?;
    // The length first: nothing of any size is turned into lower case.
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    Hex::parse(&digits.to_ascii_lowercase()).map(|Hex(bytes)| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn lock() -> Value {
        let share = |x: u8| format!("0x{}", format!("{x:02x}").repeat(48));
        json!({
            "cluster_definition": {
                "name": "a cluster",
                "version": "v1.8.0",
                "operators": [{ "enr": "" }, null],
                "num_validators": 1,
                "threshold": 2,
                "fork_version": "0x10000910",
                "deposit_amounts": null,
                "other": [1.5, -3],
            },
            "distributed_validators": [{
                "distributed_public_key": share(0xab).to_uppercase().replace("0X", "0x"),
                "public_shares": [share(1), share(2)],
                "partial_deposit_data": null,
            }],
            "lock_hash": "anything",
        })
    }

    fn parse(value: &Value) -> Result<ObolLock, LockError> {
        ObolLock::parse(&serde_json::to_vec(value).unwrap())
    }

    #[test]
    fn what_is_used_is_read_and_the_rest_is_anything() {
        let read = parse(&lock()).unwrap();
        assert_eq!(read.name, "a cluster");
        assert_eq!(read.fork_version, [0x10, 0, 9, 0x10]);
        assert_eq!((read.operators, read.threshold), (2, 2));
        assert_eq!(read.validators[0].public_key, [0xab; 48]);
        assert_eq!(read.validators[0].public_shares, [[1; 48], [2; 48]]);
        let mut nameless = lock();
        nameless["cluster_definition"]
            .as_object_mut()
            .unwrap()
            .remove("name");
        assert_eq!(parse(&nameless).unwrap().name, "");
    }

    #[test]
    fn what_is_used_is_read_strictly() {
        let refused = |pointer: &str, value: Value| {
            let mut changed = lock();
            *changed.pointer_mut(pointer).unwrap() = value;
            parse(&changed).unwrap_err().to_string()
        };
        for (pointer, value, expected) in [
            (
                "/cluster_definition/version",
                json!("v1.4.0"),
                "version v1.4.0",
            ),
            (
                "/cluster_definition/version",
                json!("v1.12.0"),
                "version v1.12.0",
            ),
            ("/cluster_definition/version", json!(1), "invalid type"),
            (
                "/cluster_definition/operators",
                json!([1]),
                "it has 1 operators",
            ),
            (
                "/cluster_definition/operators",
                json!(vec![1; 257]),
                "it has 257 operators",
            ),
            (
                "/cluster_definition/operators",
                json!([1, 2, 3]),
                "2 public shares for 3",
            ),
            (
                "/cluster_definition/threshold",
                json!(1),
                "threshold is 1 of 2",
            ),
            (
                "/cluster_definition/threshold",
                json!(3),
                "threshold is 3 of 2",
            ),
            ("/cluster_definition/threshold", json!(-2), "invalid value"),
            (
                "/cluster_definition/fork_version",
                json!("10000910"),
                "fork version",
            ),
            (
                "/cluster_definition/fork_version",
                json!("0x100009"),
                "fork version",
            ),
            (
                "/cluster_definition/num_validators",
                json!(2),
                "2 validators and holds 1",
            ),
            ("/distributed_validators", json!([]), "no validator"),
            (
                "/distributed_validators/0/distributed_public_key",
                json!("0xab"),
                "distributed public key of validator 0",
            ),
            (
                "/distributed_validators/0/public_shares/1",
                json!("0x".to_owned() + &"zz".repeat(48)),
                "public share of operator 2 of validator 0",
            ),
            (
                "/distributed_validators/0/public_shares/0",
                json!("é".repeat(49)),
                "public share of operator 1",
            ),
            (
                "/distributed_validators/0/public_shares",
                json!([]),
                "0 public shares",
            ),
            (
                "/distributed_validators/0/public_shares",
                json!(null),
                "invalid type",
            ),
        ] {
            let found = refused(pointer, value);
            assert!(found.contains(expected), "{pointer}: {found}");
        }
    }

    #[test]
    fn no_lock_at_all_and_a_field_twice_are_refused() {
        for bytes in [&b""[..], b"[]", b"{}", b"{\"cluster_definition\":{}}"] {
            assert!(matches!(ObolLock::parse(bytes), Err(LockError::Invalid(_))));
        }
        let text = lock().to_string();
        let twice = text.replacen("\"threshold\":2", "\"threshold\":2,\"threshold\":2", 1);
        assert!(matches!(
            ObolLock::parse(twice.as_bytes()),
            Err(LockError::Invalid(_))
        ));
        assert!(matches!(
            ObolLock::parse(format!("{text} x").as_bytes()),
            Err(LockError::Invalid(_))
        ));
    }
}
