//! `share paper`.

use std::path::PathBuf;

use base64ct::{Base64, Encoding as _};
use maud::{DOCTYPE, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::ceremony::paper::{GROUP, PaperShare};
use crate::ceremony::shares::OwnShares;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::share::holding::{Holding, find};
use crate::cli::share::own_shares;
use crate::cli::values::counted;
use crate::courier::qr::symbol::Symbol;
use crate::crypto::point::G1;
use crate::secret::Secret;
use crate::store::disk::Access;

/// The most pages of one call.
const MAX_PAGES: usize = 200;

/// Groups on a line of the page.
const GROUPS_ON_A_LINE: usize = 6;

const STYLE: &str = include_str!("paper.css");

const EXAMPLE: &str = "\
Reads: the home. Writes: one page a validator into --out, readable by you alone. The share stands on it
in clear, as a line to type and as a QR code: print it on a printer without a memory or a network, check
what was printed with `conclave share check-paper`, delete the file, and keep the paper as you would keep
cash.

A page does not say how to open anything else: it holds no identity and no card's secret.

Example:
  conclave share paper 1f2e3d4c --out /run/user/1000/paper";

/// Write a share as a page to print, one for each validator
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// The ceremony: the start of its id, its name, or its plan's file
    ceremony: String,
    /// Write the pages into DIR
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only this validator, by its position from 0; may be given several times
    #[arg(long, value_name = "POSITION")]
    validator: Vec<usize>,
    /// The pages hold the shares in clear, and I know what happens to them
    #[arg(long)]
    danger_in_clear: bool,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    cx.require(cx.home_needs()?.into_iter().collect())?;
    let root = cx.home_root()?;
    let holding = find(cx, &root, &args.ceremony)?;
    let home = cx.open_home()?;
    let own = own_shares(&home, holding.cid())?;
    let mut positions = args.validator.clone();
    if positions.is_empty() {
        positions = (0..own.shares.len()).collect();
    }
    positions.sort_unstable();
    positions.dedup();
    if positions.len() > MAX_PAGES {
        return Err(CommandError::usage(format!(
            "these are {} pages; one call writes {MAX_PAGES}",
            positions.len()
        ))
        .hint(
            "name some with --validator POSITION, or make a backup file: conclave share backup",
        ));
    }
    let papers = positions
        .iter()
        .map(|position| PaperShare::of(&own, *position))
        .collect::<Result<Vec<_>, _>>()?;
    agree(args, cx, &holding, papers.len())?;
    cx.disk.create_dir_all(&args.out, Access::Private)?;
    for paper in &papers {
        let page = page(&holding, &own, paper)?;
        let name = format!(
            "share-{}-validator-{}-operator-{}.html",
            paper.ceremony(),
            paper.position(),
            paper.index()
        );
        let path = args.out.join(name);
        page.expose(|page| {
            cx.disk
                .create_or_same(&path, page.as_bytes(), Access::Private)
        })?;
        cx.ui.data(path.display());
    }
    cx.ui
        .warn("each page holds a share in clear: print it, check the print, and delete the file");
    cx.ui.next(format!(
        "check what was printed: conclave share check-paper --cluster {}",
        holding.cid().short()
    ));
    Ok(())
}

/// Asks whether shares may leave the vault unencrypted.
fn agree(
    args: &Args,
    cx: &mut Context,
    holding: &Holding,
    count: usize,
) -> Result<(), CommandError> {
    if args.danger_in_clear {
        return Ok(());
    }
    cx.ui.warn(format!(
        "{} of your share of {} will stand in clear in {}: whoever reads one has that share",
        counted(count, "page"),
        holding.name(),
        args.out.display()
    ));
    let typed = cx.answer(
        format!(
            "Type the ceremony's name ({}) to write them:",
            holding.name()
        ),
        "--danger-in-clear, if the pages may hold the shares unencrypted",
    )?;
    if typed == holding.name().as_str() {
        return Ok(());
    }
    Err(CommandError::of(
        ErrorCode::NAME_WRONG,
        "this is not the ceremony's name; nothing was written",
    ))
}

/// One page: what the share belongs to, its line in groups, and the line as a code.
fn page(
    holding: &Holding,
    own: &OwnShares,
    paper: &PaperShare,
) -> Result<Secret<String>, CommandError> {
    let line = paper.line();
    let operators = holding.operators();
    let operator = operators
        .iter()
        .find(|(index, _)| *index == paper.index())
        .and_then(|(_, name)| name.as_ref())
        .map_or_else(
            || paper.index().to_string(),
            |name| format!("{} ({name})", paper.index()),
        );
    let (validators, threshold) = (own.shares.len(), own.sharing.threshold());
    let public = G1::generator_times(paper.share());
    let fingerprint = public.map_or_else(String::new, |public| {
        crate::json::encode_hex(&public.to_bytes())
    });
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        Base64::encode_string(&Sha256::digest(STYLE))
    );
    line.expose(|line| {
        // Upper case is the alphabet that a code packs most densely.
        let code = Symbol::new(&line.to_ascii_uppercase()).map_err(|error| {
            CommandError::of(ErrorCode::QR_TOO_LARGE, error.to_string())
        })?;
        let picture = format!(
            "data:image/png;base64,{}",
            Base64::encode_string(&code.png(8))
        );
        let facts = [
            ("Ceremony", format!("{} ({})", holding.name(), paper.ceremony())),
            ("Network", holding.network().name().to_owned()),
            ("Validator", format!("position {} of {}", paper.position(), counted(validators, "validator"))),
            ("Operator", operator),
            ("Needed", format!("{threshold} of {} operators", operators.len())),
            ("Public key of the share", fingerprint.clone()),
        ];
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light";
                    meta name="referrer" content="no-referrer";
                    link rel="icon" href="data:,";
                    title { "A share of " (holding.name()) " - conclave" }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        h1 { "A share of " (holding.name()) }
                        p.secret { "Secret. Whoever reads this page has the share." }
                        @if holding.network().is_rehearsal() { p.secret { "Of a rehearsal: worth nothing." } }
                        dl {
                            @for (word, value) in &facts {
                                dt { (word) } dd { (value) }
                            }
                        }
                        img alt="The line below as a QR code" src=(picture);
                        (lines(line))
                        p {
                            "Lower or upper case, with or without spaces. To check it, now and once a year: "
                            code { "conclave share check-paper --cluster " (paper.ceremony()) }
                        }
                        dl.by-hand {
                            @for word in ["Bag number", "Date", "Witness"] { dt { (word) } dd {} }
                        }
                    }
                }
            }
        };
        Ok(Secret::new(format!("{}\n", page.into_string())))
    })
}

/// The line in numbered rows of groups.
fn lines(line: &str) -> maud::Markup {
    let characters: Vec<char> = line.chars().collect();
    let groups: Vec<String> = characters
        .chunks(GROUP)
        .map(|group| group.iter().collect())
        .collect();
    html! {
        ol.line {
            @for (row, groups) in groups.chunks(GROUPS_ON_A_LINE).enumerate() {
                li value=(row.saturating_mul(GROUPS_ON_A_LINE).saturating_add(1)) {
                    @for group in groups { code { (group) } " " }
                }
            }
        }
    }
}
