//! How a cheater commits what it is said to do: its envelopes, signed with its real identity key and
//! made with its real ceremony secret, right but for the misdeeds.

use conclave::ceremony::Unobserved;
use conclave::ceremony::session::Session;
use conclave::ceremony::shares::OwnShares;
use conclave::ceremony::step::{Memory, Step};
use conclave::crypto::bls;
use conclave::crypto::scalar::Scalar;
use conclave::hash::Digest;
use conclave::json::{self, Hex};
use conclave::protocol::confirm::{ConfirmPayload, Partials};
use conclave::protocol::deal::DealPayload;
use conclave::protocol::{Params, complaint, confirm, deal};
use conclave::secret::Secret;
use conclave::store::folder::BoardFolder;
use conclave::store::seat::BoardMessages;
use conclave::wire::card::encryption_secret;
use conclave::wire::envelope::{Authenticated, Envelope, Kind, Place};
use serde_json::{Value, json};

use super::misdeeds::{DealSecret, Garble, Misdeed};
use super::{ANOTHER_CEREMONY, Table};
use crate::harness::forgery::{
    Dealing, GENERATOR_AND_ORDER_THREE, GENERATOR_LESS_ORDER_THREE, INFINITY,
};

impl Table {
    /// Everything that a cheater says in a round now, in the order in which it says it.
    pub(crate) fn envelopes(&self, who: usize, kind: Kind, board: &BoardFolder) -> Vec<Envelope> {
        match kind {
            Kind::Deal => self.deals(who, board),
            Kind::Complain => self.complaints(who, board),
            Kind::Confirm | Kind::Abandon => self.confirms(who, board),
            Kind::Partial => Vec::new(),
        }
    }

    /// Signs as an operator whose secrets are at hand.
    pub(crate) fn sign(&self, who: usize, kind: Kind, place: Place, payload: Value) -> Envelope {
        let identity = &self.cheaters[&who].identity;
        Envelope::sign(identity, *self.group.plan.cid(), kind, place, payload).unwrap()
    }

    fn of_kind(&self, who: usize, kind: Kind, board: &BoardFolder) -> Option<Authenticated> {
        let index = self.group.plan.roster().at(who).unwrap().index;
        let mut messages = self.messages(board).into_iter().map(|(_, message)| message);
        messages.find(|message| message.kind() == kind && message.sender() == index)
    }

    fn deal_of(&self, who: usize, board: &BoardFolder) -> Option<DealPayload> {
        let theirs = self.of_kind(who, Kind::Deal, board)?;
        theirs.decode().ok()
    }

    fn put_junk(&self, who: usize, kind: Kind, payload: &mut Value) {
        for misdeed in self.faults.of(who) {
            if let Misdeed::Puts(of, pointer, junk) = misdeed
                && *of == kind
            {
                junk.put(payload, pointer);
            }
        }
    }

    /// The deals of a cheater; none while it waits for the one that it copies.
    pub(crate) fn deals(&self, who: usize, board: &BoardFolder) -> Vec<Envelope> {
        let misdeeds = self.faults.of(who);
        if misdeeds.contains(&Misdeed::NoDeal) {
            return Vec::new();
        }
        let Some(mut payload) = self.deal_payload(who, board) else {
            return Vec::new();
        };
        self.put_junk(who, Kind::Deal, &mut payload);
        let mut payloads = vec![payload];
        for misdeed in misdeeds {
            match misdeed {
                Misdeed::DealField => payloads[0]["extra"] = json!(1),
                Misdeed::ConfirmAsDeal => {
                    let nothing: [u8; 0] = [];
                    payloads[0] = json!({
                        "transcript": Digest::from_bytes([1; 32]), "deals": nothing, "partials": nothing,
                    });
                }
                Misdeed::TwoDeals => {
                    let params = self.group.plan.keygen().unwrap().params();
                    let secret = Secret::new([0x70 ^ u8::try_from(who).unwrap(); 32]);
                    let other = deal::make(&params, who, &secret).unwrap();
                    payloads.push(json::to_value(&other).unwrap());
                }
                Misdeed::JunkDeals => payloads.extend((0..17).map(|junk| json!({ "junk": junk }))),
                _ => {}
            }
        }
        let sign = |payload| self.sign(who, Kind::Deal, Place::Deal, payload);
        payloads.into_iter().map(sign).collect()
    }

