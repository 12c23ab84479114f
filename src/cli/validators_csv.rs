//! The list of validators that an organiser keeps in a spreadsheet: one row a validator.
//!
//! [`parse`] is a pure function of bytes. It reads what spreadsheets write (commas, semicolons or
//! tabs between the fields, a byte order mark, any line ends, empty rows at the end, `sep=` on the
//! first line) and refuses the rest. Every bad row is named by its line in the file, counted as
//! editors count, and by its column. Nothing is guessed: a cell that has two readings is refused.

use std::collections::BTreeSet;
use std::fmt;

use csv::{ByteRecord, ReaderBuilder};

use super::values;
use crate::ceremony::plan::instalment_problems;
use crate::ethereum::address::{Address, Written};
use crate::ethereum::amount::{Gwei, Rules};
use crate::ethereum::withdrawal::CredentialsKind;
use crate::json::{MAX_INTEGER, excerpt};

mod layout;
pub mod messages;
#[cfg(test)]
mod tests;

use layout::{Column, Header, Lines};

/// The largest file, in bytes.
pub const MAX_CSV_BYTES: usize = 16 * 1024 * 1024;

/// The most rows: more than any plan's messages can hold.
pub const MAX_ROWS: usize = 100_000;

/// How many problems are listed before the rest is only counted.
const LISTED_PROBLEMS: usize = 50;

/// How many ranges of lines are listed.
const LISTED_RANGES: usize = 20;

/// How much of a bad cell is shown.
const SHOWN_CHARS: usize = 60;

/// What the flags say for the cells that a row leaves empty.
#[derive(Debug, Clone, Copy)]
pub struct Defaults<'a> {
    /// What the network allows in a deposit, and its token's name.
    pub rules: &'static Rules,
    /// The kind of credentials.
    pub credentials: CredentialsKind,
    /// The instalments.
    pub deposits: &'a [Gwei],
    /// Whether every validator gets a registration, whatever its row says.
    pub has_fee_recipient: bool,
}

/// One validator. What is `None` was left empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Where withdrawals go.
    pub withdrawal_address: Address,
    /// 0x01 or 0x02.
    pub credentials: Option<CredentialsKind>,
    /// The instalments, in the row's order.
    pub deposits: Option<Vec<Gwei>>,
    /// Who gets the fees of proposed blocks.
    pub fee_recipient: Option<Address>,
    /// The gas limit of its registration.
    pub gas_limit: Option<u64>,
}

/// A list that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The validators, in the file's order; one at least.
    pub rows: Vec<Row>,
    /// The lines with an address all in lower case, which nothing guards against a typing error.
    pub lower_case: Vec<u64>,
}

/// Why a list was refused: all that is wrong with it, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CsvError {
    problems: Vec<String>,
    count: usize,
    lines: BTreeSet<u64>,
}

impl CsvError {
    /// Sentences for a person: the first problems, then how many more and on which lines.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = self.problems.clone();
        let more = self.count.saturating_sub(self.problems.len());
        if more > 0 {
            let lines: Vec<u64> = self.lines.iter().copied().collect();
            sentences.push(format!(
                "and {more} more problems; the bad rows are on {}",
                on_lines(&lines)
            ));
        }
        sentences
    }

    /// How many problems there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The lines that hold a bad row.
    pub fn lines(&self) -> impl Iterator<Item = u64> {
        self.lines.iter().copied()
    }

    fn whole(problem: impl Into<String>) -> Self {
        let mut error = Self::default();
        error.push(None, problem.into());
        error
    }

    fn push(&mut self, line: Option<u64>, problem: String) {
        self.lines.extend(line);
        self.count = self.count.saturating_add(1);
        if self.problems.len() < LISTED_PROBLEMS {
            self.problems.push(match line {
                Some(line) => format!("line {line}{problem}"),
                None => problem,
            });
        }
    }
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences().join("\n"))
    }
}

impl std::error::Error for CsvError {}

