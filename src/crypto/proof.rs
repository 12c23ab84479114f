//! Schnorr proofs, non-interactive by Fiat-Shamir: knowledge of one scalar, of many at once, and
//! equality of two discrete logarithms (Chaum-Pedersen).
//!
//! Every challenge hashes a tag, the caller's context (ceremony, role, indices) and every point of
//! the statement. Nonces come from the caller, derived from a stored secret and from everything the
//! challenge hashes except the proof's own commitment, so that two different challenges never meet
//! one nonce.

use crate::crypto::point::{G1, G1Sum};
use crate::crypto::scalar::Scalar;
use crate::crypto::xof::{Xof, weight_scalar};
use crate::hash::{Digest, Hasher, Tag};

/// A proof of knowledge of `x` in `X = x * G`: 80 bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Knowledge {
    /// `P = p * G` for the nonce p.
    pub commitment: G1,
    /// `z = p + c * x`.
    pub response: Scalar,
}

impl Knowledge {
    /// Proves knowledge of `secret`, which `point` must commit to. Returns nothing for a zero nonce.
    pub fn prove(
        secret: &Scalar,
        point: &G1,
        tag: Tag,
        context: &[&[u8]],
        nonce: &Scalar,
    ) -> Option<Self> {
        let commitment = G1::generator_times(nonce)?;
        let challenge = knowledge_challenge(point, &commitment, tag, context);
        Some(Self {
            commitment,
            response: nonce.add(&challenge.mul(secret)),
        })
    }

    /// Checks `z * G = P + c * X`.
    pub fn verify(&self, point: &G1, tag: Tag, context: &[&[u8]]) -> bool {
        let challenge = knowledge_challenge(point, &self.commitment, tag, context);
        let mut right = G1Sum::from(*point).times(&challenge);
        right.add(&self.commitment);
        G1Sum::generator_times(&self.response) == right
    }
}

fn knowledge_challenge(point: &G1, commitment: &G1, tag: Tag, context: &[&[u8]]) -> Scalar {
    let (point, commitment) = (point.to_bytes(), commitment.to_bytes());
    let mut arguments = context.to_vec();
    arguments.extend([point.as_slice(), commitment.as_slice()]);
    Scalar::hash(tag, &arguments)
}

/// A proof of knowledge of the discrete logarithms of many points at once: 80 bytes however many.
///
/// Seed `c = H(context, points, P)`; weights w_0, w_1, … are the consecutive big-endian 128-bit
/// blocks of the XOF of c; `z = p + sum w_e * x_e`; check `z * G = P + sum w_e * X_e`.
#[derive(Debug, PartialEq, Eq)]
pub struct ManyKnowledge {
    /// `P = p * G` for the nonce p.
    pub commitment: G1,
    /// `z`.
    pub response: Scalar,
}

impl ManyKnowledge {
    /// Proves knowledge of all `secrets`. `statement` is a hash that has taken the tag, the context
    /// and every point in order. Returns nothing for a zero nonce.
    pub fn prove<'a>(
        secrets: impl Iterator<Item = &'a Scalar>,
        statement: Hasher,
        nonce: &Scalar,
    ) -> Option<Self> {
        let commitment = G1::generator_times(nonce)?;
        let mut weights = Xof::new(many_challenge(statement, &commitment).as_bytes());
        let mut response = nonce.duplicate();
        for secret in secrets {
            response.accumulate(&secret.mul(&weight_scalar(&weights.weight())));
        }
        Some(Self {
            commitment,
            response,
        })
    }

    /// Checks the proof for `first` and then `others`, which `statement` has hashed in this order.
    pub fn verify(&self, first: &G1, others: &[G1], statement: Hasher) -> bool {
        let mut weights = Xof::new(many_challenge(statement, &self.commitment).as_bytes());
        let mut right = G1Sum::msm_serial(&[*first], &[weights.weight()]);
        right.add_sum(&G1Sum::msm(others, &weights.weights(others.len())));
        right.add(&self.commitment);
        G1Sum::generator_times(&self.response) == right
    }
}

fn many_challenge(statement: Hasher, commitment: &G1) -> Digest {
    statement.bytes(&commitment.to_bytes()).finish()
}

/// A proof that `log_G(key) = log_base(shared)`: 128 bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct EqualLogs {
    /// `T1 = w * G`.
    pub commitment_generator: G1,
    /// `T2 = w * base`.
    pub commitment_base: G1,
    /// `z = w + c * e`.
    pub response: Scalar,
}

