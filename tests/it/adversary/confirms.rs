//! Faults of the confirm round.

use conclave::wire::envelope::Kind;

use super::table::{Row, check, check_large, rows};
use crate::harness::ceremony;
use crate::harness::faults::Junk;
use crate::harness::faults::Misdeed::*;

const CONFIRM: Kind = Kind::Confirm;

#[test]
fn a_confirm_that_says_what_is_not_so_is_its_senders_fault() {
    check(rows! {
        4 "a lying transcript" [1: LyingTranscript] => 4
            [1 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "its transcript does not follow"];
        4 "a deal that nobody signed" [1: ForgedDeal(0)] => 4
            [1 "invalid-confirm" ["confirm"] "a deal of operator 1 that operator 1 did not sign"];
        4 "its own deal forged" [3: ForgedDeal(3)] => 4
            [3 "invalid-confirm" ["confirm"] "a deal of operator 4 that operator 4 did not sign"];
        4 "the deals in another order" [1: SwappedDeals] => 4
            [1 "invalid-confirm" ["confirm"] "a deal of operator 1 that operator 1 did not sign"];
        4 "one deal fewer" [1: Puts(CONFIRM, "/deals/3", Junk::Missing)] => 4
            [1 "invalid-confirm" ["confirm"] "3 deals instead of 4"];
        4 "a confirm of another ceremony" [1: ConfirmOfAnotherCeremony] => 4
            [1 "invalid-confirm" ["confirm"] "a deal of operator 2 that operator 2 did not sign"];
        4 "the payload of another round" [1: DealAsConfirm] => 4
            [1 "invalid-confirm" ["confirm"] "it is not a confirm"];
        4 "a field too many" [3: ConfirmField] => 4
            [3 "invalid-confirm" ["confirm"] "it is not a confirm"];
        4 "a transcript in capitals" [3: Puts(CONFIRM, "/transcript", Junk::Capitals)] => 4
            [3 "invalid-confirm" ["confirm"] "it is not a confirm"];
        4 "a dealer's signature that is none" [3: Puts(CONFIRM, "/deals/0/signature", Junk::Zeros)] => 4
            [3 "invalid-confirm" ["confirm"] "a deal of operator 1 that operator 1 did not sign"];
    });
}