/// Reads a list of at most [`MAX_CSV_BYTES`] and [`MAX_ROWS`] rows.
pub fn parse(bytes: &[u8], defaults: &Defaults<'_>) -> Result<List, CsvError> {
    let mut record = ByteRecord::new();
    let mut list = Rows::of(bytes)?;
    let Some(line) = list.next(&mut record) else {
        return Err(CsvError::whole("the list is empty"));
    };
    let header = Header::parse(&record).map_err(|problems| {
        let mut error = CsvError::default();
        for problem in problems {
            error.push(Some(line), format!(": {problem}"));
        }
        error
    })?;

    let mut error = CsvError::default();
    let (mut rows, mut lower_case) = (Vec::new(), Vec::new());
    while let Some(line) = list.filled(&mut record, &mut error) {
        if rows.len() >= MAX_ROWS {
            error.push(
                Some(line),
                format!(": a list has {MAX_ROWS} validators at most"),
            );
            break;
        }
        let mut cells = Cells {
            record: &record,
            header: &header,
            defaults,
            line,
            lower_case: false,
            error: &mut error,
        };
        // A bad row keeps its place, so that the count of rows is right.
        rows.push(cells.row());
        if cells.lower_case {
            lower_case.push(line);
        }
    }
    if rows.is_empty() && error.count == 0 {
        return Err(CsvError::whole("the list has a header and no validator"));
    }
    match rows.into_iter().collect::<Option<Vec<Row>>>() {
        Some(rows) if error.count == 0 => Ok(List { rows, lower_case }),
        _ => Err(error),
    }
}

/// The rows of a list, each with its line in the file.
struct Rows<'t> {
    reader: csv::Reader<&'t [u8]>,
    lines: Lines<'t>,
}

impl<'t> Rows<'t> {
    fn of(bytes: &'t [u8]) -> Result<Self, CsvError> {
        let text = layout::text(bytes).map_err(CsvError::whole)?;
        let (delimiter, start) = layout::delimiter(text);
        let rows = text.get(start..).unwrap_or_default().as_bytes();
        Ok(Self {
            reader: ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(delimiter)
                .from_reader(rows),
            lines: Lines::new(text, start),
        })
    }

    /// Reads the next row, and returns its line.
    fn next(&mut self, record: &mut ByteRecord) -> Option<u64> {
        let more = self.reader.read_byte_record(record).unwrap_or(false);
        let offset = record.position().map_or(0, csv::Position::byte);
        more.then(|| self.lines.of(offset))
    }

    /// [`Self::next`] of the rows that hold something. Spreadsheets leave empty rows at the end; between
    /// others one is a deleted row, and a problem.
    fn filled(&mut self, record: &mut ByteRecord, error: &mut CsvError) -> Option<u64> {
        let mut empty = Vec::new();
        while let Some(line) = self.next(record) {
            if record.iter().any(|field| !field.trim_ascii().is_empty()) {
                for line in empty {
                    error.push(Some(line), ": the row is empty, and rows follow".into());
                }
                return Some(line);
            }
            empty.push(line);
        }
        None
    }
}

/// `line 7` or `lines 2-9, 12`, a long list cut.
pub fn on_lines(lines: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*line) => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let shown: Vec<String> = ranges
        .iter()
        .take(LISTED_RANGES)
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    let noun = if lines.len() == 1 { "line" } else { "lines" };
    let rest = if ranges.len() > LISTED_RANGES {
        ", and others"
    } else {
        ""
    };
    format!("{noun} {}{rest}", shown.join(", "))
}

/// One row while it is read.
struct Cells<'a> {
    record: &'a ByteRecord,
    header: &'a Header,
    defaults: &'a Defaults<'a>,
    line: u64,
    lower_case: bool,
    error: &'a mut CsvError,
}