    fn deal_payload(&self, who: usize, board: &BoardFolder) -> Option<Value> {
        let mut params = self.group.plan.keygen().unwrap().params();
        let mut secret = self.cheaters[&who].secret.as_ref().unwrap();
        for misdeed in self.faults.of(who) {
            match misdeed {
                Misdeed::Coefficients(count) => params.threshold = *count,
                Misdeed::Validators(count) => params.validators = *count,
                Misdeed::DealOfAnotherCeremony => params.cid = ANOTHER_CEREMONY,
                Misdeed::SharedSecret(other) => {
                    secret = self.cheaters[other].secret.as_ref().unwrap();
                }
                _ => {}
            }
        }
        let mut payload = match self.forged(who, &params, board)? {
            Some(forged) => forged,
            None => deal::make(&params, who, secret).unwrap(),
        };
        for misdeed in self.faults.of(who) {
            match misdeed {
                Misdeed::BadShare(recipients) => spoil(&mut payload, 0, recipients),
                Misdeed::BadShareOf(validator, recipients) => {
                    spoil(&mut payload, *validator, recipients);
                }
                Misdeed::ShiftedCoefficient => {
                    let moved = payload.commitments.first_mut()?.pop()?;
                    if let Some(row) = payload.commitments.get_mut(1) {
                        row.push(moved);
                    }
                }
                Misdeed::FewCiphertexts => drop(payload.ciphertexts.last_mut()?.pop()),
                Misdeed::Commitment(bytes) => *constant(&mut payload)? = Hex(*bytes),
                Misdeed::CopiedConstant(victim) => {
                    let theirs = self.deal_of(*victim, board)?;
                    *constant(&mut payload)? = *theirs.commitments.first()?.first()?;
                    payload.proof = theirs.proof;
                }
                Misdeed::CopiedProof(victim) => {
                    payload.proof = self.deal_of(*victim, board)?.proof;
                }
                Misdeed::CopiedDeal(victim) => payload = self.deal_of(*victim, board)?,
                _ => {}
            }
        }
        Some(json::to_value(&payload).unwrap())
    }

    /// A deal of chosen secrets, proved as it stands. The outer nothing: it waits for another's deal;
    /// the inner: no misdeed of this kind.
    fn forged(
        &self,
        who: usize,
        params: &Params,
        board: &BoardFolder,
    ) -> Option<Option<DealPayload>> {
        let mut dealing = Dealing::new(params, 100 + u8::try_from(who).unwrap());
        let one = || Scalar::from_u64(1);
        let mut chosen = false;
        for misdeed in self.faults.of(who) {
            match misdeed {
                Misdeed::Zero(DealSecret::Ephemeral) => dealing.r = Scalar::zero(),
                Misdeed::Zero(DealSecret::Nonce) => dealing.nonce = Scalar::zero(),
                Misdeed::Zero(DealSecret::Coefficient(v, k)) => {
                    let row = dealing.coefficients.get_mut(*v)?;
                    let k = usize::try_from(*k).unwrap_or(row.len() - 1);
                    *row.get_mut(k)? = Scalar::zero();
                }
                Misdeed::RepeatedKey => dealing.coefficients[0][0] = dealing.r.duplicate(),
                Misdeed::UnseenTorsion => *dealing.coefficients[0].get_mut(1)? = one(),
                Misdeed::CancellingTorsion => {
                    *dealing.coefficients[0].get_mut(1)? = one();
                    *dealing.coefficients[0].get_mut(3)? = one();
                }
                Misdeed::CardKey(_)
                | Misdeed::AdoptedConstant(_)
                | Misdeed::MirroredConstant(_)
                | Misdeed::CopiedEphemeral(_) => {}
                _ => continue,
            }
            chosen = true;
        }
        if !chosen {
            return Some(None);
        }
        dealing.evaluate(params);
        let mut payload = dealing.payload(params, who);
        let (plus, minus) = (
            Hex::parse(GENERATOR_AND_ORDER_THREE).unwrap(),
            Hex::parse(GENERATOR_LESS_ORDER_THREE).unwrap(),
        );
        // How often T stands in the sum that the proof is checked against.
        let mut torsion: fn(&[u128]) -> i128 = |_| 0;
        for misdeed in self.faults.of(who) {
            let theirs = |victim| constant(&mut self.deal_of(victim, board)?).copied();
            match misdeed {
                Misdeed::UnseenTorsion => {
                    payload.commitments[0][1] = plus;
                    torsion = |weights| residue(weights[2]);
                }
                Misdeed::CancellingTorsion => {
                    payload.commitments[0][1] = minus;
                    payload.commitments[0][3] = plus;
                    torsion = |weights| residue(weights[4]) - residue(weights[2]);
                }
                Misdeed::CardKey(other) => {
                    payload.commitments[0][0] = Hex(params.operators[*other].key.to_bytes());
                }
                Misdeed::AdoptedConstant(victim) => {
                    payload.commitments[0][0] = theirs(*victim)?;
                }
                Misdeed::MirroredConstant(victim) => {
                    let mut mirrored = theirs(*victim)?;
                    mirrored.0[0] ^= 0x20;
                    payload.commitments[0][0] = mirrored;
                }
                Misdeed::CopiedEphemeral(victim) => {
                    payload.ephemeral = self.deal_of(*victim, board)?.ephemeral;
                }
                _ => {}
            }
        }
        let mut nonce = 1;
        loop {
            let weights = dealing.weights(params, who, &payload);
            let weights: Vec<u128> = weights.into_iter().map(u128::from_le_bytes).collect();
            if torsion(&weights) % 3 == 0 {
                break;
            }
            dealing.nonce = Scalar::from_u64(nonce);
            nonce += 1;
        }
        dealing.prove(params, who, &mut payload);
        Some(Some(payload))
    }

