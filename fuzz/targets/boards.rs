//! Messages that are signed as they should be and say anything, one by one and a board of them.
//!
//! The signature stops a fuzzer at the door, so these targets sign for it: they know the keys of a
//! small ceremony that was played to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use conclave::audit::{audit_evidence, bears_out};
use conclave::ceremony::Unobserved;
use conclave::ceremony::evidence::{Evidence, Fault};
use conclave::ceremony::outcome::KeygenOutcome;
use conclave::ceremony::plan::{Draft, Plan, Validator};
use conclave::ceremony::session::{Registered, Session, label};
use conclave::ceremony::step::{Me, Memory, Step};
use conclave::crypto::identity::IdentityKey;
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::withdrawal::CredentialsKind;
use conclave::hash::Digest;
use conclave::json;
use conclave::protocol::Params;
use conclave::protocol::complaint::{self, ComplaintPayload, Judgement};
use conclave::protocol::confirm::{self, ConfirmPayload};
use conclave::protocol::deal::{self, CheckedDeal, DealPayload};
use conclave::store::folder::safe_name;
use conclave::wire::envelope::{Authenticated, Envelope, Kind, Place};
use conclave::wire::roster::Index;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{said, taken};
use crate::harness::ceremony::{self, Board, Ceremony, ETH, Player};
use crate::harness::forgery::Dealing;

/// The ceremony that inputs are changes of: three operators, threshold two, one validator.
pub(crate) struct Stage {
    /// Its plan.
    pub(crate) plan: Plan,
    /// Everything that was said, by label.
    pub(crate) board: Board,
    /// The operators at its end.
    pub(crate) players: Vec<Player>,
    /// What it ended with.
    pub(crate) outcome: Vec<u8>,
    /// The same, not written yet.
    pub(crate) ended: KeygenOutcome,
    /// What honest operators say here, on that board or on one with a cheat: bytes of envelopes.
    honest: BTreeSet<Vec<u8>>,
    /// By dealer: the deals whose proof anybody can have made.
    deals: Vec<Vec<DealPayload>>,
    params: Params,
    /// Seeds: boards as the target reads them.
    pub(crate) scripts: BTreeMap<&'static str, Vec<u8>>,
    /// Seeds: payloads.
    pub(crate) payloads: BTreeMap<&'static str, Vec<u8>>,
}

pub(crate) fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(Stage::new)
}

fn draft(players: &[Player]) -> Draft {
    Draft {
        validators: vec![Validator {
            withdrawal_address: Address([0xa1; 20]),
            credentials: CredentialsKind::Eth1,
            deposits: vec![Gwei(32 * ETH)],
            registration: None,
        }],
        ..ceremony::draft(players)
    }
}

fn payload_of(bytes: &[u8]) -> Value {
    let value = json::parse(bytes, bytes.len()).unwrap();
    value["payload"].clone()
}