/// The statement of an [`EqualLogs`] proof.
#[derive(Debug, Clone, Copy)]
pub struct EqualLogsStatement<'a> {
    /// Domain separation.
    pub tag: Tag,
    /// Ceremony, roles, indices, in the order of the protocol.
    pub context: &'a [&'a [u8]],
    /// `e * G`.
    pub key: &'a G1,
    /// The second base.
    pub base: &'a G1,
    /// `e * base`.
    pub shared: &'a G1,
}

impl EqualLogs {
    /// Proves the statement, whose logarithm is `secret`. Returns nothing for a zero nonce.
    pub fn prove(
        secret: &Scalar,
        statement: EqualLogsStatement<'_>,
        nonce: &Scalar,
    ) -> Option<Self> {
        let commitment_generator = G1::generator_times(nonce)?;
        let commitment_base = statement.base.times(nonce)?;
        let challenge = statement.challenge(&commitment_generator, &commitment_base);
        let response = nonce.add(&challenge.mul(secret));
        Some(Self {
            commitment_generator,
            commitment_base,
            response,
        })
    }

    /// Checks `z * G = T1 + c * key` and `z * base = T2 + c * shared`.
    pub fn verify(&self, statement: EqualLogsStatement<'_>) -> bool {
        let challenge = statement.challenge(&self.commitment_generator, &self.commitment_base);
        let holds = |base: &G1, commitment: &G1, image: &G1| {
            let mut right = G1Sum::from(*image).times(&challenge);
            right.add(commitment);
            G1Sum::from(*base).times(&self.response) == right
        };
        holds(&G1::generator(), &self.commitment_generator, statement.key)
            && holds(statement.base, &self.commitment_base, statement.shared)
    }
}

