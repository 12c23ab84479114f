//! Random fault plans. `PROPTEST_CASES` says how many.

use proptest::prelude::*;

use crate::harness::faultplan::FaultPlan;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_some_do_the_honest_agree_and_accuse_only_cheaters(
        bytes in proptest::collection::vec(any::<u8>(), 8..128),
    ) {
        let plan = FaultPlan::from_bytes(&bytes);
        let played = std::panic::catch_unwind(|| plan.play());
        prop_assert!(played.is_ok(), "{plan:?}");
    }
}

#[test]
fn any_bytes_are_a_fault_plan_and_the_same_one_again() {
    for bytes in [
        &[][..],
        &[0],
        &[0xff; 7],
        &[0xff; 500],
        b"neither long nor short",
    ] {
        let plan = format!("{:?}", FaultPlan::from_bytes(bytes));
        assert_eq!(plan, format!("{:?}", FaultPlan::from_bytes(bytes)));
    }
    FaultPlan::from_bytes(&[]).play();
}
