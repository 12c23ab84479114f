//! `qr scan`: documents back from QR codes, into a folder.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::desk::{Desk, Expected, Filed};
use super::sha256;
use super::source::{self, Look};
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::progress::Progress;
use crate::cli::values::counted;
use crate::courier::qr::collect::{self, Collector, Seen};
use crate::courier::qr::frames::{DOCUMENT_TYPE, HASH_TYPE};

const EXAMPLE: &str = "\
Example, with photos of another machine's screen:
  conclave qr scan photos --into desk
  conclave run pool.plan.json --via desk

Example, with a barcode scanner or another program that types what it reads:
  zbarcam --raw | conclave qr scan - --into desk --count 3

Codes of several documents may come in any order, some of them missing, as long as enough come. What
was put together is checked before anything of it is shown or kept: a card's proof, a plan's cards, a
message's signature. Writes cards, plans and messages to --into; `conclave run PLAN --via` that folder
takes them from there. Exit code 3 says that codes are missing: look again, with the earlier pictures.";

/// Reasons of one kind that are told one by one.
const TOLD: usize = 5;

/// Read cards, plans and messages from QR codes
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// PNG or JPEG pictures, folders of them, or - for a text line a code on standard input
    #[arg(value_name = "PICTURES")]
    #[cfg_attr(
        all(feature = "camera", target_os = "linux"),
        arg(required_unless_present = "camera")
    )]
    #[cfg_attr(
        not(all(feature = "camera", target_os = "linux")),
        arg(required = true)
    )]
    sources: Vec<PathBuf>,
    /// Look through a camera [default device: /dev/video0]
    #[cfg(all(feature = "camera", target_os = "linux"))]
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, default_missing_value = "/dev/video0", conflicts_with = "sources")]
    camera: Option<PathBuf>,
    /// Put what was read into this folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// Compare this file with the SHA-256 that a code carries
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Stop after so many documents [default: at the input's end; with a camera 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    #[cfg(all(feature = "camera", target_os = "linux"))]
    fn camera(&self) -> Option<&Path> {
        self.camera.as_deref()
    }

    #[cfg(not(all(feature = "camera", target_os = "linux")))]
    fn camera(&self) -> Option<&Path> {
        None
    }

    fn enough(&self) -> Option<usize> {
        let count = self.count.and_then(|count| usize::try_from(count).ok());
        count.or_else(|| self.camera().map(|_| 1))
    }
}

/// What came of it.
#[derive(Serialize)]
struct Report<'a> {
    documents: &'a [Filed],
    /// What was put together and not taken.
    refused: &'a [String],
    incomplete: Vec<Incomplete>,
    /// Whether the file of --expect is the one whose hash was scanned.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<bool>,
    /// Codes that are none of conclave's.
    foreign: usize,
    /// Pictures in which no code was found.
    without_code: &'a [String],
    /// Files that could not be looked at.
    unreadable: &'a [String],
}

/// A document of which codes are missing.
#[derive(Serialize)]
struct Incomplete {
    percent: usize,
    known: usize,
    of: usize,
}

impl Incomplete {
    fn of(progress: collect::Progress) -> Self {
        Self {
            percent: progress.percent(),
            known: progress.known,
            of: progress.of,
        }
    }
}

/// What was seen, and how far that leads.
struct Scan {
    collector: Collector,
    desk: Desk,
    into: PathBuf,
    filed: Vec<Filed>,
    shown: Progress,
    enough: Option<usize>,
    foreign: usize,
    broken: usize,
    without_code: Vec<String>,
    unreadable: Vec<String>,
}

/// Runs the command.
pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let mut scan = Scan::new(args, cx)?;
    let lines = args.sources.iter().any(|source| source.as_os_str() == "-");
    let files = args
        .sources
        .iter()
        .filter(|source| source.as_os_str() != "-");
    let files: Vec<&Path> = files.map(PathBuf::as_path).collect();
    let pictures = source::pictures(cx, &files)?;
    source::look(cx, &pictures, &mut |look| {
        scan.take(look);
        // All pictures that are there are looked at: one of them may show another hash.
        Ok(scan.desk.expected.is_some() || scan.wants_more())
    })?;
    if lines && scan.wants_more() {
        source::lines(&mut |look| scan.take_and_file(look, cx))?;
    }
    #[cfg(all(feature = "camera", target_os = "linux"))]
    if let Some(device) = args.camera() {
        let mut camera = super::camera::Camera::open(device)?;
        cx.ui
            .note(format!("looking through {}; Ctrl-C ends", device.display()));
        source::watch(&mut camera, &mut |look| scan.take_and_file(look, cx))?;
    }
    scan.shown.clear();
    scan.end(args, cx)
}

