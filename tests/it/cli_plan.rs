//! The organiser's commands: writing, showing and checking plans.

use conclave::ceremony::plan::Plan;
use serde_json::{Value, json};

use crate::harness::binary::{Desk, assert_golden, card, draft, plan_file};

const ADDRESS: &str = "0x00000000219ab540356cBB839Cbe05303d7705Fa";

#[test]
fn an_organiser_writes_a_plan() {
    let desk = Desk::new();
    for name in ["Alice", "Bob", "Carol", "Dave"] {
        desk.write(&format!("{name}.json"), card(name).bytes());
    }
    fn keygen<'a>(more: &[&'a str]) -> Vec<&'a str> {
        let start = "plan new keygen --network hoodi --name North";
        start.split(' ').chain(more.iter().copied()).collect()
    }
    let cards = [
        "--card",
        "Alice.json",
        "--card",
        "Bob.json",
        "--card",
        "Carol.json",
        "--card",
        "Dave.json",
    ];
    let with_cards = |more: &[&'static str]| {
        let mut all = cards.to_vec();
        all.extend_from_slice(more);
        keygen(&all)
    };

    let made = desk.run(&with_cards(&["--validators", "2", "--withdrawal", ADDRESS]));
    assert_eq!(
        (made.code, made.stdout.as_str()),
        (0, "north.plan.json\n"),
        "{made:?}"
    );
    assert!(
        made.stderr
            .contains("next: read it with `conclave plan show north.plan.json`")
    );
    let plan = Plan::parse(&desk.read("north.plan.json")).unwrap();
    assert_eq!(
        (plan.threshold(), plan.keygen().unwrap().validators().len()),
        (3, 2)
    );
    assert_eq!(
        plan.keygen().unwrap().validators()[0].deposits[0].0,
        32_000_000_000
    );
    assert_eq!(desk.ok(&["plan", "check", "north.plan.json"]), "ok\n");
    let again = with_cards(&["--validators", "2", "--withdrawal", ADDRESS]);
    desk.refused(
        &again,
        1,
        &[
            "north.plan.json exists already",
            "hint: name another file with -o",
        ],
    );

    let lower = ADDRESS.to_lowercase();
    let full = keygen(&[
        "--card",
        "7=Alice.json",
        "--card",
        "3=Bob.json",
        "--card",
        "9=Carol.json",
        "--threshold",
        "3",
        "--validators",
        "2",
        "--withdrawal",
        &lower,
        "--withdrawal",
        ADDRESS,
        "--credentials",
        "0x02",
        "--deposit",
        "1eth",
        "--deposit",
        "2047000000000",
        "--fee-recipient",
        ADDRESS,
        "--keystores",
        "pbkdf2",
        "--created",
        "1767225600",
        "-o",
        "full",
    ]);
    let made = desk.run(&full);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(
        made.stderr
            .contains("warning: --withdrawal: nothing guards a lower-case address")
    );
    assert!(
        made.stderr
            .contains("warning: a cluster of 3 bears no cheating operator")
    );
    assert!(
        made.stderr
            .contains("gas limit of the registrations is 60000000")
    );
    let plan = Plan::parse(&desk.read("full")).unwrap();
    let indices: Vec<u64> = plan
        .roster()
        .iter()
        .map(|operator| operator.index.get())
        .collect();
    assert_eq!(indices, [3, 7, 9]);
    assert_eq!(
        plan.keygen().unwrap().validators()[0],
        plan.keygen().unwrap().validators()[1]
    );
    assert_eq!(
        plan.keygen().unwrap().validators()[1]
            .registration
            .unwrap()
            .timestamp,
        1_767_225_600
    );
    assert_eq!(plan.keygen().unwrap().validators()[1].deposits.len(), 2);

    // All that is wrong, at once.
    desk.write("torn.json", &card("Eve").bytes()[1..]);
    let wrong = keygen(&[
        "--card",
        "0=Alice.json",
        "--card",
        "torn.json",
        "--card",
        "absent.json",
        "--validators",
        "3",
        "--withdrawal",
        ADDRESS,
        "--withdrawal",
        "0x00",
        "--deposit",
        "32",
        "--deposit",
        "1gno",
        "--fee-recipient",
        "0X12",
        "-o",
        "never",
    ]);
    let ended = desk.refused(
        &wrong,
        1,
        &[
            "error: the plan cannot be made so; nothing was written\n",
            "  --card 0=Alice.json: an index is 1 to 9007199254740991\n",
            "  --card: torn.json: the card is not valid",
            "  --card: absent.json does not exist\n",
            "  --deposit: \"1gno\" is no amount",
            "  --withdrawal 0x00: an address is 0x and 40 hex characters\n",
            "  --withdrawal: 2 addresses for 3 validators",
            "  --fee-recipient 0X",
        ],
    );
    assert_eq!(ended.stdout, "");
    // What the plan's own checks find.
    let low = with_cards(&[
        "--validators",
        "1",
        "--withdrawal",
        ADDRESS,
        "--deposit",
        "32",
        "--threshold",
        "2",
        "-o",
        "never",
    ]);
    desk.refused(
        &low,
        1,
        &["below two thirds (3)", "the amount is 0.000000032 ETH"],
    );
    let twice = keygen(&[
        "--card",
        "Alice.json",
        "--card",
        "Alice.json",
        "--validators",
        "1",
        "--withdrawal",
        ADDRESS,
        "-o",
        "never",
    ]);
    desk.refused(&twice, 1, &["have the same identity"]);
    assert!(!desk.path("never").exists());
}

