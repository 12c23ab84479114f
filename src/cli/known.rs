//! The book of known identities, as people meet it: who was seen before, and who comes with another
//! key. It advises and never blocks: what goes wrong with it is a warning.

use serde::Serialize;

use super::Context;
use super::values::{counted, utc};
use crate::ceremony::plan::Plan;
use crate::store::known::{Book, BookError, Entry, How, Standing};

/// How many rows a person reads; of more, only the warnings.
const MAX_ROWS: usize = 20;

/// What the book says of one operator.
#[derive(Debug, Clone, Serialize)]
pub(super) struct KnownRow {
    index: u64,
    name: String,
    standing: &'static str,
    /// Where it was seen, or where the other name or key was.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl KnownRow {
    fn new(index: u64, name: String, identity: &str, standing: Standing) -> Self {
        let (word, seen, warning) = match standing {
            Standing::New => ("new", None, None),
            Standing::Seen(entry) => ("seen", Some(entry), None),
            Standing::OtherName(entry) => {
                let warning = format!(
                    "operator {index}, {name}, has the key of {} ({}): one of the two names is wrong, or somebody was renamed; ask them",
                    entry.name,
                    place(&entry)
                );
                ("other_name", Some(entry), Some(warning))
            }
            Standing::OtherKey(entry) => {
                let warning = format!(
                    "operator {index}, {name}, comes with another key than before: {identity}, and {} ({}) was {}; ask {name}, by another way than the card came",
                    entry.name,
                    place(&entry),
                    entry.identity
                );
                ("other_key", Some(entry), Some(warning))
            }
        };
        Self {
            index,
            name,
            standing: word,
            seen,
            warning,
        }
    }

    /// What stands beside the operator on the page.
    fn words(&self) -> String {
        match (&self.seen, self.standing) {
            (Some(entry), "seen") => format!("seen before, in {}", place(entry)),
            (Some(_), "other_key") => {
                "ANOTHER KEY than this name had before, see Warnings".to_owned()
            }
            (Some(_), _) => "A KNOWN KEY under another name, see Warnings".to_owned(),
            (None, _) => "new: not seen before".to_owned(),
        }
    }

    /// The sentence that an operator must not miss.
    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

/// The rows of the page: every operator, or of many the numbers.
pub(super) fn page_rows(rows: &[KnownRow]) -> Vec<String> {
    let seen = rows.iter().filter(|row| row.standing == "seen").count();
    let new = rows.iter().filter(|row| row.standing == "new").count();
    if new == rows.len() {
        return vec!["all are new: none was seen before on this machine".to_owned()];
    }
    if rows.len() > MAX_ROWS {
        let odd = rows.len().saturating_sub(seen).saturating_sub(new);
        return vec![format!(
            "{} seen before, {new} new, {odd} that {} not fit what was seen",
            counted(seen, "operator"),
            if odd == 1 { "does" } else { "do" }
        )];
    }
    let width = |column: fn(&KnownRow) -> String| {
        let widths = rows.iter().map(|row| column(row).chars().count());
        widths.max().unwrap_or(0)
    };
    let (index, name) = (
        width(|row| row.index.to_string()),
        width(|row| row.name.clone()),
    );
    rows.iter()
        .map(|row| format!("{:>index$}  {:name$}  {}", row.index, row.name, row.words()))
        .collect()
}

/// `Pool South of 2026-01-31`.
fn place(entry: &Entry) -> String {
    let time = utc(entry.created);
    let day = time.split_once(' ').map_or(time.as_str(), |(day, _)| day);
    format!("{} of {day}", entry.plan)
}

impl Context {
    /// Returns what the book says of a plan's operators; `None` without a book to look into, and for
    /// a rehearsal, whose operators are nobody.
    pub(super) fn known(&mut self, plan: &Plan) -> Option<Vec<KnownRow>> {
        if plan.is_rehearsal() {
            return None;
        }
        let path = Book::path(&self.home_root().ok()?)?;
        let book = match Book::read(&*self.disk, &path) {
            Ok(book) => book,
            Err(error) => {
                self.tell_book(&error);
                return None;
            }
        };
        let rows = plan.roster().iter().zip(book.standings(plan));
        Some(
            rows.map(|(operator, standing)| {
                KnownRow::new(
                    operator.index.get(),
                    operator.card.name().to_string(),
                    &operator.card.identity().to_string(),
                    standing,
                )
            })
            .collect(),
        )
    }

    /// Writes a plan's operators into the book.
    pub(super) fn remember(&mut self, plan: &Plan, how: How) {
        let Some(path) = self.home_root().ok().and_then(|home| Book::path(&home)) else {
            return;
        };
        if let Err(error) = Book::remember(&*self.disk, &path, plan, how) {
            self.tell_book(&error);
        }
    }

    fn tell_book(&mut self, error: &BookError) {
        self.ui.warn(format!(
            "the book of known identities is of no use now, and nothing else is affected: {error}"
        ));
    }
}
