//! Plans that are refused, with everything that is wrong with them at once.

use std::time::{Duration, Instant};

use conclave::ceremony::plan::{Backups, Draft, Plan, RehearsalSize, Validator, Warning};
use conclave::crypto::identity::IdentityKey;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::withdrawal::CredentialsKind;
use conclave::json::{self, Text};
use conclave::protocol::deal;
use conclave::secret::Secret;
use conclave::wire::card::VerifiedCard;
use conclave::wire::envelope::{Envelope, Kind, MAX_ENVELOPE_BYTES, Place};
use serde_json::{Value, json};

use crate::harness::homes::{draft, validator};

fn number(n: usize) -> [u8; 32] {
    let mut bytes = [0x31; 32];
    bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
    bytes
}

fn cards(n: usize) -> Vec<VerifiedCard> {
    (0..n)
        .map(|i| {
            let identity = IdentityKey::from_seed(&Secret::new(number(i)));
            let name = Text::try_from(format!("operator {i}")).unwrap();
            VerifiedCard::make(&identity, name, &Secret::new(number(i + 1000))).unwrap()
        })
        .collect()
}

fn drafted(n: usize, validators: Vec<Validator>) -> Draft {
    let cards = cards(n);
    draft(&cards.iter().collect::<Vec<_>>(), validators)
}

fn good() -> Value {
    let plan = Plan::draft(drafted(4, vec![validator(); 2])).unwrap();
    plan.value().clone()
}

fn problems(value: &Value) -> Vec<String> {
    let bytes = serde_json::to_vec(value).unwrap();
    Plan::parse(&bytes).unwrap_err().problems
}

/// What one change to a good plan is refused with: one problem, which says this.
#[track_caller]
fn refused(change: impl FnOnce(&mut Value), says: &str) {
    let mut value = good();
    change(&mut value);
    let problems = problems(&value);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains(says), "{problems:?}");
}

#[test]
fn one_wrong_thing_is_one_problem() {
    refused(
        |plan| plan["version"] = json!(2),
        "for protocol 2; this is conclave ",
    );
    refused(|plan| plan["extra"] = json!(1), "unknown field");
    refused(
        |plan| plan["validators"][0]["extra"] = json!(1),
        "unknown field",
    );
    refused(|plan| plan["keystores"] = Value::Null, "null");
    refused(|plan| plan["kind"] = json!("split"), "unknown variant");
    refused(|plan| plan["backups"] = json!("none"), "unknown variant");
    refused(|plan| plan["created"] = json!(0), "created");
    refused(
        |plan| plan["created"] = json!(253_402_300_800u64),
        "created",
    );
    refused(|plan| plan["validators"] = json!([]), "no validator");
    refused(|plan| plan["rehearsal"] = json!(true), "rehearsal");
    refused(|plan| plan["roster"][1]["index"] = json!(0), "index");
    refused(|plan| plan["threshold"] = json!(0), "at least 2");
    refused(|plan| plan["threshold"] = json!(1), "at least 2");
    refused(|plan| plan["threshold"] = json!(5), "more than the 4");
    refused(|plan| plan["threshold"] = json!(2), "danger_low_threshold");
    refused(|plan| plan["random"] = json!("00"), "hex");
    assert!(Plan::parse(b"{}").is_err());
    assert!(Plan::parse(b"[]").is_err());
    assert!(Plan::parse(&[]).is_err());
}

#[test]
fn every_object_of_a_plan_has_exactly_its_fields() {
    let mut good = good();
    good["validators"][1]["registration"] = json!({
        "fee_recipient": "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "gas_limit": 60_000_000,
        "timestamp": 1_790_000_000,
    });
    assert!(Plan::from_value(good.clone()).is_ok());
    let objects = [
        "",
        "/network",
        "/roster/0",
        "/roster/0/card",
        "/roster/0/card/proof",
        "/validators/1",
        "/validators/1/registration",
    ];
    for pointer in objects {
        // A network that is known by its name is no object.
        if !good.pointer(pointer).unwrap().is_object() {
            assert_eq!(pointer, "/network");
            continue;
        }
        let mut plan = good.clone();
        plan.pointer_mut(pointer).unwrap()["extra"] = json!(1);
        let problems = problems(&plan);
        assert!(
            problems[0].contains("unknown field `extra`"),
            "{pointer}: {problems:?}"
        );
    }
}

