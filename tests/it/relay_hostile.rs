//! A relay that lies, breaks, hides and hangs: never a wrong outcome, never a lost share, and named
//! where it can be; and what a relay that only looks gets to see.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use conclave::courier::folder::FolderCourier;
use conclave::courier::relay::{Patience, RelayCourier, Shelf};
use conclave::courier::seated::Known;
use conclave::courier::{Courier, CourierError};
use conclave::crypto::identity::IdentityKey;
use conclave::driver::{DriverError, Ran, Standing};
use conclave::json::{decode_hex, encode_hex};
use conclave::relay::address::Refusal;
use conclave::store::disk::RealDisk;
use conclave::store::home::Home;

use crate::harness::disk::every_file;
use crate::harness::homes::{Group, NAMES};
use crate::harness::hostile::{Hostile, Mischief};

const N: usize = 3;

/// Operators over a relay that may be anything.
struct Play {
    group: Group,
    homes: Vec<Home>,
    couriers: Vec<Vec<Box<dyn Courier>>>,
    relay: Hostile,
    _place: tempfile::TempDir,
}

fn impatient() -> Patience {
    Patience {
        connect: Duration::from_secs(5),
        answer: Duration::from_millis(500),
        again: [Duration::from_millis(1), Duration::from_millis(2)],
    }
}

impl Play {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let group = Group::new(place.path(), N, 1);
        let relay = Hostile::start();
        let disk = Arc::new(RealDisk);
        let homes = group
            .members
            .iter()
            .map(|member| member.open(disk.clone()).unwrap());
        let couriers = NAMES.iter().take(N).map(|name| {
            let relay = RelayCourier::with_patience(&relay.view(name), impatient());
            vec![Box::new(relay.unwrap()) as Box<dyn Courier>]
        });
        Self {
            homes: homes.collect(),
            couriers: couriers.collect(),
            group,
            relay,
            _place: place,
        }
    }

    /// Gives everyone a stick beside the relay.
    fn with_stick(mut self) -> Self {
        for couriers in &mut self.couriers {
            let folder = FolderCourier::new(Arc::new(RealDisk), &self.group.stick);
            couriers.push(Box::new(folder));
        }
        self
    }

    fn run(&mut self, operator: usize) -> Result<Ran, CourierError> {
        let ran = self
            .group
            .run_with(&self.homes[operator], &mut self.couriers[operator]);
        ran.map_err(|error| match error {
            DriverError::Courier(error) => error,
            error => panic!("{error}"),
        })
    }

    /// Everyone's turn, so many times; returns what was said of the relay, and the outcomes.
    fn rounds(&mut self, count: usize) -> (String, Vec<Option<Vec<u8>>>) {
        let mut said = String::new();
        let mut outcomes = vec![None; N];
        for _ in 0..count {
            for (operator, complete) in outcomes.iter_mut().enumerate() {
                match self.run(operator) {
                    Err(error) => said.push_str(&format!("{error}\n")),
                    Ok(ran) => {
                        for note in ran.moved.refused.iter().chain(&ran.moved.left) {
                            said.push_str(&format!("{note}\n"));
                        }
                        for error in &ran.undelivered {
                            said.push_str(&format!("{error}\n"));
                        }
                        match ran.standing {
                            Standing::Complete { outcome, faults } => {
                                assert!(faults.is_empty(), "{faults:?}");
                                *complete = Some(outcome.to_bytes().unwrap());
                            }
                            Standing::Waiting { .. }
                            | Standing::AwaitingBackup
                            | Standing::AwaitingPartials(..) => {}
                            Standing::Stopped(stop) => panic!("{stop:?}"),
                        }
                    }
                }
            }
        }
        (said, outcomes)
    }

    /// Everyone has one outcome, and the shares for it.
    #[track_caller]
    fn assert_complete(&self, what: &str, outcomes: &[Option<Vec<u8>>], said: &str) {
        let first = outcomes[0].as_ref();
        assert!(first.is_some(), "{what}: {said}");
        assert!(
            outcomes.iter().all(|outcome| outcome.as_ref() == first),
            "{what}: {said}"
        );
        for home in &self.homes {
            let seat = conclave::store::seat::Seat::open(home, &self.group.plan).unwrap();
            assert!(seat.shares().is_some(), "{what}");
        }
    }
}

