//! How a spreadsheet lays its file out: encoding, separators, header, lines.

use std::fmt;

use csv::ByteRecord;

use crate::json::excerpt;

/// A column that a list may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    WithdrawalAddress,
    Credentials,
    Amounts,
    FeeRecipient,
    GasLimit,
}

impl Column {
    const ALL: [Self; 5] = [
        Self::WithdrawalAddress,
        Self::Credentials,
        Self::Amounts,
        Self::FeeRecipient,
        Self::GasLimit,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::WithdrawalAddress => "withdrawal_address",
            Self::Credentials => "credentials",
            Self::Amounts => "amounts",
            Self::FeeRecipient => "fee_recipient",
            Self::GasLimit => "gas_limit",
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which column stands where.
#[derive(Debug)]
pub(super) struct Header(Vec<Column>);

impl Header {
    pub(super) fn parse(record: &ByteRecord) -> Result<Self, Vec<String>> {
        let mut names: Vec<String> = record
            .iter()
            .map(|field| String::from_utf8_lossy(field).trim().to_lowercase())
            .map(|name| name.replace([' ', '-'], "_"))
            .collect();
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        let mut columns = Vec::new();
        let mut problems = Vec::new();
        for name in &names {
            match Column::ALL.into_iter().find(|column| column.name() == name) {
                Some(column) if columns.contains(&column) => {
                    problems.push(format!("the column {column} stands twice"));
                }
                Some(column) => columns.push(column),
                // What the header says is no column may be the first validator.
                None if columns.is_empty() && name.starts_with("0x") => {
                    return Err(vec![format!(
                        "the first row names the columns: {}",
                        known()
                    )]);
                }
                None if problems.len() < 10 => {
                    let name = excerpt(name, 40);
                    problems.push(format!(
                        "the column \"{name}\" is not known; known are {}",
                        known()
                    ));
                }
                None => {}
            }
        }
        if problems.is_empty() && !columns.contains(&Column::WithdrawalAddress) {
            problems.push(format!(
                "the column {} is missing",
                Column::WithdrawalAddress
            ));
        }
        if problems.is_empty() {
            Ok(Self(columns))
        } else {
            Err(problems)
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn position(&self, column: Column) -> Option<usize> {
        self.0.iter().position(|at| *at == column)
    }
}

fn known() -> String {
    Column::ALL.map(Column::name).join(", ")
}

/// The text of a file, without its byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > super::MAX_CSV_BYTES {
        return Err(format!(
            "the list is longer than {} bytes",
            super::MAX_CSV_BYTES
        ));
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err("this is a spreadsheet's own file; save it as CSV (UTF-8)".to_owned());
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("the list is UTF-16; save it as CSV (UTF-8)".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = count_lines(before).saturating_add(1);
        format!("line {line}: the list is not UTF-8; save it as CSV (UTF-8)")
    })?;
    if let Some((before, _)) = text.split_once('\0') {
        let line = count_lines(before.as_bytes()).saturating_add(1);
        return Err(format!("line {line}: a zero byte; this is no text file"));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// What separates the fields, and where the header starts.
pub(super) fn delimiter(text: &str) -> (u8, usize) {
    let first = text.split(['\n', '\r']).next().unwrap_or_default();
    // Written by some spreadsheets, for themselves.
    if let [
        b's' | b'S',
        b'e' | b'E',
        b'p' | b'P',
        b'=',
        delimiter @ (b',' | b';' | b'\t'),
    ] = first.as_bytes()
    {
        return (*delimiter, first.len());
    }
    let header = text.trim_start_matches(['\n', '\r']);
    let header = header.split(['\n', '\r']).next().unwrap_or_default();
    let count = |delimiter: &u8| header.bytes().filter(|byte| byte == delimiter).count();
    // The first of equally frequent ones: `max_by_key` returns the last.
    let delimiter = [b'\t', b';', b','].into_iter().max_by_key(count);
    (delimiter.unwrap_or(b','), 0)
}

/// The lines of a file as editors count them, asked for in the file's order.
pub(super) struct Lines<'a> {
    text: &'a str,
    start: usize,
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    /// Over a text whose rows start at a byte.
    pub(super) const fn new(text: &'a str, start: usize) -> Self {
        Self {
            text,
            start,
            at: 0,
            line: 1,
        }
    }

    /// The line of the row that was read from this byte of the rows on. The reader passes over line
    /// ends before a row, and leaves the second byte of CRLF to the next one.
    pub(super) fn of(&mut self, offset: u64) -> u64 {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut end = self.start.saturating_add(offset);
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(end), Some(b'\n' | b'\r')) {
            end = end.saturating_add(1);
        }
        let passed = bytes.get(self.at..end).unwrap_or_default();
        self.line = self.line.saturating_add(count_lines(passed));
        self.at = end.max(self.at);
        self.line
    }
}

/// How many lines end in these bytes, with LF, CRLF or CR.
fn count_lines(bytes: &[u8]) -> u64 {
    let mut count = 0u64;
    let mut previous = 0u8;
    for byte in bytes {
        let crlf = *byte == b'\n' && previous == b'\r';
        if matches!(byte, b'\n' | b'\r') && !crlf {
            count = count.saturating_add(1);
        }
        previous = *byte;
    }
    count
}
