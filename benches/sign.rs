//! How long one operator takes to sign, combine, verify and write exits: `cargo bench --bench sign`.
//!
//! Three of four operators sign one exit for each of 10,000 validators (or as many as the argument
//! says). What is timed is all that one operator does with the library: the plan, read from its
//! bytes; its own partial; everybody's partials read, verified and combined; and the signatures
//! verified again and written, a file an exit, through to the device. Couriers are left out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::missing_docs_in_private_items,
    reason = "a benchmark may fail, count, read the clock and print"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use conclave::ambient::OsRandomness;
use conclave::artifacts::{self, Recorded, SignedRequest};
use conclave::ceremony::plan::{ClusterRef, Plan, SignDraft, SignMessage, SignObject};
use conclave::ceremony::session::Session;
use conclave::ceremony::shares::OwnShares;
use conclave::ceremony::step::{Me, Memory, Step};
use conclave::ceremony::{Messages, MessagesError, Unobserved};
use conclave::crypto::identity::IdentityKey;
use conclave::crypto::point::G1;
use conclave::crypto::polynomial::Polynomial;
use conclave::crypto::scalar::Scalar;
use conclave::crypto::sharing::Sharing;
use conclave::crypto::xof::Xof;
use conclave::ethereum::network::Network;
use conclave::hash::Digest;
use conclave::json::Text;
use conclave::secret::Secret;
use conclave::store::disk::{Disk, RealDisk};
use conclave::wire::card::VerifiedCard;
use conclave::wire::roster::Index;

const OPERATORS: u64 = 4;
const THRESHOLD: usize = 3;

struct Board(BTreeMap<String, Vec<u8>>);

impl Messages for Board {
    fn load(&self, id: &str) -> Result<Vec<u8>, MessagesError> {
        Ok(self.0[id].clone())
    }
}

fn timed<T>(what: &str, total: &mut f64, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    *total += seconds;
    println!("{what:40} {seconds:8.2} s");
    result
}

fn me(index: u64) -> Me {
    let byte = u8::try_from(index).unwrap();
    Me {
        identity: IdentityKey::from_seed(&Secret::new([byte; 32])),
        secret: None,
    }
}

fn main() {
    let count: usize = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(10_000);
    let mut stream = Xof::new(&[4; 32]);
    let polynomials: Vec<Polynomial> = (0..count)
        .map(|_| Polynomial::draw(&mut stream, THRESHOLD))
        .collect();
    let points: Vec<Vec<G1>> = polynomials.iter().map(|f| f.commit().unwrap()).collect();
    let cid = Digest::from_bytes([1; 32]);
    let draft = SignDraft {
        name: Text::try_from("Leaving".to_owned()).unwrap(),
        created: 1_790_000_000,
        network: Network::known("hoodi").unwrap().spec(),
        threshold: THRESHOLD as u64,
        roster: (1..=OPERATORS)
            .map(|index| {
                let name = Text::try_from(format!("operator {index}")).unwrap();
                let secret = Secret::new([u8::try_from(index).unwrap() ^ 0xaa; 32]);
                let card = VerifiedCard::make(&me(index).identity, name, &secret).unwrap();
                (Index::new(index).unwrap(), card)
            })
            .collect(),
        cluster: ClusterRef {
            cid,
            outcome: Digest::from_bytes([2; 32]),
        },
        keys: points.iter().cloned().enumerate().collect(),
        messages: (0..count)
            .map(|key| SignMessage {
                key,
                object: SignObject::Exit {
                    epoch: 350_000,
                    validator_index: 1_000_000 + key as u64,
                },
            })
            .collect(),
        random: [7; 32],
    };
    let bytes = Plan::draft_sign(draft).unwrap().bytes().to_vec();
    println!(
        "{count} exits, {THRESHOLD} of {OPERATORS}, plan of {} bytes",
        bytes.len()
    );

    let mut total = 0.0;
    let plan = timed("plan read and checked", &mut total, || {
        Plan::parse(&bytes).unwrap()
    });
    let indices: Vec<u64> = (1..=OPERATORS).collect();
    let sharing = Sharing::from_polynomials(THRESHOLD, indices, points.concat()).unwrap();
    let memory = |index: u64| Memory {
        shares: Some(OwnShares {
            cid,
            index,
            transcript: Digest::from_bytes([3; 32]),
            deals: Vec::new(),
            sharing: sharing.clone(),
            shares: polynomials
                .iter()
                .map(|f| f.evaluate(index))
                .collect::<Vec<Scalar>>(),
        }),
        ..Memory::default()
    };
    let mut board = Board(BTreeMap::new());
    let make = |index: u64| {
        let memory = memory(index);
        let session = Session::new(&plan);
        let nothing = Board(BTreeMap::new());
        move |total: &mut f64, what: &str| {
            let step = timed(what, total, || {
                session
                    .next(&me(index), &memory, &nothing, &Unobserved, &[9; 32])
                    .unwrap()
            });
            match step {
                Step::Send(mut envelopes) => envelopes.remove(0).bytes().to_vec(),
                other => panic!("{other:?}"),
            }
        }
    };
    board
        .0
        .insert("1".into(), make(1)(&mut total, "own partial signed"));
    let mut others = 0.0;
    for index in 2..=THRESHOLD as u64 {
        let bytes = make(index)(&mut others, "(another operator's partial)");
        board.0.insert(index.to_string(), bytes);
    }
    let outcome = timed("partials read, verified, combined", &mut total, || {
        let mut session = Session::new(&plan);
        for (id, bytes) in &board.0 {
            session.register(bytes, id);
        }
        let own = memory(1);
        match session
            .next(&me(1), &own, &board, &Unobserved, &[9; 32])
            .unwrap()
        {
            Step::Complete { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    });
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let list: Vec<(String, String)> = board
        .0
        .keys()
        .map(|id| (format!("partial-{id}"), id.clone()))
        .collect();
    timed("verified again, written, read back", &mut total, || {
        let request = SignedRequest {
            plan: plan.sign().unwrap(),
            outcome: outcome.sign().unwrap(),
            messages: Recorded {
                messages: &board,
                list: &list,
            },
            recipients: &[],
        };
        let directory = folder.path().join("signed");
        artifacts::write_signed(&disk, &directory, &request, &mut OsRandomness, &Unobserved)
            .unwrap();
    });
    println!("{:40} {total:8.2} s", "one operator, in all");
}
