//! Faults of the deal round.

use conclave::wire::envelope::Kind;

use super::table::{Row, check, check_large, rows};
use crate::harness::faults::DealSecret::{Coefficient, Ephemeral, Nonce};
use crate::harness::faults::Misdeed::*;
use crate::harness::faults::{Junk, Misdeed};

const DEAL: Kind = Kind::Deal;

#[test]
fn a_wrong_share_is_complained_of_and_never_confirmed() {
    check(rows! {
        4 "one recipient" [3: BadShare(vec![0])] => 4
            [3 "wrong-shares" ["deal", "complain"] "it dealt operator 1 a wrong share for validator 0"];
        4 "two recipients" [0: BadShare(vec![1, 3])] => 4
            [0 "wrong-shares" ["deal", "complain"] "operator 2 a wrong share",
             0 "wrong-shares" ["deal", "complain"] "operator 4 a wrong share"];
        3 "everybody, the dealer itself included" [1: BadShare(vec![0, 1, 2])] => 4
            [1 "wrong-shares" ["deal", "complain"] "operator 1 a wrong share",
             1 "wrong-shares" ["deal", "complain"] "operator 3 a wrong share"];
        4 "a share that is zero under its pad" [2: Puts(DEAL, "/ciphertexts/0/1", Junk::Zeros)] => 4
            [2 "wrong-shares" ["deal", "complain"] "operator 2 a wrong share"];
        7 "two dealers, one recipient" [1: BadShare(vec![5]), 6: BadShare(vec![5])] => 4
            [1 "wrong-shares" ["deal", "complain"] "operator 6 a wrong share",
             6 "wrong-shares" ["deal", "complain"] "operator 6 a wrong share"];
    });
    check_large(rows! {
        4 "one validator of three" [3: BadShareOf(1, vec![0])] => 4
            [3 "wrong-shares" ["deal", "complain"] "operator 1 a wrong share for validator 1"];
        4 "all validators" [3: BadShareOf(0, vec![2]), 3: BadShareOf(1, vec![2]), 3: BadShareOf(2, vec![2])] => 4
            [3 "wrong-shares" ["deal", "complain"] "operator 3 a wrong share for validators 0, 1, 2"];
    });
}

#[test]
fn a_deal_with_wrong_counts_or_fields_is_its_dealers_fault() {
    check(rows! {
        4 "t-1 coefficients" [1: Coefficients(2)] => 4
            [1 "invalid-deal" ["deal"] "2 commitments for a validator instead of 3"];
        4 "t+1 coefficients" [1: Coefficients(4)] => 4
            [1 "invalid-deal" ["deal"] "4 commitments for a validator instead of 3"];
        4 "t coefficients, the leading one zero" [1: Zero(Coefficient(0, -1))] => 4
            [1 "invalid-deal" ["deal"] "commitment 2 of validator 0 is the point at infinity"];
        4 "a constant that is zero" [1: Zero(Coefficient(0, 0))] => 4
            [1 "invalid-deal" ["deal"] "commitment 0 of validator 0 is the point at infinity"];
        4 "an inner coefficient that is zero" [1: Zero(Coefficient(0, 1))] => 4
            [1 "invalid-deal" ["deal"] "commitment 1 of validator 0 is the point at infinity"];
        4 "a commitment is missing" [0: Puts(DEAL, "/commitments/0/2", Junk::Missing)] => 4
            [0 "invalid-deal" ["deal"] "2 commitments for a validator instead of 3"];
        4 "a validator too many" [0: Validators(2)] => 4
            [0 "invalid-deal" ["deal"] "2 rows of commitments instead of 1"];
        4 "no validator" [0: Validators(0)] => 4
            [0 "invalid-deal" ["deal"] "0 rows of commitments instead of 1"];
        4 "an operator without a ciphertext" [0: FewCiphertexts] => 4
            [0 "invalid-deal" ["deal"] "3 ciphertexts for a validator instead of 4"];
    });
    check_large(rows! {
        4 "t-1 and t+1 coefficients" [3: ShiftedCoefficient] => 4
            [3 "invalid-deal" ["deal"] "2 commitments for a validator instead of 3"];
        4 "the last leading coefficient is zero" [3: Zero(Coefficient(2, -1))] => 4
            [3 "invalid-deal" ["deal"] "commitment 2 of validator 2 is the point at infinity"];
        4 "one validator too few" [3: Validators(2)] => 4
            [3 "invalid-deal" ["deal"] "2 rows of commitments instead of 3"];
        4 "one recipient of the last validator" [3: FewCiphertexts] => 4
            [3 "invalid-deal" ["deal"] "3 ciphertexts for a validator instead of 4"];
    });
}

