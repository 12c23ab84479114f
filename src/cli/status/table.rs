//! One ceremony as text: a row an operator that reads alone, and short lines where a terminal is
//! narrow.

use super::Row;
use super::gather::{Came, OperatorRow, Rounds};
use crate::cli::layout::wrap;
use crate::wire::envelope::Kind;

/// Lays a ceremony out; `width` is the terminal's, nothing where no terminal is.
pub(super) fn lines(row: &Row, width: Option<usize>) -> Vec<String> {
    let wide = width.unwrap_or(usize::MAX);
    let mut lines = wrap(&title(row), "", wide);
    lines.extend(wrap(
        &format!(
            "{}, {} validator(s), any {} of {} operators can sign",
            row.network,
            row.validators,
            row.threshold,
            row.operators.len()
        ),
        "  ",
        wide,
    ));
    lines.extend(operators(&row.operators, wide));
    for came in &row.came {
        lines.extend(wrap(&came_text(came), "  ", wide));
    }
    if let Some(checked) = row.checked {
        let text = format!("checked without a secret: {checked} message(s)");
        lines.extend(wrap(&text, "  ", wide));
    }
    for finding in &row.findings {
        lines.extend(wrap(&format!("found: {finding}"), "  ", wide));
    }
    for (count, what) in [
        (row.only_there, "carried there and not here yet"),
        (row.only_here, "here and not carried there yet"),
    ] {
        if count > 0 {
            lines.extend(wrap(&format!("{count} message(s) {what}"), "  ", wide));
        }
    }
    lines.extend(wrap(&format!("state: {}", row.sentence), "  ", wide));
    for next in &row.next {
        lines.extend(wrap(&format!("next: {}", next.what), "  ", wide));
        // Never broken: it is there to be copied.
        lines.extend(next.command.iter().map(|command| format!("    {command}")));
    }
    lines
}

/// One line for a list of several.
pub(super) fn summary(row: &Row, width: Option<usize>) -> Vec<String> {
    wrap(
        &format!("{}: {}", title(row), row.sentence),
        "",
        width.unwrap_or(usize::MAX),
    )
}

fn title(row: &Row) -> String {
    let rehearsal = if row.rehearsal { ", a rehearsal" } else { "" };
    format!("{} ({}{rehearsal})", row.name.as_str(), row.cid.short())
}

/// Which messages came with one courier: kinds, with the operators whose they are.
fn came_text(came: &Came) -> String {
    let mut kinds: Vec<(Kind, Vec<String>)> = Vec::new();
    for message in &came.messages {
        let operator = message.operator.to_string();
        match kinds.iter_mut().find(|(kind, _)| *kind == message.kind) {
            Some((_, operators)) if operators.last() == Some(&operator) => {}
            Some((_, operators)) => operators.push(operator),
            None => kinds.push((message.kind, vec![operator])),
        }
    }
    let kinds = kinds
        .iter()
        .map(|(kind, operators)| format!("{kind} of {}", operators.join(", ")));
    let what = kinds.collect::<Vec<_>>().join("; ");
    match came.by.as_str() {
        "made here" => format!("made here: {what}"),
        "unknown" => format!("came, it is not known how: {what}"),
        by => format!("came by {by}: {what}"),
    }
}

/// Columns where they fit, else a sentence for each operator.
pub(in crate::cli) fn operators(operators: &[OperatorRow], wide: usize) -> Vec<String> {
    let longest = |text: &dyn Fn(&OperatorRow) -> String| {
        let lengths = operators
            .iter()
            .map(|operator| text(operator).chars().count());
        lengths.max().unwrap_or(0)
    };
    let index_width = longest(&|operator| operator.index.to_string());
    let name_width = longest(&|operator| operator.name.as_str().to_owned());
    let rounds = operators
        .first()
        .map_or(0, |operator| operator.rounds.named().len());
    let widths: Vec<usize> = (0..rounds)
        .map(|round| longest(&|operator| said(operator, round)))
        .collect();
    let columns: Vec<String> = operators
        .iter()
        .map(|operator| {
            let mut line = format!(
                "  {:>index_width$}  {:name_width$}",
                operator.index.to_string(),
                operator.name.as_str(),
            );
            for ((name, said), width) in operator.rounds.named().iter().zip(&widths) {
                line.push_str(&format!("  {name} {:width$}", said.text()));
            }
            match operator.rounds {
                Rounds::Keygen { .. } => {
                    line.push_str(&format!("  complaints {}", operator.complaints));
                }
                Rounds::Sign { .. } if !operator.own => line.truncate(line.trim_end().len()),
                Rounds::Sign { .. } => {}
            }
            if operator.own {
                line.push_str("  (you)");
            }
            line
        })
        .collect();
    if columns.iter().all(|line| line.chars().count() <= wide) {
        return columns;
    }
    operators
        .iter()
        .flat_map(|operator| {
            let mut text = format!("{} {}", operator.index, operator.name.as_str());
            if operator.own {
                text.push_str(" (you)");
            }
            let said = operator.rounds.named();
            let said = said
                .iter()
                .map(|(name, said)| format!("{name} {}", said.text()));
            text.push_str(&format!(": {}", said.collect::<Vec<_>>().join(", ")));
            if operator.complaints > 0 {
                text.push_str(&format!(", complaints {}", operator.complaints));
            }
            wrap(&text, "  ", wide)
        })
        .collect()
}

