//! A whole ceremony in memory, by the pure functions of the protocol: no files, no envelopes.

use conclave::crypto::bls::SigningRoot;
use conclave::crypto::feldman;
use conclave::crypto::point::G1;
use conclave::crypto::scalar::Scalar;
use conclave::crypto::sharing::Sharing;
use conclave::crypto::xof::Xof;
use conclave::hash::{Digest, Hasher, Tag};
use conclave::protocol::confirm::{self, Partials};
use conclave::protocol::deal::{self, Aggregate, CheckedDeal, DealPayload};
use conclave::protocol::{Operator, Params};
use conclave::secret::Seed;

/// Everything that the operators of one ceremony know, fixed by indices and sizes.
pub(crate) struct Table {
    pub(crate) params: Params,
    /// `e_i`, in roster order.
    pub(crate) encryption: Vec<Scalar>,
    /// Ceremony secrets, in roster order.
    pub(crate) secrets: Vec<Seed>,
    /// What is signed: one message for every second validator, two for the others.
    pub(crate) messages: Vec<Vec<SigningRoot>>,
}

impl Table {
    pub(crate) fn new(indices: &[u64], threshold: usize, validators: usize) -> Self {
        let seed = |kind: u8, position: usize| {
            let mut seed = [kind; 32];
            seed[0] = u8::try_from(position).unwrap();
            seed
        };
        let positions = 0..indices.len();
        let encryption: Vec<Scalar> = positions
            .clone()
            .map(|i| Xof::new(&seed(1, i)).scalar())
            .collect();
        let operators = indices
            .iter()
            .zip(&encryption)
            .map(|(index, secret)| Operator {
                index: *index,
                key: G1::generator_times(secret).unwrap(),
            })
            .collect();
        let root = |v: usize, u: u8| {
            let root = Hasher::new(Tag::OUTCOME).int(v as u64).bytes(&[u]).finish();
            SigningRoot(*root.as_bytes())
        };
        Self {
            params: Params {
                cid: Digest::from_bytes([0xc1; 32]),
                threshold,
                validators,
                operators,
            },
            encryption,
            secrets: positions.map(|i| Seed::new(seed(2, i))).collect(),
            messages: (0..validators)
                .map(|v| (0..=u8::from(v % 2 == 1)).map(|u| root(v, u)).collect())
                .collect(),
        }
    }

    /// The honest deal of every operator.
    pub(crate) fn deals(&self) -> Vec<DealPayload> {
        let deal = |(j, secret)| deal::make(&self.params, j, secret).unwrap();
        self.secrets.iter().enumerate().map(deal).collect()
    }

    /// The public checks, which all deals must pass.
    pub(crate) fn check(&self, deals: &[DealPayload]) -> Vec<CheckedDeal> {
        let numbered: Vec<(usize, &DealPayload)> = deals.iter().enumerate().collect();
        numbered
            .chunks(deal::together(&self.params))
            .flat_map(|group| deal::check_many(&self.params, group))
            .map(Result::unwrap)
            .collect()
    }

    /// The sharing that everyone computes.
    pub(crate) fn sharing(&self, deals: &[CheckedDeal]) -> Sharing {
        let mut aggregate = Aggregate::new(&self.params);
        for deal in deals {
            aggregate.add(deal);
        }
        let (t, indices) = (self.params.threshold, self.params.indices());
        Sharing::new(t, indices, aggregate.sums()).unwrap()
    }

    /// What one operator does in secret: opens, checks the share equations and sums.
    pub(crate) fn receive(&self, recipient: usize, deals: &[CheckedDeal]) -> Vec<Scalar> {
        let index = self.params.operators[recipient].index;
        let mut sums: Vec<Scalar> = (0..self.params.validators)
            .map(|_| Scalar::zero())
            .collect();
        for deal in deals {
            let secret = &self.encryption[recipient];
            let shares = deal.open(&self.params, recipient, secret).unwrap();
            let t = self.params.threshold;
            let seed = [0x5e; 32];
            assert!(feldman::check_shares(
                index,
                &shares,
                deal.commitments(),
                t,
                &seed
            ));
            for (sum, share) in sums.iter_mut().zip(&shares) {
                sum.accumulate(share);
            }
        }
        sums
    }

    /// Every operator's partial signatures.
    pub(crate) fn partials(&self, deals: &[CheckedDeal]) -> Vec<Partials> {
        let sign = |i| confirm::sign(&self.receive(i, deals), &self.messages).unwrap();
        (0..self.params.operators.len()).map(sign).collect()
    }
}
