//! What stands on a screen: narrow ones, ones that cannot draw, and ones that are read aloud.

use crate::four_homes::Ceremony;
use crate::harness::binary::{Desk, draft, plan_file};
use crate::harness::screen::on_screen;

/// What a terminal obeys: escapes, and lines drawn over others.
const CONTROLS: [char; 3] = ['\u{1b}', '\r', '\u{8}'];

/// Lines that a screen of this width breaks in the middle of a word, though they have words to part.
/// Commands to be copied are in one line, or in as many as their backslashes say.
fn too_long(page: &str, width: usize) -> Vec<&str> {
    let mut found = Vec::new();
    let mut command = false;
    for line in page.lines() {
        command = line.starts_with("  conclave ") || line.contains(" | conclave ") || command;
        let parts = line.trim_start().trim_start_matches("- ").contains(' ');
        if line.chars().count() > width && parts && !command {
            found.push(line);
        }
        command = command && line.ends_with('\\');
    }
    found
}

#[test]
fn the_check_of_lines_sees_what_it_should() {
    let page = "short\n  conclave a command that is \\\n    long and goes on\na line with words\n\
                averyveryverylongwordalone\n";
    assert_eq!(too_long(page, 10), ["a line with words"]);
}

#[test]
fn help_fits_every_width() {
    for width in [40, 60, 80] {
        let desk = Desk::new().variable("COLUMNS", &width.to_string());
        for command in desk.commands() {
            for flag in ["--help", "-h"] {
                let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
                words.push(flag);
                let page = desk.ok(&words);
                assert_eq!(too_long(&page, width), [""; 0], "{words:?} at {width}");
                assert!(page.is_ascii(), "{words:?}");
            }
        }
    }
    // What says nothing is no width, and nothing is laid out for less than a few words.
    let wide = Desk::new().ok(&["run", "--help"]);
    for (columns, same) in [("", true), ("wide", true), ("500", true), ("0", false)] {
        let page = Desk::new()
            .variable("COLUMNS", columns)
            .ok(&["run", "--help"]);
        assert_eq!(page == wide, same, "{columns}");
    }
}

#[test]
fn a_terminal_says_how_wide_it_is() {
    let desk = Desk::new();
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["plan", "new", "keygen", "-h"],
    ] {
        for kind in ["xterm-256color", "dumb"] {
            let (code, page) = on_screen(&desk, args, (40, kind), "");
            assert_eq!(code, 0);
            assert!(
                page.contains("Usage: conclave") && !page.contains(CONTROLS),
                "{page:?}"
            );
            assert_eq!(too_long(&page, 40), [""; 0], "{args:?}");
        }
    }
    let (_, page) = on_screen(&desk, &["--help"], (250, "xterm"), "");
    assert!(
        page.lines().all(|line| line.chars().count() <= 100),
        "{page}"
    );
}

/// The page that an operator compares by eye: whole identities and addresses, at their line's start
/// or end.
#[test]
fn the_page_of_a_plan_fits_its_terminal() {
    let desk = Desk::new();
    desk.write(
        "plan.json",
        plan_file(draft(&["Alice", "Bob", "Carol", "Dave"])),
    );
    let piped = desk.ok(&["plan", "show", "plan.json"]);
    let words =
        |page: &str| -> Vec<String> { page.split_whitespace().map(ToOwned::to_owned).collect() };
    assert!(!too_long(&piped, 80).is_empty());
    for width in [80, 40] {
        let show = ["plan", "show", "plan.json"];
        let (code, page) = on_screen(&desk, &show, (width, "xterm"), "");
        assert_eq!(code, 0);
        assert_eq!(words(&page), words(&piped));
        assert!(!page.contains(CONTROLS), "{page:?}");
        assert_eq!(too_long(&page, width.into()), [""; 0]);
        let break_or_gap = if width == 40 { "\n    " } else { "  " };
        assert!(
            page.contains(&format!("\n  1  Alice{break_or_gap}conclave1")),
            "{page}"
        );
    }
    // A file is the same wherever it was made.
    let (_, json) = on_screen(
        &desk,
        &["plan", "show", "plan.json", "--json"],
        (40, "xterm"),
        "",
    );
    assert_eq!(json, desk.ok(&["plan", "show", "plan.json", "--json"]));
}

