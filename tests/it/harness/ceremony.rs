//! A keygen among operators of this process: a plan with a bit of everything, played to its end
//! through sessions, each operator with a board of its own.

use std::collections::BTreeMap;

use conclave::ceremony::outcome::{KeygenOutcome, Outcome};
use conclave::ceremony::plan::{Draft, Plan, Registration, Validator};
use conclave::ceremony::session::{Registered, Session, label};
use conclave::ceremony::shares::OwnShares;
use conclave::ceremony::step::{Me, Memory, Step};
use conclave::ceremony::{Messages, MessagesError, Unobserved};
use conclave::crypto::identity::IdentityKey;
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::keystore::KdfChoice;
use conclave::ethereum::network::{Network, NetworkSpec};
use conclave::ethereum::withdrawal::CredentialsKind;
use conclave::json::Text;
use conclave::secret::{Secret, Seed};
use conclave::wire::card::VerifiedCard;
use conclave::wire::code::Code;
use conclave::wire::roster::Index;

/// 1 ETH in Gwei.
pub(crate) const ETH: u64 = 1_000_000_000;

/// The plan's time.
pub(crate) const CREATED: u64 = 1_790_000_000;

/// An operator of this process.
pub(crate) struct Player {
    /// Its index.
    pub(crate) index: Index,
    /// Its secrets.
    pub(crate) me: Me,
    /// What its home would remember.
    pub(crate) memory: Memory,
}

/// A board in memory: label to bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(pub(crate) BTreeMap<String, Vec<u8>>);

/// A ceremony that was played to its end.
pub(crate) struct Ceremony {
    /// The plan.
    pub(crate) plan: Plan,
    /// Everything that was said.
    pub(crate) board: Board,
    /// The operators in roster order, with their shares in their memory.
    pub(crate) players: Vec<Player>,
    /// What it ended with.
    pub(crate) outcome: KeygenOutcome,
    /// Its plan code and outcome code.
    pub(crate) codes: (Code, Code),
}

impl Messages for Board {
    fn load(&self, id: &str) -> Result<Vec<u8>, MessagesError> {
        let bytes = self.0.get(id).cloned();
        bytes.ok_or_else(|| MessagesError(format!("{id} is not on the board")))
    }
}

impl Board {
    /// Label and id of every message.
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        self.0.keys().map(|id| (id.clone(), id.clone())).collect()
    }

    /// A session over this board.
    pub(crate) fn session<'p>(&self, plan: &'p Plan) -> Session<'p> {
        let mut session = Session::new(plan);
        for (id, bytes) in &self.0 {
            let registered = session.register(bytes, id);
            assert!(matches!(registered, Registered::New), "{registered:?}");
        }
        session
    }
}

impl Ceremony {
    /// The shares of the operator at a position of the roster.
    pub(crate) fn shares(&self, position: usize) -> &OwnShares {
        self.players[position].memory.shares.as_ref().unwrap()
    }
}

fn text(text: &str) -> Text {
    Text::try_from(text.to_owned()).unwrap()
}

/// Operators with these indices.
pub(crate) fn players(indices: &[u64]) -> Vec<Player> {
    indices
        .iter()
        .map(|number| {
            let byte = u8::try_from(number % 251).unwrap();
            let secret: Seed = Secret::new([byte ^ 0xaa; 32]);
            Player {
                index: Index::new(*number).unwrap(),
                me: Me {
                    identity: IdentityKey::from_seed(&Secret::new([byte; 32])),
                    secret: Some(secret),
                },
                memory: Memory::default(),
            }
        })
        .collect()
}

/// An operator's card.
pub(crate) fn card(player: &Player) -> VerifiedCard {
    let name = text(&format!("operator {}", player.index));
    VerifiedCard::make(
        &player.me.identity,
        name,
        player.me.secret.as_ref().unwrap(),
    )
    .unwrap()
}

