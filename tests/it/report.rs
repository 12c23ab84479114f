//! The page for people: what is on it, and that it is sound whatever stands in a plan.

use std::sync::LazyLock;

use conclave::artifacts::report::{Origin, Source, page};
use conclave::audit::{Report, audit};
use conclave::ceremony::outcome::Outcome;
use conclave::ceremony::plan::Plan;
use conclave::ceremony::{MessagesError, Unobserved};
use conclave::ethereum::network::Network;
use conclave::json::{Text, encode_hex};
use conclave::wire::card::VerifiedCard;
use conclave::wire::code::Code;

use crate::harness::binary::Desk;
use crate::harness::ceremony::{Ceremony, draft, keygen, players};
use crate::harness::faults::{Faults, Misdeed, Table};

static CEREMONY: LazyLock<Ceremony> =
    LazyLock::new(|| keygen(4, &Network::known("hoodi").unwrap().spec()));

static CODE: LazyLock<Code> =
    LazyLock::new(|| Code::parse("kiwi amused erode deny abandon vote arrow chuckle").unwrap());

fn own_page(ceremony: &Ceremony) -> String {
    sound(page(&Source {
        plan: ceremony.plan.keygen().unwrap(),
        outcome: Some(&ceremony.outcome),
        plan_code: &ceremony.codes.0,
        outcome_code: Some(&ceremony.codes.1),
        origin: Origin::OwnRun,
    }))
}

fn audited(plan: &Plan, report: &Report, passed_over: &[String]) -> String {
    let outcome = report.examination.outcome.as_ref();
    let outcome = outcome.and_then(Outcome::keygen);
    sound(page(&Source {
        plan: plan.keygen().unwrap(),
        outcome,
        plan_code: &CODE,
        outcome_code: outcome.map(|_| &*CODE),
        origin: Origin::Audit {
            report,
            passed_over,
            evidence: false,
        },
    }))
}

fn nothing(_: &str) -> Result<Vec<u8>, MessagesError> {
    Err(MessagesError("there is none".into()))
}

struct Empty;

impl conclave::ceremony::Messages for Empty {
    fn load(&self, id: &str) -> Result<Vec<u8>, MessagesError> {
        nothing(id)
    }
}

/// Checks what holds of every page and returns it: every tag is closed in its turn, every attribute
/// quoted, no id stands twice, and nothing is loaded or run.
#[track_caller]
fn sound(page: String) -> String {
    const VOID: [&str; 1] = ["meta"];
    const FORBIDDEN: [&str; 8] = [
        "script", "img", "link", "iframe", "object", "form", "base", "image",
    ];
    // Neither an address nor a way to load something, in the style either.
    for word in ["://", "url(", "@import"] {
        assert!(!page.to_ascii_lowercase().contains(word), "{word}");
    }
    let rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    assert!(rest.ends_with("</html>\n"));
    let (head, body) = rest.split_once("</style>").unwrap();
    let (head, _style) = head.split_once("<style>").unwrap();
    let text = format!("{head}<style></style>{body}");
    let mut open: Vec<&str> = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    let mut parts = text.split('<');
    assert_eq!(parts.next(), Some(""));
    for part in parts {
        let (tag, after) = part.split_once('>').unwrap_or_else(|| panic!("<{part}"));
        assert!(!after.contains('>'), "{part}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{part}");
            continue;
        }
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.bytes().all(|c| c.is_ascii_alphanumeric()), "{part}");
        assert!(!FORBIDDEN.contains(&name), "{part}");
        while !attributes.is_empty() {
            let (key, value) = attributes
                .split_once("=\"")
                .unwrap_or_else(|| panic!("{part}"));
            assert!(
                key.trim_start()
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || c == b'-'),
                "{part}"
            );
            let (value, next) = value.split_once('"').unwrap();
            let key = key.trim_start();
            let runs = key.starts_with("on") || ["src", "href", "style"].contains(&key);
            assert!(!runs, "{part}");
            if key == "id" {
                assert!(ids.insert(value), "{value} twice");
            }
            attributes = next;
        }
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for reference in ["timeline-title", "timeline-text"] {
        assert!(ids.contains(reference));
    }
    page
}

/// The page's text without tags.
fn text(page: &str) -> String {
    let (_, body) = page.split_once("</style>").unwrap();
    let parts = body
        .split('<')
        .map(|part| part.split_once('>').map_or("", |(_, text)| text));
    parts.collect::<Vec<_>>().join(" ")
}

