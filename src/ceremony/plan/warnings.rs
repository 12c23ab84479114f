//! What a plan may say and its operators should know.

use std::collections::BTreeMap;

use super::{Facts, Plan, default_threshold};
use crate::ethereum::network::Life;
use crate::json::Text;
use crate::wire::PROTOCOL_VERSION;
use crate::wire::tool::Tool;

/// Something in a plan that is allowed and that its operators should know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// t below two thirds, under its danger flag.
    #[error(
        "the threshold is below two thirds of the operators: live signing with this cluster is not safe from slashing when operators cheat"
    )]
    LowThreshold,
    /// t > n - floor((n-1)/3).
    #[error(
        "with {missing} operators away, which such a cluster should bear, it cannot sign: the threshold leaves room for {spare} only"
    )]
    HighThreshold {
        /// How many a cluster of this size should bear: floor((n-1)/3).
        missing: usize,
        /// How many it bears: n - t.
        spare: usize,
    },
    /// n = 2 or 3.
    #[error("a cluster of {0} bears no cheating operator: four are the least that bear one")]
    FewOperators(usize),
    /// A network that is no more.
    #[error("the network {0} is retired: its chain takes no deposit any more")]
    RetiredNetwork(&'static str),
    /// A network that starts anew now and then.
    #[error(
        "the network {0} starts anew now and then: deposits count for the chain whose genesis validators root the plan carries, and until it ends"
    )]
    NetworkStartsAnew(&'static str),
    /// Cards that another release made.
    #[error("made by {tool}: the card of {}; this is {}: both speak protocol {PROTOCOL_VERSION} and work together", some(.operators), Tool::this())]
    OtherTool {
        /// The release.
        tool: Tool,
        /// Whose cards.
        operators: Vec<Text>,
    },
    /// A danger flag that is not needed.
    #[error("the plan carries danger_low_threshold, which its threshold does not need")]
    NeedlessDanger,
}

/// The first few of many names.
fn some(names: &[Text]) -> String {
    const LISTED: usize = 5;
    let mut list: Vec<&str> = names.iter().take(LISTED).map(Text::as_str).collect();
    let more = names.len().saturating_sub(LISTED);
    let more = format!("{more} more");
    if names.len() > LISTED {
        list.push(&more);
    }
    list.join(", ")
}

impl Plan {
    /// What the operators should know before they accept it.
    pub fn warnings(&self) -> Vec<Warning> {
        let Facts::Keygen(facts) = &self.facts else {
            // A cluster's threshold and cards are what they are; its operators were warned of them.
            return Vec::new();
        };
        let (n, t) = (self.roster.len(), self.threshold());
        let low = t < default_threshold(n);
        let bears = n.saturating_sub(1).div_euclid(3);
        let spare = n.saturating_sub(t);
        let mut warnings = Vec::new();
        match (low, facts.danger_low_threshold) {
            (true, _) => warnings.push(Warning::LowThreshold),
            (false, true) => warnings.push(Warning::NeedlessDanger),
            (false, false) => {}
        }
        if spare < bears {
            warnings.push(Warning::HighThreshold {
                missing: bears,
                spare,
            });
        }
        if n < 4 {
            warnings.push(Warning::FewOperators(n));
        }
        if let Some(known) = self.network().known() {
            match known.life {
                Life::Lasting => {}
                Life::StartsAnew => warnings.push(Warning::NetworkStartsAnew(known.name)),
                Life::Retired => warnings.push(Warning::RetiredNetwork(known.name)),
            }
        }
        warnings.extend(self.other_tools());
        warnings
    }

    /// The cards that other releases made, by release.
    fn other_tools(&self) -> impl Iterator<Item = Warning> {
        let mut others: BTreeMap<&str, (&Tool, Vec<Text>)> = BTreeMap::new();
        let this = Tool::this();
        for card in self.roster.iter().map(|operator| &operator.card) {
            if *card.tool() != this {
                let (_, names) = others
                    .entry(card.tool().as_str())
                    .or_insert_with(|| (card.tool(), Vec::new()));
                names.push(card.name().clone());
            }
        }
        others
            .into_values()
            .map(|(tool, operators)| Warning::OtherTool {
                tool: tool.clone(),
                operators,
            })
    }
}
