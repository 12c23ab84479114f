use proptest::prelude::*;

use super::*;
use crate::ethereum::amount::{ETHEREUM, GNOSIS};

const ONE: &str = "0x00000000219ab540356cBB839Cbe05303d7705Fa";
const TWO: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";

fn defaults(rules: &'static Rules) -> Defaults<'static> {
    Defaults {
        rules,
        credentials: CredentialsKind::Eth1,
        deposits: &[Gwei(32_000_000_000)],
        has_fee_recipient: false,
    }
}

fn read(text: &str) -> Result<List, CsvError> {
    parse(text.as_bytes(), &defaults(&ETHEREUM))
}

#[track_caller]
fn refused(text: &str) -> Vec<String> {
    read(text).unwrap_err().sentences()
}

#[test]
fn a_list_is_read_by_the_names_of_its_columns() {
    let text = format!(
        "fee_recipient,Withdrawal Address,amounts,credentials,gas_limit\n\
         {TWO},{ONE},1eth+31 eth,,36000000\n,{ONE},,0x01,\n,{TWO},32eth;1000.5eth 7000000000,0x02,\n"
    );
    let list = read(&text).unwrap();
    assert!(list.lower_case.is_empty());
    let [first, second, third] = list.rows.as_slice() else {
        panic!("{list:?}")
    };
    let address = |text| Address::parse_eip55(text).unwrap();
    let eth = |gwei: &[u64]| Some(gwei.iter().copied().map(Gwei).collect::<Vec<_>>());
    assert_eq!(first.fee_recipient, Some(address(TWO)));
    assert_eq!(first.deposits, eth(&[1_000_000_000, 31_000_000_000]));
    assert_eq!(
        (first.gas_limit, first.credentials),
        (Some(36_000_000), None)
    );
    assert_eq!(second.withdrawal_address, address(ONE));
    assert_eq!((&second.deposits, second.fee_recipient), (&None, None));
    assert_eq!(third.credentials, Some(CredentialsKind::Compounding));
    assert_eq!(
        third.deposits,
        eth(&[32_000_000_000, 1_000_500_000_000, 7_000_000_000])
    );
    assert_eq!((first.line, third.line), (2, 4));
}

#[test]
fn what_spreadsheets_write_is_read_alike() {
    let plain = format!("withdrawal_address,amounts\n{ONE},1eth 31eth\n{TWO},32eth\n");
    let rows = |text: &str| {
        let mut rows = read(text).unwrap().rows;
        rows.iter_mut().for_each(|row| row.line = 0);
        rows
    };
    let expected = rows(&plain);
    for other in [
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        plain.trim_end().to_owned(),
        plain.replace(',', ";"),
        plain.replace(',', "\t"),
        format!("sep=;\r\n{}", plain.replace(',', ";")),
        format!("\n\n{plain}"),
        plain.replace('\n', "\n\n"),
        format!("{plain},\n,\n , \n\n"),
        plain
            .replace("amounts", "Amounts ")
            .replace("1eth 31eth", "\"1eth 31eth\""),
        plain
            .replace(',', ";")
            .replace("1eth 31eth", "\"1eth;31eth\""),
        plain.replace('\n', ",,\n"),
    ] {
        assert_eq!(rows(&other), expected, "{other:?}");
    }
}

#[test]
fn lines_are_those_of_an_editor() {
    for end in ["\n", "\r\n", "\r"] {
        let text = [
            "withdrawal_address,amounts",
            "",
            "0x12,",
            ONE,
            "",
            &format!("{ONE},x"),
        ]
        .join(end);
        for start in ["", "\u{feff}", end] {
            let more = u64::from(start == end);
            let error = read(&format!("{start}{text}")).unwrap_err();
            let lines: Vec<u64> = error.lines().collect();
            assert_eq!(lines, [3 + more, 4 + more, 6 + more], "{end:?} {start:?}");
        }
        let sep = format!("sep=,{end}{text}");
        assert_eq!(
            read(&sep).unwrap_err().lines().collect::<Vec<_>>(),
            [4, 5, 7]
        );
    }
}

#[test]
fn every_bad_row_is_named_at_once() {
    let lower = TWO.to_lowercase();
    let text = format!(
        "withdrawal_address,credentials,amounts,fee_recipient,gas_limit\n\
         {ONE},,,,\n\
         0x12,0x03,1gno,nobody,0\n\
         ,,,,\n\
         {ONE},0x01,33eth,,\n\
         {ONE},0x02,32eth 32eth,,\n\
         ,0x01,,,\n\
         {ONE},0x01\n\
         {lower},,,{ONE},1e6\n\
         0x0000000000000000000000000000000000000000,,,,36000000\n\
         {ONE},,\"3,2E+10\",,\n"
    );
    let sentences = refused(&text);
    for (sentence, start, has) in [
        (0, "line 3, withdrawal_address \"0x12\": ", "40 hex"),
        (1, "line 3, credentials \"0x03\": ", "0x02 (compounding)"),
        (2, "line 3, amounts \"1gno\": ", "no amount"),
        (3, "line 3, fee_recipient \"nobody\": ", "40 hex"),
        (4, "line 3, gas_limit \"0\": ", "whole number"),
        (5, "line 4: ", "empty, and rows follow"),
        (6, "line 5: amounts: ", "1 ETH to 32 ETH"),
        (7, "line 6: amounts: ", "stands twice"),
        (8, "line 7, withdrawal_address: ", "is empty"),
        (9, "line 8: ", "has 2 fields; the header has 5"),
        (10, "line 9, gas_limit \"1e6\": ", "in digits alone"),
        (11, "line 10, withdrawal_address", "zero address"),
        (12, "line 10, gas_limit", "no fee recipient"),
        (13, "line 11, amounts", "format the column as text"),
    ] {
        let found = &sentences[sentence];
        assert!(found.starts_with(start) && found.contains(has), "{found}");
    }
    assert_eq!(sentences.len(), 14, "{sentences:#?}");
}

#[test]
fn files_that_are_no_list_are_refused_in_words() {
    let bytes = |bytes: &[u8]| parse(bytes, &defaults(&ETHEREUM)).unwrap_err().to_string();
    assert!(bytes(b"").contains("empty"));
    assert!(bytes(b"\n\n\r\n").contains("empty"));
    assert!(bytes(b"withdrawal_address\n").contains("no validator"));
    assert!(bytes(b"withdrawal_address\n,\n,\n").contains("no validator"));
    assert!(bytes(b"PK\x03\x04rest").contains("spreadsheet's own"));
    assert!(bytes(b"\xff\xfew\0").contains("UTF-16"));
    assert!(bytes(b"withdrawal_address\nZo\xeb\n").starts_with("line 2: the list is not UTF-8"));
    assert!(bytes(b"withdrawal_address\n\0\n").starts_with("line 2: a zero byte"));
    assert!(bytes(&vec![b' '; MAX_CSV_BYTES + 1]).contains("longer than"));
    for (text, says) in [
        (format!("{ONE}\n"), "the first row names the columns"),
        ("amounts\n32eth\n".into(), "withdrawal_address is missing"),
        (
            "withdrawal_address,colour\n".into(),
            "\"colour\" is not known",
        ),
        (
            "withdrawal_address,Withdrawal-Address\n".into(),
            "stands twice",
        ),
        (
            format!("withdrawal_address,amounts\n\"{ONE},1eth\n{ONE},1eth\n"),
            "line 2: a field holds a line break",
        ),
        (format!("withdrawal_address\n{ONE},x\n"), "2 fields"),
    ] {
        assert!(refused(&text)[0].contains(says), "{:?}", refused(&text));
    }
}

#[test]
fn amounts_follow_the_network_and_the_defaults() {
    let text = format!("withdrawal_address,amounts\n{ONE},0.03125gno + 0.5 GNO\n{ONE},0.03gno\n");
    let error = parse(text.as_bytes(), &defaults(&GNOSIS))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "line 3: amounts: the amount is 0.03 GNO; a deposit with 0x01 credentials is 0.03125 GNO to 1 GNO"
    );
    // The row's kind with the flags' amounts.
    let text = format!("withdrawal_address,credentials\n{ONE},0x02\n{ONE},\n{ONE},0x01\n");
    let big = Defaults {
        credentials: CredentialsKind::Compounding,
        deposits: &[Gwei(64_000_000_000)],
        ..defaults(&ETHEREUM)
    };
    let error = parse(text.as_bytes(), &big).unwrap_err();
    assert_eq!(error.lines().collect::<Vec<_>>(), [4]);
}

