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
                    partials: None,
                };
                Some((awaited, &[]))
            }
            Standing::AwaitingPartials(awaited, faults) => {
                let awaited = Self {
                    deals: Vec::new(),
                    confirms: Vec::new(),
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
        let mut parts = Vec::new();
        for (what, missing) in [("deal", &self.deals), ("confirm", &self.confirms)] {
            if !missing.is_empty() {
                parts.push(format!("the {what} of {}", names(plan, missing)));
            }
        }
        parts.join(" and ")
    }
}
