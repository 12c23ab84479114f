//! Random fault plans, made from any bytes and played over several sticks in any order.
//!
//! [`FaultPlan::from_bytes`] never fails, so a property test and a fuzzer share it. [`FaultPlan::play`]
//! panics where a promise is broken: all honest operators come to the same outcome or none releases
//! anything; every accusation is true and proved; a kept share fits its public share; and whoever
//! audits an operator's board says what that operator says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use conclave::ceremony::evidence::Fault;
use conclave::ceremony::outcome::Outcome;
use conclave::driver::{Ran, Standing};
use conclave::wire::envelope::{Envelope, Kind};

use super::faults::{
    DealSecret, Faults, Garble, Junk, Misdeed, Played, Table, accused, all_faults, outcome,
};
use super::{ceremony, forgery, homes};

const STICKS: usize = 3;
const MAX_EVENTS: usize = 24;

/// Who cheats how, and who does what in which order.
#[derive(Debug, Clone)]
pub(crate) struct FaultPlan {
    /// Operators, 3 to 5; the cheaters stand at the end of the roster.
    pub(crate) n: usize,
    /// Three validators with instalments and a registration, instead of one.
    pub(crate) large: bool,
    /// Who does what.
    pub(crate) faults: Faults,
    /// What happens before all sticks are joined and everybody goes on to the end.
    pub(crate) events: Vec<Event>,
}

/// Something that happens while the messages are on their way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// An operator has a turn with a stick. A cheater says those of its messages whose bit is set.
    Turn {
        /// Who.
        who: usize,
        /// With which stick.
        stick: usize,
        /// Which messages.
        messages: u8,
    },
    /// Somebody copies from one stick to another: those messages, in the order of their names, whose
    /// bit is set.
    Carry {
        /// From this stick.
        from: usize,
        /// To this one.
        to: usize,
        /// Which messages.
        messages: u8,
    },
}

/// Bytes as choices; zeros when they have run out.
pub(crate) struct Choices<'a>(std::slice::Iter<'a, u8>);

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    pub(crate) fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

impl Event {
    /// Chooses one, among so many operators and sticks.
    pub(crate) fn from(choices: &mut Choices<'_>, operators: usize, sticks: usize) -> Self {
        match choices.below(4) {
            0 => Self::Carry {
                from: choices.below(sticks),
                to: choices.below(sticks),
                messages: choices.byte(),
            },
            _ => Self::Turn {
                who: choices.below(operators),
                stick: choices.below(sticks),
                messages: choices.byte(),
            },
        }
    }
}

impl FaultPlan {
    /// Reads a plan from any bytes: the same bytes give the same plan.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut choices = Choices::new(bytes);
        let n = 3 + choices.below(3);
        let large = choices.below(4) == 3;
        let cheaters = 1 + choices.below(n - 1);
        let mut faults = Faults::new();
        for who in n - cheaters..n {
            for _ in 0..=choices.below(3) {
                for misdeed in misdeeds(&mut choices, n, cheaters) {
                    faults = faults.by(who, misdeed);
                }
            }
        }
        let events = (0..choices.below(MAX_EVENTS + 1))
            .map(|_| Event::from(&mut choices, n, STICKS))
            .collect();
        Self {
            n,
            large,
            faults,
            events,
        }
    }

    /// Plays it and checks every promise.
    pub(crate) fn play(&self) {
        let validators = if self.large {
            ceremony::validators()
        } else {
            vec![homes::validator()]
        };
        let table = Table::with(self.n, validators, self.faults.clone());
        let mut sticks = vec![table.group.stick.clone()];
        sticks.extend((1..STICKS).map(|stick| table.stick(&format!("stick {stick}"))));
        let mut game = Game {
            table,
            sticks,
            said: BTreeMap::new(),
            outcome: None,
        };
        for event in &self.events {
            match *event {
                Event::Turn {
                    who,
                    stick,
                    messages,
                } => drop(game.turn(who, stick, messages)),
                Event::Carry { from, to, messages } => game.carry(from, to, messages),
            }
        }
        for stick in 1..STICKS {
            game.carry(stick, 0, u8::MAX);
        }
        game.end();
    }
}

