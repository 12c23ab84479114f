//! The XOF of a 32-byte seed: the ChaCha20 keystream (RFC 8439) under it with a zero nonce.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
use zeroize::Zeroizing;

use crate::crypto::scalar::Scalar;
use crate::secret::Seed;

/// Bytes of one block; block `v` of a stream has the 32-bit counter `v`.
const BLOCK_BYTES: u64 = 64;

/// A keystream.
pub struct Xof(ChaCha20);

impl Xof {
    /// Starts the stream of `seed` at block 0.
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(ChaCha20::new(seed.into(), &[0u8; 12].into()))
    }

    /// Starts the stream of a secret seed.
    pub fn secret(seed: &Seed) -> Self {
        seed.expose(Self::new)
    }

    /// Starts one of many independent streams of a public seed, all of them other than [`Self::new`]:
    /// the nonce counts them from 1.
    pub(in crate::crypto) fn part(seed: &[u8; 32], number: u32) -> Self {
        let mut nonce = [0u8; 12];
        let (_, last) = nonce.split_at_mut(4);
        last.copy_from_slice(&u64::from(number).saturating_add(1).to_be_bytes());
        Self(ChaCha20::new(seed.into(), &nonce.into()))
    }

    /// Returns the next 32 bits.
    pub(in crate::crypto) fn word(&mut self) -> u32 {
        let mut block = [0u8; 4];
        self.0.apply_keystream(&mut block);
        u32::from_be_bytes(block)
    }

    /// Returns the next 128-bit weight as 16 little-endian bytes; the stream holds it big-endian.
    pub fn weight(&mut self) -> [u8; 16] {
        let mut block = [0u8; 16];
        self.0.apply_keystream(&mut block);
        block.reverse();
        block
    }

    /// Returns the next `count` weights.
    pub fn weights(&mut self, count: usize) -> Vec<[u8; 16]> {
        (0..count).map(|_| self.weight()).collect()
    }

    /// Returns the next 64 bytes, big-endian, modulo r.
    pub fn scalar(&mut self) -> Scalar {
        let mut block = Zeroizing::new([0u8; 64]);
        self.0.apply_keystream(block.as_mut_slice());
        Scalar::from_wide(&block)
    }

    /// Returns block `number` (64 bytes, big-endian) modulo r, wherever the stream stood.
    pub fn scalar_at(&mut self, number: u32) -> Scalar {
        self.0.seek(u64::from(number).saturating_mul(BLOCK_BYTES));
        self.scalar()
    }
}

/// Reads a weight as a scalar.
pub fn weight_scalar(weight: &[u8; 16]) -> Scalar {
    let mut bytes = *weight;
    bytes.reverse();
    Scalar::from_wide(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::encode_hex;

    /// RFC 8439 appendix A.1, test vectors 1 and 2: zero key, zero nonce, blocks 0 and 1.
    #[test]
    fn keystream_known_answers() {
        let mut stream = Xof::new(&[0; 32]);
        let mut first = stream.weight();
        first.reverse();
        assert_eq!(encode_hex(&first), "76b8e0ada0f13d90405d6ae55386bd28");
        let block_one = "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed\
                         29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f";
        let mut bytes = [0u8; 64];
        crate::json::decode_hex(block_one, &mut bytes).unwrap();
        assert_eq!(stream.scalar_at(1), Scalar::from_wide(&bytes));
        assert_eq!(Xof::new(&[0; 32]).scalar_at(1), Scalar::from_wide(&bytes));
        let mut in_order = Xof::new(&[0; 32]);
        let _ = in_order.scalar();
        assert_eq!(in_order.scalar(), Scalar::from_wide(&bytes));
    }

    #[test]
    fn parts_are_streams_of_their_own() {
        let seed = [7; 32];
        let starts: std::collections::BTreeSet<_> = [Xof::new(&seed)]
            .into_iter()
            .chain((0..4).map(|number| Xof::part(&seed, number)))
            .map(|mut stream| stream.word())
            .collect();
        assert_eq!(starts.len(), 5);
        let mut words = Xof::part(&seed, 3);
        assert_ne!(words.word(), words.word());
    }

    #[test]
    fn a_weight_and_its_scalar_agree() {
        let weight = 0x0102_0304_0506_0708_u128.to_le_bytes();
        assert_eq!(
            weight_scalar(&weight),
            Scalar::from_u64(0x0102_0304_0506_0708)
        );
    }
}
