//! fastcrypto-tbls, dkg_v1, with encryption on Ristretto. It refuses a threshold over half of the
//! operators, so it solves a smaller problem. Nothing is decoded.

use std::hint::black_box;

use fastcrypto::groups::bls12381::G1Element;
use fastcrypto::groups::ristretto255::RistrettoPoint;
use fastcrypto_tbls::dkg::Party;
use fastcrypto_tbls::ecies::{PrivateKey, PublicKey};
use fastcrypto_tbls::nodes::{Node, Nodes};
use fastcrypto_tbls::random_oracle::RandomOracle;
use rand08::thread_rng;

use crate::meter::Meter;

pub(crate) fn party(n: usize, _threshold: usize) -> f64 {
    let t = u16::try_from(n / 2).unwrap();
    let keys: Vec<PrivateKey<RistrettoPoint>> =
        (0..n).map(|_| PrivateKey::new(&mut thread_rng())).collect();
    let nodes = keys.iter().enumerate().map(|(id, key)| Node {
        id: u16::try_from(id).unwrap(),
        pk: PublicKey::from_private_key(key),
        weight: 1,
    });
    let nodes = Nodes::new(nodes.collect()).unwrap();
    let party = |key: &PrivateKey<RistrettoPoint>| {
        Party::<G1Element, RistrettoPoint>::new(
            key.clone(),
            nodes.clone(),
            t,
            RandomOracle::new("peers"),
            &mut thread_rng(),
        )
        .unwrap()
    };
    let mut meter = Meter::default();
    let own = meter.time(|| party(&keys[0]));
    let first = meter.time(|| own.create_message_v1(&mut thread_rng()).unwrap());
    let others: Vec<_> = keys[1..].iter().map(party).collect();
    let mut messages = vec![first];
    for other in &others {
        messages.push(other.create_message_v1(&mut thread_rng()).unwrap());
    }
    let (confirmation, used) = meter.time(|| {
        let processed: Vec<_> = messages
            .iter()
            .map(|message| {
                own.process_message_v1(message.clone(), &mut thread_rng())
                    .unwrap()
            })
            .collect();
        own.merge_v1(&processed).unwrap()
    });
    // Nobody complains: the others' confirmations are as empty as ours.
    assert!(confirmation.complaints.is_empty());
    let confirmations: Vec<_> = (0..n)
        .map(|id| {
            let mut other = confirmation.clone();
            other.sender = u16::try_from(id).unwrap();
            other
        })
        .collect();
    meter.time(|| {
        let output = own.complete_v1(&used, &confirmations, &mut thread_rng());
        black_box(output.unwrap());
    });
    meter.ms()
}
