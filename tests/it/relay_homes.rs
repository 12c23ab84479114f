//! Ceremonies of four homes with the real commands over a real relay: everyone at once, through
//! crashes of both, and with couriers changed on the way.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::four_homes::Ceremony;
use crate::harness::binary::Ended;
use crate::harness::hostile::{Hostile, Mischief};
use crate::harness::terminal::Terminal;

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A relay of its own process, gone with the value.
pub(crate) struct Relay {
    child: Child,
    pub(crate) address: String,
}

impl Relay {
    /// Starts one over the ceremony's folder `store`; port 0 is any.
    pub(crate) fn start(ceremony: &Ceremony, port: u16) -> Self {
        let listen = format!("127.0.0.1:{port}");
        let args = [
            "relay",
            "serve",
            "--listen",
            &listen,
            "--store",
            "file:store",
        ];
        let mut child = ceremony
            .desk
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        assert!(address.starts_with("http://127.0.0.1:"), "{address}");
        Self { child, address }
    }

    fn port(&self) -> u16 {
        self.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Kills it, as a power cut would.
    fn kill(mut self) -> u16 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.port()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run_args<'a>(ceremony: &'a Ceremony, out: &'a str, via: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["run", "pool.plan.json", "--accept-plan", &ceremony.code];
    args.extend(["--out", out]);
    for courier in via {
        args.extend(["--via", courier]);
    }
    args
}

/// Starts `run` with an operator's home.
fn begin(ceremony: &Ceremony, name: &str, via: &[&str]) -> Child {
    let out = format!("files-{name}");
    start(ceremony, name, &run_args(ceremony, &out, via))
}

/// Starts a command with an operator's home.
pub(crate) fn start(ceremony: &Ceremony, name: &str, args: &[&str]) -> Child {
    piped(&mut ceremony.command(name, args)).spawn().unwrap()
}

/// The same, with standard error in a file that can be read meanwhile.
fn begin_with_log(ceremony: &Ceremony, name: &str, via: &[&str]) -> Child {
    let out = format!("files-{name}");
    let log = fs::File::create(ceremony.desk.path(&format!("{name}.log"))).unwrap();
    let mut command = ceremony.command(name, &run_args(ceremony, &out, via));
    piped(&mut command).stderr(log).spawn().unwrap()
}

fn piped(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::piped()).stderr(Stdio::piped())
}

pub(crate) fn end(child: Child) -> Ended {
    Ended::of(child.wait_with_output().unwrap())
}