/// What an operator said in a round, for the width of its column.
fn said(operator: &OperatorRow, round: usize) -> String {
    let named = operator.rounds.named();
    let said = named.get(round);
    said.map_or_else(String::new, |(_, said)| said.text().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::gather::{CameMessage, Said};
    use crate::cli::status::state::Next;
    use crate::hash::Digest;
    use crate::json::Text;
    use crate::wire::roster::Index;

    fn row() -> Row {
        let text = |text: &str| Text::try_from(text.to_owned()).unwrap();
        let operator = |index, name, deal, confirm, complaints| OperatorRow {
            index: Index::new(index).unwrap(),
            name: text(name),
            rounds: Rounds::Keygen { deal, confirm },
            complaints,
            own: index == 7,
        };
        let message = |kind, operator| CameMessage {
            kind,
            operator: Index::new(operator).unwrap(),
        };
        Row {
            cid: Digest::from_bytes([0xc1; 32]),
            name: text("Pool North"),
            kind: crate::ceremony::plan::PlanKind::Keygen,
            rehearsal: false,
            network: "hoodi".into(),
            validators: 300,
            messages: None,
            threshold: 3,
            view: "operator",
            state: "doubtful",
            sentence: "something stands against bob (2); `conclave run` judges it".into(),
            round: None,
            awaiting: Vec::new(),
            operators: vec![
                operator(2, "bob", Said::Twice, Said::No, 0),
                operator(7, "Zoë of the north", Said::Yes, Said::Abandoned, 1),
            ],
            came: vec![Came {
                by: "relay https://relay.example".into(),
                messages: vec![message(Kind::Deal, 2), message(Kind::Deal, 2), message(Kind::Deal, 7), message(Kind::Abandon, 7)],
            }],
            checked: Some(5),
            findings: vec!["operator 2 (bob) is proved wrong: it signed two different messages in the deal round".into()],
            accused: vec![Index::new(2).unwrap()],
            noise: Vec::new(),
            only_there: 1,
            only_here: 0,
            evidence: Vec::new(),
            places: Vec::new(),
            next: vec![Next {
                what: "let it be judged".into(),
                command: Some("conclave run pool.plan.json --via /media/a-stick-with-a-long-name".into()),
            }],
            complete: false,
        }
    }

    const WIDE: &str = "\
Pool North (c1c1c1c1)
  hoodi, 300 validator(s), any 3 of 2 operators can sign
  2  bob               deal TWICE  confirm no         complaints 0
  7  Zoë of the north  deal yes    confirm abandoned  complaints 1  (you)
  came by relay https://relay.example: deal of 2, 7; abandon of 7
  checked without a secret: 5 message(s)
  found: operator 2 (bob) is proved wrong: it signed two different messages in
    the deal round
  1 message(s) carried there and not here yet
  state: something stands against bob (2); `conclave run` judges it
  next: let it be judged
    conclave run pool.plan.json --via /media/a-stick-with-a-long-name";

    const NARROW: &str = "\
Pool North (c1c1c1c1)
  hoodi, 300 validator(s), any 3 of 2
    operators can sign
  2 bob: deal TWICE, confirm no
  7 Zoë of the north (you): deal yes,
    confirm abandoned, complaints 1
  came by relay https://relay.example:
    deal of 2, 7; abandon of 7
  checked without a secret: 5 message(s)
  found: operator 2 (bob) is proved
    wrong: it signed two different
    messages in the deal round
  1 message(s) carried there and not
    here yet
  state: something stands against bob
    (2); `conclave run` judges it
  next: let it be judged
    conclave run pool.plan.json --via /media/a-stick-with-a-long-name";

    #[test]
    fn a_table_fits_its_terminal() {
        assert_eq!(lines(&row(), Some(80)).join("\n"), WIDE);
        assert_eq!(lines(&row(), Some(40)).join("\n"), NARROW);
        // A pipe gets a line a thought.
        let piped = lines(&row(), None);
        assert_eq!(
            piped.iter().filter(|line| line.contains("found:")).count(),
            1
        );
        assert!(piped.iter().any(|line| line.ends_with("in the deal round")));
    }

    #[test]
    fn a_list_has_a_line_for_each() {
        assert_eq!(
            summary(&row(), None),
            ["Pool North (c1c1c1c1): something stands against bob (2); `conclave run` judges it"]
        );
    }
}