impl Cells<'_> {
    fn row(&mut self) -> Option<Row> {
        if self
            .record
            .iter()
            .any(|field| field.contains(&b'\n') || field.contains(&b'\r'))
        {
            self.bad("a field holds a line break; is a quotation mark not closed?");
            return None;
        }
        let extra = self.record.iter().skip(self.header.len());
        let fields = self.record.len();
        if fields < self.header.len()
            || extra
                .into_iter()
                .any(|field| !field.trim_ascii().is_empty())
        {
            let expected = self.header.len();
            self.bad(&format!(
                "the row has {fields} fields; the header has {expected}"
            ));
            return None;
        }
        let before = self.error.count;
        let withdrawal_address = match self.cell(Column::WithdrawalAddress) {
            Some(_) => self.address(Column::WithdrawalAddress),
            None => {
                self.bad_cell(Column::WithdrawalAddress, "is empty");
                None
            }
        };
        let credentials = self.read(Column::Credentials, |text, _| values::credentials(text));
        let deposits = self.read(Column::Amounts, amounts);
        self.check_deposits(credentials, deposits.as_deref());
        let fee_recipient = self.address(Column::FeeRecipient);
        let gas_limit = self.read(Column::GasLimit, |text, _| gas_limit(text));
        let has_fee_recipient =
            self.defaults.has_fee_recipient || self.cell(Column::FeeRecipient).is_some();
        if self.cell(Column::GasLimit).is_some() && !has_fee_recipient {
            self.bad_cell(Column::GasLimit, "is given, and no fee recipient");
        }
        (self.error.count == before).then_some(())?;
        Some(Row {
            line: self.line,
            withdrawal_address: withdrawal_address?,
            credentials,
            deposits,
            fee_recipient,
            gas_limit,
        })
    }

    /// What neither the row nor its defaults say is checked once, not for every row.
    fn check_deposits(&mut self, kind: Option<CredentialsKind>, deposits: Option<&[Gwei]>) {
        let bad_kind = kind.is_none() && self.cell(Column::Credentials).is_some();
        let bad_amounts = deposits.is_none() && self.cell(Column::Amounts).is_some();
        if (kind.is_none() && deposits.is_none()) || bad_kind || bad_amounts {
            return;
        }
        let kind = kind.unwrap_or(self.defaults.credentials);
        let own = deposits.is_some();
        let amounts = deposits.unwrap_or(self.defaults.deposits);
        for problem in instalment_problems(amounts, kind, self.defaults.rules) {
            let column = if own {
                Column::Amounts
            } else {
                Column::Credentials
            };
            self.bad(&format!("{column}: {problem}"));
        }
    }

    fn cell(&self, column: Column) -> Option<&str> {
        let field = self.record.get(self.header.position(column)?)?;
        // The whole file is UTF-8, and delimiters and quotes are ASCII.
        let text = std::str::from_utf8(field).ok()?.trim();
        (!text.is_empty()).then_some(text)
    }

    fn read<T>(
        &mut self,
        column: Column,
        read: impl FnOnce(&str, &Rules) -> Result<T, String>,
    ) -> Option<T> {
        match read(self.cell(column)?, self.defaults.rules) {
            Ok(value) => Some(value),
            Err(why) => {
                self.bad_cell(column, &why);
                None
            }
        }
    }

    fn address(&mut self, column: Column) -> Option<Address> {
        let (address, written) = self.read(column, |text, _| {
            let (address, written) =
                Address::parse_flag(text).map_err(|error| error.to_string())?;
            if address.is_zero() {
                return Err("is the zero address, which nobody controls".to_owned());
            }
            Ok((address, written))
        })?;
        self.lower_case |= written == Written::LowerCase;
        Some(address)
    }

    fn bad(&mut self, why: &str) {
        self.error.push(Some(self.line), format!(": {why}"));
    }

    fn bad_cell(&mut self, column: Column, why: &str) {
        let text = self.cell(column).unwrap_or_default();
        let shown = excerpt(text, SHOWN_CHARS);
        let shown = if shown.is_empty() {
            shown
        } else {
            format!(" \"{shown}\"")
        };
        self.error
            .push(Some(self.line), format!(", {column}{shown}: {why}"));
    }
}

/// Reads one or several amounts, between spaces, semicolons or plus signs.
pub(super) fn amounts(text: &str, rules: &Rules) -> Result<Vec<Gwei>, String> {
    // `3.2E+10`, which has lost digits: no amount ends in an e.
    if text.to_ascii_lowercase().contains("e+") {
        return Err(
            "a spreadsheet has rewritten this number; format the column as text".to_owned(),
        );
    }
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(|c: char| c.is_whitespace() || c == ';' || c == '+') {
        let unit = part.bytes().all(|c| c.is_ascii_alphabetic());
        match parts.last_mut() {
            // `32 eth` is one amount.
            Some(last) if unit && last.bytes().all(|c| c.is_ascii_digit() || c == b'.') => {
                last.push_str(part);
            }
            _ if part.is_empty() => {}
            _ => parts.push(part.to_owned()),
        }
    }
    if parts.is_empty() {
        return Err("holds no amount".to_owned());
    }
    parts
        .iter()
        .map(|part| values::amount(part, rules))
        .collect()
}

/// Reads a gas limit: digits alone.
pub(super) fn gas_limit(text: &str) -> Result<u64, String> {
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number
        .filter(|limit| (1..=MAX_INTEGER).contains(limit))
        .ok_or_else(|| "a gas limit is a whole number from 1 on, in digits alone".to_owned())
}
