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

/// A point of each prime order that divides G1's cofactor, with that order: computed with Python's
/// integers as (r h / q) times a point of the curve.
pub(crate) const G1_TORSION: [(&str, &str); 5] = [
    (
        "3",
        "800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ),
    (
        "11",
        "99b3e2c8c6bbf59d3c326b531fc1e639d29200c28624ac604f251a12908c9b7f735318617f625954cc71cdf03229b1ef",
    ),
    (
        "10177",
        "993b2cc2a8a222518a034a317b5739ccd4a649411687902474b6c8856f35d618539e97dafa1784403ae4bcd37562c234",
    ),
    (
        "859267",
        "9310f8ec33fd928f6e1574118fda4984a98fc50e5a9d7f131f342d969864bf3812fc1fa57714de7d4c72990b03b5cac7",
    ),
    (
        "52437899",
        "936e825e6cd75a2167f0c44cfadea0ecc43c0be6a51219b5d2c4ae3bd6c77607ea2e1cc2b828fe316f8237382eab63a6",
    ),
];

/// The same for G2; the last order has 448 bits.
pub(crate) const G2_TORSION: [(&str, &str); 6] = [
    (
        "13",
        "83a58fd8e0c4b1a4025da5ca3176405ed7fa11dcf55003b1ceae958a7a62815f5f3a79792d91eebf83ccffc228784a4509c801b1c24e6662e6c94f9b8f0ac01768d0b974fe1ad3d3727c7afc77bafd60e086aeed8a678de31267be27fd73543b",
    ),
    (
        "23",
        "87c87d716ef538d3eea61dab0721766eab305635aad4ee00a281de3aa148f69d6236c07134cc420b98621dafbf3e02010638b940ecce48354d0e83e95a7be7240bd81eb6ca0eb5c366d84ea781ba28ba7c8bdd979ad2d8ce62ebeb26d23d4132",
    ),
    (
        "2713",
        "80b76428a3cd28a1ac355a0de95661e39361bde846dc485b50dbc13d06651b179bda29e2396cfc6690b7c3f6877108bc171e9409628e388ef3f3cb5f81a8fc4b12fb25ebb44c6f3463ce9850b65141baefcc9cd9cf6c1398d42278ae102a73e6",
    ),
    (
        "11953",
        "92490f08f747ee8f13e314b5b7c1f1af7727deef0b01aa59e23af18bcdb84cec3f0e2497b237b6d9c43018d3730cc587028f0202954419e9b3d933ef4e5311458b669c3a84aacd47a033a16717b4679249e27417184d54d4e43ad99592865fce",
    ),
    (
        "262069",
        "9546d69a96fb54a48324aec9ea0a15442a2b0b35be62e576e3d4b198e8145e96d7a580aa60ba34c12360f4ad32daf19a0e940f7592c38e838c30d25c0c81b6442019af4bbef044b4bc5270cca897ed447ffcde802d26033ec942d8bf342662af",
    ),
    (
        "402096...623203249",
        "92be5b49ba460177fbeb9625fbba912bf6370f8ded7bd35bb742ec487c1f7f93ef16d8a6ed6200683ab8a051205a25671568b51e95f9005b2a39aed5cc9763327d0f2a9815a02aa8404ee4f34a0a0ba60ba01d0d6c211d77205f8e219d073381",
    ),
];

/// The generator minus (0, 2).
pub(crate) const GENERATOR_LESS_ORDER_THREE: &str = "ae9277968cb92c78d15a2a2ed855d55061c3929db43d1e53d6d13bee755ff9a91b3f577bbb2f15c6ba8206a6a81c4afd";

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