#[test]
fn zero_secrets_and_small_components_are_found() {
    check(rows! {
        4 "an ephemeral key without a secret" [2: Zero(Ephemeral)] => 4
            [2 "invalid-deal" ["deal"] "ephemeral key is the point at infinity"];
        4 "a proof without a nonce" [2: Zero(Nonce)] => 4
            [2 "invalid-deal" ["deal"] "proof's commitment is the point at infinity"];
        4 "a response that is zero" [2: Puts(DEAL, "/proof/response", Junk::Zeros)] => 4
            [2 "invalid-deal" ["deal"] "proof of knowledge is wrong"];
        4 "order 3 where the proof does not see it" [2: UnseenTorsion] => 4
            [2 "invalid-deal" ["deal"] "commitment 1 of validator 0 is a point outside"];
        5 "order 3 that cancels at every index, in shares and proof" [2: CancellingTorsion] => 4
            [2 "invalid-deal" ["deal"] "commitment 1 of validator 0 is a point outside"];
    });
}

/// Every junk in every field that is a point; five dealers at one table do it at once.
#[test]
fn a_deal_with_points_that_may_not_be_used_is_its_dealers_fault() {
    for (pointer, what) in [
        ("/ephemeral", "ephemeral key"),
        ("/proof/commitment", "proof's commitment"),
        ("/commitments/0/0", "commitment 0 of validator 0"),
        ("/commitments/0/1", "commitment 1 of validator 0"),
        ("/commitments/0/4", "commitment 4 of validator 0"),
    ] {
        // Of the torsion points, which are last, G1 has five.
        for chunk in Junk::points()[..12].chunks(6) {
            let cheats = (1..).zip(chunk);
            let by = cheats.map(|(who, junk)| (who, Puts(DEAL, pointer, *junk)));
            let named = (1..=chunk.len()).map(|who| {
                let proof: &[&str] = &["deal"];
                (who, "invalid-deal", proof, what)
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

#[test]
fn a_value_has_one_encoding() {
    check(rows! {
        4 "a ciphertext plus r" [1: Puts(DEAL, "/ciphertexts/0/0", Junk::PlusOrder)] => 4
            [1 "invalid-deal" ["deal"] "ciphertext 0 of validator 0 is not a canonical scalar"];
        4 "the largest ciphertext" [1: Puts(DEAL, "/ciphertexts/0/3", Junk::Ones)] => 4
            [1 "invalid-deal" ["deal"] "ciphertext 3 of validator 0 is not a canonical scalar"];
        4 "a response plus r" [1: Puts(DEAL, "/proof/response", Junk::PlusOrder)] => 4
            [1 "invalid-deal" ["deal"] "proof's response is not a canonical scalar"];
        4 "hex in capitals" [1: Puts(DEAL, "/commitments/0/0", Junk::Capitals)] => 4
            [1 "invalid-deal" ["deal"] "it is not a deal"];
        4 "a digit short" [1: Puts(DEAL, "/ciphertexts/0/2", Junk::Short)] => 4
            [1 "invalid-deal" ["deal"] "it is not a deal"];
        4 "a number for a point" [1: Puts(DEAL, "/ephemeral", Junk::Number)] => 4
            [1 "invalid-deal" ["deal"] "it is not a deal"];
        4 "a number for a row" [1: Puts(DEAL, "/ciphertexts/0", Junk::Number)] => 4
            [1 "invalid-deal" ["deal"] "it is not a deal"];
        4 "no proof" [1: Puts(DEAL, "/proof", Junk::Missing)] => 4
            [1 "invalid-deal" ["deal"] "it is not a deal"];
        4 "a field too many" [1: DealField] => 4
            [1 "invalid-deal" ["deal"] "it is not a deal"];
    });
}

#[test]
fn what_is_anothers_is_no_deal() {
    check(rows! {
        4 "a copied constant with its proof" [2: CopiedConstant(0)] => 4
            [2 "invalid-deal" ["deal"] "proof of knowledge is wrong"];
        4 "a copied constant, proved anew" [2: AdoptedConstant(0)] => 4
            [2 "invalid-deal" ["deal"] "proof of knowledge is wrong"];
        4 "a mirrored constant" [2: MirroredConstant(0)] => 4
            [2 "invalid-deal" ["deal"] "proof of knowledge is wrong"];
        4 "a copied ephemeral key" [2: CopiedEphemeral(0)] => 4
            [2 "invalid-deal" ["deal"] "proof of knowledge is wrong"];
        4 "another dealer's proof" [2: CopiedProof(0)] => 4
            [2 "invalid-deal" ["deal"] "proof of knowledge is wrong"];
        4 "another dealer's deal" [2: CopiedDeal(0)] => 4
            [2 "invalid-deal" ["deal"] "proof of knowledge is wrong"];
        4 "a card's key for a constant" [2: CardKey(1)] => 4
            [2 "invalid-deal" ["deal"] "commitment 0 of validator 0 repeats another key"];
        4 "its own ephemeral key for a constant" [2: RepeatedKey] => 4
            [2 "invalid-deal" ["deal"] "commitment 0 of validator 0 repeats another key"];
        4 "its deal of another ceremony" [2: DealOfAnotherCeremony] => 4
            [2 "invalid-deal" ["deal"] "proof of knowledge is wrong"];
        4 "the payload of another round" [2: ConfirmAsDeal] => 4
            [2 "invalid-deal" ["deal"] "it is not a deal"];
        4 "secrets that two dealers share" [1: SharedSecret(3), 3: NoConfirm] => 1 [];
    });
}

#[test]
fn two_deals_are_equivocation_and_none_is_awaited() {
    check(rows! {
        4 "two deals" [1: TwoDeals] => 4
            [1 "equivocation" ["deal", "deal"] "two different messages in the deal round"];
        5 "two dealers with two deals" [0: TwoDeals, 4: TwoDeals] => 4
            [0 "equivocation" ["deal", "deal"] "in the deal round",
             4 "equivocation" ["deal", "deal"] "in the deal round"];
        4 "more deals than a place has room for" [0: JunkDeals] => 4
            [0 "equivocation" ["deal", "deal"] "in the deal round",
             0 "invalid-deal" ["deal"] "it is not a deal"];
        4 "no deal" [2: NoDeal] => 3 [];
        4 "nobody else deals" [0: NoDeal, 1: NoDeal, 2: NoDeal] => 3 [];
        4 "a late deal" [0: Late(DEAL, 2)] => 0 [];
        4 "everything again, under other names" [3: Replays] => 0 [];
    });
}

/// What is no message of the ceremony is noise: blamed on nobody, and its sender is awaited.
#[test]
fn what_is_no_envelope_is_blamed_on_nobody() {
    use crate::harness::faults::Garble::*;
    let garbles = [
        Space,
        Order,
        Doubled,
        Unknown,
        Fraction,
        Payload,
        Signature,
        LargeSignature,
        Version,
        OtherCeremony,
        OtherSender,
        Misplaced,
        Torn,
    ];
    for (kind, before) in [(DEAL, "deal"), (Kind::Confirm, "confirm")] {
        // Three a table, and one who is heard.
        for chunk in garbles.chunks(3) {
            let by: Vec<(usize, Misdeed)> = (1..)
                .zip(chunk)
                .map(|(who, garble)| (who, Garbles(kind, *garble)))
                .collect();
            let row = Row {
                n: 4,
                fault: before,
                by,
                exit: 3,
                named: Vec::new(),
            };
            let table = row.check(vec![crate::harness::homes::validator()]);
            let report = table.audit(&table.group.stick);
            assert_eq!(
                report.noise.len(),
                chunk.len(),
                "{chunk:?}: {:?}",
                report.noise
            );
            let missing = match kind {
                Kind::Deal => report.examination.missing_deals,
                _ => report.examination.missing_confirms,
            };
            let missing: Vec<u64> = missing.iter().map(|index| index.get()).collect();
            assert_eq!(missing, (2..2 + chunk.len() as u64).collect::<Vec<_>>());
        }
    }
}

#[test]
fn several_cheats_at_once_are_all_named() {
    check(rows! {
        7 "five of seven, each its own way"
            [0: BadShare(vec![2]), 1: Zero(Coefficient(0, -1)), 3: TwoDeals, 4: CopiedDeal(2), 6: FewCiphertexts] => 4
            [1 "invalid-deal" ["deal"] "infinity",
             3 "equivocation" ["deal", "deal"] "in the deal round",
             4 "invalid-deal" ["deal"] "proof of knowledge",
             6 "invalid-deal" ["deal"] "ciphertexts"];
        7 "shares and complaints"
            [0: BadShare(vec![2]), 1: BadShare(vec![2, 5]), 3: FalseComplaint(2), 4: ComplaintProof(5)] => 4
            [0 "wrong-shares" ["deal", "complain"] "operator 3 a wrong share",
             1 "wrong-shares" ["deal", "complain"] "operator 3 a wrong share",
             1 "wrong-shares" ["deal", "complain"] "operator 6 a wrong share",
             3 "false-complaint" ["deal", "complain"] "every share it complains of is right",
             4 "false-complaint" ["deal", "complain"] "its proof is wrong"];
    });
    check_large(rows! {
        7 "three validators with instalments and a registration"
            [2: BadShareOf(2, vec![0]), 4: CopiedConstant(0), 6: Zero(Coefficient(1, 0))] => 4
            [4 "invalid-deal" ["deal"] "proof of knowledge",
             6 "invalid-deal" ["deal"] "commitment 0 of validator 1 is the point at infinity"];
    });
}
