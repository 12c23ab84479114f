//! What is there of a ceremony: in the home, and with the couriers. Reads, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit;
use crate::ceremony::evidence::FaultKind;
use crate::ceremony::plan::{Plan, PlanKind};
use crate::ceremony::session::{Registered, Session};
use crate::ceremony::step::{AwaitedPartials, Examination};
use crate::ceremony::{Messages, MessagesError, Observer};
use crate::cli::error::CommandError;
use crate::courier::seated::Known;
use crate::courier::{BoardError, Courier, Labelled, LocalBoard, Offered};
use crate::hash::Digest;
use crate::json::Text;
use crate::store::arrivals::Arrivals;
use crate::store::folder::BoardFolder;
use crate::store::vault::Marker;
use crate::wire::envelope::{Authenticated, Kind, Round};
use crate::wire::roster::Index;

use super::state::{Audited, Facts, Own, View};

/// What an operator said in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Said {
    /// Nothing.
    No,
    /// One message.
    Yes,
    /// Two different ones.
    Twice,
    /// That it leaves.
    Abandoned,
}

impl Said {
    /// For people.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Twice => "TWICE",
            Self::Abandoned => "abandoned",
        }
    }
}

/// An operator's row of the table.
#[derive(Debug, Clone, serde::Serialize)]
pub(in crate::cli) struct OperatorRow {
    pub(super) index: Index,
    pub(super) name: Text,
    #[serde(flatten)]
    pub(super) rounds: Rounds,
    /// Complaints that it sent.
    pub(super) complaints: usize,
    pub(super) own: bool,
}

/// What an operator said in each round of its kind of ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub(in crate::cli) enum Rounds {
    /// Of a keygen.
    Keygen { deal: Said, confirm: Said },
    /// Of a signing ceremony.
    Sign { partial: Said },
}

impl Rounds {
    /// Each round by its name.
    pub(super) fn named(self) -> Vec<(&'static str, Said)> {
        match self {
            Self::Keygen { deal, confirm } => vec![("deal", deal), ("confirm", confirm)],
            Self::Sign { partial } => vec![("partial", partial)],
        }
    }
}

/// What one courier brought.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Came {
    /// The courier's name, `made here`, or `unknown`.
    pub(super) by: String,
    pub(super) messages: Vec<CameMessage>,
}

/// One message of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(super) struct CameMessage {
    pub(super) kind: Kind,
    pub(super) operator: Index,
}

/// All that was found.
pub(super) struct Gathered {
    /// Which message came how.
    pub(super) came: Vec<Came>,
    pub(super) operators: Vec<OperatorRow>,
    pub(super) facts: Facts,
    /// Messages that the audit took in, where one was made.
    pub(super) checked: Option<usize>,
    /// The audit's findings beyond who is awaited.
    pub(super) findings: Vec<String>,
    /// What is no message of the ceremony, or could not be read.
    pub(super) noise: Vec<String>,
}

/// Where messages are looked for.
pub(super) struct Places<'a> {
    /// The home's board, and who this home is there.
    pub(super) home: Option<(&'a BoardFolder, BTreeSet<Marker>, &'a Arrivals)>,
    /// Whether a backup of its shares was checked in the home.
    pub(super) backed_up: bool,
    /// This home's operator in the plan.
    pub(super) me: Option<Index>,
    /// The couriers.
    pub(super) couriers: &'a mut [Box<dyn Courier>],
}

