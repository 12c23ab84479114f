use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::wire::roster::tests::{identity, index, roster};

const CID: Digest = Digest::from_bytes([0xc1; 32]);

fn complaint() -> Place {
    Place::Complaint {
        against: index(7),
        deal: Digest::from_bytes([0xde; 32]),
    }
}

fn deal() -> Envelope {
    let payload = json!({ "z": [1, 2], "a": "ü" });
    Envelope::sign(&identity(1), CID, Kind::Deal, Place::Deal, payload).unwrap()
}

fn value(envelope: &Envelope) -> Value {
    serde_json::from_slice(envelope.bytes()).unwrap()
}

fn parse(value: &Value) -> Result<Envelope, EnvelopeError> {
    Envelope::parse(&json::canonical_value(value).unwrap())
}

/// Parses the deal after a change; the header is not signed again.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Envelope, EnvelopeError> {
    let mut value = value(&deal());
    change(&mut value);
    parse(&value)
}

fn invalid(result: Result<Envelope, EnvelopeError>) -> String {
    match result.unwrap_err() {
        EnvelopeError::Json(JsonError::Invalid(why)) => why,
        other => panic!("another error: {other}"),
    }
}

/// The fast way reads what the slow way reads, and leaves it what is not as expected.
#[test]
fn one_pass_says_the_same_as_the_whole_value() {
    let deal = deal();
    let (scanned, read) = (
        Parts::scan(deal.bytes()).unwrap(),
        Parts::read(deal.bytes()).unwrap(),
    );
    assert_eq!(scanned.header, read.header);
    assert_eq!(scanned.payload, read.payload);
    assert_eq!(scanned.signature, read.signature);
    assert_eq!(scanned.tool, read.tool);
    let mut other = value(&deal);
    other["header"]["version"] = json!(2);
    assert!(Parts::scan(&json::canonical_value(&other).unwrap()).is_none());
    let long = json!({ "a": "x".repeat(MAX_ENVELOPE_BYTES) });
    let mut long_deal = value(&deal);
    long_deal["payload"] = long;
    assert!(Parts::scan(&json::canonical_value(&long_deal).unwrap()).is_none());
}

/// Pins the exact bytes, the payload hash, the message hash and the signature; computed apart in
/// Python from RFC 8032 and BIP-350.
#[test]
fn golden() {
    let deal = deal();
    assert_eq!(
        String::from_utf8(deal.bytes().to_vec()).unwrap(),
        concat!(
            r#"{"header":{"#,
            r#""cid":"c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1","#,
            r#""kind":"deal","#,
            r#""payload":"dc6a3679a86b524d5de6f48d94f6b262732eebe61448270efd91eed9f74df489","#,
            r#""place":{"round":"deal"},"#,
            r#""sender":"conclave132yw8ht5p8cetl2jmvknewjawt9xwzdlrk2pyxlnwjyqrdq0dawq2zwcgs","#,
            r#""version":1},"#,
            r#""payload":{"#,
            r#""a":"ü","#,
            r#""z":[1,2]},"#,
            r#""signature":"2d22e24b2b8bf915e20144b7eb39b1a8474f3abb46ae3eec85f52f5b87404ba89ebc1ff55bdf6a86184f61d007ea19974f8b9d4067984c87077796ed9592da0f","#,
            r#""tool":"conclave "#,
            env!("CARGO_PKG_VERSION"),
            r#""}"#,
        )
    );
    assert_eq!(
        deal.header().hash().to_string(),
        "e3ed125cb207b9d7dc89e0b73723d7fb71f66c2264533ec77c843b7a9217e649"
    );
    let complain =
        Envelope::sign(&identity(2), CID, Kind::Complain, complaint(), json!({})).unwrap();
    assert_eq!(
        String::from_utf8(complain.header().canonical.clone()).unwrap(),
        concat!(
            r#"{"#,
            r#""cid":"c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1","#,
            r#""kind":"complain","#,
            r#""payload":"178f1eb9882420e5dcc35ad59540b2fb2fd32130b585218202769e857cf12728","#,
            r#""place":{"against":7,"#,
            r#""deal":"dededededededededededededededededededededededededededededededede","#,
            r#""round":"complaint"},"#,
            r#""sender":"conclave1syuhwr4g05t4744r23nvxnr7en9cmz53knhr0gja7c84hr7fkw2qk2r4wx","#,
            r#""version":1}"#,
        )
    );
}

