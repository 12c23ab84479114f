//! The language of fault plans: what an operator can do that it should not.
//!
//! A misdeed is a value. `commit.rs` beside this says how it is committed.

use std::collections::BTreeMap;

use conclave::json::Hex;
use conclave::wire::envelope::Kind;
use serde_json::{Value, json};

use crate::harness::forgery::{G1_TORSION, G2_TORSION, OFF_CURVE, OFF_SUBGROUP, plus_order};

/// What an operator does that it should not. Positions of operators count from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misdeed {
    /// Deals these operators a share of the first validator that breaks the share equation.
    BadShare(Vec<usize>),
    /// The same for this validator.
    BadShareOf(usize, Vec<usize>),
    /// Deals polynomials with this many coefficients.
    Coefficients(usize),
    /// Deals one coefficient too few for the first validator, and one too many for the second.
    ShiftedCoefficient,
    /// Deals for this many validators.
    Validators(usize),
    /// Deals one ciphertext too few for the last validator.
    FewCiphertexts,
    /// Deals with a field that no deal has.
    DealField,
    /// Deals with this instead of a commitment.
    Commitment([u8; 48]),
    /// Deals a secret that is zero, everything else to match.
    Zero(DealSecret),
    /// Deals generator - T and generator + T as commitments 1 and 3, T of order 3, with a proof that
    /// holds: at every integer the shares fit. Takes a threshold of at least 4.
    CancellingTorsion,
    /// Deals generator + T as commitment 1, with a proof that does not see T.
    UnseenTorsion,
    /// Deals its ephemeral key as a constant too.
    RepeatedKey,
    /// Deals this operator's encryption key as a constant.
    CardKey(usize),
    /// Deals with constant and proof of this operator.
    CopiedConstant(usize),
    /// Deals with this operator's constant, and proves the deal as it stands.
    AdoptedConstant(usize),
    /// Deals with the negative of this operator's constant, and proves the deal as it stands.
    MirroredConstant(usize),
    /// Deals with this operator's ephemeral key, and proves the deal as it stands.
    CopiedEphemeral(usize),
    /// Deals with this operator's proof.
    CopiedProof(usize),
    /// Deals what this operator dealt.
    CopiedDeal(usize),
    /// Deals the secrets of this operator, who lets it: needs that one to cheat too.
    SharedSecret(usize),
    /// Deals what it dealt in another ceremony.
    DealOfAnotherCeremony,
    /// Deals the payload of a confirm.
    ConfirmAsDeal,
    /// Deals twice, both times well.
    TwoDeals,
    /// Deals seventeen times beside its deal, which are no deals.
    JunkDeals,
    /// Never deals.
    NoDeal,
    /// Confirms another transcript than follows from the deals.
    LyingTranscript,
    /// Confirms a deal of this operator that it never signed.
    ForgedDeal(usize),
    /// Confirms the deals in another order.
    SwappedDeals,
    /// Signs with its share and one.
    BadPartial,
    /// Adds `error * H(M)` to a partial, M a message that may be another: at and M are (validator,
    /// message).
    Shift {
        /// Which partial.
        at: (usize, usize),
        /// How often.
        error: i8,
        /// Of which message.
        along: (usize, usize),
    },
    /// Exchanges its first and its last partial.
    SwappedPartials,
    /// Confirms with the partials of this operator.
    CopiedPartials(usize),
    /// Confirms without a partial signature for the first validator.
    NoPartials,
    /// Confirms with a partial too many for the first validator.
    MorePartials,
    /// Confirms with a field that no confirm has.
    ConfirmField,
    /// Confirms what it confirmed in another ceremony, signed anew for this one.
    ConfirmOfAnotherCeremony,
    /// Confirms with the payload of its deal.
    DealAsConfirm,
    /// Confirms well, and once more badly.
    TwoConfirms,
    /// Confirms and abandons.
    ConfirmAndAbandon,
    /// Abandons.
    Abandon,
    /// Neither confirms nor abandons.
    NoConfirm,
    /// Complains about this operator, who dealt well.
    FalseComplaint(usize),
    /// The same with a proof that fails.
    ComplaintProof(usize),
    /// The same with infinity for the shared point.
    ComplaintPoint(usize),
    /// The same with what it shares with the second operator, properly proved for that one's key.
    ComplaintOfAnotherKey(usize, usize),
    /// The same with a field that no complaint has.
    ComplaintField(usize),
    /// Complains about a deal of this operator that nobody ever saw.
    OpenComplaint(usize),
    /// Complains about itself.
    SelfComplaint,
    /// In its messages of a kind, puts something else where this JSON pointer points.
    Puts(Kind, &'static str, Junk),
    /// Its messages of a kind are not what an envelope is.
    Garbles(Kind, Garble),
    /// Says its messages of a kind only from this turn on, counted from 0.
    Late(Kind, usize),
    /// Says again, under other names, whatever stands on the board.
    Replays,
}

