//! Encryption of scalars from one operator to another: Diffie-Hellman in G1 and an additive pad in
//! the scalar field.
//!
//! `K_ji = KDF(cid, j, i, E_i, R_j, D_ji)` with `D_ji = r_j * E_i = e_i * R_j`; `pad_v` is the
//! ChaCha20 (RFC 8439) block v under `K_ji` with a zero nonce, big-endian, modulo r; the ciphertext
//! of `s` is `s + pad_v`. Every canonical scalar decrypts, so that "malformed ciphertext" cannot
//! happen in secret; integrity comes from the sender's signature and from the share equation.

use crate::crypto::point::G1;
use crate::crypto::xof::Xof;
use crate::hash::{Digest, Kdf, Tag};
use crate::secret::Seed;

/// What binds a stream of pads to its place: who encrypts to whom in which ceremony.
#[derive(Debug, Clone, Copy)]
pub struct PadContext<'a> {
    /// One tag per kind of message.
    pub tag: Tag,
    /// The ceremony.
    pub cid: &'a Digest,
    /// Index of the sender j.
    pub sender: u64,
    /// Index of the recipient i.
    pub recipient: u64,
    /// The recipient's encryption key `E_i`.
    pub key: &'a G1,
    /// The sender's ephemeral key `R_j`.
    pub ephemeral: &'a G1,
}

/// The pads of one sender for one recipient; the key is wiped on drop.
#[derive(Debug)]
pub struct Pads(Seed);

impl Pads {
    /// Derives the pads from the shared point `D_ji`.
    pub fn derive(context: PadContext<'_>, shared: &G1) -> Self {
        Self(
            Kdf::new(context.tag)
                .bytes(context.cid.as_bytes())
                .int(context.sender)
                .int(context.recipient)
                .bytes(&context.key.to_bytes())
                .bytes(&context.ephemeral.to_bytes())
                .derive(&shared.to_bytes()),
        )
    }

    /// Starts the stream whose block v is the pad of validator v ([`Xof::scalar_at`]).
    pub fn stream(&self) -> Xof {
        Xof::secret(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::scalar::Scalar;

    #[test]
    fn both_ends_derive_the_same_pads_and_nobody_elses() {
        let n = Scalar::from_u64;
        let cid = Digest::from_bytes([3; 32]);
        let (r, e) = (n(1111), n(2222));
        let (ephemeral, key) = (
            G1::generator_times(&r).unwrap(),
            G1::generator_times(&e).unwrap(),
        );
        let context = PadContext {
            tag: Tag::DEAL_PAD,
            cid: &cid,
            sender: 1,
            recipient: 2,
            key: &key,
            ephemeral: &ephemeral,
        };
        let sent = Pads::derive(context, &key.times(&r).unwrap())
            .stream()
            .scalar_at(5);
        assert_eq!(
            Pads::derive(context, &ephemeral.times(&e).unwrap())
                .stream()
                .scalar_at(5),
            sent
        );
        let shared = key.times(&r).unwrap();
        assert_ne!(Pads::derive(context, &shared).stream().scalar_at(4), sent);
        let other_cid = Digest::from_bytes([4; 32]);
        for other in [
            PadContext {
                cid: &other_cid,
                ..context
            },
            PadContext {
                sender: 2,
                ..context
            },
            PadContext {
                recipient: 1,
                ..context
            },
            PadContext {
                key: &ephemeral,
                ..context
            },
            PadContext {
                ephemeral: &key,
                ..context
            },
        ] {
            assert_ne!(Pads::derive(other, &shared).stream().scalar_at(5), sent);
        }
    }
}