/// Collects the messages of a ceremony; audits them if a courier is asked.
pub(super) fn gather(
    plan: &Plan,
    places: &mut Places<'_>,
    observer: &dyn Observer,
) -> Result<Gathered, CommandError> {
    let mut session = Session::new(plan);
    let mut noise = Vec::new();
    let mut here = BTreeSet::new();
    let mut came: BTreeMap<String, BTreeMap<Digest, CameMessage>> = BTreeMap::new();
    if let Some((board, _, arrivals)) = &places.home {
        for file in board.messages()? {
            match board.read(&file.name) {
                Ok(bytes) => match session.read(&bytes) {
                    Ok(message) => {
                        here.insert(message.message_hash());
                        let by = match arrivals.of(&file.name) {
                            Some(courier) => courier,
                            None if places.me == Some(message.sender()) => "made here",
                            None => "unknown",
                        };
                        let known = came.entry(by.to_owned()).or_default();
                        known.insert(message.message_hash(), CameMessage::of(&message));
                        session.place_beyond(&message, &format!("h:{}", file.name));
                    }
                    Err(reason) => noise.push(format!("{}: {reason}", file.name)),
                },
                Err(error) => noise.push(error.to_string()),
            }
        }
    }
    let mut there = BTreeSet::new();
    let known = Known::looked_at(plan);
    let ceremony = known.ceremony();
    for (number, courier) in places.couriers.iter_mut().enumerate() {
        let by = courier.name();
        let mut onlooker = Onlooker {
            session: &mut session,
            there: &mut there,
            number,
            here: &here,
            came: came.entry(by).or_default(),
        };
        let moved = courier.exchange(&ceremony, &mut onlooker)?;
        noise.extend(moved.refused);
        noise.extend(moved.left);
    }
    let messages = Found {
        home: places.home.as_ref().map(|(board, ..)| *board),
        couriers: places.couriers,
    };
    let examination = if places.couriers.is_empty() {
        None
    } else {
        Some(session.examine(&messages, observer)?)
    };
    came.retain(|_, messages| !messages.is_empty());
    let came = came.into_iter().map(|(by, messages)| {
        let mut messages: Vec<CameMessage> = messages.into_values().collect();
        messages.sort_unstable();
        Came { by, messages }
    });
    Ok(Gathered {
        came: came.collect(),
        operators: rows(plan, &session, places.me, examination.as_ref()),
        facts: facts(plan, &session, places, examination.as_ref(), &here, &there),
        checked: examination.as_ref().map(|_| session.board().iter().count()),
        findings: examination
            .map(|found| findings(plan, found))
            .unwrap_or_default(),
        noise,
    })
}

impl CameMessage {
    fn of(message: &Authenticated) -> Self {
        Self {
            kind: message.kind(),
            operator: message.sender(),
        }
    }
}

/// The audit's sentences, without those that the state says again.
fn findings(plan: &Plan, examination: Examination) -> Vec<String> {
    let report = audit::Report {
        examination: Examination {
            missing_deals: Vec::new(),
            missing_confirms: Vec::new(),
            awaited_partials: None,
            outcome: None,
            ..examination
        },
        turnout: Vec::new(),
        messages: 0,
        noise: Vec::new(),
        outcome: None,
        claim_holds: None,
    };
    report.sentences(plan)
}

fn facts(
    plan: &Plan,
    session: &Session<'_>,
    places: &Places<'_>,
    examination: Option<&Examination>,
    here: &BTreeSet<Digest>,
    there: &BTreeSet<Digest>,
) -> Facts {
    let board = session.board();
    let indices: Vec<Index> = plan
        .roster()
        .iter()
        .map(|operator| operator.index)
        .collect();
    let those = |wanted: &dyn Fn(Index) -> bool| -> Vec<Index> {
        indices
            .iter()
            .copied()
            .filter(|index| wanted(*index))
            .collect()
    };
    let mut twice: Vec<Index> = board
        .equivocations()
        .iter()
        // Confirms that differ in shown signatures alone say the same: only an audit can tell.
        .filter(|found| {
            found
                .entries
                .iter()
                .any(|entry| entry.kind != Kind::Confirm)
        })
        .map(|found| found.sender)
        .collect();
    twice.dedup();
    let own = |kind: Kind| {
        places
            .me
            .is_some_and(|me| board.of(me).any(|entry| entry.kind == kind))
    };
    let carried = !places.couriers.is_empty() && places.me.is_some();
    let difference = |a: &BTreeSet<Digest>, b: &BTreeSet<Digest>| {
        if carried { a.difference(b).count() } else { 0 }
    };
    Facts {
        view: places.me.map_or(View::Witness, |_| View::Operator),
        markers: places
            .home
            .as_ref()
            .map(|(_, markers, _)| markers.clone())
            .unwrap_or_default(),
        backup_due: plan.requires_backups() && !places.backed_up,
        own: Own {
            deal: own(Kind::Deal),
            confirm: own(Kind::Confirm) || own(Kind::Partial),
            complaint: own(Kind::Complain),
        },
        signing: plan.sign().map(|plan| {
            let silent = those(&|index| board.partials(index).next().is_none());
            let said = indices.len().saturating_sub(silent.len());
            examination
                .and_then(|found| found.awaited_partials.clone())
                // Whether they are valid only an audit can tell.
                .unwrap_or(AwaitedPartials {
                    needed: plan.threshold().saturating_sub(said),
                    of: silent,
                })
        }),
        missing_deals: those(&|index| board.deals(index).next().is_none()),
        missing_confirms: those(&|index| board.confirms(index).next().is_none()),
        abandoned: those(&|index| {
            board.abandons(index).next().is_some() && board.confirms(index).next().is_none()
        }),
        twice,
        audited: examination.map(|found| {
            let mut accused: Vec<Index> = found.faults.iter().map(|fault| fault.accused).collect();
            accused.sort_unstable();
            accused.dedup();
            Audited {
                accused,
                collided: !found.collisions.is_empty(),
                complete: found.outcome.is_some(),
            }
        }),
        only_there: difference(there, here),
        only_here: difference(here, there),
    }
}

