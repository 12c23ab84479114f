//! A ceremony as a relay sees it: a shelf, and what is to stand there. All of it comes from the seed.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use conclave::crypto::identity::{RelayKey, RelayWriteKey};
use conclave::hash::{Digest, Hasher, Tag};
use conclave::relay::address::{Label, Manifest, Place, ReadToken};
use conclave::secret::Secret;

use super::Args;

pub(crate) struct Ceremony {
    pub(crate) number: usize,
    pub(crate) manifest: Manifest,
    pub(crate) token: String,
    pub(crate) keys: Vec<RelayWriteKey>,
    /// The places of all deals, then those of all confirms.
    pub(crate) places: Vec<Place>,
    /// Which of these places it is.
    pub(crate) index: HashMap<(RelayKey, Label), usize>,
    /// When each message was put, in microseconds after the start.
    pub(crate) put: Vec<AtomicU64>,
    seeds: Vec<[u8; 32]>,
    sizes: [usize; 2],
}

/// 32 bytes for one use.
pub(crate) fn derive(what: &[u64]) -> [u8; 32] {
    // Any tag does: nothing of this meets a real ceremony.
    let mut hasher = Hasher::new(Tag::RELAY_LABEL);
    for number in what {
        hasher.add(&number.to_be_bytes());
    }
    *hasher.finish().as_bytes()
}

impl Ceremony {
    pub(crate) fn new(args: &Args, number: usize) -> Self {
        let of = |what: u64, which: usize| derive(&[args.seed, number as u64, what, which as u64]);
        let token = ReadToken::new(Secret::new(of(0, 0)));
        let keys: Vec<RelayWriteKey> = (0..args.operators)
            .map(|at| RelayWriteKey::from_seed(&Secret::new(of(1, at))))
            .collect();
        let public: Vec<RelayKey> = keys.iter().map(RelayWriteKey::public).collect();
        let manifest = Manifest::new(of(2, 0), token.reader(), public.clone()).unwrap();
        let shelf = manifest.name();
        let all = args.operators * 2;
        let places: Vec<Place> = (0..all)
            .map(|at| Place {
                shelf,
                key: public[at % args.operators],
                label: Label::of(&Digest::from_bytes(of(3, at))),
            })
            .collect();
        let index = places.iter().enumerate();
        Self {
            number,
            index: index.map(|(at, p)| ((p.key, p.label), at)).collect(),
            token: token.header().expose(Clone::clone),
            manifest,
            keys,
            places,
            put: (0..all).map(|_| AtomicU64::new(0)).collect(),
            seeds: (0..all).map(|at| of(4, at)).collect(),
            sizes: [args.deal, args.confirm],
        }
    }

    /// The message in a place: as sealed bytes, which nothing makes shorter.
    pub(crate) fn message(&self, at: usize) -> Vec<u8> {
        let size = self.sizes[at / self.keys.len()];
        let mut message = Vec::with_capacity(size + 32);
        let mut counter = 0_u64;
        while message.len() < size {
            let mut part = self.seeds[at];
            for (byte, other) in part.iter_mut().zip(counter.to_be_bytes()) {
                *byte ^= other;
            }
            message.extend_from_slice(&part);
            counter += 1;
        }
        message.truncate(size);
        message
    }

    /// The entry in a place.
    pub(crate) fn entry(&self, at: usize) -> Vec<u8> {
        self.places[at].entry(&self.keys[at % self.keys.len()], &self.message(at))
    }
}
