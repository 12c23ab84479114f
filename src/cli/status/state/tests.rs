use super::*;

fn index(number: u64) -> Index {
    Index::new(number).unwrap()
}

fn names(who: &[Index]) -> String {
    let names: Vec<String> = who.iter().map(|index| format!("op{index}")).collect();
    names.join(", ")
}

fn hands() -> Hands {
    Hands {
        carried: true,
        run: "RUN".into(),
        audit: Some("AUDIT".into()),
        report: Some("REPORT".into()),
        backup: "BACKUP".into(),
        check_backup: "CHECK".into(),
        evidence: vec!["EVIDENCE".into()],
        abandon: "ABANDON".into(),
    }
}

fn facts(view: View, markers: &[Marker]) -> Facts {
    Facts {
        view,
        markers: markers.iter().copied().collect(),
        backup_due: false,
        own: Own::default(),
        signing: None,
        missing_deals: Vec::new(),
        missing_confirms: Vec::new(),
        abandoned: Vec::new(),
        twice: Vec::new(),
        audited: None,
        only_there: 0,
        only_here: 0,
    }
}

/// Every set of markers, with every kind of board, with and without an audit, for both views.
fn everything() -> Vec<Facts> {
    let some = |yes: bool, number| if yes { vec![index(number)] } else { Vec::new() };
    let mut all = Vec::new();
    for view in [View::Operator, View::Witness] {
        for set in 0..1u32 << Marker::ALL.len() {
            let markers: Vec<Marker> = (0..)
                .zip(Marker::ALL)
                .filter(|(bit, _)| set & (1 << bit) != 0)
                .map(|(_, marker)| marker)
                .collect();
            for board in 0..256u32 {
                let bit = |n: u32| board & (1 << n) != 0;
                for audit in 0..5 {
                    let mut facts = facts(view, &markers);
                    facts.own = Own {
                        deal: bit(0),
                        confirm: bit(1),
                        complaint: bit(2),
                    };
                    facts.missing_deals = some(bit(3), 2);
                    facts.missing_confirms = some(bit(4), 3);
                    facts.abandoned = some(bit(5), 4);
                    facts.twice = some(bit(6), 5);
                    facts.backup_due = bit(7);
                    facts.only_here = usize::from(view == View::Operator && audit % 2 == 1);
                    facts.audited = (audit > 0).then(|| Audited {
                        accused: some(audit == 2 || audit == 4, 6),
                        collided: audit == 3,
                        complete: audit == 4,
                    });
                    all.push(facts);
                }
            }
        }
    }
    all
}

#[test]
fn every_combination_has_a_state_with_words_and_something_to_do() {
    let mut words = BTreeSet::new();
    for facts in everything() {
        let state = facts.state();
        words.insert(state.word());
        let sentence = state.sentence(&names);
        assert!(
            !sentence.is_empty() && !sentence.ends_with('.'),
            "{facts:?}"
        );
        assert!(
            !sentence.contains("  ") && !sentence.contains(" ,"),
            "{sentence}"
        );
        let next = facts.next(&state, &hands(), &names);
        assert!(!next.is_empty(), "{facts:?}");
        for next in &next {
            assert!(!next.what.is_empty() && !next.what.ends_with('.'));
        }
        // Without any file to name there is still something to do.
        let bare = Hands {
            audit: None,
            report: None,
            evidence: Vec::new(),
            ..hands()
        };
        assert!(!facts.next(&state, &bare, &names).is_empty(), "{facts:?}");
        for who in state.awaited() {
            assert!(sentence.contains(&format!("op{who}")), "{sentence}");
        }
        assert!(state.awaited().is_empty() || state.round().is_some());
    }
    // The walk meets every state there is.
    assert_eq!(words.len(), 20, "{words:?}");
}

