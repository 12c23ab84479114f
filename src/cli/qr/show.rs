//! `qr show`: a document as QR codes, on this terminal, as pictures, or as a page.

use std::path::{Path, PathBuf};

use super::{known, sha256, title};
use crate::ceremony::plan::Plan;
use crate::ceremony::session::label;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::status::find;
use crate::cli::values::counted;
use crate::courier::qr::document::Document;
use crate::courier::qr::frames::{
    DOCUMENT_TYPE, FEWEST_BYTES, FRAGMENT_BYTES, Frames, HASH_TYPE, MOST_BYTES,
};
use crate::courier::qr::page::{Shown, page};
use crate::courier::qr::payload::{self, MAX_DOCUMENT_BYTES};
use crate::courier::qr::symbol::Symbols;
use crate::store::disk::{Access, DiskError, Kind};
use crate::store::folder::safe_name;
use crate::store::home::Home;
use crate::store::vault::Glance;
use crate::wire::envelope::Envelope;
use serde::Serialize;

const EXAMPLE: &str = "\
Example, on a machine that is connected to nothing:
  conclave qr show alice.card.json
  conclave qr show 1f2e3d4c
  conclave qr show pool.plan.json --html pool.html

Reads the file, or the home: then your own messages of the ceremony are shown, the newest first. Needs
no passphrase. Writes nothing but the pictures or the page. On a terminal the codes run until you press
q: + faster, - slower, d denser, s sparser, space pauses, n the next document. Nothing secret is shown:
whoever films the screen learns what a stick would carry.";

/// Show a file, or your messages of a ceremony, as QR codes
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// A card, a plan or a message; or a ceremony: the start of its id, or its name
    #[arg(value_name = "FILE|CEREMONY")]
    what: String,
    /// Everybody's messages of the ceremony, to pass them on
    #[arg(long, conflicts_with = "hash")]
    all: bool,
    /// Show the SHA-256 of any file, for what a stick carries; see `qr scan --expect`
    #[arg(long)]
    hash: bool,
    /// Write the codes to this folder as PNG pictures
    #[arg(long, value_name = "DIR", conflicts_with = "html")]
    png: Option<PathBuf>,
    /// Write one page that shows the codes in any browser, without a network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// How many codes are shown in a second
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=20))]
    rate: u64,
    /// How many bytes a code carries: fewer make larger modules [default: 300, or what fits the terminal]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(FEWEST_BYTES as u64..=MOST_BYTES as u64))]
    fragment: Option<u64>,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    fn fragment(&self) -> usize {
        self.fragment
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(FRAGMENT_BYTES)
    }

    pub(super) fn milliseconds(&self) -> u64 {
        1000u64.checked_div(self.rate).unwrap_or(200)
    }
}

/// Something to show.
pub(super) struct Item {
    /// What people call it.
    pub(super) title: String,
    /// A file name's part.
    stem: String,
    kind: &'static str,
    payload: Vec<u8>,
}

impl Item {
    /// Its codes, with about this many bytes each.
    pub(super) fn symbols(&self, fragment: usize) -> Result<Symbols, CommandError> {
        let frames = Frames::new(self.kind, self.payload.clone(), fragment);
        frames
            .map_err(|error| error.to_string())
            .and_then(|frames| Symbols::new(frames).map_err(|error| error.to_string()))
            .map_err(CommandError::failed)
    }
}

/// What was written.
#[derive(Serialize)]
struct Written {
    documents: Vec<WrittenDocument>,
}

/// Of one document.
#[derive(Serialize)]
struct WrittenDocument {
    title: String,
    /// Bytes of the payload, which is compressed.
    bytes: usize,
    /// How many codes are enough.
    codes: usize,
    /// Modules on each side of a code, quiet zone included.
    modules: usize,
    /// How long it takes to show that many once, in milliseconds.
    milliseconds: u64,
    files: Vec<String>,
}

/// Runs the command.
pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let items = items(args, cx)?;
    if let Some(directory) = &args.png {
        return pictures(args, cx, &items, directory);
    }
    if let Some(path) = &args.html {
        return one_page(args, cx, &items, path);
    }
    if args.json {
        return Err(CommandError::usage(
            "--json tells what was written, and codes on a terminal are not",
        )
        .hint("write pictures with --png DIR, or a page with --html FILE"));
    }
    on_terminal(args, cx, &items)
}

