//! One share as a line for paper: short enough to type, and checked as it is typed.
//!
//! The line is a Bech32 string (BIP-173) under the prefix `shr`, with the 13 characters of checksum of
//! codex32 (BIP-93), which find up to eight wrong characters and locate four. It is no codex32 secret
//! and no seed of anything, which the prefix says.
//!
//! ```text
//! version and length L of the index   1 byte (four bits each)
//! ceremony                            4 bytes: the first of the ceremony id, as it is shown in short
//! position of the validator           2 bytes, big-endian
//! index of the operator               L bytes, big-endian, 1 to 4
//! share                               32 bytes, big-endian
//! binding                             2 bytes of a hash of all before it and of the public share
//! ```
//!
//! The binding tells a share that was never right without any file; that the share is the cluster's,
//! only the cluster's public side can tell: [`PaperShare::check`].

mod errors;

use bech32::primitives::checksum::HrpFe32Iter;
use bech32::primitives::decode::UncheckedHrpstring;
use bech32::primitives::iter::{ByteIterExt as _, Fe32IterExt as _};
use bech32::{Checksum, Fe32, Fe1024, Hrp};

use crate::ceremony::shares::OwnShares;
use crate::crypto::point::G1;
use crate::crypto::scalar::Scalar;
use crate::crypto::sharing::Sharing;
use crate::hash::{Digest, Hasher, Tag};
use crate::secret::{Secret, Seed};

/// The prefix of the line.
pub const PREFIX: &str = "shr";

/// The largest validator position on paper.
pub const MAX_POSITION: usize = u16::MAX as usize;

/// The largest index on paper.
pub const MAX_INDEX: u64 = u32::MAX as u64;

/// The characters of a group, as the line is printed.
pub const GROUP: usize = 4;

const VERSION: u8 = 1;

const SHARE_BYTES: usize = Scalar::BYTES;
const BINDING_BYTES: usize = 2;

/// Version, ceremony, position, share and binding: a line's bytes without its index.
const FIXED_BYTES: usize = 1 + 4 + 2 + SHARE_BYTES + BINDING_BYTES;

const MAX_INDEX_BYTES: usize = 4;

/// The most characters that are read: a line, and what people put between its groups.
const MAX_TYPED_CHARS: usize = 400;

/// The checksum of codex32 (BIP-93, section "Checksum"), as [`Checksum`] wants it.
enum Codex32 {}

impl Checksum for Codex32 {
    type MidstateRepr = u128;
    type CorrectionField = Fe1024;

    const ROOT_GENERATOR: Fe1024 = Fe1024::new([Fe32::G, Fe32::G]);
    const ROOT_EXPONENTS: core::ops::RangeInclusive<usize> = 77..=84;
    const CODE_LENGTH: usize = 93;
    const CHECKSUM_LENGTH: usize = 13;
    const GENERATOR_SH: [u128; 5] = [
        0x19dc500ce73fde210,
        0x1bfae00def77fe529,
        0x1fbd920fffe7bee52,
        0x1739640bdeee3fdad,
        0x07729a039cfc75f5a,
    ];
    const TARGET_RESIDUE: u128 = 0x10ce0795c2fd1e62a;
}

/// A share with what it belongs to, as paper holds it. Its binding holds.
#[derive(Debug)]
pub struct PaperShare {
    ceremony: [u8; 4],
    position: u16,
    index: u32,
    share: Scalar,
}