/// The flags of a plan for Alice and Bob, whose cards are on the desk.
fn for_two<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let start = "plan new keygen --name x --card Alice.json --card Bob.json";
    start.split(' ').chain(more.iter().copied()).collect()
}

fn desk_for_two() -> Desk {
    let desk = Desk::new();
    for name in ["Alice", "Bob"] {
        desk.write(&format!("{name}.json"), card(name).bytes());
    }
    desk
}

#[test]
fn the_validators_come_from_a_spreadsheet() {
    let desk = desk_for_two();
    let other = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
    let lower = other.to_lowercase();
    desk.write(
        "list.csv",
        format!(
            "\u{feff}withdrawal_address;credentials;amounts;fee_recipient;gas_limit\r\n\
             {ADDRESS};;;;\r\n{lower};0x02;1eth+63eth;{other};36000000\r\n{lower};;;{ADDRESS};\r\n;;;;\r\n"
        ),
    );
    let base = ["--network", "hoodi", "--validators-csv", "list.csv", "-o"];
    let keygen = |more: &[&'static str]| {
        let mut all = base.to_vec();
        all.extend_from_slice(more);
        for_two(&all)
    };
    let made = desk.run(&keygen(&["plan"]));
    assert_eq!(made.code, 0, "{made:?}");
    let warned = "list.csv: nothing guards a lower-case address against a typing error; there are some in 2 rows, on lines 3-4";
    assert_eq!(made.stderr.matches(warned).count(), 1, "{made:?}");
    assert_eq!(
        made.stderr.matches("the gas limit of").count(),
        1,
        "{made:?}"
    );
    let plan = Plan::parse(&desk.read("plan")).unwrap();
    let [first, second, third] = plan.keygen().unwrap().validators() else {
        panic!("{plan:?}")
    };
    assert_eq!((first.deposits.len(), first.registration), (1, None));
    assert_eq!(second.withdrawal_address.to_string(), other);
    assert_eq!(
        second.deposits.iter().map(|amount| amount.0).sum::<u64>(),
        64_000_000_000
    );
    assert_eq!(second.registration.unwrap().gas_limit, 36_000_000);
    assert_eq!(third.registration.unwrap().gas_limit, 60_000_000);

    // The flags speak for what the rows leave out, and a number has to agree.
    desk.ok(&keygen(&[
        "agrees",
        "--validators",
        "3",
        "--credentials",
        "0x02",
        "--deposit",
        "40eth",
        "--fee-recipient",
        other,
    ]));
    let plan = Plan::parse(&desk.read("agrees")).unwrap();
    assert_eq!(
        plan.keygen().unwrap().validators()[0].deposits[0].0,
        40_000_000_000
    );
    assert_eq!(
        plan.keygen().unwrap().validators()[0]
            .registration
            .unwrap()
            .fee_recipient
            .to_string(),
        other
    );
    let more = keygen(&["never", "--validators", "4"]);
    desk.refused(
        &more,
        1,
        &["  --validators: 4, and list.csv has 3 validators\n"],
    );
    desk.refused(
        &keygen(&["never", "--deposit", "33eth"]),
        1,
        &["  --deposit: the amount is 33 ETH"],
    );
    desk.refused(
        &keygen(&["never", "--withdrawal", ADDRESS]),
        2,
        &["cannot be used with"],
    );
    let absent = for_two(&[
        "--network",
        "hoodi",
        "--validators-csv",
        "absent.csv",
        "-o",
        "never",
    ]);
    desk.refused(&absent, 1, &["absent.csv does not exist"]);

    // Every bad row at once.
    let mut bad = "withdrawal_address,amounts\n".to_owned();
    for row in 0..3000 {
        let amount = if row % 3 == 0 { "33eth" } else { "32eth" };
        bad.push_str(&format!("{ADDRESS},{amount}\n"));
    }
    desk.write("bad.csv", bad);
    let refused = for_two(&[
        "--network",
        "hoodi",
        "--validators-csv",
        "bad.csv",
        "-o",
        "never",
    ]);
    let ended = desk.refused(
        &refused,
        1,
        &[
            "  bad.csv: line 2: amounts: the amount is 33 ETH;",
            "  bad.csv: line 149: ",
            "  bad.csv: and 950 more problems; the bad rows are on lines 2, 5, 8,",
        ],
    );
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.lines().count()),
        ("", 53)
    );
    assert!(!desk.path("never").exists());
}