#[cfg(unix)]
fn on_terminal(args: &Args, cx: &mut Context, items: &[Item]) -> Result<(), CommandError> {
    super::terminal::show(args, cx, items, args.fragment.map(|_| args.fragment()))
}

#[cfg(not(unix))]
fn on_terminal(_: &Args, _: &mut Context, _: &[Item]) -> Result<(), CommandError> {
    Err(no_terminal("this system's terminals are not supported"))
}

/// The codes cannot be shown here.
pub(super) fn no_terminal(why: &str) -> CommandError {
    CommandError::of(ErrorCode::NO_TERMINAL, why)
        .hint("write a page for a browser: --html FILE")
        .hint("or pictures: --png DIR")
}

fn items(args: &Args, cx: &Context) -> Result<Vec<Item>, CommandError> {
    let path = Path::new(&args.what);
    if args.hash {
        return Ok(vec![hash(cx, path)?]);
    }
    match cx.disk.kind(path)? {
        Some(Kind::Directory) => Err(CommandError::of(
            ErrorCode::FILE_NOT_REGULAR,
            format!(
                "{} is a folder; codes are made of one file, or of a ceremony of this home",
                path.display()
            ),
        )
        .hint("name a card, a plan or a message: FILE")
        .hint("name a ceremony by the start of its id: `conclave ceremony list`")),
        Some(_) if args.all => Err(CommandError::usage(
            "--all is for a ceremony: a file is shown whole anyway",
        )),
        Some(_) => Ok(vec![file(cx, path)?]),
        None => {
            let root = cx.home_root()?;
            let (glance, plan) = find(cx, &root, &args.what)
                .map_err(|error| error.hint("or name a file: there is none of this name"))?;
            messages(args, cx, &root, &glance, &plan)
        }
    }
}

fn hash(cx: &Context, path: &Path) -> Result<Item, CommandError> {
    let hash = sha256(cx, path)?;
    let name = file_name(path);
    Ok(Item {
        title: format!("SHA-256 of {name}"),
        stem: safe_name(&format!("sha256-{name}")),
        kind: HASH_TYPE,
        payload: payload::wrap(&hash),
    })
}