/// Three validators: one deposit; two instalments and a registration; 0x02 with an odd amount and
/// the first one's amount again.
pub(crate) fn validators() -> Vec<Validator> {
    let validator = |byte, credentials, deposits: &[u64]| Validator {
        withdrawal_address: Address([byte; 20]),
        credentials,
        deposits: deposits.iter().copied().map(Gwei).collect(),
        registration: None,
    };
    let mut second = validator(0xb2, CredentialsKind::Eth1, &[ETH, 31 * ETH]);
    second.registration = Some(Registration {
        fee_recipient: Address([0xfe; 20]),
        gas_limit: 60_000_000,
        timestamp: CREATED,
    });
    vec![
        validator(0xa1, CredentialsKind::Eth1, &[32 * ETH]),
        second,
        validator(
            0xc3,
            CredentialsKind::Compounding,
            &[1000 * ETH + 1, 32 * ETH],
        ),
    ]
}

/// What a plan for these operators is made from: the default threshold, hoodi, [`validators`].
pub(crate) fn draft(players: &[Player]) -> Draft {
    Draft {
        name: text("Pool №1, east"),
        created: CREATED,
        network: Network::known("hoodi").unwrap().spec(),
        threshold: u64::try_from(players.len() * 2).unwrap().div_ceil(3),
        roster: players
            .iter()
            .map(|player| (player.index, card(player)))
            .collect(),
        validators: validators(),
        keystores: KdfChoice::Pbkdf2,
        backups: None,
        danger_low_threshold: false,
        random: [7; 32],
    }
}

/// [`play`] with operators 1 to n.
pub(crate) fn keygen(n: u64, network: &NetworkSpec) -> Ceremony {
    let players = players(&(1..=n).collect::<Vec<_>>());
    let draft = Draft {
        network: network.clone(),
        ..draft(&players)
    };
    play(draft, players)
}

/// Plays a keygen: round after round, every operator does what its session says and everybody hears
/// everything.
pub(crate) fn play(draft: Draft, mut players: Vec<Player>) -> Ceremony {
    let plan = Plan::draft(draft).unwrap();
    let mut board = Board::default();
    let mut outcomes: Vec<KeygenOutcome> = Vec::new();
    while outcomes.len() < players.len() {
        outcomes.clear();
        let before = board.0.len();
        for player in &mut players {
            if let Some(outcome) = turn(&plan, player, &mut board) {
                outcomes.push(outcome);
            }
        }
        let done = outcomes.len() == players.len();
        assert!(done || board.0.len() > before, "nobody has anything to say");
    }
    let outcome = outcomes.pop().unwrap();
    assert!(outcomes.iter().all(|other| *other == outcome));
    Ceremony {
        codes: outcome.codes().unwrap(),
        plan,
        board,
        players,
        outcome,
    }
}

/// Lets one operator do all that it can do now.
fn turn(plan: &Plan, player: &mut Player, board: &mut Board) -> Option<KeygenOutcome> {
    loop {
        let session = board.session(plan);
        let step = session
            .next(&player.me, &player.memory, board, &Unobserved, &[9; 32])
            .unwrap();
        match step {
            Step::Send(envelopes) => {
                for envelope in envelopes {
                    player.memory.own.insert(envelope.header().hash());
                    let message = board.session(plan).read(envelope.bytes()).unwrap();
                    let label = label(plan, &message);
                    board.0.insert(label, envelope.bytes().to_vec());
                }
            }
            Step::StoreShares(shares) => player.memory.shares = Some(*shares),
            Step::Complete { outcome, .. } => match *outcome {
                Outcome::Keygen(outcome) => return Some(outcome),
                Outcome::Sign(_) => panic!("a keygen ended with signatures"),
            },
            Step::Wait { .. } | Step::AwaitBackup | Step::AwaitPartials { .. } => return None,
            Step::Stop(stop) => panic!("the ceremony stops: {stop:?}"),
        }
    }
}
