//! Frames as one self-contained page that any browser shows without a network.
//!
//! It loads nothing, and its content policy forbids it to: script and style are named by their
//! hashes. Codes are black on white in every colour scheme. The bytes follow from what is shown and
//! from the version of conclave.

use base64ct::{Base64, Encoding as _};
use maud::{DOCTYPE, PreEscaped, html};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::symbol::Symbol;
use crate::json::{self, JsonError};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// One document on a page.
#[derive(Debug)]
pub struct Shown {
    /// What people call it.
    pub title: String,
    /// Its frames, in the order in which they are shown.
    pub symbols: Vec<Symbol>,
    /// How many fragments it has.
    pub count: usize,
}

/// What the script reads.
#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    count: usize,
    frames: Vec<Bits>,
}

/// A code: modules a side, and the modules in base64, eight a byte.
#[derive(Serialize)]
struct Bits {
    size: usize,
    bits: String,
}

/// Writes the page; `milliseconds` is how long a frame stands at first.
pub fn page(documents: &[Shown], milliseconds: u64) -> Result<String, JsonError> {
    let data: Vec<Data<'_>> = documents
        .iter()
        .map(|shown| Data {
            title: &shown.title,
            count: shown.count,
            frames: shown.symbols.iter().map(bits).collect(),
        })
        .collect();
    // Nothing in a script element may look like its end.
    let data = String::from_utf8_lossy(&json::canonical(&data)?).replace('<', "\\u003c");
    let hash = |text: &str| format!("'sha256-{}'", Base64::encode_string(&Sha256::digest(text)));
    let policy = format!(
        "default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let title = match documents {
        [one] => one.title.clone(),
        several => format!("{} documents", several.len()),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                link rel="icon" href="data:,";
                title { (title) " - conclave" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 #title { (title) }
                    div #stage { canvas #code role="img" aria-label="QR code" {} }
                    noscript { p { "This page needs its script to show the codes. Without one, make pictures: conclave qr show --png DIR." } }
                    // No live region: it changes several times a second.
                    p #place { span #where {} span #enough {} }
                    nav #buttons aria-label="Codes" {
                        @for (id, label) in BUTTONS {
                            button id=(id) type="button" { (label) }
                        }
                    }
                    div.hint {
                        p { "Make the screen bright and hold the camera still. What comes is checked over there." }
                        p.moves { "Let the codes run until the other side says that it has all." }
                        p.moves.keys { "Keys: space pauses, - and + change the speed, the arrows step, s and l change the size, n is the next document." }
                    }
                }
                script #data type="application/json" data-milliseconds=(milliseconds) { (PreEscaped(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(format!("{}\n", page.into_string()))
}

const BUTTONS: [(&str, &str); 8] = [
    ("pause", "Pause"),
    ("back", "Frame back"),
    ("on", "Frame on"),
    ("document", "Next document"),
    ("slower", "Slower"),
    ("faster", "Faster"),
    ("smaller", "Smaller"),
    ("larger", "Larger"),
];

fn bits(symbol: &Symbol) -> Bits {
    Bits {
        size: symbol.size(),
        bits: Base64::encode_string(&symbol.bits()),
    }
}
