//! What the facts mean and what to do about them: pure, one line for each check.

use super::host::{HomeFound, Host, ReadBack, Room, Stick, SwapKind};
use crate::cli::values::utc;
use crate::memory::{CoreDumps, Locked};

/// 2026-11-25T00:00:00Z: this version is not older, so a clock before it is wrong.
const RELEASED: u64 = 1_795_564_800;

/// A clock that runs this far ahead of the release is more likely wrong: 20 years, in seconds.
const MAX_AHEAD_SECS: u64 = 20 * 365 * 86_400;

/// What scrypt takes for one keystore (N = 2^18, r = 8): 256 MiB.
const SCRYPT_BYTES: u64 = 256 << 20;

/// Columns that tables and the plan's page want.
const WANTED_COLUMNS: usize = 80;

/// How many names a line lists.
const LISTED: usize = 4;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Weakens safety, and stops nothing.
    Warning,
    /// A ceremony would fail here.
    Problem,
}

impl Verdict {
    /// For people.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Line {
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) found: String,
    /// What it means.
    pub(super) means: String,
    /// What to do, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) todo: Option<String>,
}

impl Line {
    fn new(
        check: &'static str,
        verdict: Verdict,
        found: impl Into<String>,
        means: impl Into<String>,
    ) -> Self {
        Self {
            check,
            verdict,
            found: found.into(),
            means: means.into(),
            todo: None,
        }
    }

    fn todo(mut self, todo: impl Into<String>) -> Self {
        self.todo = Some(todo.into());
        self
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = self.verdict.word();
        write!(
            f,
            "{verdict:7}  {}: {}; {}",
            self.check, self.found, self.means
        )?;
        match &self.todo {
            Some(todo) => write!(f, "; do: {todo}"),
            None => Ok(()),
        }
    }
}

/// Judges a machine.
pub(super) fn judge(host: &Host) -> Vec<Line> {
    let mut lines = vec![
        network(host),
        swap(host),
        core(host),
        clock(host),
        entropy(host),
        memory(host),
        terminal(host),
        home(&host.home),
    ];
    lines.extend(host.rooms.iter().map(room));
    lines.extend(host.sticks.iter().map(stick));
    lines.push(program(host));
    lines
}

fn network(host: &Host) -> Line {
    const CHECK: &str = "network";
    let Some(interfaces) = &host.interfaces else {
        return Line::new(
            CHECK,
            Verdict::Note,
            "the system does not say which interfaces are up",
            "whether this machine is air-gapped is for you to see",
        )
        .todo("pull cables, switch radios off");
    };
    let others = || interfaces.iter().filter(|interface| !interface.loopback);
    let up: Vec<&str> = others()
        .filter(|interface| interface.up)
        .map(|interface| interface.name.as_str())
        .collect();
    if !up.is_empty() {
        return Line::new(
            CHECK,
            Verdict::Warning,
            format!("{} up", list(&up)),
            "this machine is not air-gapped; conclave uses a network for a relay alone",
        )
        .todo("pull the cable, switch radios off (Linux: `rfkill block all`)");
    }
    if others().next().is_some() {
        Line::new(
            CHECK,
            Verdict::Ok,
            "no interface is up besides loopback",
            "nothing leaves by a network now",
        )
    } else {
        Line::new(
            CHECK,
            Verdict::Ok,
            "no interface besides loopback",
            "nothing leaves by a network",
        )
    }
}

/// What keeps secrets out of swap where memory could not be locked.
pub(super) const AGAINST_SWAP: &str = "switch it off for the ceremony (Linux: `swapoff -a` as root), encrypt it, or let this user lock memory (`ulimit -l unlimited`)";