/// One to three misdeeds that go together.
fn misdeeds(choices: &mut Choices<'_>, n: usize, cheaters: usize) -> Vec<Misdeed> {
    const DEAL_SPOTS: [&str; 8] = [
        "/ephemeral",
        "/proof/commitment",
        "/proof/response",
        "/commitments/0/0",
        "/commitments/0/1",
        "/ciphertexts/0/0",
        "/ciphertexts/0/1",
        "/ciphertexts/0",
    ];
    const CONFIRM_SPOTS: [&str; 6] = [
        "/transcript",
        "/deals/0/payload",
        "/deals/0/signature",
        "/deals/1",
        "/partials/0/0",
        "/partials/0",
    ];
    const COMPLAINT_SPOTS: [&str; 5] = [
        "/shared",
        "/proof/commitment_generator",
        "/proof/commitment_base",
        "/proof/response",
        "/proof",
    ];
    const GARBLES: [Garble; 13] = [
        Garble::Space,
        Garble::Order,
        Garble::Doubled,
        Garble::Unknown,
        Garble::Fraction,
        Garble::Payload,
        Garble::Signature,
        Garble::LargeSignature,
        Garble::Version,
        Garble::OtherCeremony,
        Garble::OtherSender,
        Garble::Misplaced,
        Garble::Torn,
    ];
    let other = choices.below(n);
    let second = choices.below(n);
    let threshold = conclave::ceremony::plan::default_threshold(n);
    vec![match choices.below(47) {
        0 | 1 => Misdeed::BadShare(vec![other]),
        2 => Misdeed::BadShare(vec![other, second]),
        3 => Misdeed::BadShareOf(1, vec![other]),
        4 => Misdeed::Coefficients(threshold - 1),
        5 => Misdeed::Coefficients(threshold + 1),
        6 => Misdeed::FewCiphertexts,
        7 => Misdeed::DealField,
        8 => Misdeed::Commitment(forgery::OFF_SUBGROUP),
        9 => Misdeed::Zero(DealSecret::Coefficient(0, -1)),
        10 => Misdeed::Zero(DealSecret::Ephemeral),
        11 => Misdeed::CancellingTorsion,
        12 => Misdeed::UnseenTorsion,
        13 => Misdeed::RepeatedKey,
        14 => Misdeed::CopiedConstant(other),
        15 => Misdeed::AdoptedConstant(other),
        16 => Misdeed::CopiedEphemeral(other),
        17 => Misdeed::CopiedDeal(other),
        18 => Misdeed::SharedSecret(n - 1 - other % cheaters),
        19 => Misdeed::DealOfAnotherCeremony,
        20..=22 => Misdeed::TwoDeals,
        23 => Misdeed::JunkDeals,
        24 => Misdeed::NoDeal,
        25 => Misdeed::LyingTranscript,
        26 => Misdeed::ForgedDeal(other),
        27 => Misdeed::SwappedDeals,
        28 => Misdeed::BadPartial,
        29 | 30 => Misdeed::Shift {
            at: (0, 0),
            error: choices.of(&[1, -1, 3, -3]),
            along: (0, 0),
        },
        31 => Misdeed::CopiedPartials(other),
        32 => Misdeed::NoPartials,
        33 => Misdeed::ConfirmOfAnotherCeremony,
        34 => Misdeed::TwoConfirms,
        35 => Misdeed::ConfirmAndAbandon,
        36 => Misdeed::Abandon,
        37 => Misdeed::NoConfirm,
        38 => Misdeed::FalseComplaint(other),
        39 => Misdeed::ComplaintProof(other),
        40 => Misdeed::ComplaintOfAnotherKey(other, second),
        41 => Misdeed::OpenComplaint(other),
        42 => Misdeed::SelfComplaint,
        43 => Misdeed::Puts(Kind::Deal, choices.of(&DEAL_SPOTS), junk(choices)),
        44 => Misdeed::Puts(Kind::Confirm, choices.of(&CONFIRM_SPOTS), junk(choices)),
        45 => {
            let spot = choices.of(&COMPLAINT_SPOTS);
            return vec![
                Misdeed::FalseComplaint(other),
                Misdeed::Puts(Kind::Complain, spot, junk(choices)),
            ];
        }
        _ => {
            let kind = choices.of(&[Kind::Deal, Kind::Confirm, Kind::Complain]);
            Misdeed::Garbles(kind, choices.of(&GARBLES))
        }
    }]
}

fn junk(choices: &mut Choices<'_>) -> Junk {
    let which = choices.below(12);
    match which {
        0 => Junk::Infinity,
        1 => Junk::OffCurve,
        2 => Junk::OffSubgroup,
        3 => Junk::LargeX,
        4 => Junk::Uncompressed,
        5 => Junk::Zeros,
        6 => Junk::Ones,
        7 => Junk::Capitals,
        8 => Junk::Short,
        9 => Junk::Number,
        10 => Junk::Missing,
        _ => Junk::Torsion(choices.below(6)),
    }
}