/// Why there is no line, or a typed line is none. No text holds a character of a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaperError {
    /// Nothing stands in this position of the shares.
    #[error("there is no validator {0} among these shares")]
    NoValidator(usize),
    /// The position or index is over [`MAX_POSITION`] or [`MAX_INDEX`].
    #[error(
        "validator {position} and index {index} do not fit on paper: the largest are {MAX_POSITION} and {MAX_INDEX}; make a backup file instead"
    )]
    TooLarge {
        /// The validator's position.
        position: usize,
        /// The operator's index.
        index: u64,
    },
    /// The line does not begin as every such line does.
    #[error("a share on paper begins with `{PREFIX}1`; this is something else")]
    Prefix,
    /// Characters are missing or too many.
    #[error(
        "the line has {actual} characters without its spaces; a share on paper has {least} to {most}: characters are missing or were typed twice"
    )]
    Length {
        /// How many were typed.
        actual: usize,
        /// The shortest line's.
        least: usize,
        /// The longest line's.
        most: usize,
    },
    /// Characters that differ from what was written, located.
    #[error("{} of the line {} not as written; compare with the paper and type the line again", places(.0), if .0.len() == 1 { "is" } else { "are" })]
    Wrong(Vec<Place>),
    /// More is wrong than can be located.
    #[error(
        "more of the line is wrong than can be located; compare it with the paper, group by group"
    )]
    Unlocated,
    /// Of a version that this tool does not know.
    #[error("the line is of version {0}; this tool reads version {VERSION}")]
    Version(u8),
    /// The checksum holds and the contents are no share.
    #[error("the line is well written and holds no share: {0}")]
    Contents(&'static str),
    /// A share of another cluster.
    #[error("the share is of ceremony {found}, not of {wanted}; it was not taken")]
    OtherCeremony {
        /// The line's ceremony, in short.
        found: String,
        /// The ceremony that was asked for, in short.
        wanted: String,
    },
    /// A position or index that the cluster does not have.
    #[error(
        "the share is validator {position}'s at index {index}, which the cluster does not have; it was not taken"
    )]
    NotInCluster {
        /// The validator's position.
        position: usize,
        /// The operator's index.
        index: u64,
    },
    /// Not the secret of the public share.
    #[error(
        "the share of validator {position} at index {index} is not the secret of the cluster's public share; it was not taken"
    )]
    NotTheShare {
        /// The validator's position.
        position: usize,
        /// The operator's index.
        index: u64,
    },
}

/// Where a character stands: its group and its place in the group, both from 1, as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The group, from 1.
    pub group: usize,
    /// The character in the group, from 1.
    pub character: usize,
}

impl Place {
    fn of(position: usize) -> Self {
        Self {
            group: position.div_euclid(GROUP).saturating_add(1),
            character: position.rem_euclid(GROUP).saturating_add(1),
        }
    }
}

fn places(places: &[Place]) -> String {
    let named: Vec<String> = places
        .iter()
        .map(|place| format!("character {} of group {}", place.character, place.group))
        .collect();
    named.join(", ")
}

impl PaperShare {
    /// Takes the share of one validator.
    pub fn of(own: &OwnShares, position: usize) -> Result<Self, PaperError> {
        let share = own
            .shares
            .get(position)
            .ok_or(PaperError::NoValidator(position))?;
        let too_large = |_| PaperError::TooLarge {
            position,
            index: own.index,
        };
        Ok(Self {
            ceremony: short(&own.cid),
            position: u16::try_from(position).map_err(too_large)?,
            index: u32::try_from(own.index).map_err(too_large)?,
            share: share.duplicate(),
        })
    }

    /// The validator's position, from 0.
    pub fn position(&self) -> usize {
        usize::from(self.position)
    }

    /// The operator's index.
    pub fn index(&self) -> u64 {
        u64::from(self.index)
    }

    /// The ceremony in short: the first eight hex characters of its id.
    pub fn ceremony(&self) -> String {
        crate::json::encode_hex(&self.ceremony)
    }

    /// The share.
    pub fn share(&self) -> &Scalar {
        &self.share
    }

    /// The line, lower case, without spaces: 85 to 89 characters.
    pub fn line(&self) -> Secret<String> {
        let payload = self.payload(&G1::generator_times(&self.share));
        payload.expose(|bytes| {
            let hrp = Hrp::parse_unchecked(PREFIX);
            let line = bytes.iter().copied().bytes_to_fes();
            // The whole capacity at once: growing would leave an unwiped copy behind.
            let mut text = String::with_capacity(Codex32::CODE_LENGTH);
            text.extend(line.with_checksum::<Codex32>(&hrp).chars());
            Secret::new(text)
        })
    }