impl EqualLogsStatement<'_> {
    fn challenge(&self, commitment_generator: &G1, commitment_base: &G1) -> Scalar {
        let points = [
            self.key,
            self.base,
            self.shared,
            commitment_generator,
            commitment_base,
        ]
        .map(G1::to_bytes);
        let mut arguments = self.context.to_vec();
        arguments.extend(points.iter().map(<[u8; 48]>::as_slice));
        Scalar::hash(self.tag, &arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(n: u64) -> Scalar {
        Scalar::from_u64(n)
    }

    fn g(k: u64) -> G1 {
        G1::generator_times(&n(k)).unwrap()
    }

    #[test]
    fn knowledge_holds_for_its_statement_only() {
        let proof = Knowledge::prove(&n(5), &g(5), Tag::CARD_PROOF, &[b"alice"], &n(77)).unwrap();
        assert!(proof.verify(&g(5), Tag::CARD_PROOF, &[b"alice"]));
        assert!(!proof.verify(&g(6), Tag::CARD_PROOF, &[b"alice"]));
        assert!(!proof.verify(&g(5), Tag::DEAL_PROOF, &[b"alice"]));
        assert!(!proof.verify(&g(5), Tag::CARD_PROOF, &[b"bob"]));
        // A prover that does not know the logarithm of the point it names.
        let forged = Knowledge::prove(&n(5), &g(6), Tag::CARD_PROOF, &[b"alice"], &n(77)).unwrap();
        assert!(!forged.verify(&g(6), Tag::CARD_PROOF, &[b"alice"]));
        assert!(Knowledge::prove(&n(5), &g(5), Tag::CARD_PROOF, &[], &n(0)).is_none());
    }

    #[test]
    fn many_knowledge_covers_every_point() {
        let secrets = [n(2), n(3), n(4)];
        let statement = |points: &[G1]| {
            points
                .iter()
                .fold(Hasher::new(Tag::DEAL_PROOF), |h, p| h.bytes(&p.to_bytes()))
        };
        let points = [g(2), g(3), g(4)];
        let proof = ManyKnowledge::prove(secrets.iter(), statement(&points), &n(9)).unwrap();
        assert!(proof.verify(&points[0], &points[1..], statement(&points)));
        for replaced in 0..3 {
            let mut other = points;
            other[replaced] = g(8);
            assert!(!proof.verify(&other[0], &other[1..], statement(&points)));
            assert!(!proof.verify(&other[0], &other[1..], statement(&other)));
            // Knowing two of three logarithms is not enough.
            let forged = ManyKnowledge::prove(secrets.iter(), statement(&other), &n(9)).unwrap();
            assert!(!forged.verify(&other[0], &other[1..], statement(&other)));
        }
        assert!(!proof.verify(&points[0], &points[1..2], statement(&points)));
    }

    #[test]
    fn equal_logs_bind_both_bases() {
        let (key, base, shared) = (g(6), g(35), g(210));
        let context: &[&[u8]] = &[b"cid"];
        let statement = EqualLogsStatement {
            tag: Tag::COMPLAINT_PROOF,
            context,
            key: &key,
            base: &base,
            shared: &shared,
        };
        let proof = EqualLogs::prove(&n(6), statement, &n(1234)).unwrap();
        assert!(proof.verify(statement));
        let wrong = g(211);
        for other in [
            EqualLogsStatement {
                shared: &wrong,
                ..statement
            },
            EqualLogsStatement {
                key: &wrong,
                ..statement
            },
            EqualLogsStatement {
                base: &wrong,
                ..statement
            },
            EqualLogsStatement {
                context: &[b"dic"],
                ..statement
            },
            EqualLogsStatement {
                tag: Tag::CARD_PROOF,
                ..statement
            },
        ] {
            assert!(!proof.verify(other));
        }
    }

    /// Whoever can choose a part of the statement, or of the proof, after the challenge is known
    /// makes proofs backwards.
    #[test]
    fn every_part_of_a_statement_is_in_its_challenge() {
        fn assert_distinct(mut challenges: Vec<[u8; 32]>) {
            let count = challenges.len();
            challenges.sort_unstable();
            challenges.dedup();
            assert_eq!(challenges.len(), count);
        }
        let one = |point, commitment, tag, context: &[&[u8]]| {
            knowledge_challenge(&g(point), &g(commitment), tag, context).to_public_bytes()
        };
        assert_distinct(vec![
            one(5, 6, Tag::CARD_PROOF, &[b"a", b"b"]),
            one(7, 6, Tag::CARD_PROOF, &[b"a", b"b"]),
            one(5, 7, Tag::CARD_PROOF, &[b"a", b"b"]),
            one(6, 5, Tag::CARD_PROOF, &[b"a", b"b"]),
            one(5, 6, Tag::DEAL_PROOF, &[b"a", b"b"]),
            one(5, 6, Tag::CARD_PROOF, &[b"b", b"a"]),
            one(5, 6, Tag::CARD_PROOF, &[b"ab"]),
        ]);
        let many = |tag, statement: &[u8], commitment| {
            *many_challenge(Hasher::new(tag).bytes(statement), &g(commitment)).as_bytes()
        };
        assert_distinct(vec![
            many(Tag::DEAL_PROOF, b"a", 5),
            many(Tag::CARD_PROOF, b"a", 5),
            many(Tag::DEAL_PROOF, b"b", 5),
            many(Tag::DEAL_PROOF, b"a", 6),
        ]);
        let equal = |points: [u64; 5], tag, context: &[&[u8]]| {
            let [key, base, shared, first, second] = points.map(g);
            let statement = EqualLogsStatement {
                tag,
                context,
                key: &key,
                base: &base,
                shared: &shared,
            };
            statement.challenge(&first, &second).to_public_bytes()
        };
        let points = [2, 3, 4, 5, 6];
        let mut challenges = vec![
            equal(points, Tag::COMPLAINT_PROOF, &[b"a"]),
            equal(points, Tag::CARD_PROOF, &[b"a"]),
            equal(points, Tag::COMPLAINT_PROOF, &[b"b"]),
        ];
        for replaced in 0..5 {
            let mut points = points;
            points[replaced] = 7;
            challenges.push(equal(points, Tag::COMPLAINT_PROOF, &[b"a"]));
        }
        assert_distinct(challenges);
    }

    /// The forger knows one logarithm and proves another: each equation alone would hold.
    #[test]
    fn half_of_an_equality_is_not_enough() {
        let (key, base) = (g(6), g(35));
        let statement = |shared| EqualLogsStatement {
            tag: Tag::COMPLAINT_PROOF,
            context: &[b"cid"],
            key: &key,
            base: &base,
            shared,
        };
        // log_base of this is 7 and not 6.
        let shared = g(7 * 35);
        let (commitment_generator, commitment_base) = (g(11), g(11 * 35));
        let challenge = statement(&shared).challenge(&commitment_generator, &commitment_base);
        for secret in [6, 7] {
            let forged = EqualLogs {
                commitment_generator,
                commitment_base,
                response: n(11).add(&challenge.mul(&n(secret))),
            };
            assert!(!forged.verify(statement(&shared)));
        }
    }
}
