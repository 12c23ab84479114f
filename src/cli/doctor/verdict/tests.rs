use std::path::PathBuf;

use super::*;
use crate::cli::doctor::host::{Core, Entropy, Interface, Swap, Terminal};
use crate::cli::layout::wrap;
use crate::memory::Hardened;

const MIB: u64 = 1 << 20;

/// A machine as it should be.
fn sound() -> Host {
    Host {
        interfaces: Some(vec![interface("eth0", false), loopback()]),
        swaps: Some(Vec::new()),
        core: Core {
            limit: Some(Some(0)),
            pattern: Some("core".into()),
        },
        hardened: Hardened {
            core: CoreDumps::Limited,
            locked: Locked::Nothing,
        },
        now: RELEASED + 86_400,
        youngest: Some((RELEASED, "Pool".into())),
        rooms: vec![Room {
            what: "the stick",
            path: PathBuf::from("/media/stick"),
            available: Some(100 * MIB),
            needed: 64 * MIB,
        }],
        entropy: Entropy {
            draws: Ok(true),
            pool: Some(256),
        },
        terminal: Terminal {
            input: true,
            messages: true,
            columns: Some(100),
            locale: Some("de_DE.UTF-8".into()),
        },
        memory: Some(1024 * MIB),
        home: found(&[], None),
        sticks: vec![Stick {
            path: PathBuf::from("/media/stick"),
            outcome: ReadBack::Same { forgotten: true },
        }],
        version: "0.1.0",
        sha256: Ok("ab".repeat(32)),
    }
}

fn interface(name: &str, up: bool) -> Interface {
    Interface {
        name: name.into(),
        up,
        loopback: false,
    }
}

fn loopback() -> Interface {
    Interface {
        loopback: true,
        ..interface("lo", true)
    }
}

fn found(loose: &[&str], unwritable: Option<&str>) -> HomeFound {
    HomeFound::Found {
        path: PathBuf::from("/home/al ice/conclave"),
        loose: loose.iter().map(|name| (*name).to_owned()).collect(),
        unwritable: unwritable.map(str::to_owned),
    }
}

#[test]
fn a_sound_machine_is_ok_in_every_line() {
    let lines = judge(&sound());
    for line in &lines {
        assert_eq!(line.verdict, Verdict::Ok, "{line}");
    }
    let checks: Vec<&str> = lines.iter().map(|line| line.check).collect();
    assert_eq!(
        checks,
        [
            "network",
            "swap",
            "core dumps",
            "clock",
            "entropy",
            "memory",
            "terminal",
            "home",
            "free space",
            "stick",
            "program"
        ]
    );
}

