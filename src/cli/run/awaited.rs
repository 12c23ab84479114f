//! Who is awaited, and with what.

use crate::ceremony::evidence::Fault;
use crate::ceremony::plan::Plan;
use crate::ceremony::step::AwaitedPartials;
use crate::cli::stopped::names;
use crate::cli::values::counted;
use crate::driver::Standing;
use crate::wire::roster::Index;

/// Whose messages are awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Awaited {
    pub(super) deals: Vec<Index>,
    pub(super) confirms: Vec<Index>,
    /// Whether this operator has to check a backup of its shares first.
    pub(super) backup: bool,
    /// Of a signing ceremony.
    pub(super) partials: Option<AwaitedPartials>,
}

impl Awaited {
    /// Whom a ceremony waits for, if it waits; with what is proved and ends nothing.
    pub(super) fn of(standing: &Standing) -> Option<(Self, &[Fault])> {
        match standing {
            Standing::Waiting { deals, confirms } => {
                let awaited = Self {
                    deals: deals.clone(),
                    confirms: confirms.clone(),
                    backup: false,
                    partials: None,
                };
                Some((awaited, &[]))
            }
            Standing::AwaitingBackup => {
                let awaited = Self {
                    deals: Vec::new(),
                    confirms: Vec::new(),
                    backup: true,
                    partials: None,
                };
                Some((awaited, &[]))
            }
            Standing::AwaitingPartials(awaited, faults) => {
                let awaited = Self {
                    deals: Vec::new(),
                    confirms: Vec::new(),
                    backup: false,
                    partials: Some(awaited.clone()),
                };
                Some((awaited, faults))
            }
            Standing::Complete { .. } | Standing::Stopped(_) => None,
        }
    }

    /// In words.
    pub(super) fn words(&self, plan: &Plan) -> String {
        if let Some(AwaitedPartials { needed, of }) = &self.partials {
            let partials = counted(*needed, "partial");
            return format!("{partials} of any of {}", names(plan, of));
        }
        if self.backup {
            return "your checked backup of the shares, which the plan requires before your confirm"
                .to_owned();
        }
        let mut parts = Vec::new();
        for (what, missing) in [("deal", &self.deals), ("confirm", &self.confirms)] {
            if !missing.is_empty() {
                parts.push(format!("the {what} of {}", names(plan, missing)));
            }
        }
        parts.join(" and ")
    }

    /// What to do about it here, with the commands; nothing where others are awaited.
    pub(super) fn to_do(&self, plan: &Plan) -> Vec<String> {
        if !self.backup {
            return Vec::new();
        }
        vec![
            format!(
                "back your shares up: conclave share backup {} -o FILE",
                plan.cid().short()
            ),
            "see that it opens where it is kept, with this home at hand: conclave share check-backup FILE"
                .to_owned(),
        ]
    }
}