#[test]
fn everything_of_a_complete_ceremony_is_on_its_page() {
    let ceremony = &*CEREMONY;
    let page = own_page(ceremony);
    assert_eq!(page, own_page(ceremony));
    let text = text(&page);
    for operator in ceremony.plan.roster().iter() {
        assert!(text.contains(operator.card.name().as_str()));
        assert!(text.contains(&operator.card.identity().to_string()));
    }
    for key in ceremony.outcome.sharing().group_keys() {
        assert!(text.contains(&encode_hex(&key.to_bytes())));
    }
    for share in ceremony.outcome.sharing().shares().flatten() {
        assert!(text.contains(&encode_hex(&share.to_bytes())));
    }
    for validator in ceremony.plan.keygen().unwrap().validators() {
        assert!(text.contains(&validator.withdrawal_address.to_string()));
    }
    for code in [&ceremony.codes.0, &ceremony.codes.1] {
        let words = code.to_string().replace(' ', "</li><li>");
        assert!(page.contains(&format!("<ol class=\"words\"><li>{words}</li></ol>")));
    }
    for words in [
        "✓ Complete",
        "Any  3  of the 4 operators",
        "One operator may be away",
        "1 ETH + 31 ETH",
        "1096.000000001 ETH",
        "60000000",
        "2026-09-21 14:13:20 UTC",
        "24 partial signatures",
        "What this page does not prove",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(
        !text.contains("REHEARSAL") && !text.contains("✗ failed"),
        "{text}"
    );
}

#[test]
fn an_audit_and_an_own_run_differ_in_what_they_know_only() {
    let ceremony = &*CEREMONY;
    let ids: Vec<String> = ceremony.board.0.keys().cloned().collect();
    let bytes = ceremony.outcome.to_bytes().unwrap();
    let report = audit(
        &ceremony.plan,
        &ids,
        &ceremony.board,
        Some(&bytes),
        &Unobserved,
    )
    .unwrap();
    let passed_over = ["a\u{202e}b\u{1b}[31m<b>".to_owned()];
    let text = text(&audited(&ceremony.plan, &report, &passed_over));
    assert!(text.contains("an audit of 8 messages in the record"));
    assert!(text.contains("the same, byte for byte"));
    assert!(text.contains("a\\u{202e}b\\u{1b}[31m&lt;b&gt;"), "{text}");

    let mut other = bytes;
    other[20] ^= 1;
    let report = audit(
        &ceremony.plan,
        &ids,
        &ceremony.board,
        Some(&other),
        &Unobserved,
    )
    .unwrap();
    let text = self::text(&audited(&ceremony.plan, &report, &[]));
    assert!(text.contains("✗ Misbehaviour is proved"), "{text}");
    assert!(text.contains("the record's outcome is another"), "{text}");
}

/// Whatever an author or an operator calls itself stays text; and nothing has happened yet.
#[test]
fn hostile_names_are_text_and_an_empty_board_is_a_page() {
    const NAME: &str = "</title><script>alert(1)</script>\"'&<b";
    let players = players(&[1, 2, 7]);
    let mut draft = draft(&players);
    draft.name = Text::try_from(NAME.to_owned()).unwrap();
    let name = Text::try_from("<img src=x onerror=alert(1)>".to_owned()).unwrap();
    draft.roster[0].1 = VerifiedCard::make(
        &players[0].me.identity,
        name,
        players[0].me.secret.as_ref().unwrap(),
    )
    .unwrap();
    let plan = Plan::draft(draft).unwrap();
    let report = audit(&plan, &[], &Empty, None, &Unobserved).unwrap();
    let text = text(&audited(&plan, &report, &[]));
    for words in [
        "&lt;/title&gt;&lt;script&gt;",
        "&lt;img src=x onerror=alert(1)&gt;",
        "◐ Not complete",
        "– not reached",
        "There are no public keys yet",
        "no deal from operator 1",
        "There is no outcome.",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("Outcome code"));
}

#[test]
fn who_is_proved_wrong_is_named_with_the_evidence() {
    let table = Table::new(4, Faults::new().by(1, Misdeed::BadShare(vec![2])));
    table.play();
    let report = table.audit(&table.group.stick);
    let page = audited(&table.group.plan, &report, &[]);
    let text = text(&page);
    for words in [
        "✗ Misbehaviour is proved",
        "operator 2 (bob) is proved wrong",
        "bob (2): wrong-shares",
        "complained about the deal of bob (2)",
        "make no deposit for its keys",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for id in report
        .examination
        .faults
        .iter()
        .flat_map(|fault| &fault.proof)
    {
        assert!(text.contains(id), "{id}");
    }
    assert!(page.contains("state bad\">proved wrong"));
    assert!(page.contains("✗ failed</span> <span class=\"soft\">bob (2)"));

    let table = Table::new(
        4,
        Faults::new()
            .by(3, Misdeed::Abandon)
            .by(0, Misdeed::NoConfirm),
    );
    table.play();
    let page = audited(&table.group.plan, &table.audit(&table.group.stick), &[]);
    assert!(page.contains("– Ended without an outcome"), "{page}");
    assert!(page.contains("state wait\">abandoned") && page.contains("state wait\">missing"));
}

#[test]
fn a_rehearsal_is_marked_and_long_lists_fold() {
    let spec = Network::known("hoodi").unwrap().spec().rehearsal();
    let mut players = players(&[1, 2]);
    let mut draft = draft(&players);
    draft.network = spec;
    let one = draft.validators[0].clone();
    draft.validators = vec![one; 150];
    players.truncate(2);
    let plan = Plan::draft(draft).unwrap();
    let report = audit(&plan, &[], &Empty, None, &Unobserved).unwrap();
    let page = audited(&plan, &report, &[]);
    assert!(page.contains("<title>REHEARSAL: "));
    assert!(page.contains("class=\"watermark\""));
    assert!(page.contains("<summary>Validators 100 to 149</summary>"));
    assert_eq!(
        page.matches("0xa1").count() + page.matches("0xA1").count(),
        2,
        "said once, and in the sums"
    );
}

#[test]
fn audit_writes_the_page_once() {
    let desk = Desk::new();
    let table = Table::new(4, Faults::new().by(1, Misdeed::NoDeal));
    table.play();
    let stick = std::fs::read_dir(&table.group.stick)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let stick = stick.display().to_string();
    let args = ["audit", stick.as_str(), "--report", "page.html"];
    let ended = desk.refused(&args, 3, &["not complete", "the report: page.html"]);
    assert!(ended.stdout.contains("no deal from operator 2 (bob)"));
    let first = sound(String::from_utf8(desk.read("page.html")).unwrap());
    desk.refused(&args, 3, &["not complete"]);
    assert_eq!(desk.read("page.html"), first.as_bytes());
    desk.write("page.html", "something else");
    desk.refused(
        &args,
        1,
        &["page.html", "hint: name another file with --report"],
    );
    assert_eq!(desk.read("page.html"), b"something else");
}
