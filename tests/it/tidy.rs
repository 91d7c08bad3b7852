//! The rules of the house that a machine can keep: which crate leans on which, where a library may be used, how
//! large a file grows, what a log line may say.

mod codes;
mod directions;
mod files;
mod indexes;
mod infra;
mod libraries;
mod logs;
mod terraform;
mod tests_wait;
mod tokens;

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};

/// The root of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The workspace as cargo sees it.
fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().unwrap()
}

/// Every Rust file of ours, by its path below the root.
fn rust_files() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["crates", "functions", "smpp-edge", "tests"] {
        collect(&root().join(folder), &mut found);
    }
    assert!(found.len() > 20, "the walk finds the sources: {found:?}");
    found
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
        }
    }
}

/// Whether the whole file is test code.
fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.starts_with("tests/")
}

/// The text of a file below the root.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Fails with the rule and every place that breaks it.
fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}\n", broken.join("\n  "));
}