impl Scan {
    fn new(args: &Args, cx: &Context) -> Result<Self, CommandError> {
        let mut desk = Desk::default();
        if let Some(path) = &args.expect {
            desk.expected = Some(Expected {
                path: path.clone(),
                hash: sha256(cx, path)?,
                same: None,
            });
        }
        Ok(Self {
            collector: Collector::default(),
            desk,
            into: args.into.clone(),
            filed: Vec::new(),
            shown: Progress::new(cx.global.quiet),
            enough: args.enough(),
            foreign: 0,
            broken: 0,
            without_code: Vec::new(),
            unreadable: Vec::new(),
        })
    }

    fn wants_more(&self) -> bool {
        let compared = |expected: &Expected| expected.same.is_some();
        !self.desk.expected.as_ref().is_some_and(compared)
            && self.enough.is_none_or(|enough| self.desk.count() < enough)
    }

    /// Takes what was seen and files what is whole at once, since who watches may end it at any time;
    /// returns whether more is wanted.
    fn take_and_file(&mut self, look: Look, cx: &Context) -> Result<bool, CommandError> {
        self.take(look);
        self.filed.extend(self.desk.file(cx, &self.into)?);
        Ok(self.wants_more())
    }

    /// Takes what was seen.
    fn take(&mut self, look: Look) {
        match look {
            Look::Text(text) if is_of_another_program(&text) => {
                self.foreign = self.foreign.saturating_add(1);
            }
            Look::Text(text) => match self.collector.take(&text) {
                Seen::Whole(whole) => {
                    if !self.desk.take(&whole) {
                        self.collector.refuse();
                    }
                }
                Seen::Part(_) | Seen::Known => {}
                Seen::Broken(_) => self.broken = self.broken.saturating_add(1),
                Seen::Strange(_) => self.foreign = self.foreign.saturating_add(1),
            },
            Look::Nothing(file) => {
                // A camera sees nothing most of the time.
                if !file.is_empty() {
                    self.without_code.push(file);
                }
            }
            Look::Unreadable(why) => self.unreadable.push(why),
        }
        self.shown.open_ended(&self.far());
    }

    /// How far it is, in one line.
    fn far(&self) -> String {
        let mut parts: Vec<String> = self
            .collector
            .open()
            .take(4)
            .map(|open| format!("{} % ({} of {})", open.percent(), open.known, open.of))
            .collect();
        if self.desk.count() > 0 {
            parts.push(format!("{} whole", counted(self.desk.count(), "document")));
        }
        match parts.is_empty() {
            true => "no code yet".to_owned(),
            false => parts.join(", "),
        }
    }

    fn end(mut self, args: &Args, cx: &mut Context) -> Result<(), CommandError> {
        // Of pictures all is filed together: a plan among them tells whose the messages are.
        self.filed.extend(self.desk.file(cx, &self.into)?);
        let filed = std::mem::take(&mut self.filed);
        let incomplete: Vec<Incomplete> = self.collector.open().map(Incomplete::of).collect();
        let same = self
            .desk
            .expected
            .as_ref()
            .and_then(|expected| expected.same);
        self.tell(cx, &filed, &incomplete, args.json);
        if args.json {
            cx.ui.json(&Report {
                documents: &filed,
                refused: &self.desk.refused,
                incomplete: incomplete.iter().map(|one| Incomplete { ..*one }).collect(),
                expected: same,
                foreign: self.foreign,
                without_code: &self.without_code,
                unreadable: &self.unreadable,
            })?;
        }
        self.verdict(args, &filed, &incomplete)
    }