    /// Reads a line as it was typed or scanned: of any case, with spaces, hyphens and line ends
    /// anywhere; at most 400 characters. What is wrong is located where it can be.
    pub fn read(typed: &str) -> Result<Self, PaperError> {
        let mut line = Secret::new(String::with_capacity(
            Codex32::CODE_LENGTH.saturating_mul(4),
        ));
        line.expose_mut(|line| {
            let kept = typed
                .chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .take(MAX_TYPED_CHARS);
            // What no line has is no reason to guess: it is one more character that cannot be read.
            line.extend(kept.map(|c| {
                if c.is_ascii() {
                    c.to_ascii_lowercase()
                } else {
                    '?'
                }
            }));
        });
        let payload = line.expose(|line| payload_of(line))?;
        payload.expose(|bytes| Self::parse(bytes))
    }

    fn parse(bytes: &[u8]) -> Result<Self, PaperError> {
        let contents = PaperError::Contents;
        let (head, rest) = bytes.split_first().ok_or(contents("it is empty"))?;
        if head >> 4 != VERSION {
            return Err(PaperError::Version(head >> 4));
        }
        let (ceremony, rest) = rest
            .split_first_chunk()
            .ok_or(contents("it is too short"))?;
        let (position, rest) = rest
            .split_first_chunk()
            .ok_or(contents("it is too short"))?;
        let length = usize::from(head & 0x0f);
        let (index, rest) = rest
            .split_at_checked(length)
            .ok_or(contents("it is too short"))?;
        let (share, binding) = rest
            .split_first_chunk::<SHARE_BYTES>()
            .ok_or(contents("it is too short"))?;
        if binding.len() != BINDING_BYTES {
            return Err(contents("its length is not the one it names"));
        }
        let mut number = [0; MAX_INDEX_BYTES];
        let tail = MAX_INDEX_BYTES
            .checked_sub(length)
            .and_then(|skip| number.get_mut(skip..))
            .ok_or(contents("its index is too long"))?;
        tail.copy_from_slice(index);
        // One index has one form.
        if index.first().is_none_or(|first| *first == 0) {
            return Err(contents("its index is not in its shortest form"));
        }
        let share = Scalar::from_bytes(share)
            .filter(|share| !share.is_zero())
            .ok_or(contents("a number that is none"))?;
        let read = Self {
            ceremony: *ceremony,
            position: u16::from_be_bytes(*position),
            index: u32::from_be_bytes(number),
            share,
        };
        let public = G1::generator_times(&read.share);
        let again = read.payload(&public);
        if again.expose(|again| again.as_slice() == bytes) {
            Ok(read)
        } else {
            Err(contents("the share does not fit what stands beside it"))
        }
    }

    /// Sees that this is the share of its validator and index in a cluster.
    pub fn check(&self, cid: &Digest, sharing: &Sharing) -> Result<(), PaperError> {
        if short(cid) != self.ceremony {
            return Err(PaperError::OtherCeremony {
                found: self.ceremony(),
                wanted: cid.short(),
            });
        }
        let (position, index) = (self.position(), self.index());
        let operator = sharing.indices().iter().position(|known| *known == index);
        let public = operator
            .and_then(|operator| sharing.shares().nth(position)?.get(operator))
            .ok_or(PaperError::NotInCluster { position, index })?;
        if G1::generator_times(&self.share).as_ref() == Some(public) {
            Ok(())
        } else {
            Err(PaperError::NotTheShare { position, index })
        }
    }

    /// The bytes of the line, with the binding to the public share.
    fn payload(&self, public: &Option<G1>) -> Secret<Vec<u8>> {
        let index = self.index.to_be_bytes();
        let leading = index.iter().take_while(|byte| **byte == 0).count();
        let index = index.get(leading..).unwrap_or_default();
        let length = u8::try_from(index.len()).unwrap_or_default();
        let mut bytes = Vec::with_capacity(FIXED_BYTES.saturating_add(MAX_INDEX_BYTES));
        bytes.push((VERSION << 4) | length);
        bytes.extend_from_slice(&self.ceremony);
        bytes.extend_from_slice(&self.position.to_be_bytes());
        bytes.extend_from_slice(index);
        let public = public.as_ref().map(G1::to_bytes);
        let binding = Hasher::new(Tag::PAPER_BINDING)
            .bytes(&bytes)
            .bytes(public.as_ref().map_or(&[][..], |public| public))
            .finish();
        let share: Seed = self.share.to_bytes();
        share.expose(|share| bytes.extend_from_slice(share));
        bytes.extend(binding.as_bytes().iter().take(BINDING_BYTES));
        Secret::new(bytes)
    }
}

