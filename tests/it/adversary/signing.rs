//! Fault plans of signing ceremonies: each misdeed by itself, and random ones. `PROPTEST_CASES` says how
//! many.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::harness::signplan::{SignFaultPlan, SignMisdeed};

/// Every misdeed, and what it proves.
const MISDEEDS: [(SignMisdeed, &[&str]); 20] = [
    (SignMisdeed::Shift { at: 0, error: 1 }, &["invalid-partial"]),
    // With the one before: the sum over both is right.
    (
        SignMisdeed::Shift { at: 0, error: -1 },
        &["invalid-partial"],
    ),
    (SignMisdeed::Swapped, &["invalid-partial"]),
    (SignMisdeed::Copied(0), &["invalid-partial"]),
    (SignMisdeed::Infinity(3), &["invalid-partial"]),
    (SignMisdeed::OffSubgroup(2), &["invalid-partial"]),
    (SignMisdeed::Short, &["invalid-partial"]),
    (SignMisdeed::Long, &["invalid-partial"]),
    (SignMisdeed::Malformed(0), &["invalid-partial"]),
    (SignMisdeed::Malformed(1), &["invalid-partial"]),
    (SignMisdeed::Malformed(2), &["invalid-partial"]),
    (SignMisdeed::Malformed(3), &["invalid-partial"]),
    (SignMisdeed::Twice, &["equivocation", "invalid-partial"]),
    (SignMisdeed::Crowd, &["equivocation", "invalid-partial"]),
    (SignMisdeed::Resigned, &["invalid-partial"]),
    (SignMisdeed::Replayed, &[]),
    (SignMisdeed::Foreign, &[]),
    (SignMisdeed::Forged(0), &[]),
    (SignMisdeed::Silent, &[]),
    (SignMisdeed::Torn, &[]),
];

#[test]
fn each_misdeed_is_named_for_what_it_is_and_three_honest_operators_sign() {
    for pair in MISDEEDS.chunks(2) {
        let [one, other] = pair else {
            panic!("they go in pairs");
        };
        let mut expected = BTreeSet::new();
        for (index, (_, proves)) in [(2, one), (5, other)] {
            expected.extend(proves.iter().map(|word| (index, *word)));
        }
        let plan = SignFaultPlan {
            cheaters: BTreeMap::from([(1, vec![one.0]), (4, vec![other.0])]),
            events: Vec::new(),
        };
        assert_eq!(plan.play(), expected, "{plan:?}");
    }
}

#[test]
fn any_bytes_are_a_fault_plan_of_signing_and_the_same_one_again() {
    for bytes in [&[][..], &[0], &[0xff; 7], &[0xff; 500], b"this and that"] {
        let plan = format!("{:?}", SignFaultPlan::from_bytes(bytes));
        assert_eq!(plan, format!("{:?}", SignFaultPlan::from_bytes(bytes)));
    }
    SignFaultPlan::from_bytes(&[]).play();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(8),
        max_shrink_iters: 50,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_some_sign_the_honest_have_the_right_bytes_and_accuse_only_cheaters(
        bytes in proptest::collection::vec(any::<u8>(), 8..64),
    ) {
        let plan = SignFaultPlan::from_bytes(&bytes);
        let played = std::panic::catch_unwind(|| plan.play());
        prop_assert!(played.is_ok(), "{plan:?}");
    }
}