fn swap(host: &Host) -> Line {
    const CHECK: &str = "swap";
    let Some(swaps) = &host.swaps else {
        return Line::new(
            CHECK,
            Verdict::Note,
            "the system does not say whether it swaps",
            "memory with secrets may reach the disk",
        );
    };
    let of = |kind| -> Vec<&str> {
        let those = swaps.iter().filter(|swap| swap.kind == kind);
        those.map(|swap| swap.name.as_str()).collect()
    };
    let plain = of(SwapKind::Plain);
    if !plain.is_empty() {
        let found = format!("{} on, not known to be encrypted", list(&plain));
        match host.hardened.locked {
            Locked::All => Line::new(
                CHECK,
                Verdict::Note,
                found,
                "conclave locks its memory and is not swapped out; hibernation would still write it there",
            ),
            Locked::Nothing => Line::new(
                CHECK,
                Verdict::Warning,
                found,
                "conclave could not lock its memory: secrets may stay on the disk",
            )
            .todo(AGAINST_SWAP),
        }
    } else if !of(SwapKind::Encrypted).is_empty() {
        let means = "what is swapped out is unreadable without the system's key";
        let found = format!("{} on, encrypted", list(&of(SwapKind::Encrypted)));
        Line::new(CHECK, Verdict::Note, found, means)
    } else if !swaps.is_empty() {
        let found = format!("{} on", list(&of(SwapKind::Memory)));
        let means = "compressed memory; unless it is told to write back, it reaches no disk";
        Line::new(CHECK, Verdict::Note, found, means)
    } else {
        Line::new(CHECK, Verdict::Ok, "off", "memory stays in memory")
    }
}

fn core(host: &Host) -> Line {
    const CHECK: &str = "core dumps";
    let dumps = "if conclave is killed by a fault, its memory with secrets is written out";
    let limit_off = "`ulimit -c 0` in this shell";
    let piped = host
        .core
        .pattern
        .as_deref()
        .and_then(|pattern| pattern.strip_prefix('|'))
        .and_then(|command| command.split_whitespace().next());
    if host.hardened.core == CoreDumps::Off {
        return Line::new(
            CHECK,
            Verdict::Ok,
            "off for conclave, whatever the system's setting",
            "a fault leaves no copy of its memory",
        );
    }
    match (host.core.limit, piped) {
        (Some(None | Some(1..)), Some(program)) => Line::new(
            CHECK,
            Verdict::Warning,
            format!("on, and handed to {program}"),
            dumps,
        )
        .todo(format!(
            "{limit_off}, and as root `sysctl kernel.core_pattern=core`"
        )),
        (Some(None | Some(1..)), None) => {
            Line::new(CHECK, Verdict::Warning, "on", dumps).todo(limit_off)
        }
        // core(5): the limit is not enforced for a core that goes to a program.
        (Some(Some(0)), Some(program)) => Line::new(
            CHECK,
            Verdict::Note,
            format!("limited to 0 bytes, and handed to {program}"),
            "the kernel does not enforce the limit for a program, which usually obeys it",
        )
        .todo("to be sure, as root `sysctl kernel.core_pattern=core`"),
        (Some(Some(0)), None) => Line::new(
            CHECK,
            Verdict::Ok,
            "off",
            "a fault leaves no copy of the memory",
        ),
        (None, _) => Line::new(
            CHECK,
            Verdict::Note,
            "this system has no limit to ask for",
            "its error reporting may keep a copy of the memory after a fault",
        )
        .todo("switch error reporting off for the ceremony"),
    }
}

fn clock(host: &Host) -> Line {
    const CHECK: &str = "clock";
    let found = utc(host.now);
    let set = "set it (Linux: `date -u -s 'YYYY-MM-DD HH:MM'` as root)";
    let wrong = "only names and dates of files depend on it, no key and no signature";
    let youngest = host.youngest.as_ref();
    if host.now < RELEASED {
        Line::new(
            CHECK,
            Verdict::Warning,
            format!("{found}, which is before this version of conclave"),
            wrong,
        )
        .todo(set)
    } else if let Some((time, name)) = youngest.filter(|(time, _)| host.now < *time) {
        Line::new(
            CHECK,
            Verdict::Warning,
            format!("{found}, and the plan {name} was made at {}", utc(*time)),
            format!("this clock is wrong, or the organiser's; {wrong}"),
        )
        .todo(set)
    } else if host.now > RELEASED.saturating_add(MAX_AHEAD_SECS) {
        Line::new(
            CHECK,
            Verdict::Warning,
            format!("{found}, more than 20 years after this version of conclave"),
            wrong,
        )
        .todo(set)
    } else {
        let than = if youngest.is_some() {
            "after this version of conclave and the plans that are known here"
        } else {
            "after this version of conclave"
        };
        Line::new(CHECK, Verdict::Ok, found, format!("{than}; {wrong}"))
    }
}