#[test]
fn ten_thousand_rows_are_a_matter_of_moments() {
    use conclave::cli::validators_csv::{Defaults, parse};
    let rows = format!("{ADDRESS},0x02,32eth 1000eth,{ADDRESS},36000000\n").repeat(10_000);
    let text = format!("withdrawal_address,credentials,amounts,fee_recipient,gas_limit\n{rows}");
    let defaults = Defaults {
        rules: &conclave::ethereum::amount::ETHEREUM,
        credentials: conclave::ethereum::withdrawal::CredentialsKind::Eth1,
        deposits: &[],
        has_fee_recipient: false,
    };
    let begin = std::time::Instant::now();
    assert_eq!(
        parse(text.as_bytes(), &defaults).unwrap().rows.len(),
        10_000
    );
    // A fraction of a second even unoptimised; the bound is for machines that do much else.
    assert!(
        begin.elapsed() < std::time::Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn without_a_terminal_every_missing_flag_is_named() {
    let desk = desk_for_two();
    for args in ["plan new", "plan new keygen"] {
        let args: Vec<&str> = args.split(' ').collect();
        desk.refused(
            &args,
            2,
            &["without --name NAME, --network NAME, --card FILE for each operator, --validators N or --validators-csv FILE, --withdrawal ADDR\n"],
        );
    }
    let ended = desk.refused(
        &for_two(&["--validators", "1"]),
        2,
        &["without --network NAME, --withdrawal ADDR\n"],
    );
    assert_eq!(ended.stdout, "");
    let limit = for_two(&[
        "--network",
        "hoodi",
        "--validators",
        "1",
        "--withdrawal",
        ADDRESS,
        "--gas-limit",
        "1",
    ]);
    desk.refused(
        &limit,
        2,
        &["--gas-limit is given, and no registration is planned"],
    );
}

#[test]
fn ephemery_needs_its_root_and_holesky_a_warning() {
    let desk = desk_for_two();
    let root = "22".repeat(32);
    let keygen = |network: &'static str, more: &[&'static str]| {
        let mut all = vec![
            "--validators",
            "1",
            "--withdrawal",
            ADDRESS,
            "-o",
            network,
            "--network",
            network,
        ];
        all.extend_from_slice(more);
        for_two(&all)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    let run = |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        desk.run(&args)
    };
    let made = run(keygen("ephemery", &[]));
    assert_eq!(made.code, 2, "{made:?}");
    assert!(
        made.stderr
            .contains("without --genesis-validators-root HEX"),
        "{made:?}"
    );
    let with_root = |root: &str| {
        let mut args = keygen("ephemery", &["--genesis-validators-root"]);
        args.push(root.to_owned());
        run(args)
    };
    let hoodi = "212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f";
    let made = with_root(hoodi);
    assert!(
        made.code == 1 && made.stderr.contains("the genesis validators root of hoodi"),
        "{made:?}"
    );
    let made = with_root(&"00".repeat(32));
    assert!(
        made.code == 1 && made.stderr.contains("root of zeros"),
        "{made:?}"
    );
    let made = with_root(&root);
    assert!(
        made.code == 0 && made.stderr.contains("ephemery starts anew"),
        "{made:?}"
    );
    let plan = Plan::parse(&desk.read("ephemery")).unwrap();
    assert_eq!(plan.network().fork_version(), [0x10, 0, 0x10, 0x1b]);
    let made = run(keygen("holesky", &[]));
    assert!(
        made.code == 0
            && made
                .stderr
                .contains("warning: the network holesky is retired"),
        "{made:?}"
    );
    assert!(
        desk.ok(&["plan", "show", "holesky"])
            .contains("holesky is retired")
    );
}

#[test]
fn networks_carry_their_own_rules() {
    let desk = Desk::new();
    for name in ["Alice", "Bob"] {
        desk.write(&format!("{name}.json"), card(name).bytes());
    }
    let keygen = |network: &'static str, more: &[&'static str]| {
        let mut args = vec![
            "plan",
            "new",
            "keygen",
            "--name",
            "x",
            "--card",
            "Alice.json",
            "--card",
            "Bob.json",
            "--validators",
            "1",
            "--withdrawal",
            ADDRESS,
            "-o",
            network,
            "--network",
            network,
        ];
        args.extend_from_slice(more);
        args
    };
    let root = "1111111111111111111111111111111111111111111111111111111111111111";
    desk.ok(&keygen("gnosis", &["--deposit", "1gno"]));
    let page = desk.ok(&["plan", "show", "gnosis"]);
    assert!(page.contains("balance above 1 GNO is paid out"), "{page}");
    for (kind, amount, fits) in [
        ("0x01", "0.03125gno", true),
        ("0x01", "0.03gno", false),
        ("0x01", "1.5gno", false),
        ("0x02", "64gno", true),
        ("0x02", "65gno", false),
    ] {
        let mut args = keygen("gnosis", &["--credentials", kind, "--deposit", amount]);
        let file: &'static str = format!("gnosis-{amount}").leak();
        args[13] = "--output";
        args[14] = file;
        let made = desk.run(&args);
        assert_eq!(made.code == 0, fits, "{amount}: {made:?}");
        if fits {
            let shown = amount.replace("gno", " GNO");
            let page = desk.ok(&["plan", "show", file]);
            assert!(page.contains(&format!("1 validator: {shown}\n")), "{page}");
        }
    }
    desk.refused(
        &keygen("chiado", &["--fee-recipient", ADDRESS]),
        1,
        &["--gas-limit: is needed here"],
    );
    desk.refused(
        &keygen("devnet", &[]),
        1,
        &["devnet is not known; known are mainnet, hoodi"],
    );
    desk.refused(
        &keygen("devnet", &["--fork-version", "20000089"]),
        2,
        &["--genesis-validators-root"],
    );
    desk.ok(&keygen(
        "devnet",
        &[
            "--fork-version",
            "0x20000089",
            "--genesis-validators-root",
            root,
        ],
    ));
    let stolen = [
        "--fork-version",
        "00000000",
        "--genesis-validators-root",
        root,
    ];
    desk.refused(&keygen("testnet", &stolen), 1, &["which is mainnet's"]);
    assert!(!desk.path("testnet").exists());
}