/// Every mischief, with a word of what is said of it.
const MISCHIEF: &[(Mischief, &str)] = &[
    (Mischief::Honest, ""),
    (
        Mischief::DropWrites,
        "does not have it; this is the relay's doing",
    ),
    (
        Mischief::Hide,
        "does not show them; they are sent again; this is the relay's doing",
    ),
    (Mischief::Late, ""),
    (Mischief::Reorder, ""),
    (
        Mischief::Stale,
        "does not show them; they are sent again; this is the relay's doing",
    ),
    (
        Mischief::Replay,
        "is not signed by the write key of its place; this is the relay's doing",
    ),
    (Mischief::Corrupt, "not signed"),
    (Mischief::Truncate, "not signed"),
    (Mischief::Squat, "this is the relay's doing"),
    (
        Mischief::SquatNothing,
        "is taken, and nothing stands there; this is the relay's doing",
    ),
    (Mischief::Split, ""),
    (Mischief::Fail(500), "HTTP 500"),
    (Mischief::Fail(404), "not in a relay's words"),
    (Mischief::Hang, "no answer in time"),
    (Mischief::EndlessList, "sent more than"),
    (Mischief::EndlessEntry, "sent more than"),
    (Mischief::Garbage, "gave a list that"),
    (
        Mischief::Strangers,
        "lists entries of keys that are not in the plan",
    ),
    (Mischief::Flood, "lists more entries than any ceremony has"),
    (Mischief::Vanish, "this is the relay's doing"),
    (Mischief::Deny, "it refused: not for you (token)"),
    (Mischief::Redirect, "sends elsewhere"),
    (Mischief::Forget, "it refused: no such shelf (no-shelf)"),
    (
        Mischief::Refuse(Refusal::ShelfFull),
        "it refused: because (shelf-full)",
    ),
    (
        Mischief::Refuse(Refusal::Token),
        "it refused: because (token)",
    ),
    (
        Mischief::Refuse(Refusal::Closed),
        "if this one is not, this is the relay's doing",
    ),
    (Mischief::Escapes, "cleared"),
];

/// Whatever it does, it cannot finish a ceremony wrongly, and once it is honest the same homes go on
/// from where they are.
#[test]
fn no_mischief_makes_a_wrong_outcome_or_loses_anything() {
    for (mischief, word) in MISCHIEF {
        let mut play = Play::new();
        // From the start, or when the deals are on the way.
        for honest_before in [false, true] {
            if honest_before {
                play = Play::new();
                play.run(0).unwrap();
                play.run(1).unwrap();
            }
            play.relay.does(*mischief);
            let (said, _) = play.rounds(if *mischief == Mischief::Hang { 1 } else { 2 });
            if honest_before {
                assert!(said.contains(word), "{mischief:?}: {word}: {said}");
            }
            assert!(!said.contains('\u{1b}'), "{said:?}");
            play.relay.does(Mischief::Honest);
            let (said, outcomes) = play.rounds(3);
            play.assert_complete(&format!("{mischief:?}"), &outcomes, &said);
        }
    }
}

/// A second courier carries the ceremony through, whatever the first one does. A place that somebody
/// holds against its owner is one of these cases.
#[test]
fn a_ceremony_with_another_courier_does_not_need_the_relay() {
    for (mischief, _) in MISCHIEF {
        let mut play = Play::new().with_stick();
        play.relay.does(*mischief);
        let (said, outcomes) = play.rounds(3);
        play.assert_complete(&format!("{mischief:?}"), &outcomes, &said);
    }
}

