use super::*;
use crate::crypto::polynomial::Polynomial;
use crate::crypto::xof::Xof;
use proptest::prelude::*;

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn own(index: u64) -> OwnShares {
    let mut stream = Xof::new(&[5; 32]);
    let secrets: Vec<Polynomial> = (0..3).map(|_| Polynomial::draw(&mut stream, 2)).collect();
    let points = secrets.iter().flat_map(|f| f.commit().unwrap()).collect();
    OwnShares {
        cid: Digest::from_bytes([0xa1; 32]),
        index,
        transcript: Digest::from_bytes([2; 32]),
        deals: Vec::new(),
        sharing: Sharing::from_polynomials(2, vec![1, index.max(2), u64::MAX >> 11], points)
            .unwrap(),
        shares: secrets.iter().map(|f| f.evaluate(index)).collect(),
    }
}

fn line(index: u64, position: usize) -> String {
    let paper = PaperShare::of(&own(index), position).unwrap();
    paper.line().expose(Clone::clone)
}

/// Other characters at some positions of the data part.
fn wronged(line: &str, at: &[(usize, u8)]) -> String {
    let mut bytes = line.as_bytes().to_vec();
    for (position, add) in at {
        let byte = &mut bytes[position + 4];
        let old = ALPHABET.iter().position(|c| c == byte).unwrap();
        *byte = ALPHABET[(old + usize::from(*add)) % 32];
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_checksum_is_codex32s() {
    Codex32::sanity_check();
    // BIP-93, test vectors 1, 2 (both shares) and 4.
    for vector in [
        "ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw",
        "MS12NAMEA320ZYXWVUTSRQPNMLKJHGFEDCAXRPP870HKKQRM",
        "MS12NAMECACDEFGHJKLMNPQRSTUVWXYZ023FTR2GDZMPY6PN",
        "ms10leetsllhdmn9m42vcsamx24zrxgs3qrl7ahwvhw4fnzrhve25gvezzyqqtum9pgv99ycma",
    ] {
        let unchecked = UncheckedHrpstring::new(vector).unwrap();
        unchecked.validate_checksum::<Codex32>().unwrap();
    }
}

#[test]
fn a_line_comes_back_whole_however_it_is_typed() {
    for (index, length) in [(1, 85), (255, 85), (256, 86), (65_536, 88), (MAX_INDEX, 89)] {
        let own = own(index);
        for position in 0..3 {
            let line = line(index, position);
            assert_eq!(line.len(), length, "{line}");
            let groups: Vec<&str> = line
                .as_bytes()
                .chunks(GROUP)
                .map(|group| std::str::from_utf8(group).unwrap())
                .collect();
            let typed = [
                line.clone(),
                line.to_uppercase(),
                groups.join(" "),
                format!("  {}\n", groups.join("-\r\n")),
            ];
            for typed in typed {
                let read = PaperShare::read(&typed).unwrap();
                assert_eq!((read.position(), read.index()), (position, index));
                assert_eq!(read.share(), &own.shares[position]);
                read.check(&own.cid, &own.sharing).unwrap();
            }
        }
    }
}

#[test]
fn what_does_not_fit_on_paper_is_refused() {
    let own = own(MAX_INDEX + 1);
    let error = PaperShare::of(&own, 0).unwrap_err();
    assert!(matches!(error, PaperError::TooLarge { .. }), "{error}");
    let error = PaperShare::of(&own, 3).unwrap_err();
    assert_eq!(error, PaperError::NoValidator(3));
}

#[test]
fn a_share_of_another_cluster_or_place_is_noticed() {
    let own = own(7);
    let read = |paper: PaperShare| PaperShare::read(&paper.line().expose(Clone::clone));
    let paper = PaperShare::of(&own, 1).unwrap();
    let other = Digest::from_bytes([0xa2; 32]);
    assert_eq!(
        paper.check(&other, &own.sharing).unwrap_err(),
        PaperError::OtherCeremony {
            found: "a1a1a1a1".into(),
            wanted: "a2a2a2a2".into()
        }
    );
    for (position, index) in [(9, 7), (1, 8)] {
        let mut paper = PaperShare::of(&own, 1).unwrap();
        (paper.position, paper.index) = (position, index);
        let error = read(paper)
            .unwrap()
            .check(&own.cid, &own.sharing)
            .unwrap_err();
        assert!(matches!(error, PaperError::NotInCluster { .. }), "{error}");
    }
    for (position, index) in [(0, 7), (1, 1)] {
        let mut paper = PaperShare::of(&own, 1).unwrap();
        (paper.position, paper.index) = (position, index);
        let error = read(paper)
            .unwrap()
            .check(&own.cid, &own.sharing)
            .unwrap_err();
        assert!(matches!(error, PaperError::NotTheShare { .. }), "{error}");
    }
}

/// A line of any bytes whose checksum holds.
fn forged(bytes: &[u8]) -> String {
    let hrp = Hrp::parse_unchecked(PREFIX);
    let line = bytes.iter().copied().bytes_to_fes();
    line.with_checksum::<Codex32>(&hrp).chars().collect()
}

/// A change of a line's bytes.
type Change = dyn Fn(&mut Vec<u8>);

#[test]
fn a_good_checksum_over_no_share_is_refused() {
    let paper = PaperShare::of(&own(7), 1).unwrap();
    let bytes = paper
        .payload(&G1::generator_times(&paper.share))
        .expose(Clone::clone);
    assert_eq!(forged(&bytes), line(7, 1));
    let refused = |change: &Change| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        PaperShare::read(&forged(&bytes)).unwrap_err()
    };
    assert_eq!(refused(&|bytes| bytes[0] = 0x21), PaperError::Version(2));
    let changes: [&Change; 8] = [
        // Every field is bound to the share.
        &|bytes| bytes[1] ^= 1,
        &|bytes| bytes[6] ^= 1,
        &|bytes| bytes[7] ^= 1,
        &|bytes| bytes[20] ^= 1,
        &|bytes| *bytes.last_mut().unwrap() ^= 1,
        // An index in a longer form, and one of another length than it says.
        &|bytes| {
            bytes[0] = 0x12;
            bytes.insert(7, 0);
        },
        &|bytes| bytes[0] = 0x12,
        &|bytes| bytes[8..40].fill(0xff),
    ];
    for (number, change) in changes.iter().enumerate() {
        let error = refused(change);
        assert!(
            matches!(error, PaperError::Contents(_)),
            "{number}: {error}"
        );
    }
    let zero = refused(&|bytes| bytes[8..40].fill(0));
    assert_eq!(zero, PaperError::Contents("a number that is none"));
}

#[test]
fn what_is_no_line_is_refused_in_words() {
    let good = line(7, 0);
    assert_eq!(PaperShare::read("").unwrap_err(), PaperError::Prefix);
    assert_eq!(
        PaperShare::read(&good.replace("shr1", "ms1")).unwrap_err(),
        PaperError::Prefix
    );
    let short = PaperShare::read(&good[..good.len() - 1]).unwrap_err();
    assert_eq!(
        short.to_string(),
        "the line has 84 characters without its spaces; a share on paper has 85 to 89: characters \
         are missing or were typed twice"
    );
    let long = "q".repeat(100_000);
    let long = PaperShare::read(&format!("shr1{long}")).unwrap_err();
    assert!(matches!(long, PaperError::Length { .. }));
}

#[test]
fn wrong_characters_are_named_by_group() {
    let good = line(7, 0);
    let one = PaperShare::read(&wronged(&good, &[(10, 3)])).unwrap_err();
    assert_eq!(
        one.to_string(),
        "character 3 of group 4 of the line is not as written; compare with the paper and type the \
         line again"
    );
    // A character that no line has is found without the checksum.
    let mut alien = good.clone();
    alien.replace_range(20..21, "b");
    assert_eq!(
        PaperShare::read(&alien).unwrap_err(),
        PaperError::Wrong(vec![Place {
            group: 6,
            character: 1
        }])
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn up_to_four_wrong_characters_are_located(
        wrong in prop::collection::btree_map(0usize..81, 1u8..32, 1..=4),
    ) {
        let at: Vec<(usize, u8)> = wrong.into_iter().collect();
        let places = at.iter().map(|(position, _)| Place::of(position + 4)).collect();
        let error = PaperShare::read(&wronged(&line(7, 2), &at)).unwrap_err();
        prop_assert_eq!(error, PaperError::Wrong(places));
    }

    #[test]
    fn up_to_eight_wrong_characters_are_never_taken(
        wrong in prop::collection::btree_map(0usize..81, 1u8..32, 5..=8),
    ) {
        let at: Vec<(usize, u8)> = wrong.into_iter().collect();
        PaperShare::read(&wronged(&line(7, 2), &at)).unwrap_err();
    }

    #[test]
    fn four_wrong_and_unreadable_characters_are_located_together(
        wrong in prop::collection::btree_map(0usize..81, 1u8..32, 2..=3),
        alien in prop::collection::btree_set(0usize..81, 1..=2),
    ) {
        let at: Vec<(usize, u8)> = wrong.into_iter().filter(|(at, _)| !alien.contains(at)).collect();
        let mut typed = wronged(&line(7, 2), &at).into_bytes();
        alien.iter().for_each(|position| typed[position + 4] = b'o');
        let mut expected: Vec<usize> = at.iter().map(|(at, _)| *at).chain(alien).collect();
        expected.sort_unstable();
        let error = PaperShare::read(std::str::from_utf8(&typed).unwrap()).unwrap_err();
        let places = expected.into_iter().map(|position| Place::of(position + 4)).collect();
        prop_assert_eq!(error, PaperError::Wrong(places));
    }

    #[test]
    fn nothing_typed_panics(typed in ".{0,200}") {
        let _ = PaperShare::read(&typed);
    }
}