    /// A cheater's shares, if the board leads to any.
    fn shares(&self, who: usize, board: &BoardFolder) -> Option<OwnShares> {
        let plan = &self.group.plan;
        let index = plan.roster().at(who).unwrap().index;
        let mut session = Session::new(plan);
        let mut memory = Memory::default();
        for (name, message) in self.messages(board) {
            let own = message.sender() == index;
            if own {
                memory.own.insert(message.message_hash());
            }
            // It looks away from what would keep an honest operator from confirming.
            if message.kind() == Kind::Deal {
                session.place(&message, &name);
            }
        }
        let messages = BoardMessages(board.clone());
        let me = &self.cheaters[&who];
        match session.next(me, &memory, &messages, &Unobserved, &[5; 32]) {
            Ok(Step::StoreShares(shares)) => Some(*shares),
            _ => None,
        }
    }

    /// What a cheater puts in the place of its confirm.
    pub(crate) fn confirms(&self, who: usize, board: &BoardFolder) -> Vec<Envelope> {
        let misdeeds = self.faults.of(who);
        let abandon = || self.sign(who, Kind::Abandon, Place::Confirm, json!({}));
        if misdeeds.contains(&Misdeed::NoConfirm) {
            return Vec::new();
        }
        if misdeeds.contains(&Misdeed::Abandon) {
            return vec![abandon()];
        }
        let Some(own) = self.shares(who, board) else {
            return Vec::new();
        };
        let Some(partials) = self.partials(who, &own, board) else {
            return Vec::new();
        };
        let mut payload = confirm::make(own.transcript, own.deals.clone(), &partials);
        let lying = ConfirmPayload {
            transcript: Digest::from_bytes([0xee; 32]),
            ..payload.clone()
        };
        for misdeed in misdeeds {
            match misdeed {
                Misdeed::LyingTranscript => payload.transcript = lying.transcript,
                Misdeed::ForgedDeal(dealer) => {
                    payload.deals[*dealer].payload = Digest::from_bytes([0xdd; 32]);
                }
                Misdeed::SwappedDeals => payload.deals.reverse(),
                Misdeed::ConfirmOfAnotherCeremony => {
                    // Its own deal there, which it did sign.
                    let deal = Envelope::sign(
                        &self.cheaters[&who].identity,
                        ANOTHER_CEREMONY,
                        Kind::Deal,
                        Place::Deal,
                        json!({}),
                    );
                    let deal: Value = serde_json::from_slice(deal.unwrap().bytes()).unwrap();
                    let text = deal["signature"].as_str().unwrap();
                    payload.deals[who].signature = Hex::parse(text).unwrap();
                }
                Misdeed::NoPartials => payload.partials[0].clear(),
                Misdeed::MorePartials => {
                    let last = payload.partials[0].last().copied();
                    payload.partials[0].extend(last);
                }
                _ => {}
            }
        }
        let mut payloads = vec![json::to_value(&payload).unwrap()];
        self.put_junk(who, Kind::Confirm, &mut payloads[0]);
        let mut envelopes = Vec::new();
        for misdeed in misdeeds {
            match misdeed {
                Misdeed::ConfirmField => payloads[0]["extra"] = json!(1),
                Misdeed::DealAsConfirm => {
                    if let Some(deal) = self.of_kind(who, Kind::Deal, board) {
                        payloads[0] = deal.decode().unwrap();
                    }
                }
                Misdeed::TwoConfirms => payloads.push(json::to_value(&lying).unwrap()),
                Misdeed::ConfirmAndAbandon => envelopes.push(abandon()),
                _ => {}
            }
        }
        let sign = |payload| self.sign(who, Kind::Confirm, Place::Confirm, payload);
        envelopes.extend(payloads.into_iter().map(sign));
        envelopes
    }