impl Stage {
    fn new() -> Self {
        let players = ceremony::players(&[1, 2, 3]);
        let Ceremony {
            plan,
            board,
            players,
            outcome,
            ..
        } = ceremony::play(draft(&players), players);
        let params = plan.keygen().unwrap().params();
        let of = |by: u64, kind: &str| {
            let name = board
                .0
                .keys()
                .find(|name| name.contains(&format!("-{kind}-{by}-")));
            board.0[name.unwrap()].clone()
        };
        let mut deals: Vec<Vec<DealPayload>> = (1..=3)
            .map(|by| vec![json::decode(&payload_of(&of(by, "deal"))).unwrap()])
            .collect();
        let mut honest: BTreeSet<Vec<u8>> = board.0.values().cloned().collect();

        // The third operator deals the first one a wrong share, and is complained of.
        let mut cheat = Dealing::new(&params, 5);
        let right = cheat.shares[0][0].duplicate();
        cheat.shares[0][0] = right.add(&right);
        let cheat = cheat.payload(&params, 2);
        let wrong = sign(
            &players[2],
            plan.cid(),
            Kind::Deal,
            Place::Deal,
            json::to_value(&cheat).unwrap(),
        );
        let wrong = wrong.unwrap();
        let mut heard = Session::new(&plan);
        let mut said: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for bytes in [of(1, "deal"), of(2, "deal"), wrong.bytes().to_vec()] {
            let id = said.len().to_string();
            assert_eq!(heard.register(&bytes, &id), Registered::New);
            said.insert(id, bytes);
        }
        let heard = heard.next(
            &players[0].me,
            &Memory::default(),
            &Board(said),
            &Unobserved,
            &[9; 32],
        );
        let Step::Send(complaints) = heard.unwrap() else {
            panic!("a wrong share is complained of");
        };
        let complaint = complaints.first().unwrap();
        honest.insert(complaint.bytes().to_vec());
        deals[2].push(cheat);

        let entry = |by: u64, kind: &str, bytes: &[u8]| {
            let mut entry = Map::new();
            entry.insert("by".to_owned(), Value::from(by));
            entry.insert("kind".to_owned(), Value::from(kind));
            entry.insert("payload".to_owned(), payload_of(bytes));
            Value::Object(entry)
        };
        let all = |kind: &str| {
            (1..=3)
                .map(|by| entry(by, kind, &of(by, kind)))
                .collect::<Vec<_>>()
        };
        // A confirm names the deals that were dealt, whatever they are.
        let mut confirms = all("confirm");
        for confirm in &mut confirms {
            for (by, seen) in (1..).zip(confirm["payload"]["deals"].as_array_mut().unwrap()) {
                seen["payload"] = Value::from(format!("$payload:{by}"));
                seen["signature"] = Value::from(format!("$signature:{by}"));
            }
        }
        let mut complain = entry(1, "complain", complaint.bytes());
        complain["against"] = Value::from(3);
        complain["deal"] = Value::from("$message:3");
        let abandon: Value = serde_json::json!({"by": 2, "kind": "abandon", "payload": {}});
        let wrong_entry = entry(3, "deal", wrong.bytes());
        let whole: Vec<Value> = [all("deal"), confirms.clone()].concat();
        let scripts = [
            ("complete", whole.clone()),
            ("deals", all("deal")),
            (
                "complained",
                vec![
                    all("deal")[0].clone(),
                    all("deal")[1].clone(),
                    wrong_entry.clone(),
                    complain.clone(),
                ],
            ),
            (
                "equivocated",
                [whole.clone(), vec![wrong_entry.clone(), complain]].concat(),
            ),
            (
                "abandoned",
                [all("deal"), vec![abandon, confirms[0].clone()]].concat(),
            ),
            ("confirms-alone", confirms),
        ];
        let scripts = scripts.map(|(name, script)| (name, json::canonical(&script).unwrap()));
        let payloads = [
            ("deal", payload_of(&of(1, "deal"))),
            ("deal-wrong-share", payload_of(wrong.bytes())),
            ("confirm", payload_of(&of(2, "confirm"))),
            ("complain", payload_of(complaint.bytes())),
            ("abandon", Value::Object(Map::new())),
        ];
        let payloads = payloads.map(|(name, payload)| (name, json::canonical(&payload).unwrap()));
        Self {
            outcome: outcome.to_bytes().unwrap(),
            ended: outcome,
            scripts: scripts.into(),
            payloads: payloads.into(),
            plan,
            board,
            players,
            honest,
            deals,
            params,
        }
    }

    fn checked(&self, dealer: usize, payload: &DealPayload) -> Option<CheckedDeal> {
        match deal::check(&self.params, dealer, payload) {
            Ok(checked) => {
                // The proof covers all but the ciphertexts: a deal that passes is one that was made.
                let known = self.deals[dealer].iter().any(|known| {
                    (
                        known.ephemeral,
                        &known.commitments,
                        known.proof.commitment.0,
                        known.proof.response.0,
                    ) == (
                        payload.ephemeral,
                        &payload.commitments,
                        payload.proof.commitment.0,
                        payload.proof.response.0,
                    )
                });
                assert!(known, "a forged deal of dealer {dealer} passes");
                Some(checked)
            }
            Err(fault) => {
                said(fault);
                None
            }
        }
    }

    fn deal(&self, payload: &DealPayload) {
        if (0..3).any(|dealer| self.checked(dealer, payload).is_some()) {
            taken("deal", &json::canonical(payload).unwrap());
        }
    }

    fn confirm(&self, payload: &ConfirmPayload) {
        match confirm::decode(&self.params, &[1], payload) {
            Ok(partials) => {
                taken("confirm", &json::canonical(payload).unwrap());
                let deals = payload.deals.clone();
                let again = confirm::make(payload.transcript, deals, &partials);
                assert_eq!(json::canonical(&again), json::canonical(payload));
            }
            Err(fault) => drop(said(fault)),
        }
    }

    fn complaint(&self, payload: &ComplaintPayload) {
        for (dealer, deals) in self.deals.iter().enumerate() {
            for (number, payload_of_deal) in deals.iter().enumerate() {
                let deal = self.checked(dealer, payload_of_deal).unwrap();
                for complainer in (0..3).filter(|complainer| *complainer != dealer) {
                    let hash = Digest::from_bytes([7; 32]);
                    let judged = complaint::judge(&self.params, complainer, &deal, &hash, payload);
                    match judged.unwrap() {
                        Judgement::Dealer { .. } => assert_eq!(
                            (dealer, number, complainer),
                            (2, 1, 0),
                            "an honest dealer is guilty"
                        ),
                        Judgement::Complainer(why) => drop(said(why)),
                    }
                }
            }
        }
    }
}

