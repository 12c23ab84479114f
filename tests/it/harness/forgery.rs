//! A dealer that deals whatever it likes and proves it properly: the attacks differ from an honest
//! deal in one thing each, and hold together otherwise.
//!
//! It writes the deal's equations out a second time, so the honest case also checks them.

use conclave::crypto::encrypt::{PadContext, Pads};
use conclave::crypto::point::G1;
use conclave::crypto::polynomial::Polynomial;
use conclave::crypto::scalar::Scalar;
use conclave::crypto::xof::{Xof, weight_scalar};
use conclave::hash::{Digest, Hasher, Tag};
use conclave::json::Hex;
use conclave::protocol::Params;
use conclave::protocol::deal::{DealPayload, ProofPayload};

pub(crate) const INFINITY: [u8; 48] = {
    let mut bytes = [0; 48];
    bytes[0] = 0xc0;
    bytes
};

/// (0, 2), of order 3.
pub(crate) const ORDER_THREE: [u8; 48] = {
    let mut bytes = [0; 48];
    bytes[0] = 0x80;
    bytes
};

/// x = 1: 5 is no square modulo p.
pub(crate) const OFF_CURVE: [u8; 48] = {
    let mut bytes = ORDER_THREE;
    bytes[47] = 1;
    bytes
};

/// x = 4: on the curve, of large composite order.
pub(crate) const OFF_SUBGROUP: [u8; 48] = {
    let mut bytes = ORDER_THREE;
    bytes[47] = 4;
    bytes
};

/// The generator plus (0, 2), computed with Python's integers: a weight that is divisible by three
/// does not see the difference from the generator.
pub(crate) const GENERATOR_AND_ORDER_THREE: &str = "85020378a6838af221e734b3a81940eb3ff19c2a7f8cf26150dfc38fc41c37551dc92bb5593d30d4dfc2ee4bb09ad05b";

/// What a dealer chooses.
pub(crate) struct Dealing {
    /// What the proof is bound to.
    pub(crate) cid: Digest,
    /// `r_j`.
    pub(crate) r: Scalar,
    /// The coefficients, validator by validator: what is committed to and proved.
    pub(crate) coefficients: Vec<Vec<Scalar>>,
    /// The shares, m rows of n: what is encrypted.
    pub(crate) shares: Vec<Vec<Scalar>>,
    /// Nonce of the proof.
    pub(crate) nonce: Scalar,
}

/// `secret * G`, as bytes: infinity for zero.
pub(crate) fn encode(secret: &Scalar) -> [u8; 48] {
    G1::generator_times(secret).map_or(INFINITY, |point| point.to_bytes())
}

/// The encoding of the same residue that is r larger: what a reader that reduces would accept.
pub(crate) fn plus_order(scalar: &mut [u8; 32]) {
    let order =
        Hex::<32>::parse("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001");
    let mut carry = 0u16;
    for (byte, summand) in scalar.iter_mut().zip(order.unwrap().0).rev() {
        carry += u16::from(*byte) + u16::from(summand);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert_eq!(carry, 0);
}

impl Dealing {
    /// An honest choice.
    pub(crate) fn new(params: &Params, seed: u8) -> Self {
        let mut stream = Xof::new(&[seed; 32]);
        let mut dealing = Self {
            cid: params.cid,
            r: stream.scalar(),
            nonce: stream.scalar(),
            coefficients: (0..params.validators)
                .map(|_| (0..params.threshold).map(|_| stream.scalar()).collect())
                .collect(),
            shares: Vec::new(),
        };
        dealing.evaluate(params);
        dealing
    }

    /// Sets the shares to what the coefficients say.
    pub(crate) fn evaluate(&mut self, params: &Params) {
        let row = |coefficients: &Vec<Scalar>| {
            let coefficients = coefficients.iter().map(Scalar::duplicate).collect();
            let polynomial = Polynomial::from_coefficients(coefficients);
            let operators = params.operators.iter();
            operators.map(|o| polynomial.evaluate(o.index)).collect()
        };
        self.shares = self.coefficients.iter().map(row).collect();
    }

    /// The pad of one share.
    pub(crate) fn pad(&self, params: &Params, dealer: usize, to: usize, v: usize) -> Scalar {
        let recipient = params.operators[to];
        // Without an ephemeral key there is no shared point: any pads do.
        let r = if self.r.is_zero() {
            &self.nonce
        } else {
            &self.r
        };
        let context = PadContext {
            tag: Tag::DEAL_PAD,
            cid: &params.cid,
            sender: params.operators[dealer].index,
            recipient: recipient.index,
            key: &recipient.key,
            ephemeral: &G1::generator_times(r).unwrap(),
        };
        let pads = Pads::derive(context, &recipient.key.times(r).unwrap());
        pads.stream().scalar_at(u32::try_from(v).unwrap())
    }

    /// The deal, encrypted and proved.
    pub(crate) fn payload(&self, params: &Params, dealer: usize) -> DealPayload {
        let commitments = self.coefficients.iter();
        let ciphertexts = self.shares.iter().enumerate().map(|(v, row)| {
            let cell = |(to, share): (usize, &Scalar)| {
                // A ciphertext beyond the roster is nobody's.
                let to = to.min(params.operators.len() - 1);
                let pad = self.pad(params, dealer, to, v);
                Hex(share.add(&pad).to_public_bytes())
            };
            row.iter().enumerate().map(cell).collect()
        });
        let mut payload = DealPayload {
            ephemeral: Hex(encode(&self.r)),
            proof: ProofPayload {
                commitment: Hex([0; 48]),
                response: Hex([0; 32]),
            },
            commitments: commitments
                .map(|row| row.iter().map(encode).map(Hex).collect())
                .collect(),
            ciphertexts: ciphertexts.collect(),
        };
        self.prove(params, dealer, &mut payload);
        payload
    }

    /// Proves the deal as it stands, whatever its points are.
    pub(crate) fn prove(&self, params: &Params, dealer: usize, payload: &mut DealPayload) {
        let weights = self.weights(params, dealer, payload);
        let secrets = std::iter::once(&self.r).chain(self.coefficients.iter().flatten());
        let mut response = self.nonce.duplicate();
        for (secret, weight) in secrets.zip(weights) {
            response.accumulate(&secret.mul(&weight_scalar(&weight)));
        }
        payload.proof.commitment = Hex(encode(&self.nonce));
        payload.proof.response = Hex(response.to_public_bytes());
    }

    /// The weights of the proof, of `r_j` and then of every coefficient.
    pub(crate) fn weights(
        &self,
        params: &Params,
        dealer: usize,
        payload: &DealPayload,
    ) -> Vec<[u8; 16]> {
        let mut hasher = Hasher::new(Tag::DEAL_PROOF)
            .bytes(self.cid.as_bytes())
            .int(params.operators[dealer].index)
            .bytes(&payload.ephemeral.0);
        for point in payload.commitments.iter().flatten() {
            hasher.add(&point.0);
        }
        let seed = hasher.bytes(&encode(&self.nonce)).finish();
        let count = payload.commitments.iter().flatten().count() + 1;
        Xof::new(seed.as_bytes()).weights(count)
    }
}