    /// A cheater's partial signatures; nothing while it waits for those that it copies.
    fn partials(&self, who: usize, own: &OwnShares, board: &BoardFolder) -> Option<Partials> {
        let misdeeds = self.faults.of(who);
        let wrong = u64::from(misdeeds.contains(&Misdeed::BadPartial));
        let shares: Vec<Scalar> = (own.shares.iter())
            .map(|share| share.add(&Scalar::from_u64(wrong)))
            .collect();
        let roots = self.group.plan.keygen().unwrap().messages(&own.sharing);
        let mut partials = confirm::sign(&shares, &roots).unwrap();
        for misdeed in misdeeds {
            match misdeed {
                Misdeed::Shift { at, error, along } => {
                    let cell = partials.get_mut(at.0)?.get_mut(at.1)?;
                    let root = roots.get(along.0)?.get(along.1)?;
                    let error = match u64::from(error.unsigned_abs()) {
                        size if *error < 0 => Scalar::from_u64(size),
                        size => Scalar::from_u64(size).neg(),
                    };
                    // At the indices 1 and 2 the Lagrange coefficients are 2 and -1.
                    let half = cell.times(&Scalar::from_u64(2).invert()?)?;
                    *cell = bls::combine(&[1, 2], &[half, bls::sign(&error, root)?])?;
                }
                Misdeed::SwappedPartials => {
                    let last = partials.len() - 1;
                    let (first, end) = (partials[0][0], *partials[last].last()?);
                    partials[0][0] = end;
                    *partials[last].last_mut()? = first;
                }
                Misdeed::CopiedPartials(victim) => {
                    let theirs = self.of_kind(*victim, Kind::Confirm, board)?;
                    let theirs: ConfirmPayload = theirs.decode().ok()?;
                    let counts: Vec<usize> = roots.iter().map(Vec::len).collect();
                    partials = confirm::decode(
                        &self.group.plan.keygen().unwrap().params(),
                        &counts,
                        &theirs,
                    )
                    .ok()?;
                }
                _ => {}
            }
        }
        Some(partials)
    }

    /// A cheater's complaints, as far as the deals are there.
    pub(crate) fn complaints(&self, who: usize, board: &BoardFolder) -> Vec<Envelope> {
        let params = self.group.plan.keygen().unwrap().params();
        let me = self.cheaters[&who].secret.as_ref().unwrap();
        // Another cheat's deal may be none.
        let checked = |dealer: usize| {
            let payload = self.deal_of(dealer, board)?;
            deal::check(&params, dealer, &payload).ok()
        };
        let mut envelopes = Vec::new();
        for misdeed in self.faults.of(who) {
            let (against, of) = match misdeed {
                Misdeed::FalseComplaint(other)
                | Misdeed::ComplaintProof(other)
                | Misdeed::ComplaintPoint(other)
                | Misdeed::ComplaintField(other)
                | Misdeed::OpenComplaint(other) => (*other, *other),
                Misdeed::ComplaintOfAnotherKey(other, key) => (*other, *key),
                Misdeed::SelfComplaint => (who, who),
                _ => continue,
            };
            let (Some(message), Some(opened)) =
                (self.of_kind(against, Kind::Deal, board), checked(of))
            else {
                continue;
            };
            let mut deal = message.message_hash();
            let key = encryption_secret(me);
            let mut payload = complaint::make(&params, who, &key, me, &opened, &deal).unwrap();
            match misdeed {
                Misdeed::ComplaintProof(_) => payload.proof.response.0[31] ^= 1,
                Misdeed::ComplaintPoint(_) => payload.shared = Hex(INFINITY),
                Misdeed::OpenComplaint(_) => deal = Digest::from_bytes([0xcc; 32]),
                _ => {}
            }
            let mut payload = json::to_value(&payload).unwrap();
            if matches!(misdeed, Misdeed::ComplaintField(_)) {
                payload["extra"] = json!(1);
            }
            self.put_junk(who, Kind::Complain, &mut payload);
            let against = self.group.plan.roster().at(against).unwrap().index;
            let place = Place::Complaint { against, deal };
            envelopes.push(self.sign(who, Kind::Complain, place, payload));
        }
        envelopes
    }

