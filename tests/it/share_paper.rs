//! Shares on paper with the real binary: the page, its code, and what is typed from it.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

use crate::cli_home::Pair;
use crate::harness::disk::every_file;
use crate::harness::story::picture;
use crate::harness::terminal::Terminal;

/// Two operators whose ceremony is complete, and alice's page.
fn printed() -> (Pair, String) {
    let pair = Pair::complete();
    let written = pair.ok(
        "alice",
        &[
            "share",
            "paper",
            "Pool",
            "--out",
            "pages",
            "--danger-in-clear",
        ],
    );
    let path = written.stdout.trim().to_owned();
    assert!(path.starts_with("pages/share-") && path.ends_with("-validator-0-operator-1.html"));
    assert!(
        written.stderr.contains("holds a share in clear"),
        "{written:?}"
    );
    let mode = std::fs::metadata(pair.desk.path(&path))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let page = String::from_utf8(pair.desk.read(&path)).unwrap();
    (pair, page)
}

/// The line of a page, as a person reads it: the groups in their order.
fn groups(page: &str) -> Vec<String> {
    let (_, list) = page.split_once("<ol class=\"line\">").unwrap();
    let (list, _) = list.split_once("</ol>").unwrap();
    list.split("<code>")
        .skip(1)
        .map(|rest| rest.split_once('<').unwrap().0.to_owned())
        .collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const CLUSTER: [&str; 2] = ["--cluster", "files-alice/cluster.json"];

#[test]
fn a_page_says_one_share_in_two_ways_and_nothing_else_secret() {
    let (pair, page) = printed();
    let line = groups(&page).concat();
    assert_eq!(line.len(), 85);
    for outside in ["http:", "https:", "<script", "src=\"/"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // The same again is the same file.
    let again = [
        "share",
        "paper",
        "Pool",
        "--out",
        "pages",
        "--danger-in-clear",
    ];
    pair.ok("alice", &again);

    pair.desk.write(
        "line.txt",
        format!("Alice's:\n{}\n", groups(&page).join(" ")),
    );
    pair.desk.write("page.png", picture(&page));
    // No home is needed to check.
    let check = [
        &["share", "check-paper", "line.txt", "page.png", "--json"][..],
        &CLUSTER,
    ]
    .concat();
    let report = json(&pair.desk.ok(&check));
    assert_eq!(report["ok"], true);
    assert_eq!(
        (&report["audited"], &report["noted"]),
        (&false.into(), &false.into())
    );
    let lines = report["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!((&line["validator"], &line["index"]), (&0.into(), &1.into()));
    }
    // As the page tells its reader.
    let (_, own) = page.split_once("<code>conclave ").unwrap();
    let own: Vec<&str> = own.split_once('<').unwrap().0.split(' ').collect();
    let own = [&["--home", "alice"][..], &own, &["page.png", "--json"]].concat();
    let listed =
        |home: &str| json(&pair.ok(home, &["share", "list", "--json"]).stdout)["shares"][0].clone();
    assert!(listed("alice").get("paper_checked").is_none());
    let report = json(&pair.desk.ok(&own));
    assert_eq!(
        (&report["audited"], &report["noted"]),
        (&true.into(), &true.into())
    );
    let noted = listed("alice");
    assert!(
        noted["paper_checked"]["at"].as_u64().unwrap() > 1_700_000_000,
        "{noted}"
    );
    assert!(noted.get("backup_checked").is_none(), "{noted}");
    let shown = pair.ok("alice", &["share", "show", "Pool"]).stdout;
    assert!(
        shown.contains("no checked backup, paper checked 20"),
        "{shown}"
    );
    // At another operator's home it is checked as well, and says nothing of that one's shares.
    let record = [
        "share",
        "check-paper",
        "line.txt",
        "--cluster",
        "files-alice/record",
    ];
    let before = every_file(&pair.desk.path("bob"));
    let there = pair
        .desk
        .ok(&[&["--home", "bob"], &record[..], &["--json"]].concat());
    assert_eq!(json(&there)["noted"], false);
    assert_eq!(every_file(&pair.desk.path("bob")), before);
    let nowhere = pair
        .desk
        .run(&[&["--home", "nowhere"], &record[..]].concat());
    assert_eq!(nowhere.code, 0, "{nowhere:?}");
    assert!(
        nowhere.stderr.contains("could not note the check"),
        "{nowhere:?}"
    );
    // A disk that takes no note does not make a paper wrong.
    let upkeep = every_file(&pair.desk.path("alice"));
    let upkeep = upkeep
        .iter()
        .find(|(path, _)| path.to_string_lossy().contains("paper-checked"));
    let directory = pair.desk.path("alice").join(&upkeep.unwrap().0);
    let directory = directory.parent().unwrap();
    std::fs::remove_dir_all(directory).unwrap();
    std::fs::write(directory, "no directory").unwrap();
    let ended = pair
        .desk
        .run(&[&["--home", "alice"], &record[..], &["--json"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stderr.contains("could not note the check"),
        "{ended:?}"
    );
    assert_eq!(json(&ended.stdout)["noted"], false);
}

#[test]
fn whoever_did_not_mean_it_has_no_page() {
    let (pair, _) = printed();
    let write = ["share", "paper", "Pool", "--out", "others"];
    let refused = pair.by("bob", &write);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("--danger-in-clear"), "{refused:?}");
    let none = [
        "share",
        "paper",
        "Pool",
        "--out",
        "others",
        "--validator",
        "1",
        "--danger-in-clear",
    ];
    let none = pair.by("bob", &none);
    assert_eq!(none.code, 2, "{none:?}");
    assert!(none.stderr.contains("there is no validator 1"), "{none:?}");
    assert!(!pair.desk.path("others").exists());
}

#[test]
fn what_is_wrong_on_a_paper_is_named_and_no_character_of_it() {
    let (pair, page) = printed();
    let all = groups(&page);
    let check = |files: &[&str], cluster: &str| {
        let args = [
            &["share", "check-paper"][..],
            files,
            &["--cluster", cluster],
        ]
        .concat();
        pair.desk.run(&args)
    };
    let mut wrong = all.clone();
    let old = wrong[7].remove(1);
    wrong[7].insert(1, if old == 'q' { 'p' } else { 'q' });
    pair.desk.write("wrong.txt", wrong.join("-"));
    let ended = check(&["wrong.txt"], CLUSTER[1]);
    assert_eq!(ended.code, 1, "{ended:?}");
    // These words and no others: nothing of the line can be among them.
    let said = "wrong.txt: NOT RIGHT: character 2 of group 8 of the line is not as written; compare with the paper and type the line again\n";
    assert_eq!(ended.stdout, said);
    assert!(ended.stderr.contains("code: paper-wrong"), "{ended:?}");
    pair.desk
        .write("other.txt", format!("shr1{}", "q".repeat(81)));
    let other = check(&["other.txt"], CLUSTER[1]);
    assert_eq!(ended.stderr, other.stderr);

    // Another cluster, and files without a share.
    let other = Pair::make();
    for name in ["alice", "bob", "alice", "bob", "alice"] {
        other.run(name, &[]);
    }
    pair.desk
        .write("other.json", other.desk.read("files-alice/cluster.json"));
    pair.desk.write("line.txt", all.join(" "));
    let ended = check(&["line.txt"], "other.json");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stdout.contains("the share is of ceremony"),
        "{ended:?}"
    );
    pair.desk.write("none.txt", "nothing\n");
    let ended = check(&["none.txt"], CLUSTER[1]);
    assert!(
        ended.stderr.contains("no share on paper was found"),
        "{ended:?}"
    );
    pair.desk.write("bytes", [0xff, 0xfe, 0x00]);
    let ended = check(&["bytes"], CLUSTER[1]);
    assert!(
        ended
            .stderr
            .contains("neither a PNG or JPEG picture nor text"),
        "{ended:?}"
    );
    let ended = check(&[], CLUSTER[1]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("there is no terminal"), "{ended:?}");
}

#[test]
fn a_line_is_typed_row_by_row() {
    let (pair, page) = printed();
    let all = groups(&page);
    let args = [&["share", "check-paper"][..], &CLUSTER].concat();
    let mut terminal = Terminal::new(&pair.desk.path("."), &args);
    for row in all.chunks(6) {
        terminal.answer("> ", &row.join(" ").to_uppercase());
    }
    terminal.answer("> ", "");
    let (status, shown) = terminal.end();
    assert_eq!(status.exit_code(), 0, "{shown}");
    assert!(
        shown.contains("right: the share of validator 0 at operator 1 of Pool"),
        "{shown}"
    );

    // The question before pages are written, answered wrong and right.
    for (answer, code) in [("Pol", 5), ("Pool", 0)] {
        let args = [
            "--home", "bob", "--unlock", "bob.key", "share", "paper", "Pool", "--out", "bobs",
        ];
        let mut terminal = Terminal::new(&pair.desk.path("."), &args);
        terminal.answer("Type the ceremony's name (Pool) to write them:", answer);
        let (status, shown) = terminal.end();
        assert_eq!(status.exit_code(), code, "{shown}");
        assert_eq!(pair.desk.path("bobs").exists(), code == 0);
    }
}

/// Alice's home is lost: what is left of it is an identity in the backup from before the ceremony.
fn burnt() -> (Pair, String) {
    let (pair, page) = printed();
    pair.desk.write("page.png", picture(&page));
    pair.desk.write("line.txt", groups(&page).join(" "));
    std::fs::create_dir(pair.desk.path("empty")).unwrap();
    let copy = |from: &str, to: &str| {
        std::fs::create_dir_all(pair.desk.path(to).parent().unwrap()).unwrap();
        std::fs::copy(pair.desk.path(from), pair.desk.path(to)).unwrap();
    };
    for file in ["home.json", "home-key.age", "identity.age"] {
        copy(&format!("alice/{file}"), &format!("new/{file}"));
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(pair.desk.path(&format!("new/{file}")), private).unwrap();
    }
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(pair.desk.path("new"), private).unwrap();
    (pair, page)
}

const RESTORE: [&str; 7] = [
    "--home",
    "new",
    "--unlock",
    "alice.key",
    "share",
    "restore-paper",
    "files-alice/record",
];

#[test]
fn a_home_that_burnt_has_its_shares_again() {
    let (pair, _) = burnt();
    for files in [["page.png"], ["line.txt"], ["page.png"]] {
        pair.desk.ok(&[&RESTORE[..], &files].concat());
    }
    let by_new = |args: &[&str]| {
        pair.desk
            .ok(&[&["--home", "new", "--unlock", "alice.key"][..], args].concat())
    };
    let before = pair
        .ok("alice", &["share", "show", "Pool", "--json"])
        .stdout;
    let (before, after) = (
        json(&before),
        json(&by_new(&["share", "show", "Pool", "--json"])),
    );
    assert_eq!(before["validators"], after["validators"]);
    assert_eq!(after["state"], "pending");
    // It goes on as a home that was there all the time, and says nothing new.
    let board = every_file(&pair.desk.path("stick"));
    by_new(&[
        "run",
        "pool.json",
        "--via",
        "stick",
        "--out",
        "files-new",
        "--accept-plan",
        &pair.code,
    ]);
    assert_eq!(every_file(&pair.desk.path("stick")), board);
    assert_eq!(
        pair.desk.read("files-new/cluster.json"),
        pair.desk.read("files-alice/cluster.json")
    );
    by_new(&["share", "prove", "Pool", "-o", "new.proof.json"]);
    pair.desk.ok(&[
        "share",
        "check-proof",
        "new.proof.json",
        "--cluster",
        "files-bob/record",
    ]);
}

#[test]
fn nothing_comes_back_from_the_wrong_paper_record_or_home() {
    let (pair, page) = burnt();
    // But for the lock of whoever looks.
    let every = || {
        let mut files = every_file(&pair.desk.path("new"));
        files.retain(|(path, _)| !path.ends_with("lock"));
        files
    };
    let before = every();
    let refused = |args: &[&str], code: i32, words: &str| {
        let ended = pair.desk.run(args);
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains(words), "{ended:?}");
    };
    // Bob's page in alice's home, and alice's in bob's.
    pair.ok(
        "bob",
        &[
            "share",
            "paper",
            "Pool",
            "--out",
            "pages",
            "--danger-in-clear",
        ],
    );
    let bobs = std::fs::read_dir(pair.desk.path("pages")).unwrap();
    let bobs = bobs
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_str().unwrap().ends_with("operator-2.html"));
    let bobs = String::from_utf8(std::fs::read(bobs.unwrap()).unwrap()).unwrap();
    pair.desk.write("bob.txt", groups(&bobs).join(" "));
    refused(
        &[&RESTORE[..], &["bob.txt"]].concat(),
        1,
        "shares never change hands",
    );
    let bob = [
        "--home",
        "bob",
        "--unlock",
        "bob.key",
        "share",
        "restore-paper",
    ];
    refused(
        &[&bob[..], &["files-alice/record", "line.txt"]].concat(),
        1,
        "shares never change hands",
    );

    pair.desk.write(
        "wrong.txt",
        groups(&page).join(" ").replace(&groups(&page)[9], "qqqq"),
    );
    refused(&[&RESTORE[..], &["wrong.txt"]].concat(), 1, "of the line");
    pair.desk.write("none.txt", "nothing");
    refused(
        &[&RESTORE[..], &["none.txt"]].concat(),
        1,
        "the share of validator 0 is missing",
    );
    refused(&RESTORE, 2, "there is no terminal");

    // A record without the own confirm leads to no outcome, and to no shares.
    let messages = pair.desk.path("files-alice/record/messages");
    let confirm = std::fs::read_dir(&messages)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let confirm = confirm
        .into_iter()
        .find(|path| path.to_str().unwrap().contains("confirm-1"));
    std::fs::remove_file(confirm.unwrap()).unwrap();
    let ended = pair.desk.run(&[&RESTORE[..], &["line.txt"]].concat());
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(every() == before, "something was written");
}