fn sign(
    player: &Player,
    cid: &Digest,
    kind: Kind,
    place: Place,
    payload: Value,
) -> Option<Envelope> {
    match Envelope::sign(&player.me.identity, *cid, kind, place, payload) {
        Ok(envelope) => Some(envelope),
        Err(error) => {
            said(error);
            None
        }
    }
}

/// A payload, as whoever it could be of.
pub(crate) fn payload(bytes: &[u8]) {
    let Ok(value) = json::parse(bytes, 1 << 20) else {
        return;
    };
    let stage = stage();
    // What is read is what would be written: nothing is passed over.
    fn decode<P: for<'de> Deserialize<'de> + serde::Serialize>(value: &Value) -> Option<P> {
        match json::decode::<P>(value) {
            Ok(payload) => {
                assert_eq!(json::to_value(&payload).as_ref(), Ok(value));
                Some(payload)
            }
            Err(error) => {
                said(error);
                None
            }
        }
    }
    if let Some(payload) = decode(&value) {
        stage.deal(&payload);
    }
    if let Some(payload) = decode(&value) {
        stage.confirm(&payload);
    }
    if let Some(payload) = decode(&value) {
        stage.complaint(&payload);
    }
}

/// What a message of the ceremony says, judged alone; it has a label that is a file name.
pub(crate) fn judge(message: &Authenticated) {
    let stage = stage();
    let name = label(&stage.plan, message);
    assert_eq!(safe_name(&name), name);
    payload(message.payload());
}

/// One message of a script. `$payload:J`, `$signature:J` and `$message:J` in its payload, and `deal`,
/// are those of the first deal of operator J; `$cid` is the ceremony.
#[derive(Deserialize)]
struct Line {
    by: u64,
    kind: Kind,
    payload: Value,
    #[serde(default)]
    against: Option<u64>,
    #[serde(default)]
    deal: Option<String>,
}

/// The most messages of a script: longer ones show nothing new and take long.
const MAX_LINES: usize = 12;

pub(crate) struct Said {
    by: u64,
    /// The envelope.
    pub(crate) bytes: Vec<u8>,
}

/// Signs a script: deals first, whose names the others may speak of.
pub(crate) fn perform(bytes: &[u8]) -> Option<Vec<Said>> {
    let stage = stage();
    let mut lines: Vec<Line> = serde_json::from_slice(bytes).ok()?;
    lines.truncate(MAX_LINES);
    let cid = stage.plan.cid();
    let mut names: BTreeMap<String, String> =
        BTreeMap::from([("$cid".to_owned(), cid.to_string())]);
    let mut spoken = Vec::new();
    let is_deal = |line: &&mut Line| line.kind == Kind::Deal;
    let (deals, others): (Vec<_>, Vec<_>) = lines.iter_mut().partition(is_deal);
    for line in deals.into_iter().chain(others) {
        fill(&mut line.payload, &names);
        let place = match line.kind {
            Kind::Deal => Place::Deal,
            Kind::Confirm | Kind::Abandon => Place::Confirm,
            Kind::Partial => Place::Partial,
            Kind::Complain => {
                let deal = line
                    .deal
                    .as_ref()
                    .map(|deal| names.get(deal).unwrap_or(deal));
                Place::Complaint {
                    against: line.against.and_then(|index| Index::new(index).ok())?,
                    deal: serde_json::from_value(Value::from(deal?.as_str())).ok()?,
                }
            }
        };
        let player = stage
            .players
            .iter()
            .find(|player| player.index.get() == line.by);
        let stranger = Player {
            index: Index::new(9).unwrap(),
            me: Me {
                identity: IdentityKey::from_seed(&conclave::secret::Secret::new([0x99; 32])),
                secret: None,
            },
            memory: Memory::default(),
        };
        let player = player.unwrap_or(&stranger);
        let Some(envelope) = sign(player, cid, line.kind, place, line.payload.take()) else {
            continue;
        };
        if line.kind == Kind::Deal {
            let envelope: Value = serde_json::from_slice(envelope.bytes()).unwrap();
            let by = line.by;
            for (name, at) in [("payload", "/header/payload"), ("signature", "/signature")] {
                let value = envelope.pointer(at).unwrap().as_str().unwrap();
                names
                    .entry(format!("${name}:{by}"))
                    .or_insert(value.to_owned());
            }
        }
        if line.kind == Kind::Deal {
            let hash = envelope.header().hash().to_string();
            names.entry(format!("$message:{}", line.by)).or_insert(hash);
        }
        spoken.push(Said {
            by: line.by,
            bytes: envelope.bytes().to_vec(),
        });
    }
    Some(spoken)
}

