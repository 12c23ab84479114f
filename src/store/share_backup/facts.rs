//! What a backup of shares says: of whom, of what, and whether more is needed to restore it.

use super::{Origin, ShareAbout, ShareBackup};
use crate::ceremony::shares::OwnShares;
use crate::ethereum::network::NetworkSpec;
use crate::json::Text;

impl ShareBackup {
    /// What it says of itself.
    pub fn about(&self) -> &ShareAbout {
        &self.about
    }

    /// What people call the ceremony or the cluster.
    pub fn name(&self) -> &Text {
        match &self.origin {
            Origin::Ceremony(files) => files.plan.name(),
            Origin::Imported(cluster) => cluster.name(),
        }
    }

    /// The network of its keys.
    pub fn network(&self) -> &NetworkSpec {
        match &self.origin {
            Origin::Ceremony(files) => files.plan.network(),
            Origin::Imported(cluster) => cluster.network(),
        }
    }

    /// Whether the plan of its ceremony says that nobody confirms without a checked backup.
    pub fn is_required(&self) -> bool {
        match &self.origin {
            Origin::Ceremony(files) => files.plan.requires_backups(),
            Origin::Imported(_) => false,
        }
    }

    /// Whether the shares are of a cluster that was made elsewhere.
    pub fn is_imported(&self) -> bool {
        matches!(self.origin, Origin::Imported(_))
    }

    /// The shares.
    pub fn shares(&self) -> &OwnShares {
        &self.shares
    }

    /// Whether it may be restored: of a ceremony it holds this operator's confirm.
    pub fn is_confirmed(&self) -> bool {
        match &self.origin {
            Origin::Ceremony(files) => files.confirmed.is_some(),
            Origin::Imported(_) => true,
        }
    }

    /// How many messages of the board it holds.
    pub fn messages(&self) -> usize {
        match &self.origin {
            Origin::Ceremony(files) => files.board.len(),
            Origin::Imported(_) => 0,
        }
    }
}