/// A secret of a dealer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DealSecret {
    /// Coefficient k of validator v; -1 is the leading one.
    Coefficient(usize, isize),
    /// Of the ephemeral key.
    Ephemeral,
    /// Of the proof's commitment.
    Nonce,
}

/// What may stand in a field where it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Junk {
    /// The point at infinity.
    Infinity,
    /// No point of the curve.
    OffCurve,
    /// A point of the curve, its order a large composite number.
    OffSubgroup,
    /// A point of the n-th prime order that divides the cofactor.
    Torsion(usize),
    /// An x that is not below the field's order.
    LargeX,
    /// A point without the bit that says that it is compressed.
    Uncompressed,
    /// Zeros: no point, and a canonical scalar.
    Zeros,
    /// The same residue in its other encoding, which is larger by r.
    PlusOrder,
    /// The largest number: no scalar, no point.
    Ones,
    /// The same hex in capitals.
    Capitals,
    /// A digit short.
    Short,
    /// A number.
    Number,
    /// No such field.
    Missing,
}

/// How bytes fail to be an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Garble {
    /// A space after the first brace.
    Space,
    /// Its fields in another order.
    Order,
    /// A field twice.
    Doubled,
    /// A field too many in its header.
    Unknown,
    /// A number with a fraction.
    Fraction,
    /// Another payload than the header names.
    Payload,
    /// A bit of its signature is wrong.
    Signature,
    /// The signature's scalar in its other encoding.
    LargeSignature,
    /// It speaks another version.
    Version,
    /// It names another ceremony, with its sender's signature.
    OtherCeremony,
    /// It names another sender.
    OtherSender,
    /// Its kind stands in a place where it does not belong.
    Misplaced,
    /// It ends early.
    Torn,
}

impl Junk {
    /// Every junk in the place of a point.
    pub(crate) fn points() -> Vec<Self> {
        let torsion = (0..G2_TORSION.len()).map(Self::Torsion);
        let others = [
            Self::Infinity,
            Self::OffCurve,
            Self::OffSubgroup,
            Self::LargeX,
            Self::Uncompressed,
            Self::Zeros,
            Self::Ones,
        ];
        others.into_iter().chain(torsion).collect()
    }

    /// What stands there instead of a value: 32 bytes for a scalar, 48 or 96 for a point.
    pub(crate) fn instead_of(self, value: &Value) -> Option<Value> {
        let Value::String(text) = value else {
            return (self != Self::Missing).then(|| json!(7));
        };
        let len = text.len() / 2;
        let padded = |head: u8, tail: u8| {
            let mut bytes = vec![0; len];
            bytes[0] = head;
            bytes[len - 1] |= tail;
            conclave::json::encode_hex(&bytes)
        };
        let text = match self {
            Self::Infinity => padded(0xc0, 0),
            // x = 1 in G1, x = 0 in G2: no square.
            Self::OffCurve if len == 48 => conclave::json::encode_hex(&OFF_CURVE),
            Self::OffCurve => padded(0x80, 0),
            // x = 4 in G1, x = 2 in G2.
            Self::OffSubgroup if len == 48 => conclave::json::encode_hex(&OFF_SUBGROUP),
            Self::OffSubgroup => padded(0xa0, 2),
            Self::Torsion(which) if len == 48 => G1_TORSION[which % G1_TORSION.len()].1.to_owned(),
            Self::Torsion(which) => G2_TORSION[which % G2_TORSION.len()].1.to_owned(),
            Self::LargeX => format!("9f{}", "f".repeat(text.len() - 2)),
            Self::Uncompressed => {
                let first = u8::from_str_radix(&text[..2], 16).unwrap();
                format!("{:02x}{}", first & 0x7f, &text[2..])
            }
            Self::Zeros => "0".repeat(text.len()),
            Self::PlusOrder => {
                let mut scalar = Hex::<32>::parse(text).unwrap().0;
                plus_order(&mut scalar);
                Hex(scalar).to_string()
            }
            Self::Ones => "f".repeat(text.len()),
            Self::Capitals => text.to_uppercase(),
            Self::Short => text[1..].to_owned(),
            Self::Number => return Some(json!(7)),
            Self::Missing => return None,
        };
        Some(Value::String(text))
    }