#[test]
fn round_trip_of_every_kind() {
    for (kind, place) in [
        (Kind::Deal, Place::Deal),
        (Kind::Confirm, Place::Confirm),
        (Kind::Abandon, Place::Confirm),
        (Kind::Complain, complaint()),
    ] {
        let payload = json!({ "said": kind.to_string() });
        let made = Envelope::sign(&identity(2), CID, kind, place, payload.clone()).unwrap();
        let read = Envelope::parse(made.bytes()).unwrap();
        assert_eq!(read, made);
        assert_eq!(value(&read)["header"]["kind"], kind.to_string());
        assert_eq!(
            value(&read)["header"]["place"]["round"],
            place.round().to_string()
        );
        let hash = read.header().hash();
        let message = read.authenticate(&CID, &roster()).unwrap();
        assert_eq!(message.sender(), index(2));
        assert_eq!((message.kind(), message.place()), (kind, place));
        assert_eq!(message.message_hash(), hash);
        assert_eq!(message.decode::<Value>().unwrap(), payload);
        assert_eq!(message.bytes(), made.bytes());
        assert_eq!(message.header(), made.header());
        assert!(message.header().verify(message.signature()));
    }
}

#[test]
fn a_deals_header_is_rebuilt_from_what_a_confirm_names() {
    let deal = deal();
    let payload = *deal.header().payload();
    let rebuilt = Header::deal(CID, identity(1).public(), payload).unwrap();
    assert_eq!(rebuilt.hash(), deal.header().hash());
    assert!(rebuilt.verify(&deal.signature));
    for other in [
        Header::deal(Digest::from_bytes([0; 32]), identity(1).public(), payload),
        Header::deal(CID, identity(2).public(), payload),
        Header::deal(CID, identity(1).public(), CID),
    ] {
        let other = other.unwrap();
        assert_ne!(other.hash(), deal.header().hash());
        assert!(!other.verify(&deal.signature));
    }
}

#[test]
fn only_canonical_bytes_are_an_envelope() {
    let bytes = deal().bytes;
    let refused = |bytes: &[u8]| Envelope::parse(bytes).unwrap_err();
    let not_canonical = EnvelopeError::Json(JsonError::NotCanonical);
    assert_eq!(refused(&[&bytes[..], b"\n"].concat()), not_canonical);
    assert_eq!(
        refused(&json::pretty(&value(&deal())).unwrap()),
        not_canonical
    );
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        refused(text.replace('ü', "\\u00fc").as_bytes()),
        not_canonical
    );
    let twice = text.replacen("{\"a\"", "{\"a\":\"ü\",\"a\"", 1);
    assert!(invalid(Envelope::parse(twice.as_bytes())).contains("stands twice"));
    assert_eq!(
        refused(&vec![b' '; MAX_ENVELOPE_BYTES + 1]).to_string(),
        "the envelope is 67108865 bytes long; the limit is 67108864"
    );
}

#[test]
fn another_version_is_named_before_anything_else() {
    let value = json!({ "header": { "version": 2 }, "novelty": 1, "tool": "conclave 0.9.0" });
    assert_eq!(
        parse(&value).unwrap_err().to_string(),
        format!(
            "the envelope was made by conclave 0.9.0 for protocol 2; this is {}, which speaks protocol 1; use the same release on every machine",
            Tool::this()
        )
    );
}