#[test]
fn thousands_of_rows_are_read_and_their_faults_counted() {
    let lower = ONE.to_lowercase();
    let good = format!(
        "withdrawal_address\n{}",
        format!("{lower}\n").repeat(10_000)
    );
    let list = read(&good).unwrap();
    assert_eq!(list.lower_case.len(), 10_000);
    assert_eq!(on_lines(&list.lower_case), "lines 2-10001");

    let bad = format!("withdrawal_address\n{}", "0x12\n".repeat(10_000));
    let sentences = refused(&bad);
    assert_eq!(sentences.len(), LISTED_PROBLEMS + 1);
    assert_eq!(
        sentences[LISTED_PROBLEMS],
        "and 9950 more problems; the bad rows are on lines 2-10001"
    );
    let huge = format!("withdrawal_address\n{}", "x\n".repeat(MAX_ROWS + 5));
    let error = read(&huge).unwrap_err();
    assert_eq!(error.count(), MAX_ROWS + 1);
    assert_eq!(on_lines(&[7]), "line 7");
    let odd: Vec<u64> = (0..100).map(|line| line * 2).collect();
    assert!(on_lines(&odd).ends_with(", 38, and others"));
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_list_or_in_words(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Err(error) = parse(&bytes, &defaults(&ETHEREUM)) {
            prop_assert!(error.count() > 0 && !error.to_string().is_empty());
        }
    }

    /// Pieces of real lists in any order: what is accepted has a line for each row, in order.
    #[test]
    fn near_lists_end_in_a_list_or_in_words(pieces in prop::collection::vec(
        prop::sample::select(vec![
            "withdrawal_address", "amounts", "credentials", ",", ";", "\n", "\r\n", "\"", "0x01",
            ONE, TWO, "32eth", " ", "+", "\u{feff}", "sep=;", "fee_recipient", "gas_limit", "é",
        ]), 0..40)) {
        let text = format!("withdrawal_address,amounts\n{}", pieces.concat());
        match read(&text) {
            Ok(list) => {
                let ends = text.bytes().filter(|c| matches!(c, b'\n' | b'\r')).count() as u64;
                prop_assert!(list.rows.windows(2).all(|pair| pair[0].line < pair[1].line));
                prop_assert!(list.rows.iter().all(|row| (2..=ends.saturating_add(1)).contains(&row.line)));
            }
            Err(error) => prop_assert!(error.count() > 0),
        }
    }

    /// The same rows under every layout: every bad row is named, and no other.
    #[test]
    fn exactly_the_bad_rows_are_named(
        bad in prop::collection::vec(any::<bool>(), 1..60),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        delimiter in prop::sample::select(vec![",", ";", "\t"]),
    ) {
        let mut text = ["withdrawal_address", "amounts"].join(delimiter);
        let mut expected = Vec::new();
        for (line, bad) in (2u64..).zip(&bad) {
            let amount = if *bad { "33eth" } else { "32eth" };
            text.push_str(&format!("{end}{ONE}{delimiter}{amount}"));
            if *bad {
                expected.push(line);
            }
        }
        match read(&text) {
            Ok(list) => prop_assert!(expected.is_empty() && list.rows.len() == bad.len()),
            Err(error) => prop_assert_eq!(error.lines().collect::<Vec<_>>(), expected),
        }
    }
}