/// Two operators are shown one shelf, the third another: nobody can tell, and nobody is fooled.
#[test]
fn a_split_view_only_makes_everybody_wait() {
    let mut play = Play::new();
    play.relay.does_to("carol", Mischief::Split);
    let (said, outcomes) = play.rounds(3);
    assert_eq!(outcomes, vec![None; N], "{said}");
    for operator in 0..N {
        let Standing::Waiting { deals, .. } = play.run(operator).unwrap().standing else {
            panic!("nobody can be complete");
        };
        assert_eq!(deals.len(), if operator == 2 { 2 } else { 1 });
    }
    // One of them has the other's messages from elsewhere: through it both halves meet.
    let mut play = play.with_stick();
    let (said, outcomes) = play.rounds(3);
    play.assert_complete("split", &outcomes, &said);
}

/// A list of made-up entries costs a bounded number of requests.
#[test]
fn a_flood_of_entries_ends() {
    let mut play = Play::new();
    play.run(0).unwrap();
    play.relay.does(Mischief::Flood);
    let before = play.relay.requests();
    let _ = play.run(1);
    let asked = play.relay.requests() - before;
    assert!(asked < 2 * 64 + 40, "{asked}");
}

impl Play {
    /// Puts a blob on the shelf with an operator's own key: sealed under the plan, or as it is.
    fn put_as(&self, operator: usize, name: &str, message: &[u8], sealed: bool) {
        let plan = &self.group.plan;
        let known = Known::looked_at(plan);
        let shelf = Shelf::of(plan.cid(), &known.ceremony().meeting).unwrap();
        let card = &self.group.members[operator].card;
        let seed = self.homes[operator].identity_seed().unwrap();
        let key = IdentityKey::from_seed(&seed).relay_write_key(&card.encryption_key().to_bytes());
        let place = shelf.own(key.public(), name);
        let blob = match sealed {
            true => shelf.seal(&place, message).unwrap(),
            false => message.to_vec(),
        };
        let url = format!("{}{}", self.relay.view("eve"), place.path());
        let entry = place.entry(&key, &blob);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let sent = async { reqwest::Client::new().put(url).body(entry).send().await };
        assert_eq!(runtime.block_on(sent).unwrap().status(), 201);
    }
}