#[test]
fn what_must_never_be_said_is_never_said() {
    for facts in everything() {
        let state = facts.state();
        let sentence = state.sentence(&names);
        let next = facts.next(&state, &hands(), &names);
        let gives = |command: &str| next.iter().any(|n| n.command.as_deref() == Some(command));
        let has = |marker| facts.markers.contains(&marker);
        let complete = has(Marker::Artifacts)
            || has(Marker::Complete)
            || facts
                .audited
                .as_ref()
                .is_some_and(|audited| audited.complete);
        if facts.view == View::Witness {
            assert!(!sentence.contains("you"), "{sentence}");
            // A witness is never told to take part itself: the command is for who is awaited.
            assert!(!gives("RUN") || !state.awaited().is_empty(), "{facts:?}");
            continue;
        }
        // Complete is never taken back, and nobody leaves a ceremony that is complete.
        if complete {
            assert!(
                matches!(state, State::Done | State::FilesDue | State::Finishable),
                "{facts:?}"
            );
            assert!(!gives("ABANDON") && !gives("conclave plan new keygen"));
        }
        // Who confirmed keeps its shares, whatever else is true, and is told so when it ends.
        let confirmed = has(Marker::Confirmed) || facts.own.confirm;
        if confirmed && matches!(sentence.split(':').next(), Some("stopped")) {
            assert!(sentence.contains("your shares are kept"), "{sentence}");
        }
        if confirmed && !complete {
            assert!(!matches!(
                state,
                State::Stopped | State::Abandoned(_) | State::Invited | State::BackupDue
            ));
            assert!(!matches!(state, State::Due(_) | State::Awaiting(_)));
        }
        if confirmed && !has(Marker::Abandoned) {
            assert!(!gives("ABANDON"), "{facts:?}");
        }
        // What stands against it is never passed over in favour of going on.
        let against = has(Marker::Ended) || !facts.twice.is_empty() || !facts.abandoned.is_empty();
        if against && !complete {
            assert!(
                !matches!(
                    state,
                    State::Due(_)
                        | State::BackupDue
                        | State::Awaiting(_)
                        | State::Pending(_)
                        | State::Invited
                ),
                "{facts:?}"
            );
        }
    }
}

#[test]
fn an_operator_goes_through_its_states() {
    let said = |facts: &Facts| {
        let state = facts.state();
        let next = facts.next(&state, &hands(), &names);
        let first = next.first().unwrap();
        let command = first.command.clone().unwrap_or_default();
        format!("{} | {} | {command}", state.sentence(&names), first.what)
    };
    use Marker::{Accepted, Artifacts, Complete, Confirmed, Ended, Shares};
    let mut at = facts(View::Operator, &[]);
    at.missing_deals = vec![index(1), index(2)];
    at.missing_confirms = vec![index(1), index(2)];
    assert_eq!(
        said(&at),
        "the plan names you, and you have not accepted it; nothing was sent | look at the plan and take part | RUN"
    );
    at.markers.insert(Accepted);
    assert_eq!(
        said(&at),
        "it is your turn: your deal is not made yet | make your deal | RUN"
    );
    at.own.deal = true;
    at.missing_deals = vec![index(2)];
    assert_eq!(
        said(&at),
        "waiting since round 1, deal for op2 | pass the messages on to op2; when they come back | RUN"
    );
    at.only_here = 1;
    assert_eq!(
        said(&at),
        "waiting since round 1, deal for op2 | bring both sides together | RUN"
    );
    at.only_here = 0;
    at.missing_deals.clear();
    at.markers.insert(Shares);
    assert_eq!(
        said(&at),
        "it is your turn: every deal is there and you did not confirm yet | check the deals and confirm | RUN"
    );
    at.backup_due = true;
    assert_eq!(
        said(&at),
        "it waits for your checked backup: your shares are stored, and the plan requires one before you confirm | back your shares up | BACKUP"
    );
    at.markers.insert(Confirmed);
    at.own.confirm = true;
    at.missing_confirms = vec![index(2)];
    assert_eq!(
        said(&at),
        "waiting since round 2, confirm for op2; your shares are stored and you confirmed | pass the messages on to op2; when they come back | RUN"
    );
    let mut ended = at.clone();
    ended.markers.insert(Ended);
    assert_eq!(
        said(&ended),
        "stopped: it cannot become complete; you confirmed, so your shares are kept | show the evidence to the others; anyone can check it | EVIDENCE"
    );
    at.missing_confirms.clear();
    assert_eq!(
        said(&at),
        "everyone confirmed; your files are not made yet | write your files | RUN"
    );
    at.markers.insert(Complete);
    assert_eq!(
        said(&at),
        "complete; your files are not written yet | write your files | RUN"
    );
    at.markers.insert(Artifacts);
    assert_eq!(
        said(&at),
        "complete, and your files were written | keep the record and your shares | "
    );
}
