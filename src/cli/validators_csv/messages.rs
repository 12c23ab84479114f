//! The list of what is to be signed, in the same kinds of files: one row a message, in columns that
//! the command names.

use std::collections::BTreeMap;

use csv::ByteRecord;

use super::{CsvError, MAX_ROWS, Rows};
use crate::json::excerpt;

/// One row: the cells that are not empty, by the names of their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Column and cell.
    pub cells: BTreeMap<&'static str, String>,
}

impl MessageRow {
    /// A cell, unless it was left empty.
    pub fn cell(&self, column: &str) -> Option<&str> {
        self.cells.get(column).map(String::as_str)
    }
}

/// Reads a list of at most [`super::MAX_CSV_BYTES`] and [`MAX_ROWS`] rows. The first row names the
/// columns, of which `columns` are known and the first must be there.
pub fn parse(bytes: &[u8], columns: &[&'static str]) -> Result<Vec<MessageRow>, CsvError> {
    let mut record = ByteRecord::new();
    let mut list = Rows::of(bytes)?;
    let Some(line) = list.next(&mut record) else {
        return Err(CsvError::whole("the list is empty"));
    };
    let mut error = CsvError::default();
    let header = header(&record, columns, line, &mut error);
    if error.count() > 0 {
        return Err(error);
    }
    let mut rows = Vec::new();
    while let Some(line) = list.filled(&mut record, &mut error) {
        if rows.len() >= MAX_ROWS {
            error.push(Some(line), format!(": a list has {MAX_ROWS} rows at most"));
            break;
        }
        let extra = record.iter().skip(header.len());
        if extra
            .into_iter()
            .any(|field| !field.trim_ascii().is_empty())
        {
            error.push(Some(line), ": the row has more cells than columns".into());
        }
        let cells = header.iter().zip(&record).filter_map(|(column, field)| {
            let text = String::from_utf8_lossy(field).trim().to_owned();
            (!text.is_empty()).then_some((*column, text))
        });
        rows.push(MessageRow {
            line,
            cells: cells.collect(),
        });
    }
    if rows.is_empty() && error.count() == 0 {
        return Err(CsvError::whole("the list has no row"));
    }
    match error.count() {
        0 => Ok(rows),
        _ => Err(error),
    }
}

fn header(
    record: &ByteRecord,
    columns: &[&'static str],
    line: u64,
    error: &mut CsvError,
) -> Vec<&'static str> {
    let mut names: Vec<String> = record
        .iter()
        .map(|field| String::from_utf8_lossy(field).trim().to_lowercase())
        .map(|name| name.replace([' ', '-'], "_"))
        .collect();
    while names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    let known = columns.join(", ");
    let mut found: Vec<&'static str> = Vec::new();
    for name in &names {
        match columns.iter().find(|column| *column == name) {
            Some(column) if found.contains(column) => {
                error.push(Some(line), format!(": the column {column} stands twice"));
            }
            Some(column) => found.push(column),
            None if error.count() < 10 => {
                let name = excerpt(name, 40);
                let problem = format!(": the column \"{name}\" is not known; known are {known}");
                error.push(Some(line), problem);
            }
            None => {}
        }
    }
    if let Some(first) = columns.first()
        && error.count() == 0
        && !found.contains(first)
    {
        error.push(Some(line), format!(": the column {first} is missing"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[&str] = &["validator", "validator_index", "epoch"];

    #[test]
    fn lists_are_read_whole_or_not_at_all() {
        let rows = parse(b"Validator Index;validator\r\n12;0\r\n;1\r\n", COLUMNS).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].line, rows[0].cell("validator_index")),
            (2, Some("12"))
        );
        assert_eq!((rows[1].line, rows[1].cell("validator_index")), (3, None));
        assert_eq!(rows[1].cell("validator"), Some("1"));
        for (bad, line) in [
            ("epoch\n1\n", Some(1)),
            ("validator,validator\n1,1\n", Some(1)),
            ("validator,slot\n1,1\n", Some(1)),
            ("validator,epoch\n0,1\n,\n1,1\n", Some(3)),
            ("validator\n0,1\n", Some(2)),
            ("validator\n", None),
            ("", None),
        ] {
            let error = parse(bad.as_bytes(), COLUMNS).unwrap_err();
            assert_eq!(error.lines().next(), line, "{bad:?}: {error}");
        }
    }
}
