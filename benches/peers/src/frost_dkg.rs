//! frost-dkg: three rounds over its own wire format, which is read.

use std::num::NonZeroUsize;

use blstrs_plus::G1Projective;
use frost_dkg::vsss_rs::{
    IdentifierPrimeField, ParticipantIdGenerator, ParticipantIdGeneratorCollection,
};
use frost_dkg::{Parameters, ParticipantRoundOutput, SecretParticipant};

use crate::meter::Meter;

const ROUNDS: usize = 3;

pub(crate) fn party(n: usize, t: usize) -> f64 {
    let ids: Vec<_> = (1..=n as u64)
        .map(|id| IdentifierPrimeField(blstrs_plus::Scalar::from(id)))
        .collect();
    let numbers = vec![ParticipantIdGenerator::list(&ids)];
    let parameters = Parameters::<G1Projective>::new(
        NonZeroUsize::new(t).unwrap(),
        NonZeroUsize::new(n).unwrap(),
    )
    .unwrap()
    .with_participant_number_generators(numbers.clone())
    .unwrap();
    let mut meter = Meter::default();
    let mut participants = Vec::new();
    for id in ParticipantIdGeneratorCollection::from(&numbers).iter() {
        let mut own = Meter::default();
        let new = own.time(|| SecretParticipant::<G1Projective>::new_secret(id, &parameters));
        if participants.is_empty() {
            meter.add(&own);
        }
        participants.push(new.unwrap());
    }
    for _ in 0..ROUNDS {
        let mut sent = Vec::new();
        for (position, participant) in participants.iter_mut().enumerate() {
            let mut own = Meter::default();
            let outputs: Vec<ParticipantRoundOutput<_>> = own.time(|| {
                let round = participant.run().unwrap();
                round.iter().unwrap().collect()
            });
            if position == 0 {
                meter.add(&own);
            }
            sent.extend(outputs);
        }
        for output in sent {
            let to = output.dst_ordinal;
            let mut own = Meter::default();
            own.time(|| participants[to].receive(output.data.as_slice()).unwrap());
            if to == 0 {
                meter.add(&own);
            }
        }
    }
    let key = participants[0].public_key().unwrap();
    assert!(participants.iter().all(|other| other.public_key() == Some(key)));
    meter.ms()
}
