//! A policy: which kinds of messages an operator signs without being asked.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use crate::ceremony::plan::{Plan, SignKind};
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::json;

/// The largest policy, in bytes.
const MAX_BYTES: usize = 64 * 1024;

const VERSION: u64 = 1;

/// What a policy file allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy(BTreeSet<SignKind>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    version: u64,
    sign_without_asking: Vec<SignKind>,
}

impl Policy {
    /// Reads a policy file.
    pub(super) fn read(cx: &Context, path: &Path) -> Result<Self, CommandError> {
        let bytes = cx.read(path, MAX_BYTES)?;
        Self::parse(&bytes).map_err(|why| {
            CommandError::of(
                ErrorCode::POLICY_INVALID,
                format!("the policy {why}; nothing was sent"),
            )
            .about(path)
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file: PolicyFile = json::read(bytes, MAX_BYTES).map_err(|error| error.to_string())?;
        if file.version != VERSION {
            return Err(format!(
                "is of version {}; this tool reads version {VERSION}",
                file.version
            ));
        }
        let mut kinds = BTreeSet::new();
        for kind in file.sign_without_asking {
            if matches!(kind, SignKind::Exit | SignKind::BlsChange) {
                return Err(format!(
                    "names {}, which nobody can take back: it is always asked about",
                    kind.word()
                ));
            }
            if !kinds.insert(kind) {
                return Err(format!("names {} twice", kind.word()));
            }
        }
        Ok(Self(kinds))
    }

    /// Whether every message of a plan is of a kind that needs no question.
    pub(super) fn covers(&self, plan: &Plan) -> bool {
        plan.sign()
            .is_some_and(|plan| plan.kinds().keys().all(|kind| self.0.contains(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_take_back_is_always_asked_about() {
        let parse = |kinds: &str| {
            Policy::parse(format!(r#"{{"version":1,"sign_without_asking":[{kinds}]}}"#).as_bytes())
        };
        let both = BTreeSet::from([SignKind::Registration, SignKind::Deposit]);
        assert_eq!(parse(r#""registration","deposit""#), Ok(Policy(both)));
        assert_eq!(parse(""), Ok(Policy(BTreeSet::new())));
        for bad in [
            r#""exit""#,
            r#""bls_change""#,
            r#""registration","exit""#,
            r#""deposit","deposit""#,
            r#""attestation""#,
            "1",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for bad in [
            r#"{"version":2,"sign_without_asking":[]}"#,
            r#"{"version":1}"#,
            r#"{"version":1,"sign_without_asking":[],"more":1}"#,
        ] {
            assert!(Policy::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
