//! BLS keys from a seed: EIP-2333 (derivation) and EIP-2334 (paths).

use std::fmt;

use crate::crypto::bls;
use crate::crypto::scalar::Scalar;

/// A derivation path such as `m/12381/3600/0/0/0`: hardened at every step, as all of EIP-2333 is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPath(Vec<u32>);

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not `m` and then plain decimal steps.
    #[error(
        "a key path is m/ and then numbers up to 4294967295 between slashes, such as m/12381/3600/0/0/0"
    )]
    Form,
    /// Not under EIP-2334's purpose, or shorter than its four levels, or over 16.
    #[error("a key path has 4 to 16 levels, the first one 12381")]
    Levels,
}

impl KeyPath {
    const PURPOSE: u32 = 12_381;
    const COIN_TYPE: u32 = 3_600;
    const MAX_LEVELS: usize = 16;

    /// The path of the signing key of validator `account` (EIP-2334, "Validator keys").
    pub fn signing_key(account: u32) -> Self {
        Self(vec![Self::PURPOSE, Self::COIN_TYPE, account, 0, 0])
    }

    /// Reads a path of EIP-2334: `m / purpose / coin_type / account / use`, and more levels below.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let levels = text.strip_prefix("m/").ok_or(PathError::Form)?;
        let levels: Vec<u32> = levels
            .split('/')
            .take(Self::MAX_LEVELS.saturating_add(1))
            .map(|level| level.parse::<u32>().ok().filter(|n| n.to_string() == level))
            .collect::<Option<_>>()
            .ok_or(PathError::Form)?;
        if levels.first() != Some(&Self::PURPOSE) || !(4..=Self::MAX_LEVELS).contains(&levels.len())
        {
            return Err(PathError::Levels);
        }
        Ok(Self(levels))
    }

    /// Derives the key at this path. The seed has at least 32 bytes (EIP-2333); `None` if not.
    pub fn derive(&self, seed: &[u8]) -> Option<Scalar> {
        let master = bls::derive_master_eip2333(seed)?;
        Some(self.0.iter().fold(master, |parent, level| {
            bls::derive_child_eip2333(&parent, *level)
        }))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        self.0.iter().try_for_each(|level| write!(f, "/{level}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_plain_and_print_as_read() {
        for good in ["m/12381/3600/0/0", "m/12381/3600/4294967295/0/0"] {
            assert_eq!(KeyPath::parse(good).unwrap().to_string(), good);
        }
        assert_eq!(KeyPath::signing_key(7).to_string(), "m/12381/3600/7/0/0");
        for bad in [
            "",
            "m",
            "m/",
            "12381/3600/0/0",
            "m/12381/3600/0'/0",
            "m/12381/3600/00/0",
            "m/12381/3600/+1/0",
            "m/12381/3600/4294967296/0",
            "m/12381/3600/0/0/",
            "M/12381/3600/0/0",
        ] {
            assert_eq!(KeyPath::parse(bad), Err(PathError::Form), "{bad}");
        }
        let deep = format!("m/12381{}", "/0".repeat(16));
        for bad in ["m/44/60/0/0", "m/12381/3600/0", &deep] {
            assert_eq!(KeyPath::parse(bad), Err(PathError::Levels), "{bad}");
        }
    }

    /// EIP-2334 has no vectors; this is EIP-2333's step taken level by level.
    #[test]
    fn a_path_is_one_child_step_a_level() {
        let seed = [7u8; 32];
        let by_path = KeyPath::signing_key(3).derive(&seed).unwrap();
        let mut key = bls::derive_master_eip2333(&seed).unwrap();
        for level in [12_381, 3_600, 3, 0, 0] {
            key = bls::derive_child_eip2333(&key, level);
        }
        assert!(by_path.to_bytes().ct_eq(&key.to_bytes()));
        assert!(KeyPath::signing_key(3).derive(&seed[..31]).is_none());
    }
}
