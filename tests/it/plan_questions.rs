//! `plan new` at a terminal.

use conclave::ceremony::plan::Plan;

use crate::harness::binary::{Desk, card};
use crate::harness::terminal::Terminal;

const ADDRESS: &str = "0x00000000219ab540356cBB839Cbe05303d7705Fa";

/// A desk with the cards of four operators.
fn desk() -> Desk {
    let desk = Desk::new();
    for name in ["Alice", "Bob", "Carol", "Dave"] {
        desk.write(&format!("{name}.json"), card(name).bytes());
    }
    desk
}

fn terminal(desk: &Desk, args: &str) -> Terminal {
    let home = desk.path("home").display().to_string();
    let args = format!("--home {home} {args}");
    Terminal::new(&desk.path("."), &args.split(' ').collect::<Vec<_>>())
}

fn answer_cards(at: &mut Terminal) {
    at.answer("Card of the first operator", "Alice.json");
    at.wait_for("operator 1: Alice, conclave1");
    at.answer("Card of operator 2", "Bob.json");
    at.answer("Card of operator 3 (nothing", "Carol.json");
    at.answer("Card of operator 4 (nothing", "Dave.json");
    at.answer("Card of operator 5 (nothing", "");
}

/// A terminal that is left as it was, without a colour.
fn assert_plain(shown: &str) {
    let hidden = shown.matches("\u{1b}[?25l").count();
    assert!(hidden <= shown.matches("\u{1b}[?25h").count(), "{shown:?}");
    for escape in shown.split("\u{1b}[").skip(1) {
        let command = escape.find(|c: char| c.is_ascii_alphabetic());
        let command = command.and_then(|at| escape[at..].chars().next());
        assert_ne!(command, Some('m'), "{shown:?}");
    }
}

#[test]
fn an_organiser_answers_every_question() {
    let desk = desk();
    let mut at = terminal(&desk, "plan new");
    at.answer("Name of the ceremony", "");
    at.wait_for("a name is empty");
    at.answer("Name of the ceremony", "Pool North");
    at.answer("Network (mainnet, hoodi", "hodi");
    at.answer("hodi is not known to this tool", "");
    at.answer("Network (mainnet, hoodi", "hoodi");
    at.answer("Card of the first operator", "absent.json");
    at.wait_for("absent.json does not exist");
    answer_cards(&mut at);
    at.wait_for("With 3 of 4, 1 may be away.");
    at.answer("Threshold [3]", "2");
    at.wait_for("below two thirds");
    at.answer("Type unsafe to mean it", "yes");
    at.answer("Threshold [3]", "");
    at.answer("How many validators, or a CSV file", "10");
    at.answer("Withdrawal address", &ADDRESS.replace("cBB", "cbB"));
    at.wait_for("not its ERC-55 checksum");
    at.answer("Withdrawal address", &ADDRESS.to_lowercase());
    at.wait_for(&format!("{ADDRESS}: typed without a checksum"));
    at.answer("compounds up to 2048 ETH [0x01]", "");
    at.answer("instalments [32eth]", "1eth+40eth");
    at.wait_for("the amount is 40 ETH");
    at.answer("instalments [32eth]", "1eth + 31eth");
    at.answer("Fee recipient", ADDRESS);
    at.answer("Gas limit of the registrations [60000000]", "36000000");
    at.answer("Keystores", "pbkdf2");
    at.answer("Backups: required", "perhaps");
    at.wait_for("required and no are possible");
    at.answer("Backups: required", "required");
    at.answer("File of the plan [pool-north.plan.json]", "Alice.json");
    at.wait_for("Alice.json exists already");
    at.answer("File of the plan [pool-north.plan.json]", "");
    at.wait_for("threshold    3 of 4 operators");
    at.wait_for("10 validators, 320 ETH");
    at.wait_for("The same without questions");
    at.wait_for("conclave plan new keygen \\");
    assert!(!desk.path("pool-north.plan.json").exists());
    at.answer("Write this plan to pool-north.plan.json? [y/N]", "y");
    let (status, shown) = at.end();
    assert_eq!(status.exit_code(), 0, "{shown}");
    assert_plain(&shown);
    let plan = Plan::parse(&desk.read("pool-north.plan.json")).unwrap();
    assert_eq!(
        (plan.threshold(), plan.keygen().unwrap().validators().len()),
        (3, 10)
    );
    assert_eq!(plan.keygen().unwrap().validators()[9].deposits.len(), 2);
    assert_eq!(
        plan.keygen().unwrap().validators()[0]
            .registration
            .unwrap()
            .gas_limit,
        36_000_000
    );

    // What was shown says the same plan, but for its time and randomness.
    let (_, line) = shown.split_once("conclave plan new keygen \\").unwrap();
    let (line, _) = line.split_once("Write this plan").unwrap();
    let line = line
        .replace("\\\r\n", " ")
        .replace("pool-north.plan.json", "again.json");
    let words = line.replace("'Pool North'", "Pool_North");
    let mut args = vec!["plan", "new", "keygen"];
    args.extend(words.split_whitespace().map(|word| match word {
        "Pool_North" => "Pool North",
        word => word,
    }));
    desk.ok(&args);
    let again = Plan::parse(&desk.read("again.json")).unwrap();
    assert_eq!(again.value()["roster"], plan.value()["roster"]);
    assert_eq!(
        (again.name(), again.keygen().unwrap().keystores()),
        (plan.name(), plan.keygen().unwrap().keystores())
    );
    assert_eq!(
        again.keygen().unwrap().validators()[3].deposits,
        plan.keygen().unwrap().validators()[3].deposits
    );
    assert!(again.requires_backups() && plan.requires_backups());
    assert_ne!(again.cid(), plan.cid());
}

