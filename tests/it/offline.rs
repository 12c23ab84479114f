//! The offline build opens no socket: its dependency tree holds no crate that could.

use std::collections::BTreeSet;
use std::process::Command;

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

/// The names of every crate that a build with `features` links or runs, ourselves included.
///
/// Cargo describes without a network what it has built before.
fn dependency_tree(features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges=normal,build"])
        .args(["--prefix=none", "--format={p}"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    tree.lines().map(crate_name).map(str::to_owned).collect()
}

/// The name on one line of `cargo tree`: `name v1.2.3 (source)`.
fn crate_name(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

#[test]
fn the_offline_build_holds_no_socket_crate() {
    let tree = dependency_tree(&["--no-default-features"]);
    assert!(tree.contains("blst") && tree.contains("age"), "{tree:?}");
    assert_eq!(socket_crates(tree.iter().map(String::as_str)), [""; 0]);
}

#[test]
fn each_feature_brings_its_sockets_and_no_more() {
    let with = |feature: &str| {
        let features = format!("--features={feature}");
        dependency_tree(&["--no-default-features", &features])
    };
    // The client serves nothing, and holds neither the server nor its stores.
    let net = with("net");
    assert!(net.contains("reqwest") && !net.contains("axum") && !net.contains("object_store"));
    let server = with("server");
    assert!(server.contains("axum") && server.contains("object_store"));
    for tree in [net, server, dependency_tree(&[])] {
        assert!(!socket_crates(tree.iter().map(String::as_str)).is_empty());
        // One TLS library, and one provider of its primitives.
        for other in ["aws-lc-rs", "openssl", "native-tls"] {
            assert!(!tree.contains(other), "{other}");
        }
    }
}

#[test]
fn a_socket_crate_would_be_found() {
    assert_eq!(
        socket_crates(["blst", "tokio", "h2", "hex", "libp2p-noise", "rustls"]),
        ["tokio", "h2", "libp2p-noise", "rustls"]
    );
    assert_eq!(crate_name("mio v1.1.1 (proc-macro) (*)"), "mio");
}
