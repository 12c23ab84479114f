//! Signing: lists of what is to be signed, what an operator sends of it, and files that anyone signed.

use std::sync::OnceLock;

use conclave::ceremony::Unobserved;
use conclave::ceremony::session::Session;
use conclave::cli::validators_csv::messages;
use conclave::crypto::point::G1;
use conclave::ethereum::network::Network;
use conclave::ethereum::signed::{SignedFile, check_changes, check_exits, check_registrations};
use conclave::json;
use conclave::wire::envelope::{Envelope, Kind, Place};

use super::{listed, said};
use crate::harness::ceremony::Board;
use crate::harness::signing::Signing;

/// Two operators with a plan of five messages.
fn stage() -> &'static Signing {
    static STAGE: OnceLock<Signing> = OnceLock::new();
    STAGE.get_or_init(|| Signing::of(2))
}

/// What the first operator honestly sends, as a seed.
pub(crate) fn honest() -> Vec<u8> {
    json::canonical(&stage().payload(0)).unwrap()
}

/// The plan, as a seed.
pub(crate) fn plan() -> Vec<u8> {
    stage().plan.bytes().to_vec()
}

/// Any payload, signed by the first operator: it is what it honestly says, or its fault.
pub(crate) fn partial(bytes: &[u8]) {
    let Ok(value) = json::parse(bytes, 1 << 20) else {
        return;
    };
    let stage = stage();
    let identity = &stage.cluster.players[0].me.identity;
    let cid = *stage.plan.cid();
    let Ok(envelope) = Envelope::sign(identity, cid, Kind::Partial, Place::Partial, value) else {
        return;
    };
    let mut board = Board::default();
    board.0.insert("it".to_owned(), envelope.bytes().to_vec());
    let mut session = Session::new(&stage.plan);
    session.register(envelope.bytes(), "it");
    let found = session.examine(&board, &Unobserved).unwrap();
    let right = bytes == honest();
    assert_eq!(found.faults.is_empty(), right);
    for fault in found.faults {
        assert_eq!(fault.accused, stage.cluster.players[0].index);
        said(fault.kind);
    }
    let needed = found.awaited_partials.unwrap().needed;
    assert_eq!(needed, if right { 1 } else { 2 });
}

/// A list of messages: every row has cells of known columns alone.
pub(crate) fn list(bytes: &[u8]) {
    const COLUMNS: &[&str] = &["validator", "validator_index", "epoch"];
    match messages::parse(bytes, COLUMNS) {
        Ok(rows) => {
            assert!(!rows.is_empty());
            let ascending = rows.windows(2).all(|pair| pair[0].line < pair[1].line);
            assert!(ascending && rows[0].line > 1);
            for row in rows {
                assert!(row.cells.keys().all(|column| COLUMNS.contains(column)));
                assert!(row.cells.values().all(|cell| !cell.trim().is_empty()));
            }
        }
        Err(error) => listed(error),
    }
}

/// A file that anyone signed: it is read or refused, and nothing that nobody signed is valid.
pub(crate) fn signed(bytes: &[u8]) {
    let network = Network::known("hoodi").unwrap().spec();
    let file = match SignedFile::parse(bytes) {
        Ok(file) if file.count() > 64 => return,
        Ok(file) => file,
        Err(error) => return drop(said(error)),
    };
    let problems = match &file {
        SignedFile::Exits(exits) => {
            // One index has a known key, which signed nothing; no other key is tried.
            let index = exits.first().map(|exit| exit.message.validator_index);
            let known = index.map(|index| (index, G1::generator())).into_iter();
            let found = check_exits(exits, &known.collect(), &[], &network, &[1; 32]);
            let problems: Vec<_> = found.into_iter().filter_map(Result::err).collect();
            assert_eq!(problems.len(), exits.len());
            problems
        }
        SignedFile::BlsChanges(changes) => {
            let problems = check_changes(changes, &network, &[1; 32]);
            problems.into_iter().map(|(_, problem)| problem).collect()
        }
        SignedFile::Registrations(rows) => {
            let problems = check_registrations(rows, &network, &[1; 32]);
            problems.into_iter().map(|(_, problem)| problem).collect()
        }
        SignedFile::Deposits(_) => Vec::new(),
    };
    assert!(problems.len() <= file.count());
    problems.iter().for_each(|problem| drop(said(problem)));
}