/// Replaces names by what they stand for.
fn fill(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(meant) = names.get(text.as_str()) {
                text.clone_from(meant);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, names)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, names)),
        _ => {}
    }
}

/// A board of signed messages that say anything: nobody honest is accused, every accusation can be
/// proved to others, the order of arrival decides nothing, no other outcome than the honest one
/// exists, and whoever is honest can go on.
pub(crate) fn board(bytes: &[u8]) {
    let stage = stage();
    let Some(spoken) = perform(bytes) else {
        return;
    };
    let honest: BTreeSet<u64> = (1..=3)
        .filter(|by| {
            spoken
                .iter()
                .filter(|said| said.by == *by)
                .all(|said| stage.honest.contains(&said.bytes))
        })
        .collect();
    let (session, full) = register(&spoken, false);
    let messages = Board(
        (0..)
            .zip(&spoken)
            .map(|(number, said)| (id(number), said.bytes.clone()))
            .collect(),
    );
    let examination = session.examine(&messages, &Unobserved).unwrap();
    let proved = |faults: &[Fault]| {
        for fault in faults {
            said(&fault.kind);
            let accused = fault.accused.get();
            assert!(!honest.contains(&accused), "{accused} is honest: {fault:?}");
        }
    };
    proved(&examination.faults);
    for fault in &examination.faults {
        let claim = fault.kind.to_string();
        let accused = vec![fault.accused];
        let file = Evidence::collect(&stage.plan, accused, claim, &fault.proof, &messages).unwrap();
        let (evidence, plan, proof) = Evidence::parse(&file).unwrap();
        taken("evidence", &file);
        let report = audit_evidence(&plan, &proof, &Unobserved).unwrap();
        assert!(bears_out(&evidence, &report), "{fault:?} is not borne out");
    }
    let outcome = examination
        .outcome
        .as_ref()
        .map(|outcome| outcome.to_bytes().unwrap());
    assert!(
        outcome
            .as_ref()
            .is_none_or(|outcome| *outcome == stage.outcome),
        "another outcome"
    );

    let (backwards, full_backwards) = register(&spoken, true);
    if !full && !full_backwards {
        let again = backwards.examine(&messages, &Unobserved).unwrap();
        let names = |faults: &[Fault]| -> BTreeSet<(u64, &str)> {
            faults
                .iter()
                .map(|fault| (fault.accused.get(), fault.kind.word()))
                .collect()
        };
        assert_eq!(names(&again.faults), names(&examination.faults));
        assert_eq!(again.outcome.is_some(), outcome.is_some());
    }

    for player in stage
        .players
        .iter()
        .filter(|player| honest.contains(&player.index.get()))
    {
        let by = player.index.get();
        let on_board = spoken.iter().filter(|said| said.by == by).count();
        let fresh = Memory::default();
        // A home that has confirmed remembers its shares.
        let memories = if on_board >= 2 {
            vec![&fresh, &player.memory]
        } else {
            vec![&fresh]
        };
        for memory in memories {
            let next = || session.next(&player.me, memory, &messages, &Unobserved, &[9; 32]);
            let step = next().unwrap_or_else(|error| panic!("operator {by}: {error}"));
            match &step {
                Step::Send(envelopes) => {
                    for envelope in envelopes {
                        session.read(envelope.bytes()).unwrap();
                    }
                }
                Step::Complete {
                    outcome: mine,
                    faults,
                } => {
                    proved(faults);
                    assert_eq!(Some(mine.to_bytes().unwrap()), outcome);
                }
                Step::Stop(stop) => {
                    proved(&stop.faults);
                    assert!(
                        !stop.is_empty() && outcome.is_none(),
                        "stopped, and complete"
                    );
                }
                Step::StoreShares(_)
                | Step::Wait { .. }
                | Step::AwaitBackup
                | Step::AwaitPartials { .. } => {}
            }
            assert_eq!(
                std::mem::discriminant(&step),
                std::mem::discriminant(&next().unwrap()),
                "asked again it says the same"
            );
        }
    }
}

fn id(number: usize) -> String {
    format!("message {number}")
}

/// Registers in one order or the other; says whether something found no room.
fn register(spoken: &[Said], backwards: bool) -> (Session<'static>, bool) {
    let mut session = Session::new(&stage().plan);
    let mut order: Vec<usize> = (0..spoken.len()).collect();
    if backwards {
        order.reverse();
    }
    let mut full = false;
    for number in order {
        if let Registered::Noise(why) = session.register(&spoken[number].bytes, &id(number)) {
            said(&why);
            full |= why.contains("too much");
            assert!(
                !(1..=3).contains(&spoken[number].by)
                    || why.contains("too much")
                    || why.contains("at most")
                    || why.contains("no operator"),
                "{why}"
            );
        }
    }
    (session, full)
}
