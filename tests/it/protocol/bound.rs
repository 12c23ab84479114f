//! What each message is bound to: the plan's ceremony, its sender, and nothing but the fields that it
//! has. Made and checked by the same code, so that only the binding can tell the difference.

use conclave::crypto::sharing::Sharing;
use conclave::hash::Digest;
use conclave::json;
use conclave::protocol::Params;
use conclave::protocol::complaint::{self, ComplaintPayload, FalseComplaint, Judgement};
use conclave::protocol::confirm::{self, BadPartial, ConfirmPayload, SeenDeal};
use conclave::protocol::deal::{self, DealFault, DealPayload};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::harness::maths::Table;
use crate::protocol::deal_hash;

fn table() -> Table {
    Table::new(&[1, 2, 5, 9], 3, 2)
}

fn other_ceremony(params: &Params) -> Params {
    Params {
        cid: Digest::from_bytes([0xc2; 32]),
        ..params.clone()
    }
}

#[test]
fn a_deal_serves_one_dealer_of_one_ceremony() {
    let table = table();
    let params = &table.params;
    let deal = deal::make(params, 1, &table.secrets[1]).unwrap();
    assert!(deal::check(params, 1, &deal).is_ok());
    assert_eq!(deal::check(params, 0, &deal).err(), Some(DealFault::Proof));
    let elsewhere = deal::check(&other_ceremony(params), 1, &deal);
    assert_eq!(elsewhere.err(), Some(DealFault::Proof));
}

#[test]
fn a_complaint_serves_one_complainer_about_one_deal_of_one_ceremony() {
    let table = table();
    let params = &table.params;
    let payload = deal::make(params, 1, &table.secrets[1]).unwrap();
    let deal = deal::check(params, 1, &payload).unwrap();
    let hash = deal_hash(&payload);
    let complaint = |params: &Params, hash: &Digest| {
        let (key, secret) = (&table.encryption[2], &table.secrets[2]);
        complaint::make(params, 2, key, secret, &deal, hash).unwrap()
    };
    let judge =
        |payload: &ComplaintPayload| complaint::judge(params, 2, &deal, &hash, payload).unwrap();
    let own = complaint(params, &hash);
    let right = Judgement::Complainer(FalseComplaint::SharesAreRight);
    let wrong = Judgement::Complainer(FalseComplaint::Proof);
    assert_eq!(judge(&own), right);
    assert_eq!(judge(&complaint(&other_ceremony(params), &hash)), wrong);
    let other_deal = Digest::from_bytes([5; 32]);
    assert_eq!(judge(&complaint(params, &other_deal)), wrong);
    // Two operators whose places are exchanged: everything but an index is the same.
    for who in [1, 2] {
        let mut moved = params.clone();
        moved.operators[who].index = 7;
        assert_eq!(judge(&complaint(&moved, &hash)), wrong);
    }
}

#[test]
fn the_transcript_covers_ceremony_deals_group_keys_and_public_shares() {
    let table = table();
    let payloads = table.deals();
    let hashes: Vec<Digest> = payloads.iter().map(deal_hash).collect();
    let sharing = table.sharing(&table.check(&payloads));
    let transcript = deal::transcript(&table.params.cid, &hashes, &sharing);
    let mut others = vec![deal::transcript(
        &other_ceremony(&table.params).cid,
        &hashes,
        &sharing,
    )];
    for position in 0..hashes.len() {
        let mut changed = hashes.clone();
        changed[position] = Digest::from_bytes([5; 32]);
        others.push(deal::transcript(&table.params.cid, &changed, &sharing));
    }
    let mut swapped = hashes.clone();
    swapped.swap(0, 1);
    others.push(deal::transcript(&table.params.cid, &swapped, &sharing));
    // Other indices: the same group keys and other public shares. Another threshold over the same
    // coefficients, whose polynomials begin elsewhere: other group keys.
    let coefficients = sharing.coefficients().to_vec();
    let with = |threshold, indices| {
        let coefficients = coefficients.clone();
        let sharing = Sharing::from_polynomials(threshold, indices, coefficients).unwrap();
        deal::transcript(&table.params.cid, &hashes, &sharing)
    };
    assert_eq!(with(3, table.params.indices()), transcript);
    others.push(with(3, vec![1, 2, 5, 10]));
    others.push(with(3, vec![1, 2, 5]));
    others.push(with(2, table.params.indices()));
    others.push(transcript);
    // f(1) is the sum of the coefficients: exchanged, they leave that share and change the group key.
    for swap in [(0, 0), (0, 1)] {
        let mut coefficients = sharing.coefficients().to_vec();
        coefficients.swap(swap.0, swap.1);
        let sharing = Sharing::from_polynomials(3, vec![1], coefficients).unwrap();
        others.push(deal::transcript(&table.params.cid, &hashes, &sharing));
    }
    let count = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), count);
}