#[test]
fn fields_are_exactly_those_of_an_envelope() {
    assert!(invalid(changed(|e| e["extra"] = 1.into())).contains("unknown field"));
    assert!(invalid(changed(|e| e["header"]["extra"] = 1.into())).contains("unknown field"));
    let place = |e: &mut Value| e["header"]["place"]["extra"] = 1.into();
    assert!(invalid(changed(place)).contains("unknown field"));
    for field in ["header", "payload", "signature"] {
        let removed = changed(|e| drop(e.as_object_mut().unwrap().remove(field)));
        assert_eq!(invalid(removed), format!("missing field `{field}`"));
    }
    for field in ["version", "cid", "kind", "place", "sender", "payload"] {
        let removed = changed(|e| drop(e["header"].as_object_mut().unwrap().remove(field)));
        assert_eq!(invalid(removed), format!("missing field `{field}`"));
    }
    for (field, bad) in [
        ("kind", json!("Deal")),
        ("kind", json!("seal")),
        ("cid", json!("00")),
        ("cid", json!(CID.to_string().to_uppercase())),
        (
            "sender",
            json!(identity(1).public().to_string().to_uppercase()),
        ),
        ("place", json!("deal")),
    ] {
        invalid(changed(|e| e["header"][field] = bad));
    }
}

#[test]
fn the_tool_is_told_and_decides_nothing() {
    let roster = roster();
    let made = deal().authenticate(&CID, &roster).unwrap();
    assert_eq!(made.tool(), Some(&Tool::this()));
    let other = |e: &mut Value| e["tool"] = "conclave 9.9.9".into();
    let stripped = |e: &mut Value| drop(e.as_object_mut().unwrap().remove("tool"));
    for (read, tool) in [
        (changed(other), Some("conclave 9.9.9")),
        (changed(stripped), None),
    ] {
        let read = read.unwrap().authenticate(&CID, &roster).unwrap();
        assert_eq!(read.tool().map(Tool::as_str), tool);
        assert_eq!(read.message_hash(), made.message_hash());
        assert_eq!(read.signature(), made.signature());
        assert_ne!(read.bytes(), made.bytes());
    }
    for bad in [
        json!(""),
        json!("t".repeat(33)),
        json!("\u{1b}[2J"),
        json!(1),
    ] {
        invalid(changed(|e| e["tool"] = bad));
    }
}

#[test]
fn places_have_one_form() {
    let digest = Digest::from_bytes([0xde; 32]);
    for bad in [
        json!({ "round": "deal", "against": 1 }),
        json!({ "round": "confirm", "deal": digest }),
        json!({ "round": "complaint" }),
        json!({ "round": "complaint", "against": 1 }),
        json!({ "round": "complaint", "deal": digest }),
        json!({ "round": "complaint", "against": 0, "deal": digest }),
        json!({ "round": "abandon" }),
        json!({ "against": 1, "deal": digest }),
    ] {
        invalid(changed(|e| e["header"]["place"] = bad.clone()));
    }
}

#[test]
fn kinds_keep_to_their_places() {
    let places = [Place::Deal, Place::Confirm, complaint()];
    let kinds = [Kind::Deal, Kind::Confirm, Kind::Complain, Kind::Abandon];
    let admitted = places
        .iter()
        .flat_map(|place| kinds.map(|kind| (place, kind)));
    assert_eq!(
        admitted.filter(|(place, kind)| place.admits(*kind)).count(),
        4
    );
    let refused = Envelope::sign(&identity(1), CID, Kind::Deal, Place::Confirm, json!({}));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "a message of kind deal has no place in round confirm"
    );
    let read = changed(|e| e["header"]["kind"] = "abandon".into());
    assert!(matches!(read, Err(EnvelopeError::Misplaced { .. })));
}

