//! frost-core under a ciphersuite of our own over G1: no published one has this curve. Packages are
//! serialised and read again.

use std::collections::BTreeMap;
use std::hint::black_box;

use blstrs::{G1Affine, G1Projective, Scalar};
use ff::Field as _;
use frost_core::keys::dkg::{self, round1, round2};
use frost_core::{Ciphersuite, Field, FieldError, Group, GroupError, Identifier};
use group::Group as _;
use rand08::rngs::OsRng;
use sha2::{Digest as _, Sha256, Sha512};

use crate::meter::Meter;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Suite;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Scalars;

#[derive(Debug, Clone, Copy, PartialEq)]
struct G1;

impl Field for Scalars {
    type Scalar = Scalar;
    type Serialization = [u8; 32];

    fn zero() -> Scalar {
        Scalar::ZERO
    }

    fn one() -> Scalar {
        Scalar::ONE
    }

    fn invert(scalar: &Scalar) -> Result<Scalar, FieldError> {
        Option::from(scalar.invert()).ok_or(FieldError::InvalidZeroScalar)
    }

    fn random<R: rand08::RngCore + rand08::CryptoRng>(rng: &mut R) -> Scalar {
        Scalar::random(rng)
    }

    fn serialize(scalar: &Scalar) -> [u8; 32] {
        scalar.to_bytes_be()
    }

    fn little_endian_serialize(scalar: &Scalar) -> [u8; 32] {
        scalar.to_bytes_le()
    }

    fn deserialize(bytes: &[u8; 32]) -> Result<Scalar, FieldError> {
        Option::from(Scalar::from_bytes_be(bytes)).ok_or(FieldError::MalformedScalar)
    }
}

/// 48 bytes: no array of that length has all the traits that are asked for.
#[derive(Debug, Clone)]
struct Compressed([u8; 48]);

impl AsRef<[u8]> for Compressed {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Compressed {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl TryFrom<&[u8]> for Compressed {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl Group for G1 {
    type Field = Scalars;
    type Element = G1Projective;
    type Serialization = Compressed;

    fn cofactor() -> Scalar {
        Scalar::ONE
    }

    fn identity() -> G1Projective {
        G1Projective::identity()
    }

    fn generator() -> G1Projective {
        G1Projective::generator()
    }

    fn serialize(element: &G1Projective) -> Result<Compressed, GroupError> {
        if bool::from(element.is_identity()) {
            return Err(GroupError::InvalidIdentityElement);
        }
        Ok(Compressed(element.to_compressed()))
    }

    fn deserialize(bytes: &Compressed) -> Result<G1Projective, GroupError> {
        let point: Option<G1Affine> = G1Affine::from_compressed(&bytes.0).into();
        let point: G1Projective = point.ok_or(GroupError::MalformedElement)?.into();
        if bool::from(point.is_identity()) {
            return Err(GroupError::InvalidIdentityElement);
        }
        Ok(point)
    }
}

fn hash(tag: &[u8], message: &[u8]) -> Scalar {
    let digest = Sha512::new()
        .chain_update(b"peers")
        .chain_update(tag)
        .chain_update(message)
        .finalize();
    // 512 bits down to the field, as its standard wants it.
    let base = Scalar::from(256u64);
    digest
        .iter()
        .fold(Scalar::ZERO, |sum, byte| sum * base + Scalar::from(u64::from(*byte)))
}

impl Ciphersuite for Suite {
    const ID: &'static str = "peers-G1";
    type Group = G1;
    type HashOutput = [u8; 32];
    type SignatureSerialization = Vec<u8>;

    fn H1(m: &[u8]) -> Scalar {
        hash(b"1", m)
    }

    fn H2(m: &[u8]) -> Scalar {
        hash(b"2", m)
    }

    fn H3(m: &[u8]) -> Scalar {
        hash(b"3", m)
    }

    fn H4(m: &[u8]) -> [u8; 32] {
        Sha256::digest(m).into()
    }

    fn H5(m: &[u8]) -> [u8; 32] {
        Sha256::digest(m).into()
    }

    fn HDKG(m: &[u8]) -> Option<Scalar> {
        Some(hash(b"dkg", m))
    }
}

pub(crate) fn party(n: usize, t: usize) -> f64 {
    let (limit, threshold) = (u16::try_from(n).unwrap(), u16::try_from(t).unwrap());
    let ids: Vec<Identifier<Suite>> = (1..=limit).map(|id| id.try_into().unwrap()).collect();
    let mut meter = Meter::default();
    let (mut secrets, mut firsts) = (Vec::new(), Vec::new());
    for (position, id) in ids.iter().enumerate() {
        let mut own = Meter::default();
        let (secret, bytes) = own.time(|| {
            let (secret, package) = dkg::part1(*id, limit, threshold, OsRng).unwrap();
            (secret, package.serialize().unwrap())
        });
        if position == 0 {
            meter.add(&own);
        }
        secrets.push(secret);
        firsts.push(bytes);
    }
    let read = |own: usize| -> BTreeMap<Identifier<Suite>, round1::Package<Suite>> {
        let others = ids.iter().zip(&firsts).enumerate();
        others
            .filter(|(position, _)| *position != own)
            .map(|(_, (id, bytes))| (*id, round1::Package::deserialize(bytes).unwrap()))
            .collect()
    };
    let mut seconds = Vec::new();
    let mut kept = None;
    for (position, secret) in secrets.into_iter().enumerate() {
        let mut own = Meter::default();
        let (round1, secret, packages) = own.time(|| {
            let round1 = read(position);
            let (secret, packages) = dkg::part2(secret, &round1).unwrap();
            let packages: BTreeMap<_, Vec<u8>> = packages
                .into_iter()
                .map(|(id, package)| (id, package.serialize().unwrap()))
                .collect();
            (round1, secret, packages)
        });
        if position == 0 {
            meter.add(&own);
            kept = Some((round1, secret));
        } else {
            seconds.push((ids[position], packages[&ids[0]].clone()));
        }
    }
    let (round1, secret) = kept.unwrap();
    meter.time(|| {
        let round2: BTreeMap<_, _> = seconds
            .iter()
            .map(|(id, bytes)| (*id, round2::Package::deserialize(bytes).unwrap()))
            .collect();
        black_box(dkg::part3(&secret, &round1, &round2).unwrap());
    });
    meter.ms()
}
