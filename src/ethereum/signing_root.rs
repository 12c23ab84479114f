//! Hash tree roots of the small fixed-size objects that are signed here, and the domains that keep
//! their signatures apart (consensus-specs: `simple-serialize.md`, `beacon-chain.md`).
//!
//! Every such object is flat, so its root is a Merkle tree over one 32-byte chunk a field; no
//! general SSZ is needed.

use sha2::{Digest as _, Sha256};

use crate::crypto::bls::SigningRoot;

/// A 32-byte chunk or root of SSZ merkleisation.
pub type Root = [u8; 32];

/// A signature's domain: its type and, where the type says so, fork and chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain(pub [u8; 32]);

/// What kind of message a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainType([u8; 4]);

impl DomainType {
    /// `DOMAIN_DEPOSIT` (phase 0).
    pub const DEPOSIT: Self = Self([0x03, 0x00, 0x00, 0x00]);
    /// `DOMAIN_VOLUNTARY_EXIT` (phase 0).
    pub const VOLUNTARY_EXIT: Self = Self([0x04, 0x00, 0x00, 0x00]);
    /// `DOMAIN_BLS_TO_EXECUTION_CHANGE` (Capella).
    pub const BLS_TO_EXECUTION_CHANGE: Self = Self([0x0a, 0x00, 0x00, 0x00]);
    /// `DOMAIN_APPLICATION_BUILDER` (builder-specs).
    pub const APPLICATION_BUILDER: Self = Self([0x00, 0x00, 0x00, 0x01]);
}

/// Returns `compute_domain(domain_type, fork_version, genesis_validators_root)` (phase 0).
pub fn compute_domain(
    domain_type: DomainType,
    fork_version: [u8; 4],
    genesis_validators_root: &Root,
) -> Domain {
    // ForkData { current_version, genesis_validators_root }
    let fork_data_root = merkle_root(&[padded(&fork_version), *genesis_validators_root]);
    // Domain(domain_type + fork_data_root[:28])
    let mut domain = [0u8; 32];
    for (out, byte) in domain
        .iter_mut()
        .zip(domain_type.0.iter().chain(&fork_data_root))
    {
        *out = *byte;
    }
    Domain(domain)
}

/// Returns `compute_signing_root`: the root of `SigningData { object_root, domain }` (phase 0).
pub fn signing_root(object_root: &Root, domain: &Domain) -> SigningRoot {
    SigningRoot(merkle_root(&[*object_root, domain.0]))
}

/// Returns `merkleize(chunks)`: zero chunks up to a power of two, then hashed in pairs. No chunk at
/// all gives the zero chunk.
pub fn merkle_root(chunks: &[Root]) -> Root {
    let mut layer = chunks.to_vec();
    layer.resize(chunks.len().next_power_of_two(), [0; 32]);
    while layer.len() > 1 {
        let (pairs, _) = layer.as_chunks::<2>();
        layer = pairs
            .iter()
            .map(|[left, right]| {
                Sha256::new()
                    .chain_update(left)
                    .chain_update(right)
                    .finalize()
                    .into()
            })
            .collect();
    }
    layer.first().copied().unwrap_or_default()
}

/// Returns the root of a byte vector of any fixed length: its 32-byte chunks, the last one padded.
pub fn bytes_root(bytes: &[u8]) -> Root {
    merkle_root(&bytes.chunks(32).map(padded).collect::<Vec<_>>())
}

/// Returns the chunk of a uint64: little-endian, zero-padded.
pub fn uint_chunk(number: u64) -> Root {
    padded(&number.to_le_bytes())
}

/// Zero-pads at most 32 bytes to a chunk.
fn padded(bytes: &[u8]) -> Root {
    let mut chunk = [0u8; 32];
    for (out, byte) in chunk.iter_mut().zip(bytes) {
        *out = *byte;
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::encode_hex;

    /// The deposit domain of mainnet, as the deposit contract's tooling prints it.
    #[test]
    fn mainnet_deposit_domain() {
        let domain = compute_domain(DomainType::DEPOSIT, [0; 4], &[0; 32]);
        assert_eq!(
            encode_hex(&domain.0),
            "03000000f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a9"
        );
    }

    #[test]
    fn chunks_are_padded_to_a_power_of_two() {
        let [a, b, c] = [[1u8; 32], [2; 32], [3; 32]];
        let pair = |l: Root, r: Root| -> Root { Sha256::digest([l, r].concat()).into() };
        assert_eq!(merkle_root(&[]), [0; 32]);
        assert_eq!(merkle_root(&[a]), a);
        assert_eq!(merkle_root(&[a, b, c]), pair(pair(a, b), pair(c, [0; 32])));
        let mut tail = [0u8; 32];
        tail[..16].fill(7);
        assert_eq!(bytes_root(&[7; 48]), pair([7; 32], tail));
        assert_eq!(uint_chunk(0x0102)[..3], [2, 1, 0]);
    }
}