#[test]
fn a_plan_is_shown_on_one_page() {
    let desk = Desk::new();
    let names = ["Alice", "Bob", "Carol", "Dave"];
    desk.write("plan.json", plan_file(draft(&names)));
    let page = desk.ok(&["plan", "show", "plan.json"]);
    assert_golden("page.txt", &page);
    let plan = Plan::parse(&desk.read("plan.json")).unwrap();
    assert!(
        !page.contains(&plan.cid().to_string()),
        "no other hash than the code"
    );

    let report: Value =
        serde_json::from_str(&desk.ok(&["plan", "show", "plan.json", "--json"])).unwrap();
    assert_eq!(report["ceremony_id"], json!(plan.cid().to_string()));
    assert!(page.ends_with(&format!(
        "Plan code\n  {}\n",
        report["plan_code"].as_str().unwrap()
    )));
    assert_eq!(report["operators"][3]["name"], "Dave");
    assert_eq!(report["withdrawals"][0]["gwei"], "32000000000");

    let mut play = draft(&names[..2]);
    play.network = play.network.rehearsal();
    play.threshold = 2;
    play.danger_low_threshold = true;
    desk.write("play.json", plan_file(play));
    let page = desk.ok(&["plan", "show", "play.json"]);
    assert!(page.starts_with("REHEARSAL: "), "{page}");
    assert!(
        page.contains("\nDanger\n  danger_low_threshold\n"),
        "{page}"
    );
    assert!(page.contains("\nWarnings\n  "), "{page}");

    // A list of one's own.
    let (withdrawal, fee) = (
        "0x".to_owned() + &"ab".repeat(20),
        "0x".to_owned() + &"cd".repeat(20),
    );
    desk.write("ours", format!("# pool\n{withdrawal}\n{fee} # fees\n"));
    let page = desk.ok(&["plan", "show", "plan.json", "--expect", "ours"]);
    assert!(
        page.contains("Your list of addresses\n  equal, 2 in all\n"),
        "{page}"
    );
    desk.write("other", format!("{withdrawal}\n{ADDRESS}\n"));
    let differs = ["plan", "show", "plan.json", "--expect", "other"];
    let ended = desk.refused(
        &differs,
        5,
        &["plan.json: the plan's addresses are not those of the list"],
    );
    assert!(
        ended
            .stdout
            .contains(" is in the plan and not on the list\n"),
        "{ended:?}"
    );
    assert!(
        ended
            .stdout
            .contains(&format!("{ADDRESS} is on the list and not in the plan\n"))
    );
    desk.write("bad", "0x12\n");
    desk.refused(
        &["plan", "show", "plan.json", "--expect", "bad"],
        1,
        &["bad: this is no list", "line 1: "],
    );

    // Too many to compare by eye.
    let mut many = draft(&names);
    let template = many.validators[0].clone();
    many.validators = (1..=21)
        .map(|byte| {
            let mut validator = template.clone();
            validator.withdrawal_address.0[0] = byte;
            validator
        })
        .collect();
    desk.write("many.json", plan_file(many));
    let page = desk.ok(&["plan", "show", "many.json"]);
    assert!(
        page.contains("\nWithdrawal addresses\n  21 different ones\n"),
        "{page}"
    );
    assert!(page.contains("--expect FILE"), "{page}");
}