#[test]
fn a_spreadsheet_and_a_supplied_root_are_asked_for_until_they_do() {
    let desk = desk();
    desk.write("bad.csv", format!("withdrawal_address\n{ADDRESS}\n0x12\n"));
    desk.write(
        "good.csv",
        format!("withdrawal_address,amounts\n{ADDRESS},32eth\n{ADDRESS},1eth\n"),
    );
    let mut at = terminal(
        &desk,
        "plan new keygen --name x --keystores scrypt --threshold 3",
    );
    at.answer("Network (", "ephemery");
    let hoodi = "212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f";
    at.answer("Its genesis validators root", hoodi);
    at.wait_for("root of hoodi");
    at.answer("Network (", "ephemery");
    at.answer("Its genesis validators root", &"22".repeat(32));
    answer_cards(&mut at);
    at.answer("or a CSV file", "bad.csv");
    at.wait_for("bad.csv: line 3, withdrawal_address \"0x12\"");
    at.answer("or a CSV file", "good.csv");
    at.wait_for("2 validators, 1 withdrawal address");
    // No question that the list or the flags answer.
    at.answer("compounds up to 2048 ETH [0x01]", "");
    at.answer("Fee recipient", "");
    at.answer("Backups: required", "");
    at.answer("File of the plan [x.plan.json]", "");
    at.wait_for("ephemery starts anew");
    at.answer("Write this plan to x.plan.json?", "n");
    let (status, shown) = at.end();
    assert_eq!(status.exit_code(), 1, "{shown}");
    // A line that wraps is drawn anew at each key; a long question stands on a line of its own.
    assert_eq!(shown.matches("64 hex characters (").count(), 2, "{shown}");
    assert!(
        shown.contains("nothing was written, as you said"),
        "{shown}"
    );
    assert!(
        !shown.contains("Threshold") && !shown.contains("Deposit of each"),
        "{shown}"
    );
    assert!(!desk.path("x.plan.json").exists());
}

#[test]
fn whoever_is_interrupted_leaves_nothing_and_a_terminal_as_it_was() {
    let desk = desk();
    for after in ["", "Half a na"] {
        let mut at = terminal(&desk, "plan new");
        at.wait_for("Name of the ceremony");
        at.keys(after);
        at.wait_for(after);
        at.keys("\u{3}");
        // The terminal outlives the command only as long as somebody holds it.
        at.wait_for_end();
        assert!(at.is_sane());
        let (status, shown) = at.end();
        assert!(!status.success(), "{shown}");
        assert_plain(&shown);
    }
    let mut at = terminal(&desk, "plan new");
    at.wait_for("Name of the ceremony");
    assert!(!at.hang_up().success());
    let left = std::fs::read_dir(desk.path(".")).unwrap().count();
    assert_eq!(left, 4, "the cards alone");
}

#[test]
fn complete_flags_ask_nothing() {
    let desk = desk();
    let args = format!(
        "plan new keygen --name x --network hoodi --card Alice.json --card Bob.json --validators 1 --withdrawal {ADDRESS}"
    );
    let (status, shown) = terminal(&desk, &args).end();
    assert_eq!(status.exit_code(), 0, "{shown}");
    assert!(
        !shown.contains('?') && desk.path("x.plan.json").exists(),
        "{shown}"
    );
}