fn entropy(host: &Host) -> Line {
    const CHECK: &str = "entropy";
    let limits = "no test can prove that it is unpredictable: trust in it is trust in this system";
    let pool = match host.entropy.pool {
        Some(bits) => format!(", the kernel's pool says {bits} bits"),
        None => String::new(),
    };
    match &host.entropy.draws {
        Err(reason) => Line::new(
            CHECK,
            Verdict::Problem,
            reason.clone(),
            "no key may be made here",
        )
        .todo("take another machine"),
        Ok(false) => Line::new(
            CHECK,
            Verdict::Problem,
            "two draws were the same, or zero",
            "keys made here would be known to others",
        )
        .todo("take another machine"),
        Ok(true) if host.entropy.pool.is_some_and(|bits| bits < 128) => Line::new(
            CHECK,
            Verdict::Note,
            format!("the system answers and two draws differ{pool}"),
            "an old kernel that has just started; it blocks rather than give bad bytes",
        )
        .todo("wait a minute, type and move the mouse"),
        Ok(true) => Line::new(
            CHECK,
            Verdict::Ok,
            format!("the system answers and two draws differ{pool}"),
            limits,
        ),
    }
}

fn memory(host: &Host) -> Line {
    const CHECK: &str = "memory";
    match host.memory {
        None => Line::new(
            CHECK,
            Verdict::Note,
            "the system does not say how much is free",
            "scrypt keystores take 256 MiB",
        ),
        Some(free) if free < SCRYPT_BYTES => Line::new(
            CHECK,
            Verdict::Problem,
            format!("{} free", size(free)),
            "scrypt keystores take 256 MiB, plan codes and passphrases up to as much",
        )
        .todo("close other programs, or plan PBKDF2 keystores on a larger machine"),
        Some(free) => Line::new(
            CHECK,
            Verdict::Ok,
            format!("{} free", size(free)),
            "enough for scrypt, which takes 256 MiB",
        ),
    }
}

fn terminal(host: &Host) -> Line {
    const CHECK: &str = "terminal";
    let terminal = &host.terminal;
    if !terminal.input || !terminal.messages {
        return Line::new(
            CHECK,
            Verdict::Note,
            "not a terminal",
            "nothing is asked: passphrase and plan code come by flags",
        )
        .todo("for a person, start it in a terminal; colour is never used");
    }
    let utf8 = terminal.locale.as_deref().is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    if !utf8 {
        let locale = terminal.locale.as_deref().unwrap_or_default();
        return Line::new(
            CHECK,
            Verdict::Note,
            format!("the locale {locale} is not UTF-8"),
            "names with other letters than a to z may look wrong; files are not affected",
        )
        .todo("`export LC_ALL=C.UTF-8`");
    }
    match terminal.columns {
        Some(columns) if columns < WANTED_COLUMNS => Line::new(
            CHECK,
            Verdict::Note,
            format!("{columns} columns"),
            "tables become sentences, and addresses and codes are wrapped",
        )
        .todo(format!("{WANTED_COLUMNS} columns are easier to compare")),
        Some(columns) => Line::new(
            CHECK,
            Verdict::Ok,
            format!("{columns} columns"),
            "wide enough for every table",
        ),
        None => Line::new(CHECK, Verdict::Ok, "a terminal", "its width is not known"),
    }
}

