//! Which of our crates may lean on which.

use std::collections::BTreeSet;

use cargo_metadata::DependencyKind;

use super::{assert_none, metadata, read};

/// What a function that handles an event may lean on.
const FUNCTION: &[&str] = &["domain", "contract", "store", "outbox", "host", "limits", "smpp"];

/// Every crate with all it may lean on. `it` judges the whole and may lean on everything.
const MAY_LEAN_ON: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("smpp", &[]),
    ("limits", &[]),
    ("queue", &[]),
    ("pgserver", &[]),
    ("egress", &[]),
    // Stands in for something outside, and knows nothing of us.
    ("sqs-emulator", &[]),
    // Suppliers' rate sheets: bytes in, rates out.
    ("sheet", &["domain"]),
    ("contract", &["domain"]),
    ("store", &["domain", "contract"]),
    ("host", &["queue"]),
    // The one place where the tables and the queues meet.
    ("outbox", &["contract", "store", "queue", "host"]),
    ("smsc", &["smpp"]),
    // It asks providers of look-ups.
    ("api", &["domain", "contract", "store", "outbox", "host", "limits", "smpp", "queue", "egress", "sheet"]),
    ("route", FUNCTION),
    ("bill", FUNCTION),
    ("dlr", FUNCTION),
    ("inbound", FUNCTION),
    ("callback", &["domain", "contract", "store", "outbox", "host", "limits", "smpp", "egress"]),
    ("realtime", FUNCTION),
    // It ends the waiting for parts of messages that `inbound` puts together.
    ("sweep", &["domain", "contract", "store", "outbox", "host", "limits", "smpp", "queue", "inbound"]),
    // No store, no SQL: a database outage cannot drop operator sessions.
    ("smpp-edge", &["domain", "contract", "smpp", "queue", "host", "limits"]),
    (
        "local",
        &[
            "api",
            "route",
            "bill",
            "dlr",
            "inbound",
            "callback",
            "realtime",
            "sweep",
            "smpp-edge",
            "smsc",
            "pgserver",
            "host",
            "queue",
            "outbox",
            "store",
            "contract",
            "domain",
            "limits",
            "smpp",
        ],
    ),
    ("testkit", &["store", "queue", "smpp", "host", "limits", "contract", "pgserver", "smsc"]),
];

#[test]
fn crates_lean_only_on_those_below_them() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut broken = Vec::new();
    for package in &packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = MAY_LEAN_ON.iter().find(|(known, _)| *known == name) else {
            if name != "it" {
                broken.push(format!("{name} is not in the table: say what it may lean on"));
            }
            continue;
        };
        for dependency in package.dependencies.iter().filter(|one| one.kind != DependencyKind::Development) {
            let on = dependency.name.as_str();
            if ours.contains(on) && !allowed.contains(&on) {
                broken.push(format!("{name} leans on {on}; allowed: {allowed:?}"));
            }
        }
    }
    assert_none("a crate leans only on those below it (ARCHITECTURE.md, directions):", &broken);
}

#[test]
fn every_crate_inherits_the_lints() {
    let metadata = metadata();
    let mut broken = Vec::new();
    for package in metadata.workspace_packages() {
        let path = package.manifest_path.strip_prefix(&metadata.workspace_root).unwrap();
        if !read(path.as_str()).contains("[lints]\nworkspace = true") {
            broken.push(path.to_string());
        }
    }
    assert_none("every Cargo.toml says [lints] workspace = true:", &broken);
}