#[test]
fn amounts_and_addresses_are_checked() {
    let first =
        |field: &'static str, to: Value| move |plan: &mut Value| plan["validators"][0][field] = to;
    refused(first("deposits", json!([])), "0 deposits");
    let address = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
    let lower = json!(address.to_lowercase());
    refused(first("withdrawal_address", lower), "withdrawal address");
    let zero = json!(format!("0x{}", "0".repeat(40)));
    refused(first("withdrawal_address", zero), "zero address");
    let amounts = |list: &[u64]| {
        let mut value = good()["validators"][0]["deposits"].clone();
        let form = value[0].clone();
        let amount = |gwei: &u64| match form {
            Value::String(_) => json!(gwei.to_string()),
            _ => json!(gwei),
        };
        value = list.iter().map(amount).collect();
        value
    };
    refused(first("deposits", amounts(&[999_999_999])), "validator 0");
    refused(
        first("deposits", amounts(&[16_000_000_000, 16_000_000_000])),
        "stands twice",
    );
    refused(
        first("deposits", amounts(&[31_000_000_000, 2_000_000_000])),
        "sum to",
    );
    let many: Vec<u64> = (0..33).map(|i| 32_000_000_000 - i).collect();
    let mut value = good();
    value["validators"][0]["deposits"] = amounts(&many);
    assert!(problems(&value)[0].contains("33 deposits"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut plan = good();
    plan["created"] = json!(0);
    plan["threshold"] = json!(9);
    plan["rehearsal"] = json!(true);
    plan["validators"][0]["withdrawal_address"] = json!("nowhere");
    plan["validators"][1]["deposits"] = json!([]);
    let card = plan["roster"][0]["card"].clone();
    plan["roster"][1]["card"] = card;
    plan["roster"][3]["index"] = json!(3);
    let problems = problems(&plan);
    for says in [
        "same index",
        "same name",
        "same identity",
        "same encryption key",
        "same relay key",
        "more than the 4",
        "created",
        "rehearsal",
        "validator 0: the withdrawal address",
        "validator 1: it has 0 deposits",
    ] {
        let count = problems.iter().filter(|p| p.contains(says)).count();
        assert_eq!(count, 1, "{says}: {problems:#?}");
    }
    // A spoiled card is named beside the rest.
    let mut plan = good();
    let name = &mut plan["roster"][2]["card"]["name"];
    *name = json!("somebody else");
    plan["threshold"] = json!(1);
    let found = self::problems(&plan);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("the card of operator 3"));
    // Many problems are counted, not listed without end.
    let mut plan = good();
    let mut row = plan["validators"][0].clone();
    row["deposits"] = json!([]);
    plan["validators"] = Value::Array(vec![row; 200]);
    let error = Plan::from_value(plan).unwrap_err();
    assert_eq!(error.problems.len(), 200);
    assert!(error.to_string().ends_with("and 150 more problems"));
}

#[test]
fn a_hostile_list_of_deposits_costs_no_time() {
    let mut plan = good();
    let amount = plan["validators"][0]["deposits"][0].clone();
    plan["validators"][0]["deposits"] = Value::Array(vec![amount; 300_000]);
    let begin = Instant::now();
    let problems = Plan::from_value(plan).unwrap_err().problems;
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert!(problems.len() < 100, "{}", problems.len());
}

#[test]
fn thresholds_and_their_warnings() {
    let plan = |n: usize, t: u64, danger: bool| {
        Plan::draft(Draft {
            threshold: t,
            danger_low_threshold: danger,
            ..drafted(n, vec![validator()])
        })
    };
    let warnings = |n, t, danger| plan(n, t, danger).unwrap().warnings();
    assert!(plan(7, 4, false).is_err());
    assert_eq!(warnings(7, 4, true), [Warning::LowThreshold]);
    assert_eq!(warnings(7, 5, true), [Warning::NeedlessDanger]);
    assert_eq!(warnings(7, 5, false), []);
    assert_eq!(
        warnings(7, 6, false),
        [Warning::HighThreshold {
            missing: 2,
            spare: 1
        }]
    );
    assert_eq!(warnings(4, 3, false), []);
    assert_eq!(warnings(3, 2, false), [Warning::FewOperators(3)]);
    assert_eq!(warnings(2, 2, false), [Warning::FewOperators(2)]);
    assert!(plan(4, 5, false).is_err());
    assert!(plan(4, 1, true).is_err());
}

#[test]
fn two_hundred_and_fifty_six_operators_are_the_most() {
    assert!(Plan::draft(drafted(256, vec![validator()])).is_ok());
    let error = Plan::draft(drafted(257, vec![validator()])).unwrap_err();
    assert_eq!(error.problems.len(), 1);
    assert!(error.problems[0].contains("257"), "{error}");
    assert!(Plan::draft(drafted(1, vec![validator()])).is_err());
}

#[test]
fn a_ceremony_that_no_message_could_carry_is_refused() {
    let error = Plan::draft(drafted(64, vec![validator(); 10_000])).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("a deal of 10000 validators among 64"),
        "{text}"
    );
    assert!(text.contains(&MAX_ENVELOPE_BYTES.to_string()), "{text}");
    // Beyond what the design promises, so never refused: 500 validators for 256 operators.
    assert!(Plan::draft(drafted(256, vec![validator(); 500])).is_ok());
}