#[test]
fn the_payload_is_an_object_and_the_one_named() {
    assert_eq!(
        changed(|e| e["payload"]["a"] = "u".into()),
        Err(EnvelopeError::PayloadHash)
    );
    let other = |e: &mut Value| e["header"]["payload"] = CID.to_string().into();
    assert_eq!(changed(other), Err(EnvelopeError::PayloadHash));
    for payload in [json!([]), json!("text"), json!(1), json!(true)] {
        assert_eq!(
            changed(|e| e["payload"] = payload.clone()),
            Err(EnvelopeError::PayloadForm)
        );
        let made = Envelope::sign(&identity(1), CID, Kind::Deal, Place::Deal, payload);
        assert_eq!(made, Err(EnvelopeError::PayloadForm));
    }
    for payload in [
        json!({ "a": null }),
        json!({ "a": 1.5 }),
        json!({ "a": -1 }),
    ] {
        let made = Envelope::sign(&identity(1), CID, Kind::Deal, Place::Deal, payload);
        assert!(matches!(made, Err(EnvelopeError::Json(_))));
    }
}

#[test]
fn only_operators_of_this_ceremony_speak() {
    let roster = roster();
    let other = Digest::from_bytes([0; 32]);
    assert_eq!(
        deal().authenticate(&other, &roster),
        Err(EnvelopeError::OtherCeremony { found: CID })
    );
    let stranger = identity(9);
    let envelope = Envelope::sign(&stranger, CID, Kind::Deal, Place::Deal, json!({})).unwrap();
    assert_eq!(
        envelope.authenticate(&CID, &roster),
        Err(EnvelopeError::UnknownSender(stranger.public()))
    );
    let nobody = Place::Complaint {
        against: index(3),
        deal: CID,
    };
    let envelope = Envelope::sign(&identity(1), CID, Kind::Complain, nobody, json!({})).unwrap();
    assert_eq!(
        envelope.authenticate(&CID, &roster),
        Err(EnvelopeError::UnknownAccused(index(3)))
    );
}

#[test]
fn the_signature_is_the_senders_over_the_whole_header() {
    let roster = roster();
    let alice = identity(1).public();
    let forged = Err(EnvelopeError::Signature(alice));
    for bit in [0, 255, 256, 511] {
        let mut signature = *deal().signature.as_bytes();
        signature[bit / 8] ^= 1 << (bit % 8);
        let signature = Signature::from_bytes(signature).to_string();
        let envelope = changed(|e| e["signature"] = signature.into()).unwrap();
        assert_eq!(envelope.header(), deal().header());
        assert_eq!(envelope.authenticate(&CID, &roster), forged);
    }
    // Bob signs Alice's header; the signature under a card's tag; another payload of Alice.
    let deal = deal();
    for signature in [
        identity(2).sign(Tag::ENVELOPE_SIGNATURE, &deal.header.canonical),
        identity(1).sign(Tag::CARD_SIGNATURE, &deal.header.canonical),
        Envelope::sign(&identity(1), CID, Kind::Deal, Place::Deal, json!({}))
            .unwrap()
            .signature,
    ] {
        let envelope = changed(|e| e["signature"] = signature.to_string().into()).unwrap();
        assert_eq!(envelope.authenticate(&CID, &roster), forged);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let deal = deal();
        let mut bytes = deal.bytes().to_vec();
        let at = at.index(bytes.len());
        let same = bytes[at] == byte;
        bytes[at] = byte;
        let read = Envelope::parse(&bytes)
            .and_then(|envelope| envelope.authenticate(&CID, &roster()));
        let signed = String::from_utf8_lossy(deal.bytes()).find(r#","tool":"#).unwrap();
        match read {
            // Nothing but the tool's text is free.
            Ok(read) => {
                prop_assert!(same || at > signed);
                prop_assert_eq!(read.message_hash(), deal.header().hash());
            }
            Err(_) => prop_assert!(!same),
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Envelope::parse(&bytes).is_err());
    }

    #[test]
    fn noise_is_no_envelope(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(Envelope::parse(&bytes).is_err());
    }
}
