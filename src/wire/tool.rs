//! Which program made a file, and files that are of another protocol version than this one.
//!
//! The protocol version decides whether two programs understand each other; the tool's version
//! decides nothing and is told to people.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::PROTOCOL_VERSION;

/// The name and version of a program: 1 to 32 printable ASCII characters such as
/// `conclave 0.1.0`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tool(String);

impl Tool {
    /// The most characters.
    pub const MAX_CHARS: usize = 32;

    /// This program.
    pub fn this() -> Self {
        Self(concat!("conclave ", env!("CARGO_PKG_VERSION")).to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Tool {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if printable && text.trim() == text && (1..=Self::MAX_CHARS).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err("a tool is 1 to 32 printable ASCII characters without white space at the ends")
        }
    }
}

impl From<Tool> for String {
    fn from(tool: Tool) -> String {
        tool.0
    }
}

impl std::fmt::Display for Tool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file of another protocol version, and what made it, as far as it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherProtocol {
    /// The file's protocol version.
    pub found: u64,
    /// What made it: a claim, for people.
    pub tool: Option<Tool>,
}

impl OtherProtocol {
    /// Reads the field `version` of an object before anything else in it, and `tool` where it is
    /// one; `None` if the version is ours or is none.
    pub fn of(object: &Value, tool: Option<&Value>) -> Option<Self> {
        let found = object.get("version").and_then(Value::as_u64)?;
        (found != PROTOCOL_VERSION).then(|| Self {
            found,
            tool: tool.and_then(|tool| Tool::deserialize(tool).ok()),
        })
    }
}

impl std::fmt::Display for OtherProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(tool) = &self.tool {
            write!(f, "by {tool} ")?;
        }
        write!(
            f,
            "for protocol {}; this is {}, which speaks protocol {PROTOCOL_VERSION}; use the same release on every machine",
            self.found,
            Tool::this()
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_is_short_and_prints() {
        let tool = |text: &str| Tool::try_from(text.to_owned());
        assert!(tool("conclave 0.1.0").is_ok());
        assert!(tool(&"t".repeat(Tool::MAX_CHARS)).is_ok());
        for bad in [
            "",
            " conclave",
            "conclave ",
            "con\nclave",
            "con\u{e9}",
            "\u{1b}[2J",
        ] {
            assert!(tool(bad).is_err(), "{bad:?}");
        }
        assert!(tool(&"t".repeat(Tool::MAX_CHARS + 1)).is_err());
    }

    #[test]
    fn another_protocol_is_told_with_what_made_it() {
        let other = |object: Value| OtherProtocol::of(&object, object.get("tool"));
        let ours = Tool::this();
        assert_eq!(
            other(json!({ "version": 2, "tool": "conclave 0.9.0", "novelty": [] }))
                .unwrap()
                .to_string(),
            format!(
                "by conclave 0.9.0 for protocol 2; this is {ours}, which speaks protocol 1; use the same release on every machine"
            )
        );
        // What does not print is not repeated.
        for tool in [json!("\u{1b}[2J"), json!(7), json!("t".repeat(99))] {
            let told = other(json!({ "version": 0, "tool": tool })).unwrap();
            assert!(told.to_string().starts_with("for protocol 0; "), "{told}");
        }
        for ours in [
            json!({ "version": 1 }),
            json!({ "version": "2" }),
            json!([]),
        ] {
            assert_eq!(other(ours), None);
        }
    }
}