/// A copy of a home said something else first: nothing is sent over it, and it is no relay's doing.
#[test]
fn another_message_under_the_own_key_ends_the_run() {
    let mut play = Play::new();
    play.run(1).unwrap();
    play.put_as(0, "1-deal-1-alice.json", b"another deal", true);
    let error = play.run(0).unwrap_err();
    let CourierError::SaidDifferently { label, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(label, "1-deal-1-alice.json");
    assert!(!error.passes());
    assert!(!error.to_string().contains("relay's doing"), "{error}");
}

/// What an operator puts there that is no message is told as its doing, and holds nobody up.
#[test]
fn rubbish_of_an_operator_is_told_as_its_doing() {
    let mut play = Play::new();
    play.run(0).unwrap();
    play.put_as(1, "rubbish", b"not sealed at all", false);
    play.put_as(1, "more", b"sealed, and no message", true);
    let ran = play.run(0).unwrap();
    let said = ran.moved.refused.join("\n");
    assert!(
        said.contains("bob (2) put there is not sealed under this plan"),
        "{said}"
    );
    assert!(said.contains("it is this operator's doing"), "{said}");
    assert!(said.contains("what bob (2) put there: "), "{said}");
    assert!(ran.moved.left.is_empty(), "{:?}", ran.moved.left);
    let (said, outcomes) = play.rounds(3);
    play.assert_complete("rubbish", &outcomes, &said);
}

/// Everything again finds everything there.
#[test]
fn a_retry_changes_nothing_on_the_relay() {
    let mut play = Play::new();
    play.rounds(3);
    let entries = play.relay.entries();
    assert_eq!(entries, 2 * N);
    // New couriers know nothing of what was sent; the homes do.
    for (operator, name) in NAMES.iter().take(N).enumerate() {
        let relay = RelayCourier::with_patience(&play.relay.view(name), impatient()).unwrap();
        let mut couriers: Vec<Box<dyn Courier>> = vec![Box::new(relay)];
        let ran = play
            .group
            .run_with(&play.homes[operator], &mut couriers)
            .unwrap();
        assert_eq!((ran.moved.sent, ran.moved.received), (0, 0));
        assert!(ran.moved.left.is_empty(), "{:?}", ran.moved.left);
    }
    assert_eq!(play.relay.entries(), entries);
}

/// The whole traffic of a ceremony, headers and all, against everything that the relay has no
/// business to know.
#[test]
fn a_relay_learns_write_keys_sizes_and_times_alone() {
    let mut play = Play::new();
    let (said, outcomes) = play.rounds(3);
    play.assert_complete("secrecy", &outcomes, &said);
    let plan = &play.group.plan;
    let known = Known::looked_at(plan);
    let shelf = Shelf::of(plan.cid(), &known.ceremony().meeting).unwrap();
    // What it is given on purpose: write keys, a salt, the hash of a token.
    let manifest = String::from_utf8_lossy(shelf.manifest().bytes()).into_owned();
    let traffic = String::from_utf8_lossy(&play.relay.traffic()).to_ascii_lowercase();
    assert!(traffic.contains(&manifest));
    let lower = play
        .relay
        .traffic_without(manifest.as_bytes())
        .to_ascii_lowercase();
    let holds = |needle: &[u8]| lower.windows(needle.len()).any(|window| window == needle);

    // The search finds what is there: the write keys.
    let keys: Vec<String> = plan
        .roster()
        .iter()
        .map(|operator| operator.card.relay_key().to_string())
        .collect();
    assert!(keys.iter().all(|key| holds(key.as_bytes())));

    let mut secret: Vec<(String, Vec<u8>)> = Vec::new();
    let mut text = |what: &str, value: &str| {
        secret.push((what.to_owned(), value.to_ascii_lowercase().into_bytes()));
        let mut raw = vec![0; value.len() / 2];
        if value.len() >= 16 && decode_hex(value, &mut raw).is_some() {
            secret.push((format!("{what}, raw"), raw.to_ascii_lowercase()));
        }
    };
    text("the ceremony's id", &plan.cid().to_string());
    text("the short id", &plan.cid().short());
    text("the ceremony's name", plan.name().as_str());
    text("the file stem", &plan.name().file_stem());
    text("the random bytes", &encode_hex(plan.random()));
    text("a withdrawal address", &"11".repeat(20));
    text("the network", "hoodi");
    for operator in plan.roster().iter() {
        let card = &operator.card;
        text("an identity", &card.identity().to_string());
        text(
            "an identity's bytes",
            &encode_hex(card.identity().as_bytes()),
        );
        text(
            "an encryption key",
            &encode_hex(&card.encryption_key().to_bytes()),
        );
    }
    // The operators' names are short: as whole words, for random bytes may spell them.
    for name in NAMES.iter().take(N) {
        for around in ["\"", " ", "-", ".", ":", "="] {
            text("a name", &format!("{around}{name}{around}"));
        }
        text("a label", &format!("1-deal-1-{name}"));
    }
    for (what, needle) in &secret {
        assert!(!holds(needle), "{what} reached the relay");
    }
    // No piece of the plan either, of whatever kind, but the write keys.
    let mut pieces = String::from_utf8(plan.bytes().to_vec()).unwrap();
    for key in &keys {
        pieces = pieces.replace(key.as_str(), "\n");
    }
    for piece in pieces.split('\n') {
        for window in piece.to_ascii_lowercase().as_bytes().windows(12) {
            assert!(
                !holds(window),
                "of the plan: {}",
                String::from_utf8_lossy(window)
            );
        }
    }
    // Nor of any message: they are on the homes' boards.
    for (file, message) in every_file(&play.group.members[0].root) {
        if !in_board(&file) {
            continue;
        }
        let message = message.to_ascii_lowercase();
        for window in message.chunks(24).filter(|window| window.len() == 24) {
            let text = String::from_utf8_lossy(window).into_owned();
            let of_keys = keys.iter().any(|key| key.contains(&text));
            assert!(of_keys || !holds(window), "of {}: {text}", file.display());
        }
    }
}

fn in_board(file: &Path) -> bool {
    file.parent()
        .is_some_and(|parent| parent.ends_with("board"))
}