/// A long computation draws a bar, unless nobody could make sense of it.
#[test]
fn progress_is_drawn_only_where_it_can_be() {
    let desk = Desk::new();
    desk.write(
        "plan.json",
        include_bytes!("../../ceremonies/keygen-3of4-hoodi.plan.json"),
    );
    let rehearse = |kind: &str, more: &[&str]| {
        let args = "rehearse plan.json --operators 8 --validators 1 --keystores none";
        let args: Vec<&str> = args.split(' ').chain(more.iter().copied()).collect();
        let (code, screen) = on_screen(&desk, &args, (60, kind), "");
        assert_eq!(code, 0, "{screen}");
        screen
    };
    let drawn = rehearse("xterm", &[]);
    assert!(
        drawn.contains(CONTROLS) && drawn.contains(" of 8"),
        "{drawn:?}"
    );
    for (kind, more) in [("dumb", &[][..]), ("xterm", &["--quiet"])] {
        let screen = rehearse(kind, more);
        assert!(!screen.contains(CONTROLS), "{kind}: {screen:?}");
    }
}

/// Questions on a terminal that cannot draw are lines as well.
#[test]
fn questions_are_asked_in_lines() {
    let desk = Desk::new();
    let card = ["card", "--name", "Alice", "--home", "home"];
    desk.write("pass", "six words that nobody else uses");
    desk.ok(&[
        "identity",
        "new",
        "--home",
        "home",
        "--passphrase-file",
        "pass",
    ]);
    desk.ok(&[&card[..], &["-o", "a.json", "--passphrase-file", "pass"]].concat());
    let again = [&card[..], &["-o", "b.json", "--passphrase-file", "pass"]].concat();
    let (code, screen) = on_screen(&desk, &again, (60, "dumb"), "n\n");
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("make one more? [y/N] "), "{screen:?}");
    assert!(screen.contains("no card was made"), "{screen:?}");
    assert!(!screen.contains(CONTROLS), "{screen:?}");

    // The long interview too: answers, one that does not do, then the terminal's end.
    let (code, screen) = on_screen(
        &desk,
        &["plan", "new"],
        (60, "dumb"),
        "Pool\nanother\nno hex\n\u{4}",
    );
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("Name of the ceremony: "), "{screen:?}");
    assert!(
        screen.contains("  8 hex characters are needed\n"),
        "{screen:?}"
    );
    assert!(
        screen.contains("(end of input); nothing was written"),
        "{screen:?}"
    );
    assert!(!screen.contains(CONTROLS), "{screen:?}");
}

/// Who asks for few words still sees the page before the code is asked for.
#[test]
fn quiet_hides_no_page_that_a_question_is_about() {
    let ceremony = Ceremony::prepare();
    let run =
        "--quiet --home home-alice --passphrase-file passphrase run pool.plan.json --via stick";
    let run: Vec<&str> = run.split(' ').collect();
    let (code, screen) = on_screen(&ceremony.desk, &run, (80, "xterm"), "no such words\n");
    assert_ne!(code, 0, "{screen}");
    let page = screen.find("Withdrawal addresses\n  0x71C7656EC7ab88b098defB751B7401B5f6d8976F");
    let question = screen.find("Type the plan code");
    assert!(page.is_some() && page < question, "{screen}");
    assert!(screen.contains("nothing was sent"), "{screen}");
    // No question, no page.
    let told = ceremony
        .desk
        .run(&[&run[..], &["--accept-plan", "no such words"]].concat());
    assert!(!told.stderr.contains("Withdrawal addresses"), "{told:?}");
}