/// One turn of an operator.
#[track_caller]
fn turn(ceremony: &Ceremony, name: &str, via: &[&str], code: i32) -> Ended {
    let out = format!("files-{name}");
    let mut args = run_args(ceremony, &out, via);
    args.push("--once");
    let ended = ceremony.by(name, &args);
    assert_eq!(ended.code, code, "{name}: {ended:?}");
    ended
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The entries that a relay stored.
fn entries(ceremony: &Ceremony) -> usize {
    let store = ceremony.desk.path("store");
    let files = |path: PathBuf| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    files(store.join("v1"))
        .into_iter()
        .flat_map(files)
        .filter(|path| path.is_dir())
        .flat_map(files)
        .count()
}

#[track_caller]
fn assert_one_outcome(ended: &[Ended]) {
    for ended in ended {
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(ended.stdout, ended_code(ended), "{ended:?}");
    }
    let codes: Vec<&str> = ended.iter().map(|ended| last_line(&ended.stdout)).collect();
    assert!(codes.iter().all(|code| *code == codes[0]), "{codes:?}");
}

/// Standard output holds the outcome code and nothing else.
fn ended_code(ended: &Ended) -> String {
    format!("{}\n", last_line(&ended.stdout))
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap()
}

/// One command each, all at once; the relay and one operator die in the middle.
#[test]
fn everyone_stays_through_the_death_of_the_relay_and_of_an_operator() {
    let ceremony = Ceremony::prepare();
    let relay = Relay::start(&ceremony, 0);
    let address = relay.address.clone();
    let via = [address.as_str()];
    let alice = begin(&ceremony, "alice", &via);
    let mut bob = begin(&ceremony, "bob", &via);
    until("two deals arrive", || entries(&ceremony) == 2);
    bob.kill().unwrap();
    bob.wait().unwrap();
    let port = relay.kill();
    // These two begin while nobody is there to answer.
    let carol = begin_with_log(&ceremony, "carol", &via);
    let bob = begin(&ceremony, "bob", &via);
    let log = || fs::read_to_string(ceremony.desk.path("carol.log")).unwrap();
    until("carol finds nobody", || log().contains("nothing was lost"));
    let relay = Relay::start(&ceremony, port);
    assert_eq!(relay.address, address);
    let dave = begin(&ceremony, "dave", &via);
    let ended: Vec<Ended> = [alice, bob, carol, dave].into_iter().map(end).collect();
    assert_one_outcome(&ended);
    assert!(
        log().contains("all couriers can be reached again"),
        "{}",
        log()
    );
    // Nobody needs the shelf any more, and it is gone but for what says so.
    until("the shelf is closed", || entries(&ceremony) == 0);

    // Who asks later learns how each message came.
    let status = ceremony.desk.ok(&["--home", "home-alice", "status"]);
    let came = format!("came by relay {address}: deal of 2, 3, 4; confirm of 2, 3, 4");
    assert!(
        status.contains("made here: deal of 1; confirm of 1"),
        "{status}"
    );
    assert!(status.contains(&came), "{status}");
    let witness = ceremony
        .desk
        .run(&["status", "pool.plan.json", "--via", &address]);
    assert!(
        witness.stderr.contains("the shelf is closed"),
        "{witness:?}"
    );

    // The same command again finds everything done.
    let ended = turn(&ceremony, "carol", &via, 0);
    assert!(
        ended.stderr.contains("0 message(s) came in, 0 went out"),
        "{ended:?}"
    );
}

/// The first round over one courier and the second over another, each way and both at once; what a
/// courier carried is told.
#[test]
fn couriers_change_between_rounds() {
    for (first, second) in [("stick", "relay"), ("relay", "stick"), ("both", "both")] {
        let ceremony = Ceremony::prepare();
        let relay = Relay::start(&ceremony, 0);
        let of = |courier: &str| match courier {
            "stick" => vec!["stick"],
            "relay" => vec![relay.address.as_str()],
            _ => vec!["stick", relay.address.as_str()],
        };
        let name = |courier: &str| match courier {
            "relay" => format!("relay {}", relay.address),
            _ => "folder stick".to_owned(),
        };
        for operator in NAMES {
            turn(&ceremony, operator, &of(first), 3);
        }
        // Who dealt before the last one has the other deals by the second courier, if that has them.
        for operator in ["dave", "alice", "bob", "carol"] {
            let code = if operator == "carol" { 0 } else { 3 };
            turn(&ceremony, operator, &of(second), code);
        }
        let ended: Vec<Ended> = NAMES
            .iter()
            .map(|name| turn(&ceremony, name, &of(second), 0))
            .collect();
        let outcomes: Vec<&str> = ended.iter().map(|ended| last_line(&ended.stdout)).collect();
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
        // dave saw all deals in the first round and all confirms in the second.
        let status = ceremony.desk.ok(&["--home", "home-dave", "status"]);
        let deals = format!("came by {}: deal of 1, 2, 3", name(first));
        let confirms = format!("came by {}: ", name(second));
        assert!(status.contains(&deals), "{first} {second}: {status}");
        assert!(status.contains(&confirms), "{first} {second}: {status}");
    }
}

/// Two operators have a stick alone, two the relay alone, and one of these both: through it they meet.
#[test]
fn an_operator_with_both_couriers_passes_messages_on() {
    let ceremony = Ceremony::prepare();
    let relay = Relay::start(&ceremony, 0);
    let (stick, relay) = (["stick"], [relay.address.as_str()]);
    let both = [stick[0], relay[0]];
    for (name, via) in [
        ("alice", &stick[..]),
        ("dave", &relay[..]),
        ("carol", &both[..]),
    ] {
        turn(&ceremony, name, via, 3);
    }
    turn(&ceremony, "bob", &stick, 3);
    turn(&ceremony, "carol", &both, 3);
    // dave finds the deals of alice and bob on the relay, where neither of them ever was.
    let ended = turn(&ceremony, "dave", &relay, 3);
    assert!(
        ended.stderr.contains("the confirm of alice (1)"),
        "{ended:?}"
    );
    turn(&ceremony, "carol", &both, 3);
    turn(&ceremony, "alice", &stick, 0);
    turn(&ceremony, "bob", &stick, 0);
    let mut outcomes = Vec::new();
    for (name, via) in [
        ("carol", &both[..]),
        ("dave", &relay[..]),
        ("alice", &stick[..]),
    ] {
        outcomes.push(turn(&ceremony, name, via, 0).stdout);
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    let status = ceremony.desk.ok(&["--home", "home-dave", "status"]);
    let came = format!(
        "came by relay {}: deal of 1, 2, 3; confirm of 1, 2, 3",
        relay[0]
    );
    assert!(status.contains(&came), "{status}");
}

/// A folder can be stayed at, and a relay looked at once.
#[test]
fn watch_and_once_say_who_stays() {
    let ceremony = Ceremony::prepare();
    let out = "files-alice";
    let mut args = run_args(&ceremony, out, &["stick"]);
    args.push("--watch");
    let alice = piped(&mut ceremony.command("alice", &args))
        .spawn()
        .unwrap();
    until("alice's deal arrives", || ceremony.stick().len() == 2);
    for name in ["bob", "carol", "dave"] {
        turn(&ceremony, name, &["stick"], 3);
    }
    until("alice confirms", || {
        ceremony
            .stick()
            .iter()
            .any(|(file, _)| file.contains("confirm-1"))
    });
    turn(&ceremony, "bob", &["stick"], 3);
    turn(&ceremony, "carol", &["stick"], 0);
    assert_eq!(end(alice).code, 0);
    args.push("--once");
    let ended = ceremony.by("alice", &args);
    assert_eq!(ended.code, 2, "{ended:?}");
}

/// On a terminal the table is drawn over itself, and is gone before the result.
#[test]
fn a_terminal_shows_who_is_where() {
    let ceremony = Ceremony::prepare();
    let relay = Relay::start(&ceremony, 0);
    let via = [relay.address.as_str()];
    let mut args = vec!["--home", "home-alice", "--passphrase-file", "passphrase"];
    args.extend(run_args(&ceremony, "files-alice", &via));
    let mut terminal = Terminal::new(&ceremony.desk.path("."), &args);
    terminal.wait_for("waiting for the deal of bob (2), carol (3), dave (4)");
    terminal.wait_for("Ctrl-C ends this; nothing is lost");
    turn(&ceremony, "bob", &via, 3);
    terminal.wait_for("2  bob    deal yes");
    terminal.wait_for("waiting for the deal of carol (3), dave (4)");
    turn(&ceremony, "carol", &via, 3);
    turn(&ceremony, "dave", &via, 3);
    terminal.wait_for("waiting for the confirm of bob (2), carol (3)");
    turn(&ceremony, "bob", &via, 3);
    turn(&ceremony, "carol", &via, 0);
    terminal.wait_for("the ceremony is complete");
    let (status, _) = terminal.end();
    assert!(status.success());
}

/// A program gets an event for what changes, and none for what does not.
#[test]
fn events_do_not_repeat_while_it_stays() {
    let ceremony = Ceremony::prepare();
    let relay = Relay::start(&ceremony, 0);
    let via = [relay.address.as_str()];
    let mut args = run_args(&ceremony, "files-alice", &via);
    args.push("--json");
    let alice = piped(&mut ceremony.command("alice", &args))
        .spawn()
        .unwrap();
    until("alice's deal arrives", || entries(&ceremony) == 1);
    for name in ["bob", "carol", "dave"] {
        turn(&ceremony, name, &via, 3);
    }
    until("alice confirms", || entries(&ceremony) >= 6);
    turn(&ceremony, "bob", &via, 3);
    turn(&ceremony, "carol", &via, 0);
    let ended = end(alice);
    assert_eq!(ended.code, 0, "{ended:?}");
    crate::harness::schema::assert_report(&["run", "--json"], 0, &ended.stdout);
    let waits = ended.stdout.matches("\"event\":\"waiting\"").count();
    assert!((1..=7).contains(&waits), "{}", ended.stdout);
    let exchanges = ended.stdout.matches("\"event\":\"exchange\"").count();
    assert!(exchanges <= 24, "{}", ended.stdout);
}

/// Trouble that comes at once does not come without a pause: a run that stays waits between its looks.
#[test]
fn a_relay_that_refuses_what_it_lists_is_asked_once_a_second_at_most() {
    let ceremony = Ceremony::prepare();
    let relay = Hostile::start();
    let mut alice = begin_with_log(&ceremony, "alice", &[&relay.view("alice")]);
    until("alice deals", || relay.entries() == 1);
    relay.does_to("alice", Mischief::Deny);
    turn(&ceremony, "bob", &[&relay.view("bob")], 3);
    let log = || fs::read_to_string(ceremony.desk.path("alice.log")).unwrap();
    until("alice is refused", || log().contains("not for you"));
    let (begun, before) = (Instant::now(), relay.requests());
    std::thread::sleep(Duration::from_secs(4));
    let asked = relay.requests() - before;
    let looks = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
    alice.kill().unwrap();
    alice.wait().unwrap();
    // Of each look a wait, a list and an entry.
    assert!(asked <= 3 * looks, "{asked} requests in {looks} looks");
}

/// An address with what does not belong there is refused, and not shown.
#[test]
fn addresses_are_checked_before_anything_is_asked() {
    let ceremony = Ceremony::prepare();
    for (address, word) in [
        (
            "https://user:hunter2@relay.example",
            "holds a user, a password",
        ),
        ("http://relay.example", "use https://"),
        ("ftp://relay.example", "no courier ftp://"),
        ("https://", "no address of a relay"),
    ] {
        let ended = ceremony.by("alice", &run_args(&ceremony, "x", &[address]));
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains(word), "{ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
    // Nobody listens there.
    let ended = turn(&ceremony, "alice", &["http://127.0.0.1:9"], 1);
    assert!(
        ended
            .stderr
            .contains("cannot reach relay http://127.0.0.1:9"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("nothing was lost"), "{ended:?}");
}
