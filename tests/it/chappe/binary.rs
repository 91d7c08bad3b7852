//! The program under test: beside this test's own executable, where `make test` builds it first.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

static CHAPPE: LazyLock<PathBuf> = LazyLock::new(|| {
    let own = std::env::current_exe().unwrap();
    // target/<profile>/deps/it-<hash>
    let program = own.ancestors().nth(2).unwrap().join("chappe");
    if !program.exists() {
        build(program.parent().unwrap().ends_with("release"));
    }
    program
});

/// Where the program lies.
pub(crate) fn chappe() -> PathBuf {
    CHAPPE.clone()
}

/// Who runs one test of a fresh checkout by hand gets what it needs.
fn build(release: bool) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--package", "local", "--bin", "chappe"]);
    cargo.env("SQLX_OFFLINE", "true").args(release.then_some("--release"));
    assert!(cargo.status().unwrap().success(), "cannot build `chappe`");
}