#[test]
fn bad_partials_are_named_however_they_cancel() {
    check(rows! {
        4 "one" [1: BadPartial] => 4
            [1 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "partial signature 0 of validator 0 does not verify"];
        4 "of the operator whom no combination needs" [3: BadPartial] => 4
            [3 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify"];
        4 "another operator's" [3: CopiedPartials(0)] => 4
            [3 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify"];
        4 "while another is awaited" [1: BadPartial, 3: NoConfirm] => 4
            [1 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify"];
        // At the indices 1, 2, 3 the coefficients of the combination are 3, -3, 1.
        4 "two that cancel in the combination" [0: BadPartial, 1: BadPartial] => 4
            [0 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify",
             1 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify"];
        4 "two that cancel in the combination, with unequal errors"
            [0: Shift { at: (0, 0), error: 1, along: (0, 0) }, 2: Shift { at: (0, 0), error: -3, along: (0, 0) }] => 4
            [0 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify",
             2 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify"];
        4 "two that cancel in a plain sum"
            [1: Shift { at: (0, 0), error: 5, along: (0, 0) }, 2: Shift { at: (0, 0), error: -5, along: (0, 0) }] => 4
            [1 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify",
             2 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify"];
        4 "three that cancel both ways"
            [0: Shift { at: (0, 0), error: 2, along: (0, 0) }, 1: Shift { at: (0, 0), error: 1, along: (0, 0) },
             2: Shift { at: (0, 0), error: -3, along: (0, 0) }] => 4
            [0 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify",
             1 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify",
             2 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify"];
        4 "none" [1: NoPartials] => 4
            [1 "invalid-confirm" ["confirm"] "0 partial signatures for a validator instead of 1"];
        4 "one too many" [1: MorePartials] => 4
            [1 "invalid-confirm" ["confirm"] "2 partial signatures for a validator instead of 1"];
        4 "no row" [1: Puts(CONFIRM, "/partials/0", Junk::Missing)] => 4
            [1 "invalid-confirm" ["confirm"] "0 rows of partial signatures instead of 1"];
    });
}

#[test]
fn one_bad_partial_among_many_is_found() {
    check_large(rows! {
        4 "of one instalment" [2: Shift { at: (1, 1), error: 1, along: (1, 1) }] => 4
            [2 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "partial signature 1 of validator 1 does not verify"];
        4 "of the registration" [2: Shift { at: (1, 2), error: -1, along: (1, 2) }] => 4
            [2 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "partial signature 2 of validator 1 does not verify"];
        4 "several of one operator that cancel in a plain sum"
            [2: Shift { at: (0, 0), error: 1, along: (0, 0) }, 2: Shift { at: (2, 1), error: -1, along: (0, 0) }] => 4
            [2 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "partial signature 0 of validator 0 does not verify"];
        4 "several of one validator that cancel in a plain sum"
            [2: Shift { at: (1, 0), error: 1, along: (2, 0) }, 2: Shift { at: (1, 1), error: -1, along: (2, 0) }] => 4
            [2 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "partial signature 0 of validator 1 does not verify"];
        4 "two that cancel in every combination"
            [0: BadPartial, 1: BadPartial] => 4
            [0 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "partial signature 0 of validator 0 does not verify",
             1 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "partial signature 0 of validator 0 does not verify"];
        4 "two that are exchanged" [3: SwappedPartials] => 4
            [3 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "partial signature 0 of validator 0 does not verify"];
        4 "the registration left out" [3: Puts(CONFIRM, "/partials/1/2", Junk::Missing)] => 4
            [3 "invalid-confirm" ["confirm"] "2 partial signatures for a validator instead of 3"];
        7 "four of seven, each its own way"
            [1: Shift { at: (2, 0), error: 1, along: (2, 0) }, 2: LyingTranscript, 4: ForgedDeal(0), 6: NoPartials] => 4
            [1 "invalid-confirm" ["deal", "deal", "deal", "deal", "deal", "deal", "deal", "confirm"] "partial signature 0 of validator 2",
             2 "invalid-confirm" ["deal", "deal", "deal", "deal", "deal", "deal", "deal", "confirm"] "its transcript",
             4 "invalid-confirm" ["confirm"] "operator 1 did not sign",
             6 "invalid-confirm" ["confirm"] "0 partial signatures"];
        4 "everybody is honest, one of them late" [0: Late(CONFIRM, 3)] => 0 [];
    });
}

/// Every junk in the place of a partial signature; six operators at one table do it at once.
#[test]
fn a_partial_that_may_not_be_used_is_its_senders_fault() {
    for chunk in Junk::points().chunks(6) {
        let cheats = (1..).zip(chunk);
        let by = cheats.map(|(who, junk)| (who, Puts(CONFIRM, "/partials/2/1", *junk)));
        let named = (1..=chunk.len()).map(|who| {
            let proof: &[&str] = &["confirm"];
            let why = "partial signature 1 of validator 2 is ";
            (who, "invalid-confirm", proof, why)
        });
        let row = Row {
            n: 7,
            fault: "a partial signature that may not be used",
            by: by.collect(),
            exit: 4,
            named: named.collect(),
        };
        row.check(ceremony::validators());
    }
}

#[test]
fn two_confirms_are_equivocation_and_none_is_awaited() {
    check(rows! {
        4 "no confirm" [2: NoConfirm] => 3 [];
        4 "two without" [0: NoConfirm, 2: NoConfirm] => 3 [];
        4 "an abandon" [2: Abandon] => 1 [];
        4 "a late confirm" [1: Late(CONFIRM, 3)] => 0 [];
        4 "a late confirm that is bad" [1: Late(CONFIRM, 3), 1: BadPartial] => 4
            [1 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "does not verify"];
        4 "two confirms before the others'" [0: TwoConfirms] => 4
            [0 "equivocation" ["confirm", "confirm"] "in the confirm round",
             0 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "its transcript"];
        // The others have confirmed by then, and n valid confirms are final.
        4 "two confirms after the others'" [3: TwoConfirms, 3: Late(CONFIRM, 2)] => 0
            [3 "equivocation" ["confirm", "confirm"] "in the confirm round",
             3 "invalid-confirm" ["deal", "deal", "deal", "deal", "confirm"] "its transcript"];
    });
}
