//! Complaints: true ones are in `deals.rs`, these are not.

use conclave::wire::envelope::Kind;

use super::table::{Row, check, check_large, rows};
use crate::harness::faults::Junk;
use crate::harness::faults::Misdeed::*;

const COMPLAIN: Kind = Kind::Complain;

#[test]
fn a_false_complaint_falls_back_on_its_author() {
    check(rows! {
        4 "of right shares" [3: FalseComplaint(0)] => 4
            [3 "false-complaint" ["deal", "complain"] "against operator 1 is false: every share it complains of is right"];
        4 "of two dealers" [1: FalseComplaint(0), 1: FalseComplaint(2)] => 4
            [1 "false-complaint" ["deal", "complain"] "against operator 1 is false",
             1 "false-complaint" ["deal", "complain"] "against operator 3 is false"];
        5 "two of one dealer" [0: FalseComplaint(2), 4: FalseComplaint(2)] => 4
            [0 "false-complaint" ["deal", "complain"] "against operator 3 is false",
             4 "false-complaint" ["deal", "complain"] "against operator 3 is false"];
        4 "with a bad proof" [3: ComplaintProof(0)] => 4
            [3 "false-complaint" ["deal", "complain"] "its proof is wrong"];
        4 "with what it shares with another" [3: ComplaintOfAnotherKey(0, 1)] => 4
            [3 "false-complaint" ["deal", "complain"] "its proof is wrong"];
        4 "with a response plus r" [3: FalseComplaint(0), 3: Puts(COMPLAIN, "/proof/response", Junk::PlusOrder)] => 4
            [3 "false-complaint" ["deal", "complain"] "its response is not a canonical scalar"];
        4 "with a response of zero" [3: FalseComplaint(0), 3: Puts(COMPLAIN, "/proof/response", Junk::Zeros)] => 4
            [3 "false-complaint" ["deal", "complain"] "its proof is wrong"];
        4 "with a field too many" [3: ComplaintField(0)] => 4
            [3 "false-complaint" ["deal", "complain"] "it is not a complaint"];
        4 "without a proof" [3: FalseComplaint(0), 3: Puts(COMPLAIN, "/proof", Junk::Missing)] => 4
            [3 "false-complaint" ["deal", "complain"] "it is not a complaint"];
        4 "in capitals" [3: FalseComplaint(0), 3: Puts(COMPLAIN, "/shared", Junk::Capitals)] => 4
            [3 "false-complaint" ["deal", "complain"] "it is not a complaint"];
        4 "of a deal that is none" [1: DealField, 3: FalseComplaint(1)] => 4
            [1 "invalid-deal" ["deal"] "it is not a deal"];
        4 "of a deal that nobody saw" [2: OpenComplaint(1)] => 0 [];
        4 "of oneself" [2: SelfComplaint] => 0 [];
        4 "of right shares, by one who was dealt a wrong one" [0: BadShare(vec![3]), 3: FalseComplaint(0)] => 4
            [0 "wrong-shares" ["deal", "complain"] "operator 4 a wrong share"];
    });
    check_large(rows! {
        7 "three of seven" [2: FalseComplaint(0), 4: ComplaintProof(1), 6: ComplaintPoint(5)] => 4
            [2 "false-complaint" ["deal", "complain"] "every share",
             4 "false-complaint" ["deal", "complain"] "its proof is wrong",
             6 "false-complaint" ["deal", "complain"] "its shared point is the point at infinity"];
    });
}

/// Every junk in every field that is a point; six operators at one table do it at once.
#[test]
fn a_complaint_with_points_that_may_not_be_used_is_false() {
    for (pointer, what) in [
        ("/shared", "its shared point is "),
        ("/proof/commitment_generator", "its first commitment is "),
        ("/proof/commitment_base", "its second commitment is "),
    ] {
        // Of the torsion points, which are last, G1 has five.
        for chunk in Junk::points()[..12].chunks(6) {
            let cheats = (1..).zip(chunk);
            let by = cheats.flat_map(|(who, junk)| {
                [
                    (who, FalseComplaint(0)),
                    (who, Puts(COMPLAIN, pointer, *junk)),
                ]
            });
            let named = (1..=chunk.len()).map(|who| {
                let proof: &[&str] = &["deal", "complain"];
                (who, "false-complaint", proof, what)
            });
            let row = Row {
                n: 7,
                fault: what,
                by: by.collect(),
                exit: 4,
                named: named.collect(),
            };
            row.check(vec![crate::harness::homes::validator()]);
        }
    }
}