/// A plan that is being played.
struct Game {
    table: Table,
    sticks: Vec<PathBuf>,
    /// What each cheater made for each round. It says the same again wherever it is: two messages in
    /// one place are a misdeed of their own.
    said: BTreeMap<(usize, Kind), Vec<Envelope>>,
    /// What the first honest operator that was done ended with.
    outcome: Option<Outcome>,
}

impl Game {
    fn turn(&mut self, who: usize, stick: usize, messages: u8) -> Option<Ran> {
        if self.table.cheaters.contains_key(&who) {
            self.cheat(who, stick, messages);
            return None;
        }
        let ran = self.table.run_over(who, &self.sticks[stick]);
        self.listen(who, all_faults(&ran));
        if let Standing::Complete { outcome, .. } = &ran.standing {
            let first = self.outcome.get_or_insert_with(|| (**outcome).clone());
            assert_eq!(first, &**outcome, "{who} has another outcome");
        }
        Some(ran)
    }

    fn cheat(&mut self, who: usize, stick: usize, messages: u8) {
        let board = self.table.board(&self.sticks[stick]);
        let mut place = 0;
        for kind in [Kind::Deal, Kind::Complain, Kind::Confirm] {
            let said = self.said.entry((who, kind)).or_default();
            if said.is_empty() && (kind == Kind::Deal || self.table.all_dealt(&board)) {
                *said = self.table.envelopes(who, kind, &board);
            }
            for envelope in said.iter() {
                if messages & 1 << (place % 8) != 0 {
                    self.table.utter(who, envelope, &board);
                }
                place += 1;
            }
        }
    }

    fn carry(&self, from: usize, to: usize, messages: u8) {
        let from = self.table.board(&self.sticks[from]);
        let to = self.table.board(&self.sticks[to]);
        for (place, file) in from.messages().unwrap().into_iter().enumerate() {
            if messages & 1 << (place % 8) != 0 {
                to.put(&file.name, &from.read(&file.name).unwrap()).unwrap();
            }
        }
    }

    /// Every accusation is true: its accused did something that proves just that.
    fn listen(&self, who: usize, faults: &[Fault]) {
        for fault in faults {
            let index = fault.accused.get();
            let position = usize::try_from(index).unwrap() - 1;
            let word = fault.kind.word();
            let mut misdeeds = self.table.faults.of(position).iter();
            let did = misdeeds.any(|misdeed| misdeed.provable().contains(&word));
            assert!(
                did || (word == "equivocation" && self.said_twice(position)),
                "{who} says of {index}: {fault:?}"
            );
        }
    }

    /// Whether a cheater has two messages for one place: complaints of one deal, for different reasons.
    fn said_twice(&self, who: usize) -> bool {
        let said = self.said.iter().filter(|((of, _), _)| *of == who);
        let mut places: Vec<_> = said
            .flat_map(|(_, envelopes)| envelopes)
            .map(|envelope| envelope.header().place())
            .collect();
        let all = places.len();
        places.sort_unstable();
        places.dedup();
        places.len() < all
    }

    /// Everybody goes on over one stick until nobody has anything to say.
    fn end(&mut self) {
        let board = self.table.board(&self.sticks[0]);
        let played = loop {
            let before = board.messages().unwrap().len();
            let mut played = Played::new();
            for who in 0..self.table.group.members.len() {
                let ran = self.turn(who, 0, u8::MAX);
                played.extend(ran.map(|ran| (who, ran)));
            }
            if board.messages().unwrap().len() == before {
                break played;
            }
        };
        let end = outcome(&played);
        assert_eq!(
            end,
            self.outcome.as_ref().and_then(Outcome::keygen),
            "some have released it, not all"
        );
        self.table.check_vaults(end);
        let report = self.table.audit(&self.sticks[0]);
        self.listen(usize::MAX, &report.examination.faults);
        assert_eq!(
            report
                .examination
                .outcome
                .as_ref()
                .and_then(Outcome::keygen),
            end,
            "an outsider"
        );
        for (who, ran) in &played {
            self.table.check_evidence(*who, all_faults(ran));
            let report = self.table.audit_board(&self.table.own_board(*who));
            let examination = &report.examination;
            assert_eq!(
                examination.outcome.as_ref().and_then(Outcome::keygen),
                end,
                "an outsider for {who}"
            );
            let said = (accused(&examination.faults), accused(all_faults(ran)));
            assert_eq!(said.0, said.1, "an outsider and {who}: {:?}", ran.standing);
        }
    }
}