fn file(cx: &Context, path: &Path) -> Result<Item, CommandError> {
    let bytes = match cx.read(path, MAX_DOCUMENT_BYTES) {
        Err(DiskError::TooLarge { actual, .. }) => {
            return Err(too_large(
                path,
                usize::try_from(actual).unwrap_or(usize::MAX),
            ));
        }
        other => other?,
    };
    let document = Document::of_file(&bytes).map_err(|error| {
        CommandError::of(
            ErrorCode::FILE_INVALID,
            format!("{} cannot be shown: {error}", path.display()),
        )
        .hint("any other file travels on a stick; its hash goes by QR: `conclave qr show --hash FILE`")
    })?;
    let payload =
        payload::pack(document.canonical()).map_err(|error| too_large(path, error.bytes))?;
    let name = file_name(path);
    Ok(Item {
        title: title(&document),
        stem: safe_name(name.trim_end_matches(".json")),
        kind: DOCUMENT_TYPE,
        payload,
    })
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn too_large(path: &Path, bytes: usize) -> CommandError {
    let path = path.display();
    CommandError::of(
        ErrorCode::QR_TOO_LARGE,
        format!(
            "{path} is too large for QR codes: {bytes} bytes, and they carry {} at the most, compressed",
            payload::MAX_PAYLOAD_BYTES
        ),
    )
    .hint("carry the file on a stick; nothing on a stick is trusted, but its hash can be compared:")
    .hint(format!("here: conclave qr show --hash {path}"))
    .hint("there: conclave qr scan PICTURES --expect FILE")
}

/// The messages of a ceremony of this home, the newest first.
fn messages(
    args: &Args,
    cx: &Context,
    root: &Path,
    glance: &Glance,
    plan: &Plan,
) -> Result<Vec<Item>, CommandError> {
    let own = Home::public(&*cx.disk, root)?.identity;
    let mut items = Vec::new();
    for file in glance.board.messages()? {
        // What is damaged is told by `status` and `run`.
        let Ok(bytes) = glance.board.read(&file.name) else {
            continue;
        };
        let authentic = Envelope::take(bytes)
            .and_then(|envelope| envelope.authenticate(plan.cid(), plan.roster()));
        let Ok(message) = authentic else { continue };
        if !args.all && message.header().sender().to_string() != own {
            continue;
        }
        let path = glance.board.path().join(&file.name);
        let payload = payload::pack(message.bytes()).map_err(|error| {
            CommandError::of(
                ErrorCode::QR_TOO_LARGE,
                format!(
                    "{} is too large for QR codes: {} bytes, and they carry {} at the most, compressed",
                    path.display(),
                    error.bytes,
                    payload::MAX_PAYLOAD_BYTES
                ),
            )
            .hint("carry this ceremony's messages on a stick: `conclave run PLAN --via /media/stick`")
        })?;
        items.push((
            message.place(),
            Item {
                title: known(plan, &message),
                stem: label(plan, &message).trim_end_matches(".json").to_owned(),
                kind: DOCUMENT_TYPE,
                payload,
            },
        ));
    }
    items.sort_by(|(a, left), (b, right)| b.cmp(a).then_with(|| left.stem.cmp(&right.stem)));
    if items.is_empty() {
        return Err(CommandError::of(
            ErrorCode::FILE_MISSING,
            format!("there is no message of yours in {} yet", plan.name()),
        )
        .hint("take part first: `conclave run PLAN --via FOLDER`"));
    }
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

/// How many codes are written: all fragments, and mixtures in turn with them again, enough for who
/// misses some of a loop.
fn written(count: usize) -> usize {
    match count {
        1 => 1,
        more => more.saturating_mul(4),
    }
}

fn described(args: &Args, item: &Item, symbols: &Symbols, files: Vec<String>) -> WrittenDocument {
    let codes = symbols.frames().fragments();
    WrittenDocument {
        title: item.title.clone(),
        bytes: symbols.frames().payload_len(),
        codes,
        modules: symbols.full(),
        milliseconds: args.milliseconds().saturating_mul(codes as u64),
        files,
    }
}

fn told(cx: &mut Context, document: &WrittenDocument) {
    let tenths = document.milliseconds / 100;
    cx.ui.note(format!(
        "{}: {} bytes in {} of {} modules, {}.{} s",
        document.title,
        document.bytes,
        counted(document.codes, "code"),
        document.modules,
        tenths / 10,
        tenths % 10
    ));
}

fn finished(args: &Args, cx: &mut Context, report: &Written) -> Result<(), CommandError> {
    for document in &report.documents {
        told(cx, document);
    }
    if args.json {
        return cx.ui.json(report);
    }
    Ok(())
}

fn pictures(
    args: &Args,
    cx: &mut Context,
    items: &[Item],
    directory: &Path,
) -> Result<(), CommandError> {
    /// Pixels of a module: enough to print, and to fill a screen.
    const SCALE: usize = 8;
    cx.disk.create_dir_all(directory, Access::Public)?;
    let mut report = Written {
        documents: Vec::new(),
    };
    for item in items {
        let mut symbols = item.symbols(args.fragment())?;
        let count = symbols.frames().fragments();
        let mut files = Vec::new();
        for (symbol, number) in symbols.by_ref().take(written(count)).zip(1usize..) {
            let path = directory.join(format!("{}-{number:03}.png", item.stem));
            cx.write_new(&path, &symbol.png(SCALE))?;
            files.push(path.display().to_string());
        }
        if !args.json {
            for file in &files {
                cx.ui.data(file);
            }
        }
        report
            .documents
            .push(described(args, item, &symbols, files));
    }
    finished(args, cx, &report)
}

fn one_page(
    args: &Args,
    cx: &mut Context,
    items: &[Item],
    path: &Path,
) -> Result<(), CommandError> {
    let mut report = Written {
        documents: Vec::new(),
    };
    let mut shown = Vec::new();
    for item in items {
        let mut symbols = item.symbols(args.fragment())?;
        let count = symbols.frames().fragments();
        shown.push(Shown {
            title: item.title.clone(),
            symbols: symbols.by_ref().take(written(count)).collect(),
            count,
        });
        let files = vec![path.display().to_string()];
        report
            .documents
            .push(described(args, item, &symbols, files));
    }
    let html = page(&shown, args.milliseconds())?;
    cx.write_new(path, html.as_bytes())?;
    if !args.json {
        cx.ui.data(path.display());
    }
    cx.ui
        .next("open the page in any browser, and hold the other machine's camera before it");
    finished(args, cx, &report)
}