    /// Puts it where a JSON pointer points.
    pub(crate) fn put(self, payload: &mut Value, pointer: &str) {
        let Some(value) = payload.pointer(pointer) else {
            return;
        };
        match self.instead_of(value) {
            Some(new) => *payload.pointer_mut(pointer).unwrap() = new,
            None => {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                match payload.pointer_mut(parent).unwrap() {
                    Value::Object(fields) => drop(fields.remove(name)),
                    Value::Array(row) => drop(row.remove(name.parse().unwrap())),
                    _ => {}
                }
            }
        }
    }
}

impl Misdeed {
    /// What its author can be proved to have done, as the words of evidence files.
    pub(crate) fn provable(&self) -> &'static [&'static str] {
        match self {
            Self::BadShare(_) | Self::BadShareOf(..) => &["wrong-shares"],
            Self::Coefficients(_)
            | Self::ShiftedCoefficient
            | Self::Validators(_)
            | Self::FewCiphertexts
            | Self::DealField
            | Self::Commitment(_)
            | Self::Zero(_)
            | Self::CancellingTorsion
            | Self::UnseenTorsion
            | Self::RepeatedKey
            | Self::CardKey(_)
            | Self::CopiedConstant(_)
            | Self::AdoptedConstant(_)
            | Self::MirroredConstant(_)
            | Self::CopiedEphemeral(_)
            | Self::CopiedProof(_)
            | Self::CopiedDeal(_)
            | Self::DealOfAnotherCeremony
            | Self::ConfirmAsDeal => &["invalid-deal"],
            // A canonical ciphertext that is another one is a wrong share.
            Self::Puts(Kind::Deal, ..) => &["invalid-deal", "wrong-shares"],
            Self::JunkDeals => &["invalid-deal", "equivocation"],
            Self::TwoDeals => &["equivocation"],
            Self::LyingTranscript
            | Self::ForgedDeal(_)
            | Self::SwappedDeals
            | Self::BadPartial
            | Self::Shift { .. }
            | Self::SwappedPartials
            | Self::CopiedPartials(_)
            | Self::NoPartials
            | Self::MorePartials
            | Self::ConfirmField
            | Self::ConfirmOfAnotherCeremony
            | Self::DealAsConfirm
            | Self::Puts(Kind::Confirm, ..) => &["invalid-confirm"],
            Self::TwoConfirms => &["invalid-confirm", "equivocation"],
            Self::ConfirmAndAbandon => &["equivocation"],
            Self::FalseComplaint(_)
            | Self::ComplaintProof(_)
            | Self::ComplaintPoint(_)
            | Self::ComplaintOfAnotherKey(..)
            | Self::ComplaintField(_)
            | Self::Puts(Kind::Complain, ..) => &["false-complaint"],
            Self::SharedSecret(_)
            | Self::NoDeal
            | Self::Abandon
            | Self::NoConfirm
            | Self::OpenComplaint(_)
            | Self::SelfComplaint
            | Self::Puts(Kind::Abandon | Kind::Partial, ..)
            | Self::Garbles(..)
            | Self::Late(..)
            | Self::Replays => &[],
        }
    }
}

/// A fault plan: everybody's misdeeds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(BTreeMap<usize, Vec<Misdeed>>);

impl Faults {
    /// Everyone is honest.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a misdeed.
    pub(crate) fn by(mut self, operator: usize, misdeed: Misdeed) -> Self {
        self.0.entry(operator).or_default().push(misdeed);
        self
    }

    /// The misdeeds of an operator, in the order in which they were added.
    pub(crate) fn of(&self, operator: usize) -> &[Misdeed] {
        self.0.get(&operator).map_or(&[], Vec::as_slice)
    }

    /// Who does any.
    pub(crate) fn cheaters(&self) -> impl Iterator<Item = usize> {
        self.0.keys().copied()
    }
}
