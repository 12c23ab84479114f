//! `share list`.

use std::str::FromStr as _;

use crate::ceremony::imported::ImportedCluster;
use crate::ceremony::plan::Plan;
use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::share::{Care, State, holding, is_stored};
use crate::cli::values::counted;
use crate::crypto::identity::IdentityPublic;
use crate::hash::Digest;
use crate::json::Text;
use crate::store::home::Home;
use crate::store::imported;
use crate::store::vault::{Glance, Marker, glance};
use crate::wire::roster::Index;

const EXAMPLE: &str = "\
Reads: the home, and no secret of it: it needs no passphrase. What is pending is listed too.

Example:
  conclave share list --json";

/// List the shares in the vault
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Row {
    cid: Digest,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster>,
    #[serde(flatten)]
    care: Care,
}

/// What the plan says of the cluster.
#[derive(serde::Serialize)]
struct Cluster {
    name: Text,
    /// An imported cluster says no time.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<u64>,
    network: String,
    epoch: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<Index>,
    operators: usize,
    threshold: usize,
    validators: usize,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let root = cx.home_root()?;
    let public = Home::public(&*cx.disk, &root)?;
    let me = IdentityPublic::from_str(&public.identity).ok();
    let mut rows = Vec::new();
    for glance in glance(&cx.disk, &root)? {
        let stored = is_stored(cx, &root, &glance.cid)?;
        if !stored && !glance.markers.contains(&Marker::Shares) {
            continue;
        }
        let (state, cluster) = match plan(&glance) {
            Ok(plan) => (
                State::of(&glance, &plan, stored),
                Some(cluster(&plan, me.as_ref())),
            ),
            Err(error) => {
                cx.ui.warn(format!(
                    "the plan of ceremony {} cannot be read: {}",
                    glance.cid.short(),
                    error.message()
                ));
                (State::Unreadable, None)
            }
        };
        rows.push(Row {
            cid: glance.cid,
            state,
            care: match glance.board.path().parent() {
                Some(directory) => Care::of(&glance.cid, directory, cx)?,
                None => Care::default(),
            },
            cluster,
        });
    }
    for found in imported::glance(&*cx.disk, &root)? {
        let Some(state) = holding::state(cx, &root, &found)? else {
            continue;
        };
        if let Err(reason) = &found.cluster {
            cx.ui.warn(format!(
                "the description of the imported cluster {} cannot be read: {reason}",
                found.cid.short()
            ));
        }
        rows.push(Row {
            cid: found.cid,
            state,
            care: Care::of(&found.cid, &found.directory, cx)?,
            cluster: found
                .cluster
                .ok()
                .map(|cluster| imported_cluster(&cluster, found.index)),
        });
    }
    // The newest last, next to the prompt.
    rows.sort_by_key(|row| {
        let created = row.cluster.as_ref().and_then(|cluster| cluster.created);
        (created, row.cid)
    });
    if args.json {
        return cx.ui.json(&serde_json::json!({ "shares": rows }));
    }
    if rows.is_empty() {
        cx.ui.note("the vault of this home holds no shares");
        cx.ui.next("conclave run PLAN --via FOLDER");
    }
    for row in &rows {
        let about = row.cluster.as_ref().map_or_else(
            || "?".to_owned(),
            |cluster| {
                format!(
                    "{}  {}: index {}, {} of {}, epoch {}, {}",
                    cluster.network,
                    cluster.name,
                    cluster
                        .index
                        .map_or_else(|| "?".to_owned(), |index| index.to_string()),
                    cluster.threshold,
                    cluster.operators,
                    cluster.epoch,
                    counted(cluster.validators, "validator")
                )
            },
        );
        cx.ui.data(format!(
            "{}  {about}; {}; {}",
            row.cid.short(),
            row.state.words(),
            row.care.words()
        ));
    }
    Ok(())
}

fn plan(glance: &Glance) -> Result<Plan, CommandError> {
    Ok(Plan::parse(&glance.board.plan_bytes()?)?)
}

fn imported_cluster(cluster: &ImportedCluster, index: Option<Index>) -> Cluster {
    Cluster {
        name: cluster.name().clone(),
        created: None,
        network: cluster.network().name().to_owned(),
        epoch: 0,
        index,
        operators: cluster.operators().len(),
        threshold: cluster.sharing().threshold(),
        validators: cluster.sharing().validators(),
    }
}

fn cluster(plan: &Plan, me: Option<&IdentityPublic>) -> Cluster {
    let own = me.and_then(|identity| plan.roster().by_identity(identity));
    Cluster {
        name: plan.name().clone(),
        created: Some(plan.created()),
        network: plan.network().name().to_owned(),
        epoch: 0,
        index: own.map(|operator| operator.index),
        operators: plan.roster().len(),
        threshold: plan.threshold(),
        // Only a plan that makes keys leads to shares.
        validators: plan.keygen().map_or(0, |plan| plan.validators().len()),
    }
}