#[test]
fn a_plan_is_checked_whole() {
    let desk = Desk::new();
    desk.write(
        "good.json",
        plan_file(draft(&["Alice", "Bob", "Carol", "Dave"])),
    );
    let mut plan: Value = serde_json::from_slice(&desk.read("good.json")).unwrap();
    plan["threshold"] = json!(5);
    plan["validators"][0]["deposits"] = json!([1, 1]);
    plan["validators"][0]["withdrawal_address"] = json!(ADDRESS.to_lowercase());
    desk.write("bad.json", plan.to_string());

    assert_eq!(desk.ok(&["plan", "check", "good.json"]), "ok\n");
    let ended = desk.refused(
        &["plan", "check", "bad.json"],
        1,
        &["bad.json: the plan has 5 problems; it cannot be run"],
    );
    assert_eq!(ended.stdout.lines().count(), 5, "{ended:?}");
    assert!(
        ended
            .stdout
            .contains("the threshold is 5, more than the 4 operators\n")
    );
    let ended = desk.refused(&["plan", "check", "bad.json", "--json"], 1, &[]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&report["ok"], report["problems"].as_array().unwrap().len()),
        (&json!(false), 5)
    );
    desk.refused(
        &["plan", "show", "bad.json"],
        1,
        &["bad.json: the plan has 5 problems\n  "],
    );
    desk.refused(&["plan", "check", "absent"], 1, &["absent does not exist"]);
    // What a file says is never a command to the terminal.
    desk.write("evil.json", "{\"version\": 1, \"\\u001b[2J\": 1}");
    let ended = desk.refused(&["plan", "check", "evil.json"], 1, &[]);
    assert!(!ended.stdout.contains('\u{1b}'), "{ended:?}");
}
