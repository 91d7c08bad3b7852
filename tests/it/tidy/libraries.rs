//! Outside libraries: who may use which, and which nobody may.

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::DependencyKind;

use super::{assert_none, metadata, root};

/// A library, by the beginning of its name, and the only crates of ours that may use it.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx", &["store", "queue", "testkit", "it"]),
    ("lapin", &["queue"]),
    ("aws-sdk-sqs", &["queue", "testkit", "it"]),
    ("aws-sdk-sns", &["queue", "it"]),
    // Secrets are read where all settings are.
    ("aws-sdk-secretsmanager", &["host"]),
    ("aws-sdk-apigatewaymanagement", &["realtime"]),
    ("aws-config", &["queue", "host", "realtime"]),
    ("lambda_", &["host"]),
    ("aws_lambda_events", &["host"]),
    ("redis", &["limits"]),
    ("calamine", &["sheet"]),
    ("zip", &["sheet"]),
    ("encoding_rs", &["sheet"]),
    ("clap", &["local"]),
    ("comfy-table", &["local"]),
];

/// Libraries that must not be reachable: one TLS stack (rustls) on one crypto library (aws-lc-rs).
const BANNED: [&str; 4] = ["ring", "openssl-sys", "openssl", "native-tls"];

#[test]
fn a_library_stays_in_its_home() {
    let mut broken = Vec::new();
    for package in metadata().workspace_packages() {
        let used = package.dependencies.iter().filter(|one| one.kind != DependencyKind::Development);
        for name in used.map(|dependency| dependency.name.as_str()) {
            let home = HOMES.iter().find(|(library, _)| name.starts_with(library));
            if let Some((_, homes)) = home.filter(|(_, homes)| !homes.contains(&package.name.as_str())) {
                broken.push(format!("{} uses {name}; its home is {homes:?}", package.name));
            }
        }
    }
    assert_none("one crate per outside library, so that a change of it stays there:", &broken);
}

#[test]
fn one_tls_stack_and_one_crypto_library() {
    // `cargo metadata` also lists optional libraries that no feature turns on; `cargo tree` does not.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--workspace", "--edges", "normal,build", "--prefix", "none"]);
    let tree = String::from_utf8(cargo.output().unwrap().stdout).unwrap();
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("tokio"), "the tree is not empty");
    let broken: Vec<String> = BANNED.iter().filter(|name| names.contains(*name)).map(ToString::to_string).collect();
    assert_none("TLS is rustls on aws-lc-rs; `cargo tree -i <name>` says who brings it:", &broken);
}
