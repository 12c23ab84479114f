//! gennaro-dkg beside the others: `peers-gennaro OPERATORS THRESHOLD REPEATS` prints the median CPU
//! time of the party at position 0 through its five rounds, in milliseconds.

use std::num::NonZeroUsize;
use std::time::Duration;

use blsful::inner_types::{G1Projective, Scalar};
use cpu_time::ProcessTime;
use gennaro_dkg::*;
use vsss_rs::{IdentifierPrimeField, ParticipantIdGeneratorCollection, ParticipantIdGeneratorType};

const ROUNDS: usize = 5;

fn party(n: usize, t: usize) -> f64 {
    let ids: Vec<_> = (1..=n as u64)
        .map(|id| IdentifierPrimeField(Scalar::from(id)))
        .collect();
    let numbers = vec![ParticipantIdGeneratorType::list(&ids)];
    let parameters = Parameters::<G1Projective>::new(
        NonZeroUsize::new(t).unwrap(),
        NonZeroUsize::new(n).unwrap(),
        None,
        None,
        Some(numbers.clone()),
    );
    let mut spent = Duration::ZERO;
    let mut participants: Vec<Box<dyn AnyParticipant<G1Projective>>> = Vec::new();
    for id in ParticipantIdGeneratorCollection::from(&numbers).iter() {
        let start = ProcessTime::now();
        let new = SecretParticipant::<G1Projective>::new(id, &parameters).unwrap();
        if participants.is_empty() {
            spent += start.elapsed();
        }
        participants.push(Box::new(new));
    }
    for _ in 0..ROUNDS {
        let mut sent = Vec::new();
        for (position, participant) in participants.iter_mut().enumerate() {
            let start = ProcessTime::now();
            let outputs: Vec<_> = participant.run().unwrap().iter().collect();
            if position == 0 {
                spent += start.elapsed();
            }
            sent.extend(outputs);
        }
        for output in sent {
            let to = output.dst_ordinal;
            let start = ProcessTime::now();
            participants[to].receive(output.data.as_slice()).unwrap();
            if to == 0 {
                spent += start.elapsed();
            }
        }
    }
    let key = participants[0].get_public_key().unwrap();
    assert!(participants.iter().all(|other| other.get_public_key() == Some(key)));
    spent.as_secs_f64() * 1e3
}

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|text| text.parse().expect("numbers"))
        .collect();
    let [n, t, repeats] = numbers[..] else {
        panic!("OPERATORS THRESHOLD REPEATS");
    };
    let mut times: Vec<f64> = (0..repeats).map(|_| party(n, t)).collect();
    times.sort_by(f64::total_cmp);
    println!("{}", times[times.len() / 2]);
}