pub(in crate::cli) fn rows(
    plan: &Plan,
    session: &Session<'_>,
    me: Option<Index>,
    examination: Option<&Examination>,
) -> Vec<OperatorRow> {
    let board = session.board();
    let judged_twice = |index: Index| {
        examination.is_none_or(|found| {
            found.faults.iter().any(|fault| {
                fault.accused == index && fault.kind == FaultKind::Equivocation(Round::Confirm)
            })
        })
    };
    plan.roster()
        .iter()
        .map(|operator| {
            let index = operator.index;
            let confirms = board.confirms(index).count();
            let abandons = board.abandons(index).count();
            OperatorRow {
                index,
                name: operator.card.name().clone(),
                rounds: match plan.kind() {
                    PlanKind::Keygen => Rounds::Keygen {
                        deal: count(board.deals(index).count()),
                        confirm: match (confirms, abandons) {
                            (0, 0) => Said::No,
                            (0, _) => Said::Abandoned,
                            (1, 0) => Said::Yes,
                            (_, 0) if !judged_twice(index) => Said::Yes,
                            _ => Said::Twice,
                        },
                    },
                    PlanKind::Sign => Rounds::Sign {
                        partial: count(board.partials(index).count()),
                    },
                },
                complaints: board
                    .complaints()
                    .filter(|entry| entry.sender == index)
                    .count(),
                own: me == Some(index),
            }
        })
        .collect()
}

const fn count(messages: usize) -> Said {
    match messages {
        0 => Said::No,
        1 => Said::Yes,
        _ => Said::Twice,
    }
}

/// A board that takes everything in and gives nothing away.
struct Onlooker<'s, 'p> {
    session: &'s mut Session<'p>,
    there: &'s mut BTreeSet<Digest>,
    number: usize,
    here: &'s BTreeSet<Digest>,
    came: &'s mut BTreeMap<Digest, CameMessage>,
}

impl LocalBoard for Onlooker<'_, '_> {
    fn messages(&self) -> Result<Vec<Labelled>, BoardError> {
        Ok(Vec::new())
    }

    fn read(&self, label: &str) -> Result<Vec<u8>, BoardError> {
        Err(BoardError(format!("{label} is not here")))
    }

    fn offer(&mut self, bytes: Vec<u8>, source: &str) -> Result<Offered, BoardError> {
        let message = match self.session.read(&bytes) {
            Ok(message) => message,
            Err(reason) => return Ok(Offered::Noise(reason)),
        };
        let hash = message.message_hash();
        // What is here came to this home in its own way; what another courier brought came so first.
        if !self.here.contains(&hash) && !self.there.contains(&hash) {
            self.came.insert(hash, CameMessage::of(&message));
        }
        self.there.insert(hash);
        let id = format!("{}:{source}", self.number);
        Ok(match self.session.place_beyond(&message, &id) {
            Registered::Known => Offered::Known,
            _ => Offered::New,
        })
    }
}

/// The messages of home and couriers, by the ids that they were placed under.
struct Found<'a> {
    home: Option<&'a BoardFolder>,
    couriers: &'a [Box<dyn Courier>],
}

impl Messages for Found<'_> {
    fn load(&self, id: &str) -> Result<Vec<u8>, MessagesError> {
        let unknown = || MessagesError(format!("{id} is not there"));
        let (place, name) = id.split_once(':').ok_or_else(unknown)?;
        if let Ok(number) = place.parse::<usize>() {
            let courier = self.couriers.get(number).ok_or_else(unknown)?;
            return courier
                .read(name)
                .map_err(|error| MessagesError(error.to_string()));
        }
        self.home
            .ok_or_else(unknown)?
            .read(name)
            .map_err(|error| MessagesError(error.to_string()))
    }
}