/// The size that a plan is refused by, found by growing it until the refusal tells.
#[test]
fn the_sizes_are_upper_bounds_and_near() {
    // For n = 64 and t = 43 a validator costs what the refusal of 10000 says, less the head.
    let text = Plan::draft(drafted(64, vec![validator(); 10_000]))
        .unwrap_err()
        .to_string();
    let said = text.split("up to ").nth(1).unwrap().split(' ').next();
    let bound: usize = said.unwrap().parse().unwrap();
    let plan = Plan::draft(drafted(64, vec![validator(); 3])).unwrap();
    let secret = Secret::new(number(1000));
    let payload = deal::make(&plan.keygen().unwrap().params(), 0, &secret).unwrap();
    let envelope = Envelope::sign(
        &IdentityKey::from_seed(&Secret::new(number(0))),
        *plan.cid(),
        Kind::Deal,
        Place::Deal,
        json::to_value(&payload).unwrap(),
    )
    .unwrap();
    let actual = envelope.bytes().len();
    let bound = (bound - 2048) / 10_000 * 3 + 2048;
    assert!(actual <= bound && bound - actual < 2048, "{actual} {bound}");
}

#[test]
fn layout_does_not_count_and_every_value_does() {
    let plan = Plan::draft(drafted(4, vec![validator(); 2])).unwrap();
    let pretty = json::pretty(plan.value()).unwrap();
    let read = Plan::parse(&pretty).unwrap();
    assert_eq!((read.cid(), read.bytes()), (plan.cid(), plan.bytes()));
    assert_eq!(Plan::parse(plan.bytes()).unwrap().cid(), plan.cid());
    let mut cids = vec![*plan.cid()];
    for change in [
        |plan: &mut Value| plan["name"] = json!("Test Ceremony"),
        |plan: &mut Value| plan["created"] = json!(1_790_000_001),
        |plan: &mut Value| plan["threshold"] = json!(4),
        |plan: &mut Value| plan["keystores"] = json!("scrypt"),
        |plan: &mut Value| plan["backups"] = json!("required"),
        |plan: &mut Value| plan["random"] = json!("5".repeat(64)),
        |plan: &mut Value| plan["danger_low_threshold"] = json!(true),
        // A flag that is written out says the same as one left out, in other bytes.
        |plan: &mut Value| plan["rehearsal"] = json!(false),
    ] {
        let mut value = plan.value().clone();
        change(&mut value);
        cids.push(*Plan::from_value(value).unwrap().cid());
    }
    let count = cids.len();
    cids.sort();
    cids.dedup();
    assert_eq!(cids.len(), count);
}

#[test]
fn a_plan_that_asks_nothing_of_backups_does_not_speak_of_them() {
    let plan = Plan::draft(drafted(4, vec![validator()])).unwrap();
    assert!(!plan.requires_backups() && plan.value().get("backups").is_none());
    let asking = Plan::draft(Draft {
        backups: Some(Backups::Required),
        ..drafted(4, vec![validator()])
    })
    .unwrap();
    assert!(asking.requires_backups());
    assert_eq!(asking.value()["backups"], "required");
    let roster = drafted(3, Vec::new()).roster;
    let copy = asking.keygen().unwrap();
    let copy = copy.rehearsal(roster, 2, RehearsalSize::default(), [3; 32]);
    assert!(Plan::draft(copy).unwrap().requires_backups());
}

#[test]
fn a_rehearsal_is_the_same_plan_on_no_chain() {
    let plan = Plan::draft(drafted(4, vec![validator(); 2])).unwrap();
    let roster = draft(&cards(3).iter().collect::<Vec<_>>(), Vec::new()).roster;
    let size = RehearsalSize {
        validators: Some(5),
    };
    let rehearsal =
        Plan::draft(plan.keygen().unwrap().rehearsal(roster, 2, size, [3; 32])).unwrap();
    assert!(rehearsal.is_rehearsal() && rehearsal.network().is_rehearsal());
    assert!(!plan.is_rehearsal());
    assert_eq!(rehearsal.keygen().unwrap().validators().len(), 5);
    assert_eq!(
        rehearsal.keygen().unwrap().validators()[4],
        plan.keygen().unwrap().validators()[0]
    );
    assert_eq!(
        (rehearsal.name(), rehearsal.created()),
        (plan.name(), plan.created())
    );
    let mut value = rehearsal.value().clone();
    value["rehearsal"] = json!(false);
    assert_eq!(problems(&value).len(), 1);
}

#[test]
fn what_a_file_says_reaches_no_terminal_unescaped() {
    let mut plan = good();
    plan[format!("\u{1b}[2J{}", "x".repeat(5000))] = json!(1);
    let error = Plan::from_value(plan).unwrap_err().to_string();
    assert!(!error.contains('\u{1b}') && error.len() < 1000, "{error}");
}

/// A plan's values are short where it lists many amounts; what was checked must be readable again.
#[test]
fn many_instalments_are_read_back_from_canonical_bytes() {
    let mut validator = validator();
    validator.credentials = CredentialsKind::Compounding;
    validator.deposits = (1..=32).map(|eth| Gwei(eth * 1_000_000_000)).collect();
    let plan = Plan::draft(drafted(4, vec![validator; 400])).unwrap();
    assert_eq!(Plan::parse(plan.bytes()).unwrap().cid(), plan.cid());
}