/// Each fact alone changes its own line, to this verdict and with these words, and no other.
#[test]
fn every_fact_has_its_verdict() {
    type Change = fn(&mut Host);
    use Verdict::{Note, Ok as Fine, Problem, Warning};
    let swap = |kind| {
        vec![Swap {
            name: "/dev/sda2".into(),
            kind,
        }]
    };
    let plain: Change = |host| {
        host.swaps = Some(vec![
            Swap {
                name: "/dev/zram0".into(),
                kind: SwapKind::Memory,
            },
            Swap {
                name: "/swapfile".into(),
                kind: SwapKind::Plain,
            },
        ]);
    };
    let cases: &[(&str, Verdict, &str, Change)] = &[
        ("network", Warning, "eth0, wlan0 up", |host| {
            host.interfaces = Some(vec![
                interface("eth0", true),
                loopback(),
                interface("wlan0", true),
            ]);
        }),
        ("network", Warning, "a, b, c, d and 2 more up", |host| {
            let names = ["a", "b", "c", "d", "e", "f"];
            host.interfaces = Some(names.iter().map(|name| interface(name, true)).collect());
        }),
        ("network", Fine, "no interface besides loopback", |host| {
            host.interfaces = Some(vec![loopback()]);
        }),
        ("network", Note, "does not say", |host| {
            host.interfaces = None
        }),
        (
            "swap",
            Warning,
            "/swapfile on, not known to be encrypted",
            plain,
        ),
        ("swap", Note, "does not say", |host| host.swaps = None),
        ("core dumps", Warning, "`ulimit -c 0`", |host| {
            host.core.limit = Some(None);
        }),
        (
            "core dumps",
            Warning,
            "handed to /usr/share/apport/apport",
            |host| {
                host.core.limit = Some(Some(1));
                host.core.pattern = Some("|/usr/share/apport/apport -p%p".into());
            },
        ),
        (
            "core dumps",
            Note,
            "limited to 0 bytes, and handed to",
            |host| {
                host.core.pattern = Some("|/lib/systemd/systemd-coredump %P".into());
            },
        ),
        ("core dumps", Note, "no limit to ask for", |host| {
            host.core.limit = None;
            host.core.pattern = None;
        }),
        ("clock", Warning, "before this version", |host| host.now = 0),
        (
            "clock",
            Warning,
            "the plan Pool was made at 2027-",
            |host| {
                host.youngest = Some((RELEASED + 90 * 86_400, "Pool".into()));
            },
        ),
        ("clock", Warning, "more than 20 years after", |host| {
            host.now = u64::MAX;
        }),
        (
            "entropy",
            Problem,
            "no bytes; no key may be made here",
            |host| {
                host.entropy.draws = Err("no bytes".into());
            },
        ),
        ("entropy", Problem, "two draws were the same", |host| {
            host.entropy.draws = Ok(false);
        }),
        ("entropy", Note, "says 12 bits", |host| {
            host.entropy.pool = Some(12)
        }),
        (
            "entropy",
            Fine,
            "two draws differ; no test can prove",
            |host| {
                host.entropy.pool = None;
            },
        ),
        ("memory", Problem, "255 MiB free", |host| {
            host.memory = Some(256 * MIB - 1);
        }),
        ("memory", Note, "does not say", |host| host.memory = None),
        ("terminal", Note, "not a terminal", |host| {
            host.terminal.input = false
        }),
        ("terminal", Note, "not a terminal", |host| {
            host.terminal.messages = false;
        }),
        ("terminal", Note, "the locale C is not UTF-8", |host| {
            host.terminal.locale = Some("C".into());
        }),
        ("terminal", Note, "40 columns", |host| {
            host.terminal.columns = Some(40);
        }),
        ("terminal", Fine, "width is not known", |host| {
            host.terminal.columns = None;
        }),
        ("home", Note, "conclave identity new", |host| {
            host.home = HomeFound::Missing(PathBuf::from("/h"));
        }),
        ("home", Problem, "home.json is damaged", |host| {
            host.home = HomeFound::Broken("home.json is damaged".into());
        }),
        ("home", Problem, "it is read-only", |host| {
            host.home = found(&["x"], Some("it is read-only"));
        }),
        (
            "home",
            Warning,
            "identity.age; secrets there are encrypted, but a home is for its owner alone; do: `chmod -R go-rwx '/home/al ice/conclave'`",
            |host| host.home = found(&["identity.age"], None),
        ),
        (
            "free space",
            Problem,
            "63 MiB on the stick (/media/stick)",
            |host| {
                host.rooms[0].available = Some(64 * MIB - 1);
            },
        ),
        ("free space", Note, "does not say", |host| {
            host.rooms[0].available = None;
        }),
        ("stick", Fine, "may have answered from memory", |host| {
            host.sticks[0].outcome = ReadBack::Same { forgotten: false };
        }),
        ("stick", Problem, "throw it away", |host| {
            host.sticks[0].outcome = ReadBack::Differs;
        }),
        (
            "stick",
            Problem,
            "read-only; others' messages can be read",
            |host| {
                host.sticks[0].outcome = ReadBack::ReadOnly;
            },
        ),
        ("stick", Problem, "no folder", |host| {
            host.sticks[0].outcome = ReadBack::Failed("/x is no folder".into());
        }),
        ("program", Note, "too large", |host| {
            host.sha256 = Err("too large".into());
        }),
    ];
    let before = judge(&sound());
    let check = |change: &dyn Fn(&mut Host), check: &str, verdict, words: &str| {
        let mut host = sound();
        change(&mut host);
        let lines = judge(&host);
        let changed: Vec<&Line> = lines.iter().filter(|line| !before.contains(line)).collect();
        let [line] = changed.as_slice() else {
            panic!("{check}: {words}: {changed:?}")
        };
        assert_eq!((line.check, line.verdict), (check, verdict), "{line}");
        let text = line.to_string();
        assert!(text.contains(words), "{words}: {text}");
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
        // Whatever is bad comes with something to do.
        assert!(line.todo.is_some() || line.verdict < Warning, "{text}");
    };
    for (name, verdict, words, change) in cases {
        check(change, name, *verdict, words);
    }
    for (kind, words) in [
        (SwapKind::Encrypted, "/dev/sda2 on, encrypted"),
        (SwapKind::Memory, "compressed memory"),
    ] {
        check(&|host| host.swaps = Some(swap(kind)), "swap", Note, words);
    }
}

/// What conclave did for itself decides: the machine's own settings are about other programs.
#[test]
fn a_hardened_process_need_not_fear_the_machines_settings() {
    let mut host = sound();
    host.hardened = Hardened {
        core: CoreDumps::Off,
        locked: Locked::All,
    };
    host.core.limit = Some(None);
    host.core.pattern = Some("|/usr/share/apport/apport -p%p".into());
    host.swaps = Some(vec![Swap {
        name: "/swapfile".into(),
        kind: SwapKind::Plain,
    }]);
    let (swap, core) = (swap(&host), core(&host));
    assert_eq!((swap.verdict, core.verdict), (Verdict::Note, Verdict::Ok));
    assert!(swap.to_string().contains("hibernation"), "{swap}");
    assert!(core.to_string().contains("off for conclave"), "{core}");
}

#[test]
fn a_line_is_a_line_and_narrow_terminals_get_it_in_parts() {
    let mut host = sound();
    host.interfaces = Some(vec![interface("wlan0", true)]);
    let line = &judge(&host)[0];
    assert_eq!(
        line.to_string(),
        "warning  network: wlan0 up; this machine is not air-gapped; conclave uses a network for a relay alone; do: pull the cable, switch radios off (Linux: `rfkill block all`)"
    );
    assert_eq!(
        wrap(&line.to_string(), "", 40),
        [
            "warning  network: wlan0 up; this machine",
            "  is not air-gapped; conclave uses a",
            "  network for a relay alone; do: pull",
            "  the cable, switch radios off (Linux:",
            "  `rfkill block all`)",
        ]
    );
}

#[test]
fn sizes_are_rounded_down() {
    for (bytes, text) in [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (2 * MIB - 1, "1 MiB"),
        (u64::MAX, "16777215 TiB"),
    ] {
        assert_eq!(size(bytes), text);
    }
}
