//! What an operator keeps of a ceremony between its shares and its end: the shares themselves and
//! the public facts that its confirm rests on, in one blob for the vault.
//!
//! Form: one line of canonical JSON with the public facts, a line feed, then m times 32 bytes of
//! shares (big-endian scalars). It exists in memory and encrypted on disk, never otherwise.

use serde::{Deserialize, Serialize};

use crate::crypto::feldman::check_shares;
use crate::crypto::point::G1;
use crate::crypto::scalar::Scalar;
use crate::crypto::sharing::Sharing;
use crate::hash::{Digest, Hasher, Tag};
use crate::json::{self, Hex};
use crate::protocol::confirm::SeenDeal;
use crate::secret::{Secret, SecretBytes};

/// The largest blob, in bytes.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

const VERSION: u64 = 1;

/// An operator's shares of one ceremony, with what they belong to.
#[derive(Debug)]
pub struct OwnShares {
    /// The ceremony.
    pub cid: Digest,
    /// The operator's index.
    pub index: u64,
    /// The transcript T.
    pub transcript: Digest,
    /// What was seen of every deal, in dealer order.
    pub deals: Vec<SeenDeal>,
    /// The public side.
    pub sharing: Sharing,
    /// `s_iv`, validator by validator.
    pub shares: Vec<Scalar>,
}

/// A blob of the vault that is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored shares are damaged: {0}; restore them from a backup")]
pub struct SharesError(String);

/// Fields in the order of their names, so that what is written is canonical as it stands.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    cid: Digest,
    deals: Vec<SeenDeal>,
    epoch: u64,
    index: u64,
    indices: Vec<u64>,
    polynomials: Vec<Vec<Hex<48>>>,
    threshold: u64,
    transcript: Digest,
    version: u64,
}

impl OwnShares {
    /// Returns the blob.
    pub fn to_blob(&self) -> Result<SecretBytes, SharesError> {
        let facts = Facts {
            version: VERSION,
            cid: self.cid,
            epoch: 0,
            index: self.index,
            threshold: self.sharing.threshold() as u64,
            indices: self.sharing.indices().to_vec(),
            transcript: self.transcript,
            deals: self.deals.clone(),
            polynomials: self
                .sharing
                .polynomials()
                .map(|polynomial| {
                    polynomial
                        .iter()
                        .map(|point| Hex(point.to_bytes()))
                        .collect()
                })
                .collect(),
        };
        let line = json::canonical(&facts).map_err(|error| SharesError(error.to_string()))?;
        // The whole capacity at once: growing would leave unwiped copies of shares behind.
        let shares = self.shares.len().saturating_mul(Scalar::BYTES);
        let size = line.len().saturating_add(1).saturating_add(shares);
        let mut blob = Secret::new(Vec::with_capacity(size));
        blob.expose_mut(|blob| {
            blob.extend_from_slice(&line);
            blob.push(b'\n');
            for share in &self.shares {
                share
                    .to_bytes()
                    .expose(|bytes| blob.extend_from_slice(bytes));
            }
        });
        Ok(blob)
    }

    /// Reads a blob back and checks that every share is the secret of its public share.
    pub fn from_blob(blob: &SecretBytes) -> Result<Self, SharesError> {
        blob.expose(|bytes| Self::read(bytes))
    }

    fn read(bytes: &[u8]) -> Result<Self, SharesError> {
        let damaged = |what: &str| SharesError(what.to_owned());
        let end = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(|| damaged("no facts"))?;
        let (line, rest) = bytes.split_at(end);
        let facts: Facts = json::read_canonical(line, MAX_BYTES)
            .map_err(|error| SharesError(error.to_string()))?;
        if facts.version != VERSION || facts.epoch != 0 {
            return Err(damaged("they are of another version of conclave"));
        }
        let encoded: Vec<[u8; 48]> = facts
            .polynomials
            .iter()
            .flatten()
            .map(|point| point.0)
            .collect();
        let points =
            G1::from_bytes_many(&encoded).map_err(|(_, error)| SharesError(error.to_string()))?;
        let threshold = usize::try_from(facts.threshold).map_err(|_| damaged("no threshold"))?;
        if facts
            .polynomials
            .iter()
            .any(|polynomial| polynomial.len() != threshold)
        {
            return Err(damaged("a polynomial has another degree"));
        }
        if !facts.indices.contains(&facts.index) {
            return Err(damaged("the own index is missing"));
        }
        let sharing = Sharing::from_polynomials(threshold, facts.indices, points)
            .map_err(|error| SharesError(error.to_string()))?;
        let (chunks, odd) = rest.get(1..).unwrap_or_default().as_chunks::<32>();
        if !odd.is_empty() || chunks.len() != sharing.validators() {
            return Err(damaged("the number of shares is wrong"));
        }
        let shares = chunks
            .iter()
            .map(Scalar::from_bytes)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| damaged("a share is not a scalar"))?;
        // Weights from the whole blob: whoever damaged it could not choose them.
        let seed = Hasher::new(Tag::STORED_SHARES).bytes(bytes).finish();
        if !check_shares(
            facts.index,
            &shares,
            sharing.coefficients(),
            threshold,
            seed.as_bytes(),
        ) {
            return Err(damaged("a share is not the secret of its public share"));
        }
        Ok(Self {
            cid: facts.cid,
            index: facts.index,
            transcript: facts.transcript,
            deals: facts.deals,
            sharing,
            shares,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::polynomial::Polynomial;
    use crate::crypto::xof::Xof;

    fn own() -> OwnShares {
        let mut stream = Xof::new(&[5; 32]);
        let secrets: Vec<Polynomial> = (0..2).map(|_| Polynomial::draw(&mut stream, 2)).collect();
        let points = secrets.iter().flat_map(|f| f.commit().unwrap()).collect();
        OwnShares {
            cid: Digest::from_bytes([1; 32]),
            index: 7,
            transcript: Digest::from_bytes([2; 32]),
            deals: vec![SeenDeal {
                payload: Digest::from_bytes([3; 32]),
                signature: Hex([4; 64]),
            }],
            sharing: Sharing::from_polynomials(2, vec![1, 7, 9], points).unwrap(),
            shares: secrets.iter().map(|f| f.evaluate(7)).collect(),
        }
    }

    #[test]
    fn a_blob_comes_back_whole() {
        let own = own();
        let read = OwnShares::from_blob(&own.to_blob().unwrap()).unwrap();
        assert_eq!(
            (read.cid, read.index, read.transcript),
            (own.cid, own.index, own.transcript)
        );
        assert_eq!(read.sharing, own.sharing);
        assert_eq!(read.shares, own.shares);
        assert_eq!(read.deals, own.deals);
    }

    #[test]
    fn damage_anywhere_is_found() {
        let blob = own().to_blob().unwrap();
        let length = blob.expose(Vec::len);
        for position in (0..length).step_by(7).chain([length - 1]) {
            let mut damaged = blob.expose(Clone::clone);
            damaged[position] ^= 1;
            // Facts that nothing here can contradict (hashes, signatures) are covered by the age
            // authentication of the file; everything the shares depend on is checked.
            if let Ok(read) = OwnShares::from_blob(&Secret::new(damaged)) {
                assert_eq!(read.shares, own().shares);
                assert_eq!(read.sharing, own().sharing);
            }
        }
        let cut = blob.expose(|bytes| bytes[..length - 1].to_vec());
        assert!(OwnShares::from_blob(&Secret::new(cut)).is_err());
    }
}