    fn tell(&self, cx: &mut Context, filed: &[Filed], incomplete: &[Incomplete], json: bool) {
        for why in &self.desk.refused {
            cx.ui.warn(why);
        }
        for why in self.unreadable.iter().take(TOLD) {
            cx.ui.warn(why);
        }
        for file in self.without_code.iter().take(TOLD) {
            cx.ui.note(format!("no code was found in {file}"));
        }
        let untold = [self.unreadable.len(), self.without_code.len()]
            .iter()
            .map(|all| all.saturating_sub(TOLD))
            .sum::<usize>();
        if untold > 0 {
            cx.ui
                .note(format!("and in {}", counted(untold, "more picture")));
        }
        if self.foreign > 0 {
            let codes = counted(self.foreign, "code");
            cx.ui.note(format!(
                "{codes} passed over that cannot be used: misread, or another program's"
            ));
        }
        if self.broken > 0 {
            cx.ui
                .warn("codes did not fit together: one was wrong; they were collected anew");
        }
        for one in filed {
            let news = if one.new { "" } else { " (there already)" };
            if !json {
                cx.ui.data(format!("{}: {}{news}", one.path, one.title));
            }
        }
        if let Some(expected) = self
            .desk
            .expected
            .as_ref()
            .filter(|expected| expected.same == Some(true))
            && !json
        {
            let path = expected.path.display();
            cx.ui
                .data(format!("{path} is the file whose hash was shown"));
        }
        for one in incomplete {
            cx.ui.note(format!(
                "not whole: {} % ({} of {})",
                one.percent, one.known, one.of
            ));
        }
    }

    fn verdict(
        &self,
        args: &Args,
        filed: &[Filed],
        incomplete: &[Incomplete],
    ) -> Result<(), CommandError> {
        if let Some(expected) = &self.desk.expected {
            let path = expected.path.display();
            match expected.same {
                Some(true) => return Ok(()),
                Some(false) => {
                    return Err(CommandError::of(
                        ErrorCode::QR_HASH_DIFFERS,
                        format!("{path} is not the file whose hash was shown"),
                    )
                    .hint("do not use it: ask for the file again, and for its hash"));
                }
                None => {
                    return Err(CommandError::of(
                        ErrorCode::QR_UNREADABLE,
                        format!("no code with a hash was found; {path} was compared with nothing"),
                    )
                    .hint("the other side shows it with `conclave qr show --hash FILE`"));
                }
            }
        }
        if !self.desk.refused.is_empty() {
            return Err(CommandError::of(
                ErrorCode::QR_REFUSED,
                format!(
                    "{} refused; {} kept",
                    counted(self.desk.refused.len(), "thing"),
                    counted(filed.len(), "document")
                ),
            )
            .hint("the other side makes the codes anew: `conclave qr show`"));
        }
        let enough = args.enough();
        // Of what else was in the picture nothing is missing.
        if enough.is_some_and(|enough| filed.len() >= enough) {
            return Ok(());
        }
        if !incomplete.is_empty() || (enough.is_some() && !filed.is_empty()) {
            return Err(missing(filed.len(), enough, incomplete));
        }
        if filed.is_empty() {
            return Err(CommandError::of(
                ErrorCode::QR_UNREADABLE,
                "no code of conclave was found; nothing was written",
            )
            .hint("come closer, hold still, make the screen bright and keep light off it")
            .hint("let the other side show larger modules: key s, or --fragment 100"));
        }
        Ok(())
    }
}

/// Whether a code is a uniform resource of a type that is none of conclave's, a wallet's for instance:
/// nobody waits for the rest of it.
fn is_of_another_program(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    let resource = text.strip_prefix("ur:");
    let kind = resource.and_then(|resource| resource.split_once('/'));
    kind.is_some_and(|(kind, _)| kind != DOCUMENT_TYPE && kind != HASH_TYPE)
}

fn missing(whole: usize, enough: Option<usize>, incomplete: &[Incomplete]) -> CommandError {
    let wanted = enough.map_or_else(String::new, |enough| format!(" of {enough}"));
    let parts: Vec<String> = incomplete
        .iter()
        .map(|one| format!("{} % ({} of {})", one.percent, one.known, one.of))
        .collect();
    let open = match parts.is_empty() {
        true => String::new(),
        false => format!("; not whole: {}", parts.join(", ")),
    };
    let whole = match whole {
        0 => "no document".to_owned(),
        some => counted(some, "document"),
    };
    CommandError::of(
        ErrorCode::QR_INCOMPLETE,
        format!("{whole}{wanted} whole and kept{open}"),
    )
    .hint("show the codes again and scan on, with the earlier pictures too: any that are missing will do")
}
