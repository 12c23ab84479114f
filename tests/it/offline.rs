//! No build opens a socket: neither dependency tree holds a crate that could.
//!
//! The tree comes from `cargo metadata`, filtered to the target that runs the tests: what cargo has
//! built it can also describe without a network, which `cargo tree` cannot.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Crates that open sockets, speak a network protocol or wait for one.
const SOCKET_CRATES: &[&str] = &[
    "actix-rt",
    "async-io",
    "async-net",
    "async-std",
    "attohttpc",
    "curl",
    "curl-sys",
    "h2",
    "h3",
    "hyper",
    "hyper-util",
    "isahc",
    "iroh",
    "mio",
    "minreq",
    "native-tls",
    "openssl",
    "openssl-sys",
    "polling",
    "quiche",
    "quinn",
    "quinn-proto",
    "quinn-udp",
    "reqwest",
    "rustls",
    "s2n-quic",
    "smol",
    "socket2",
    "surf",
    "tokio",
    "tokio-rustls",
    "tokio-tungstenite",
    "tungstenite",
    "ureq",
    "wtransport",
    "zmq",
];

fn opens_sockets(name: &str) -> bool {
    SOCKET_CRATES.contains(&name) || name == "libp2p" || name.starts_with("libp2p-")
}

fn socket_crates<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    names
        .into_iter()
        .filter(|name| opens_sockets(name))
        .collect()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The names of every crate that a build with `features` links or runs, ourselves included.
fn dependency_tree(features: &[&str]) -> BTreeSet<String> {
    let version = cargo(&["-vV"]);
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let mut arguments = vec!["metadata", "--format-version=1", "--locked", "--offline"];
    arguments.extend(["--filter-platform", host]);
    arguments.extend(features);
    let metadata: Value = serde_json::from_str(&cargo(&arguments)).unwrap();
    linked(&metadata)
}

/// Walks the resolved graph from its root over everything but dev-dependencies.
fn linked(metadata: &Value) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let names: BTreeMap<String, String> = list(&metadata["packages"])
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let edges: BTreeMap<String, Vec<Value>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| (text(&node["id"]), list(&node["deps"])))
        .collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![text(&metadata["resolve"]["root"])];
    while let Some(id) = open.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        for dependency in &edges[&id] {
            if list(&dependency["dep_kinds"])
                .iter()
                .any(|kind| kind["kind"] != "dev")
            {
                open.push(text(&dependency["pkg"]));
            }
        }
    }
    seen.iter().map(|id| names[id].clone()).collect()
}

#[test]
fn the_offline_build_holds_no_socket_crate() {
    let tree = dependency_tree(&["--no-default-features"]);
    assert!(tree.contains("blst") && tree.contains("age"), "{tree:?}");
    assert_eq!(socket_crates(tree.iter().map(String::as_str)), [""; 0]);
}

#[test]
fn the_default_build_holds_no_socket_crate() {
    let tree = dependency_tree(&[]);
    assert!(tree.contains("blst") && tree.contains("age"), "{tree:?}");
    assert_eq!(socket_crates(tree.iter().map(String::as_str)), [""; 0]);
}

#[test]
fn a_socket_crate_would_be_found() {
    assert_eq!(
        socket_crates(["blst", "tokio", "h2", "hex", "libp2p-noise", "rustls"]),
        ["tokio", "h2", "libp2p-noise", "rustls"]
    );
    let metadata = serde_json::json!({
        "packages": [
            { "id": "0", "name": "conclave" },
            { "id": "1", "name": "quiet" },
            { "id": "2", "name": "socket2" },
            { "id": "3", "name": "mio" },
        ],
        "resolve": { "root": "0", "nodes": [
            { "id": "0", "deps": [
                { "pkg": "1", "dep_kinds": [{ "kind": null }] },
                { "pkg": "3", "dep_kinds": [{ "kind": "dev" }] },
            ] },
            { "id": "1", "deps": [{ "pkg": "2", "dep_kinds": [{ "kind": "dev" }, { "kind": null }] }] },
            { "id": "2", "deps": [] },
            { "id": "3", "deps": [] },
        ] },
    });
    let tree = linked(&metadata);
    assert_eq!(socket_crates(tree.iter().map(String::as_str)), ["socket2"]);
}