#[test]
fn partials_are_checked_while_others_are_awaited() {
    let table = Table::new(&[1, 2, 3, 4], 3, 4);
    let deals = table.check(&table.deals());
    let sharing = table.sharing(&deals);
    let mut partials = table.partials(&deals);
    let some = |partials: &[confirm::Partials]| {
        let some: Vec<_> = [3, 1].map(|who| (who, partials[who].clone())).to_vec();
        confirm::check(&sharing, &table.messages, &some, &[6; 32]).unwrap()
    };
    assert_eq!(some(&partials), []);
    let none: [(usize, confirm::Partials); 0] = [];
    assert_eq!(
        confirm::check(&sharing, &table.messages, &none, &[6; 32]),
        Ok(Vec::new())
    );
    partials[3][3].swap(0, 1);
    partials[0][0][0] = partials[1][0][0];
    assert_eq!(
        some(&partials),
        [BadPartial {
            operator: 3,
            validator: 3,
            message: 0
        }]
    );
}

/// Adds a field to each object in turn, and takes each field away, at every depth.
#[track_caller]
fn has_exactly_its_fields<T: Serialize + DeserializeOwned>(payload: &T) -> usize {
    let value = json::to_value(payload).unwrap();
    assert!(json::decode::<T>(&value).is_ok());
    let mut pointers = vec![String::new()];
    let mut objects = 0;
    while let Some(pointer) = pointers.pop() {
        match value.pointer(&pointer).unwrap() {
            Value::Object(fields) => {
                objects += 1;
                let mut more = value.clone();
                more.pointer_mut(&pointer).unwrap()["extra"] = json!(1);
                let why = json::decode::<T>(&more).err().unwrap().to_string();
                assert!(why.contains("unknown field `extra`"), "{pointer}: {why}");
                for field in fields.keys() {
                    let mut less = value.clone();
                    let object = less.pointer_mut(&pointer).unwrap();
                    object.as_object_mut().unwrap().remove(field);
                    let why = json::decode::<T>(&less).err().unwrap().to_string();
                    assert!(why.contains(&format!("missing field `{field}`")), "{why}");
                    pointers.push(format!("{pointer}/{field}"));
                }
            }
            Value::Array(_) => pointers.push(format!("{pointer}/0")),
            _ => {}
        }
    }
    objects
}

#[test]
fn fields_are_exactly_those_of_a_payload() {
    let table = table();
    let deals = table.deals();
    let checked = table.check(&deals);
    assert_eq!(has_exactly_its_fields::<DealPayload>(&deals[0]), 2);
    let (key, secret) = (&table.encryption[2], &table.secrets[2]);
    let hash = deal_hash(&deals[1]);
    let complaint = complaint::make(&table.params, 2, key, secret, &checked[1], &hash).unwrap();
    assert_eq!(has_exactly_its_fields::<ComplaintPayload>(&complaint), 2);
    let seen = SeenDeal {
        payload: hash,
        signature: json::Hex([2; 64]),
    };
    let confirm = confirm::make(hash, vec![seen; 4], &table.partials(&checked)[0]);
    assert_eq!(has_exactly_its_fields::<ConfirmPayload>(&confirm), 2);
}
