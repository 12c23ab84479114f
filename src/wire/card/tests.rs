use proptest::prelude::*;

use super::*;
use crate::hash::Hasher;
use crate::wire::roster::tests::identity;

fn name(text: &str) -> Text {
    Text::try_from(text.to_owned()).unwrap()
}

fn tool(text: &str) -> Tool {
    Tool::try_from(text.to_owned()).unwrap()
}

fn secret(seed: u8) -> Seed {
    Secret::new([seed; 32])
}

fn card() -> VerifiedCard {
    VerifiedCard::make_with(
        &identity(1),
        name("Zoë"),
        &secret(2),
        tool("conclave 0.1.0"),
    )
    .unwrap()
}

/// Changes a card and signs it again, as an operator that cheats could.
fn resigned(change: impl FnOnce(&mut Value)) -> Result<VerifiedCard, CardError> {
    let mut value = card().value;
    change(&mut value);
    let signature = identity(1).sign(Tag::CARD_SIGNATURE, &signed_part(&value).unwrap());
    value["signature"] = Value::from(signature.to_string());
    VerifiedCard::from_value(&value)
}

fn invalid(result: Result<VerifiedCard, CardError>) -> String {
    match result.unwrap_err() {
        CardError::Json(JsonError::Invalid(why)) => why,
        other => panic!("another error: {other}"),
    }
}

/// Pins every byte of a card: derivations, proof, signature, encoding. Computed apart in Python from
/// the formulas of this module and RFC 5869, RFC 8032, RFC 9380 and BIP-350.
#[test]
fn golden() {
    let hash = Hasher::new(Tag::PAYLOAD).bytes(card().bytes()).finish();
    assert_eq!(
        hash.to_string(),
        "bde7942fe14c4da51e968d1c52efa184cdc7a658506bdef6f243b5d46979f5aa"
    );
    assert_eq!(card().bytes().len(), 670);
}

#[test]
fn a_card_comes_back_byte_for_byte() {
    let card = card();
    assert_eq!(VerifiedCard::parse(card.bytes()).unwrap(), card);
    let other = VerifiedCard::make(&identity(1), name("Zoë"), &secret(3)).unwrap();
    assert_ne!(other, card);
    assert_eq!(VerifiedCard::from_value(card.value()).unwrap(), card);
    assert_eq!(json::canonical(&card).unwrap(), card.bytes());
    assert_eq!(card.name().as_str(), "Zoë");
    assert_eq!(card.identity(), &identity(1).public());
    assert_eq!(card.tool().as_str(), "conclave 0.1.0");
    let encryption_key = G1::generator_times(&encryption_secret(&secret(2))).unwrap();
    assert_eq!(card.encryption_key(), &encryption_key);
    assert_eq!(
        card.relay_key(),
        &identity(1).relay_key(&encryption_key.to_bytes())
    );
    let made = VerifiedCard::make(&identity(1), name("a"), &secret(2)).unwrap();
    assert_eq!(made.tool(), &Tool::this());
}

#[test]
fn everything_secret_depends_on_the_ceremony_secret() {
    let other = VerifiedCard::make(&identity(1), name("Zoë"), &secret(3)).unwrap();
    assert_ne!(other.encryption_key(), card().encryption_key());
    assert_ne!(other.relay_key(), card().relay_key());
    // One secret, two names: two challenges, so two nonces.
    let renamed = VerifiedCard::make(&identity(1), name("Zoe"), &secret(2)).unwrap();
    assert_ne!(
        renamed.fields.proof.commitment,
        card().fields.proof.commitment
    );
    let stranger = VerifiedCard::make(&identity(2), name("Zoë"), &secret(2)).unwrap();
    assert_ne!(
        stranger.fields.proof.commitment,
        card().fields.proof.commitment
    );
}

#[test]
fn the_ceremony_secret_mixes_both_sources() {
    let bytes = |random: u8, key: u8| {
        ceremony_secret(&secret(random), &identity(key)).expose(|bytes| *bytes)
    };
    assert_eq!(bytes(1, 1), bytes(1, 1));
    assert_ne!(bytes(1, 1), bytes(2, 1));
    assert_ne!(bytes(1, 1), bytes(1, 2));
    assert_ne!(bytes(1, 2), bytes(2, 1));
}

#[test]
fn only_canonical_bytes_are_a_card() {
    let bytes = card().bytes().to_vec();
    let refused = |bytes: &[u8]| VerifiedCard::parse(bytes).unwrap_err();
    let line = [&bytes[..], b"\n"].concat();
    assert_eq!(refused(&line), CardError::Json(JsonError::NotCanonical));
    let pretty = json::pretty(&card()).unwrap();
    assert_eq!(refused(&pretty), CardError::Json(JsonError::NotCanonical));
    assert!(matches!(
        refused(&bytes[..bytes.len() - 1]),
        CardError::Json(_)
    ));
    assert_eq!(
        refused(&vec![b' '; MAX_CARD_BYTES + 1]).to_string(),
        "the card is 16385 bytes long; the limit is 16384"
    );
}

