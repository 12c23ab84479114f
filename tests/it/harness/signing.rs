//! A signing ceremony among operators of this process, after a keygen that was played to its end.

use conclave::ceremony::Unobserved;
use conclave::ceremony::plan::{
    ClusterRef, Plan, Registration, SignDraft, SignMessage, SignObject,
};
use conclave::ceremony::session::{Registered, Session, label};
use conclave::ceremony::step::{Memory, SessionError, Step};
use conclave::crypto::scalar::Scalar;
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::network::Network;
use conclave::ethereum::withdrawal::CredentialsKind;
use conclave::hash::Digest;
use conclave::json::Text;
use conclave::protocol::partial::{self, PartialPayload};
use conclave::wire::envelope::{Envelope, Kind, Place};

use super::ceremony::{Board, CREATED, Ceremony, ETH, keygen};

/// A cluster with a signing plan.
pub(crate) struct Signing {
    /// The keygen that made the keys.
    pub(crate) cluster: Ceremony,
    /// What is to be signed.
    pub(crate) plan: Plan,
}

/// One message of each kind, by two of three keys, and a second exit.
pub(crate) fn messages() -> Vec<SignMessage> {
    let message = |key, object| SignMessage { key, object };
    let exit = |epoch, validator_index| SignObject::Exit {
        epoch,
        validator_index,
    };
    vec![
        message(1, exit(350_000, 1_234_567)),
        message(0, exit(350_001, 7)),
        message(
            0,
            SignObject::BlsChange {
                validator_index: 7,
                to_execution_address: Address([0xad; 20]),
            },
        ),
        message(
            1,
            SignObject::Registration(Registration {
                fee_recipient: Address([0xfe; 20]),
                gas_limit: 45_000_000,
                timestamp: CREATED,
            }),
        ),
        message(
            0,
            SignObject::Deposit {
                withdrawal_address: Address([0xa1; 20]),
                credentials: CredentialsKind::Eth1,
                amount: Gwei(ETH),
            },
        ),
    ]
}

/// The draft of a plan by the keys at positions 0 and 2 of a cluster.
pub(crate) fn draft(cluster: &Ceremony) -> SignDraft {
    let polynomials: Vec<_> = cluster.outcome.sharing().polynomials().collect();
    SignDraft {
        name: Text::try_from("Leaving".to_owned()).unwrap(),
        created: CREATED,
        network: cluster.plan.network().clone(),
        threshold: cluster.plan.threshold() as u64,
        roster: cluster
            .plan
            .roster()
            .iter()
            .map(|operator| (operator.index, operator.card.clone()))
            .collect(),
        cluster: ClusterRef {
            cid: *cluster.plan.cid(),
            outcome: cluster.outcome.hash().unwrap(),
        },
        keys: [0, 2]
            .map(|position| (position, polynomials[position].to_vec()))
            .to_vec(),
        messages: messages(),
        random: [9; 32],
    }
}

impl Signing {
    /// A cluster of n, and its plan.
    pub(crate) fn of(n: u64) -> Self {
        let cluster = keygen(n, &Network::known("hoodi").unwrap().spec());
        let plan = Plan::draft_sign(draft(&cluster)).unwrap();
        Self { cluster, plan }
    }

    /// The same cluster with another plan.
    pub(crate) fn with(n: u64, change: impl FnOnce(&mut SignDraft)) -> Self {
        let mut signing = Self::of(n);
        let mut draft = draft(&signing.cluster);
        change(&mut draft);
        signing.plan = Plan::draft_sign(draft).unwrap();
        signing
    }

    /// What the home of an operator remembers before it signed.
    pub(crate) fn memory(&self, position: usize) -> Memory {
        let own = self.cluster.shares(position);
        Memory {
            shares: Some(conclave::ceremony::shares::OwnShares {
                cid: own.cid,
                index: own.index,
                transcript: own.transcript,
                deals: own.deals.clone(),
                sharing: own.sharing.clone(),
                shares: own.shares.iter().map(Scalar::duplicate).collect(),
            }),
            ..Memory::default()
        }
    }

    /// What an operator is told to do over a board.
    pub(crate) fn next(&self, position: usize, board: &Board) -> Result<Step, SessionError> {
        self.next_with(position, board, &self.memory(position))
    }

    /// The same with another memory.
    pub(crate) fn next_with(
        &self,
        position: usize,
        board: &Board,
        memory: &Memory,
    ) -> Result<Step, SessionError> {
        let me = &self.cluster.players[position].me;
        self.session(board)
            .next(me, memory, board, &Unobserved, &[3; 32])
    }

    /// A session over a board.
    pub(crate) fn session(&self, board: &Board) -> Session<'_> {
        board.session(&self.plan)
    }

    /// The honest partial of an operator, made over an empty board.
    pub(crate) fn partial(&self, position: usize) -> Envelope {
        match self.next(position, &Board::default()).unwrap() {
            Step::Send(mut envelopes) => envelopes.remove(0),
            other => panic!("{other:?}"),
        }
    }

    /// The signatures of an operator's honest partial, as it sends them.
    pub(crate) fn payload(&self, position: usize) -> PartialPayload {
        let plan = self.plan.sign().unwrap();
        let own = self.cluster.shares(position);
        let shares: Vec<&Scalar> = plan
            .messages()
            .iter()
            .map(|message| &own.shares[plan.positions()[message.key]])
            .collect();
        partial::make(&partial::sign(&shares, plan.roots()).unwrap())
    }

    /// Signs any payload as an operator's partial.
    pub(crate) fn signed(&self, position: usize, payload: &PartialPayload) -> Envelope {
        let identity = &self.cluster.players[position].me.identity;
        let cid: Digest = *self.plan.cid();
        Envelope::sign(identity, cid, Kind::Partial, Place::Partial, payload).unwrap()
    }

    /// A board with these messages.
    pub(crate) fn board(&self, envelopes: &[Envelope]) -> Board {
        let mut board = Board::default();
        for envelope in envelopes {
            self.put(&mut board, envelope);
        }
        board
    }

    /// Puts a message on a board.
    pub(crate) fn put(&self, board: &mut Board, envelope: &Envelope) -> String {
        let session = Session::new(&self.plan);
        let message = session.read(envelope.bytes()).unwrap();
        let mut name = label(&self.plan, &message);
        while board.0.contains_key(&name) {
            name.insert_str(0, "again-");
        }
        board.0.insert(name.clone(), envelope.bytes().to_vec());
        name
    }

    /// What a session says to bytes.
    pub(crate) fn offered(&self, bytes: &[u8]) -> Registered {
        Session::new(&self.plan).register(bytes, "offered")
    }
}
