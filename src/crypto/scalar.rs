//! The scalar field of BLS12-381: integers modulo the group order r (255 bits).
#![expect(unsafe_code, reason = "calls blst")]

use std::fmt;

use blst::{blst_fr, blst_scalar};
use zeroize::{Zeroize, Zeroizing};

use crate::hash::Tag;
use crate::secret::{Secret, Seed};

/// An element of the scalar field. Often a secret: redacted, wiped on drop, never copied silently.
#[derive(Default)]
pub struct Scalar(blst_fr);

impl Scalar {
    /// Bytes of the encoding.
    pub const BYTES: usize = 32;

    /// Zero.
    pub fn zero() -> Self {
        Self::default()
    }

    /// Returns `n` as a field element.
    pub fn from_u64(n: u64) -> Self {
        let limbs = [n, 0, 0, 0];
        let mut out = blst_fr::default();
        // SAFETY: both pointers are to live four-limb values.
        unsafe { blst::blst_fr_from_uint64(&raw mut out, limbs.as_ptr()) };
        Self(out)
    }

    /// Reads the canonical encoding: 32 bytes, big-endian, below r. Zero is an element.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let scalar = Self::from_wide(bytes);
        scalar
            .to_bytes()
            .expose(|canonical| canonical == bytes)
            .then_some(scalar)
    }

    /// Reduces big-endian bytes modulo r. With 48 bytes or more of randomness the result is uniform
    /// to within 2^-128.
    pub fn from_wide<const N: usize>(bytes: &[u8; N]) -> Self {
        let mut reduced = blst_scalar::default();
        let mut out = blst_fr::default();
        // SAFETY: `bytes` has N readable bytes; the outputs are live values. blst reduces any length.
        unsafe {
            blst::blst_scalar_from_be_bytes(&raw mut reduced, bytes.as_ptr(), N);
            blst::blst_fr_from_scalar(&raw mut out, &raw const reduced);
        }
        Self(out)
    }

    /// Hashes to a scalar: RFC 9380 section 5.2 with expand_message_xmd over SHA-256 and 48 bytes,
    /// the tag as domain separation, over length-prefixed arguments.
    pub fn hash(tag: Tag, arguments: &[&[u8]]) -> Self {
        let mut message = Vec::new();
        for argument in arguments {
            message.extend_from_slice(&(argument.len() as u64).to_be_bytes());
            message.extend_from_slice(argument);
        }
        Self::from_wide(&expand_message_xmd::<48>(&message, tag.as_str().as_bytes()))
    }

    /// Returns the canonical encoding: 32 bytes, big-endian.
    pub fn to_bytes(&self) -> Seed {
        let mut out = Secret::new([0u8; 32]);
        out.expose_mut(|bytes| {
            bytes.copy_from_slice(&self.to_blst().b);
            bytes.reverse();
        });
        out
    }

    /// Returns the encoding of a scalar that is public by its meaning (a proof's response, a
    /// ciphertext).
    pub fn to_public_bytes(&self) -> [u8; 32] {
        self.to_bytes().expose(|bytes| *bytes)
    }

    /// Little-endian encoding, as blst takes its multipliers; wiped on drop.
    pub(in crate::crypto) fn to_blst(&self) -> blst_scalar {
        let mut out = blst_scalar::default();
        // SAFETY: both point to live values.
        unsafe { blst::blst_scalar_from_fr(&raw mut out, &raw const self.0) };
        out
    }

    pub(in crate::crypto) fn from_blst(scalar: &blst_scalar) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: both point to live values; every caller passes a value that blst made below r.
        unsafe { blst::blst_fr_from_scalar(&raw mut out, scalar) };
        Self(out)
    }

    /// Whether this is zero. Not constant-time: callers refuse zero and stop.
    pub fn is_zero(&self) -> bool {
        self.0.l == [0; 4]
    }

    /// Returns `self + other`.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: all point to live values.
        unsafe { blst::blst_fr_add(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    /// Returns `self - other`.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: all point to live values.
        unsafe { blst::blst_fr_sub(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    /// Returns `self * other`.
    #[must_use]
    pub fn mul(&self, other: &Self) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: all point to live values.
        unsafe { blst::blst_fr_mul(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    /// Returns `-self`.
    #[must_use]
    pub fn neg(&self) -> Self {
        Self::zero().sub(self)
    }

    /// Returns `1 / self`, or nothing for zero. Public values only: the inversion is variable-time.
    pub fn invert(&self) -> Option<Self> {
        if self.is_zero() {
            return None;
        }
        let mut out = blst_fr::default();
        // SAFETY: both point to live values.
        unsafe { blst::blst_fr_eucl_inverse(&raw mut out, &raw const self.0) };
        Some(Self(out))
    }

    /// Copies the value: named, so that no copy of a secret is silent.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// Adds `other` in place.
    pub fn accumulate(&mut self, other: &Self) {
        *self = self.add(other);
    }
}

impl Drop for Scalar {
    fn drop(&mut self) {
        self.0.l.zeroize();
    }
}

impl Zeroize for Scalar {
    fn zeroize(&mut self) {
        self.0.l.zeroize();
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.l.ct_eq(&other.0.l).into()
    }
}

impl Eq for Scalar {}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<scalar>")
    }
}

/// RFC 9380 section 5.3.1 with SHA-256; the tags are all shorter than 256 bytes.
fn expand_message_xmd<const N: usize>(message: &[u8], dst: &[u8]) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0u8; N]);
    // SAFETY: every pointer comes with its own length.
    unsafe {
        blst::blst_expand_message_xmd(
            out.as_mut_ptr(),
            N,
            message.as_ptr(),
            message.len(),
            dst.as_ptr(),
            dst.len(),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Hex, encode_hex};

    /// r of BLS12-381 (draft-irtf-cfrg-pairing-friendly-curves, section 4.2.1).
    const R: &str = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";

    fn scalar(hex: &str) -> Option<Scalar> {
        Scalar::from_bytes(&Hex::<32>::parse(hex).unwrap().0)
    }

    #[test]
    fn only_canonical_encodings_are_read() {
        assert!(scalar(R).is_none());
        assert!(scalar(&"f".repeat(64)).is_none());
        let mut below = Hex::<32>::parse(R).unwrap().0;
        below[31] = 0;
        let largest = Scalar::from_bytes(&below).unwrap();
        assert_eq!(largest.to_public_bytes(), below);
        assert!(largest.add(&Scalar::from_u64(1)).is_zero());
        assert!(scalar(&"0".repeat(64)).unwrap().is_zero());
    }

    #[test]
    fn what_is_wiped_is_zero() {
        let mut scalar = Scalar::from_u64(7);
        scalar.zeroize();
        assert!(scalar.is_zero());
    }

    #[test]
    fn arithmetic_agrees_with_small_integers() {
        let n = Scalar::from_u64;
        assert_eq!(n(7).add(&n(8)), n(15));
        assert_eq!(n(7).sub(&n(8)).add(&n(1)), n(0));
        assert_eq!(n(1 << 40).mul(&n(1 << 20)), n(1 << 60));
        assert_eq!(n(6).mul(&n(3).invert().unwrap()), n(2));
        assert_eq!(n(5).neg().add(&n(5)), n(0));
        assert!(n(0).invert().is_none());
    }

    /// 2^384 - 1 mod r, computed with Python's integers.
    #[test]
    fn wide_bytes_reduce_modulo_r() {
        let reduced = Scalar::from_wide(&[0xff; 48]);
        assert_eq!(
            encode_hex(&reduced.to_public_bytes()),
            "2dbeaf1fd4843acb7abbe5687369510a9277efb8ac0a600dcf2ab21bf81f712c"
        );
        assert_eq!(
            encode_hex(&Scalar::from_wide(&[0xff; 64]).to_public_bytes()),
            "0748d9d99f59ff1105d314967254398f2b6cedcb87925c23c999e990f3f29c6c"
        );
    }

    /// RFC 9380 appendix K.1: SHA-256, DST QUUX-V01-CS02-with-expander-SHA256-128, 32 bytes.
    #[test]
    fn expand_message_known_answers() {
        let dst = b"QUUX-V01-CS02-with-expander-SHA256-128";
        for (message, expected) in [
            (
                "",
                "68a985b87eb6b46952128911f2a4412bbc302a9d759667f87f7a21d803f07235",
            ),
            (
                "abc",
                "d8ccab23b5985ccea865c6c97b6e5b8350e794e603b4b97902f53a8a0d605615",
            ),
            (
                "abcdef0123456789",
                "eff31487c770a893cfb36f912fbfcbff40d5661771ca4b2cb4eafe524333f5c1",
            ),
        ] {
            assert_eq!(
                encode_hex(&*expand_message_xmd::<32>(message.as_bytes(), dst)),
                expected
            );
        }
    }

    #[test]
    fn nothing_of_a_scalar_prints() {
        assert_eq!(format!("{:?}", Scalar::from_u64(42)), "<scalar>");
    }
}