fn home(home: &HomeFound) -> Line {
    const CHECK: &str = "home";
    match home {
        HomeFound::Missing(path) => Line::new(
            CHECK,
            Verdict::Note,
            format!("none at {}", path.display()),
            "this machine is no operator's yet; an organiser or witness needs none",
        )
        .todo("an operator makes one: `conclave identity new`"),
        HomeFound::Broken(reason) => Line::new(
            CHECK,
            Verdict::Problem,
            reason.clone(),
            "this operator cannot take part from here",
        )
        .todo("restore the home from its backup"),
        HomeFound::Found {
            unwritable: Some(reason),
            ..
        } => Line::new(
            CHECK,
            Verdict::Problem,
            reason.clone(),
            "nothing could be kept, so nothing would be sent",
        )
        .todo("make the home writable, or name another with --home DIR"),
        HomeFound::Found { path, loose, .. } if !loose.is_empty() => {
            let names: Vec<&str> = loose.iter().map(String::as_str).collect();
            Line::new(
                CHECK,
                Verdict::Warning,
                format!("others on this machine can read or change {}", list(&names)),
                "secrets there are encrypted, but a home is for its owner alone",
            )
            .todo(format!(
                "`chmod -R go-rwx {}`",
                crate::cli::via::quoted(&path.display().to_string())
            ))
        }
        HomeFound::Found { path, .. } => Line::new(
            CHECK,
            Verdict::Ok,
            format!("{}, for its owner alone, writable", path.display()),
            "this operator's state can be kept",
        ),
    }
}

fn room(room: &Room) -> Line {
    const CHECK: &str = "free space";
    let place = format!("{} ({})", room.what, room.path.display());
    let enough = format!("the ceremony's files take up to {}", size(room.needed));
    match room.available {
        None => Line::new(
            CHECK,
            Verdict::Note,
            format!("the system does not say how much {place} has"),
            enough,
        ),
        Some(free) if free < room.needed => Line::new(
            CHECK,
            Verdict::Problem,
            format!("{} on {place}", size(free)),
            enough,
        )
        .todo("make room, or take another medium"),
        Some(free) => Line::new(
            CHECK,
            Verdict::Ok,
            format!("{} on {place}", size(free)),
            enough,
        ),
    }
}

fn stick(stick: &Stick) -> Line {
    const CHECK: &str = "stick";
    let path = stick.path.display();
    match &stick.outcome {
        ReadBack::Same { forgotten: true } => Line::new(
            CHECK,
            Verdict::Ok,
            format!("4 MiB written to {path} and read back the same, not from memory as far as the system obeys"),
            "it keeps what it is given now; what it forgets unplugged, no test shows",
        ),
        ReadBack::Same { forgotten: false } => Line::new(
            CHECK,
            Verdict::Ok,
            format!("4 MiB written to {path} and read back the same"),
            "the system may have answered from memory; what the stick forgets unplugged, no test shows",
        )
        .todo("to be sure, pull it out, put it in, and compare a file"),
        ReadBack::Differs => Line::new(
            CHECK,
            Verdict::Problem,
            format!("{path} does not read back what was written"),
            "it is broken or larger on its label than inside",
        )
        .todo("throw it away"),
        ReadBack::ReadOnly => Line::new(
            CHECK,
            Verdict::Problem,
            format!("{path} is read-only"),
            "others' messages can be read, yours cannot leave on it",
        )
        .todo("move its switch, or mount it writable"),
        ReadBack::Failed(reason) => Line::new(
            CHECK,
            Verdict::Problem,
            reason.clone(),
            "no message can travel on it",
        )
        .todo("mount it and name its folder, or take another"),
    }
}

fn program(host: &Host) -> Line {
    const CHECK: &str = "program";
    let means = "the operators of one version and system have the same";
    match &host.sha256 {
        Ok(sha256) => Line::new(
            CHECK,
            Verdict::Ok,
            format!("conclave {}, SHA-256 {sha256}", host.version),
            means,
        )
        .todo("read its beginning and end to each other"),
        Err(reason) => Line::new(
            CHECK,
            Verdict::Note,
            format!("conclave {}; {reason}", host.version),
            "its SHA-256 is for you to take with another tool",
        ),
    }
}

fn list(names: &[&str]) -> String {
    let mut text = names
        .iter()
        .take(LISTED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more) = names.len().checked_sub(LISTED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Rounded down: never more than there is.
fn size(bytes: u64) -> String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        let whole = bytes >> shift;
        if whole > 0 {
            return format!("{whole} {unit}");
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests;