/// The first four bytes of a ceremony id: what [`Digest::short`] shows.
fn short(cid: &Digest) -> [u8; 4] {
    let [a, b, c, d, ..] = *cid.as_bytes();
    [a, b, c, d]
}

/// The characters of a line with so many bytes.
const fn characters(bytes: usize) -> usize {
    let data = bytes.saturating_mul(8).div_ceil(5);
    PREFIX
        .len()
        .saturating_add(1)
        .saturating_add(data)
        .saturating_add(Codex32::CHECKSUM_LENGTH)
}

/// The bytes of a line, once its characters hold.
fn payload_of(line: &str) -> Result<Secret<Vec<u8>>, PaperError> {
    let data = line
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_prefix('1'))
        .ok_or(PaperError::Prefix)?;
    let lengths = (1..=MAX_INDEX_BYTES).map(|index| characters(FIXED_BYTES.saturating_add(index)));
    if !lengths.clone().any(|length| length == line.len()) {
        return Err(PaperError::Length {
            actual: line.len(),
            least: lengths.clone().min().unwrap_or_default(),
            most: lengths.max().unwrap_or_default(),
        });
    }
    // What is no character of the alphabet is wrong at a known place, which is easier than elsewhere.
    let alien: Vec<usize> = data
        .chars()
        .enumerate()
        .filter(|(_, c)| Fe32::from_char(*c).is_err())
        .map(|(position, _)| position)
        .collect();
    let mut mended = Secret::new(String::with_capacity(line.len()));
    mended.expose_mut(|mended| {
        mended.push_str(PREFIX);
        mended.push('1');
        mended.extend(data.chars().map(|c| match Fe32::from_char(c) {
            Ok(_) => c,
            Err(_) => Fe32::Q.to_char(),
        }));
    });
    mended.expose(|mended| {
        let unchecked = UncheckedHrpstring::new(mended).map_err(|_| PaperError::Unlocated)?;
        if !unchecked.has_valid_checksum::<Codex32>() {
            return Err(located(unchecked.data_part_ascii(), &alien));
        }
        if !alien.is_empty() {
            return Err(wrong(alien));
        }
        let mut bytes = Vec::with_capacity(line.len());
        bytes.extend(unchecked.remove_checksum::<Codex32>().byte_iter());
        Ok(Secret::new(bytes))
    })
}

/// Locates what a failed checksum can tell of a line's data part.
fn located(data: &[u8], alien: &[usize]) -> PaperError {
    // The checksum covers a one and the prefix before the data (BIP-173, "Checksum").
    let hrp = Hrp::parse_unchecked(PREFIX);
    let data_part = data
        .iter()
        .filter_map(|c| Fe32::from_char(char::from(*c)).ok());
    let word = std::iter::once(Fe32::P)
        .chain(HrpFe32Iter::new(&hrp))
        .chain(data_part);
    // The decoder counts from the end.
    let from_end = |position: usize| data.len().checked_sub(1)?.checked_sub(position);
    let doubts: Vec<usize> = alien.iter().filter_map(|at| from_end(*at)).collect();
    let found = errors::locate(&word.collect::<Vec<Fe32>>(), &doubts);
    let found: Option<Vec<usize>> =
        found.and_then(|found| found.into_iter().map(from_end).collect());
    match found {
        // Before the line's beginning, or in none: more is wrong than was found.
        Some(found) if !found.is_empty() => {
            wrong(found.into_iter().chain(alien.iter().copied()).collect())
        }
        _ => PaperError::Unlocated,
    }
}

/// Names characters by their positions in the data part.
fn wrong(mut positions: Vec<usize>) -> PaperError {
    positions.sort_unstable();
    positions.dedup();
    let before = PREFIX.len().saturating_add(1);
    let places = positions
        .into_iter()
        .map(|at| Place::of(at.saturating_add(before)));
    PaperError::Wrong(places.collect())
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "positions in a short line")]
mod tests;