    /// What a garbled envelope is in bytes.
    pub(crate) fn garbled(&self, who: usize, envelope: &Envelope, garble: Garble) -> Vec<u8> {
        let text = String::from_utf8(envelope.bytes().to_vec()).unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        let (kind, payload) = (envelope.header().kind(), value["payload"].clone());
        match garble {
            Garble::Space => return text.replacen('{', "{ ", 1).into_bytes(),
            Garble::Order => {
                let header = value["header"].to_string();
                let rest = format!("\"payload\":{payload},\"signature\":{}", value["signature"]);
                return format!("{{{rest},\"header\":{header}}}").into_bytes();
            }
            Garble::Doubled => {
                let again = format!(",\"signature\":{}}}", value["signature"]);
                return format!("{}{again}", text.strip_suffix('}').unwrap()).into_bytes();
            }
            Garble::Torn => return text.as_bytes()[..text.len() / 2].to_vec(),
            Garble::Unknown => value["header"]["extra"] = json!(1),
            Garble::Fraction => value["header"]["version"] = json!(1.5),
            Garble::Payload => value["payload"] = json!({}),
            Garble::Signature | Garble::LargeSignature => {
                let text = value["signature"].as_str().unwrap();
                let mut signature = Hex::<64>::parse(text).unwrap();
                match garble {
                    Garble::Signature => signature.0[40] ^= 1,
                    _ => plus_order_of_ed25519(&mut signature.0),
                }
                value["signature"] = json!(signature);
            }
            Garble::Version => value["header"]["version"] = json!(2),
            Garble::OtherCeremony => {
                let identity = &self.cheaters[&who].identity;
                let place = envelope.header().place();
                let other = Envelope::sign(identity, ANOTHER_CEREMONY, kind, place, payload);
                return other.unwrap().bytes().to_vec();
            }
            Garble::OtherSender => {
                let other = &self.group.members[(who + 1) % self.group.members.len()];
                value["header"]["sender"] = json!(other.card.identity());
            }
            Garble::Misplaced => {
                let round = if kind == Kind::Deal {
                    "confirm"
                } else {
                    "deal"
                };
                value["header"]["place"] = json!({ "round": round });
            }
        }
        json::canonical_value(&value).unwrap_or_else(|_| value.to_string().into_bytes())
    }
}

fn constant(payload: &mut DealPayload) -> Option<&mut Hex<48>> {
    payload.commitments.first_mut()?.first_mut()
}

fn spoil(payload: &mut DealPayload, validator: usize, recipients: &[usize]) {
    for recipient in recipients {
        let row = payload.ciphertexts.get_mut(validator);
        if let Some(cell) = row.and_then(|row| row.get_mut(*recipient)) {
            let share = Scalar::from_bytes(&cell.0).unwrap();
            *cell = Hex(share.add(&Scalar::from_u64(1)).to_public_bytes());
        }
    }
}

fn residue(weight: u128) -> i128 {
    i128::try_from(weight % 3).unwrap()
}

/// Adds the group's order to the scalar of an Ed25519 signature.
fn plus_order_of_ed25519(signature: &mut [u8; 64]) {
    const ORDER: &str = "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed";
    let order = Hex::<32>::parse(ORDER).unwrap();
    let mut carry = 0u16;
    for (byte, summand) in signature[32..].iter_mut().zip(order.0.iter().rev()) {
        carry += u16::from(*byte) + u16::from(*summand);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert_eq!(carry, 0);
}