#[test]
fn another_version_is_named_before_anything_else() {
    let value = serde_json::json!({ "version": 2, "tool": "conclave 0.9.0", "novelty": true });
    let told = format!(
        "the card was made by conclave 0.9.0 for protocol 2; this is {}, which speaks protocol 1; use the same release on every machine",
        Tool::this().as_str()
    );
    // However it is laid out: its form is not ours to judge either.
    for bytes in [json::canonical(&value), json::pretty(&value)] {
        let refused = VerifiedCard::parse(&bytes.unwrap()).unwrap_err();
        assert_eq!(refused.to_string(), told);
    }
    for bad in [Value::from("1"), Value::from(true)] {
        let why = invalid(resigned(|card| card["version"] = bad));
        assert!(why.contains("expected u64"), "{why}");
    }
}

#[test]
fn fields_are_exactly_those_of_a_card() {
    for field in [
        "version",
        "name",
        "identity",
        "encryption_key",
        "proof",
        "relay_key",
        "tool",
        "signature",
    ] {
        let mut value = card().value;
        value.as_object_mut().unwrap().remove(field).unwrap();
        let why = invalid(VerifiedCard::from_value(&value));
        assert_eq!(why, format!("missing field `{field}`"));
    }
    assert!(invalid(resigned(|card| card["extra"] = 1.into())).contains("unknown field"));
    let extra = |card: &mut Value| card["proof"]["extra"] = 1.into();
    assert!(invalid(resigned(extra)).contains("unknown field"));
    for (field, bad) in [
        ("name", " Zoë"),
        ("identity", "conclave1q"),
        ("encryption_key", "00"),
        ("relay_key", &"0".repeat(64)),
        ("relay_key", &"f".repeat(64)),
        ("tool", ""),
        ("tool", "conclave\n"),
        ("tool", "conclavé"),
        ("tool", &"x".repeat(33)),
    ] {
        invalid(resigned(|card| card[field] = bad.into()));
    }
    assert!(VerifiedCard::from_value(&Value::Array(vec![])).is_err());
    assert!(VerifiedCard::from_value(&serde_json::json!({ "version": null })).is_err());
}

#[test]
fn the_signature_covers_every_field() {
    let other =
        VerifiedCard::make_with(&identity(2), name("Bob"), &secret(5), tool("other 1")).unwrap();
    for field in [
        "name",
        "identity",
        "encryption_key",
        "proof",
        "relay_key",
        "tool",
    ] {
        let mut value = card().value;
        value[field] = other.value[field].clone();
        assert_eq!(
            VerifiedCard::from_value(&value),
            Err(CardError::Signature),
            "{field}"
        );
    }
    // The right key under another tag signs nothing here.
    let mut value = card().value;
    let signed = signed_part(&value).unwrap();
    let signature = identity(1).sign(Tag::ENVELOPE_SIGNATURE, &signed);
    value["signature"] = signature.to_string().into();
    assert_eq!(VerifiedCard::from_value(&value), Err(CardError::Signature));
}

#[test]
fn a_key_whose_secret_is_not_known_is_refused() {
    let other = VerifiedCard::make(&identity(2), name("Zoë"), &secret(5)).unwrap();
    // Someone else's encryption key with or without its proof, or the right proof elsewhere.
    let steal = |card: &mut Value| card["encryption_key"] = other.value["encryption_key"].clone();
    assert_eq!(resigned(steal), Err(CardError::Proof));
    let steal_both = |card: &mut Value| {
        card["encryption_key"] = other.value["encryption_key"].clone();
        card["proof"] = other.value["proof"].clone();
    };
    assert_eq!(resigned(steal_both), Err(CardError::Proof));
    assert_eq!(
        resigned(|card| card["name"] = "Zoe".into()),
        Err(CardError::Proof)
    );
    // The group order r is a second zero, and no canonical response.
    let order = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
    let zero = |card: &mut Value| card["proof"]["response"] = order.into();
    assert_eq!(resigned(zero), Err(CardError::Proof));
    // Infinity, and a point outside the curve.
    for bad in [
        format!("c0{}", "0".repeat(94)),
        format!("8{}", "0".repeat(95)),
        "f".repeat(96),
    ] {
        let key = |card: &mut Value| card["encryption_key"] = bad.clone().into();
        assert!(matches!(
            resigned(key),
            Err(CardError::Point {
                what: "encryption key",
                ..
            })
        ));
        let proof = |card: &mut Value| card["proof"]["commitment"] = bad.clone().into();
        assert!(matches!(
            resigned(proof),
            Err(CardError::Point { what: "proof", .. })
        ));
    }
    assert!(resigned(|_| ()).is_ok());
}

/// The response and the group order r, added: a reader that reduces would take it for the same.
#[test]
fn the_proofs_response_has_one_encoding() {
    let order: Hex<32> =
        Hex::parse("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001").unwrap();
    let mut response = card().fields.proof.response;
    let mut carry = 0u16;
    for (byte, summand) in response.0.iter_mut().zip(order.0).rev() {
        carry += u16::from(*byte) + u16::from(summand);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert_eq!(carry, 0);
    let second = |card: &mut Value| card["proof"]["response"] = response.to_string().into();
    assert_eq!(resigned(second), Err(CardError::Proof));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let card = card();
        let mut bytes = card.bytes().to_vec();
        let at = at.index(bytes.len());
        let same = bytes[at] == byte;
        bytes[at] = byte;
        prop_assert_eq!(VerifiedCard::parse(&bytes).is_ok(), same);
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(VerifiedCard::parse(&bytes).is_err());
    }

    #[test]
    fn noise_is_no_card(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(VerifiedCard::parse(&bytes).is_err());
    }
}
