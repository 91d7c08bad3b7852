//! Where the programs of others lie.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian and others put programs that are outside the search path of ordinary users.
const FURTHER_DIRS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"];

/// A program of the system.
pub(super) fn system(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(FURTHER_DIRS.map(PathBuf::from));
    let mut programs = dirs.map(|dir| dir.join(name));
    programs.find(|program| program.is_file()).unwrap_or_else(|| missing(name))
}

/// The folder in which `infra/setup/interop.sh` puts packages: in the target folder, which holds this very program.
fn installed() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().skip(1).map(|dir| dir.join("interop")).find(|dir| dir.join("node").is_dir());
    folder.unwrap_or_else(|| missing("node-smpp"))
}

fn missing(what: &str) -> ! {
    panic!("no {what} on this machine; please run: infra/setup/install.sh test")
}

/// A script of tests/interop/node, with node-smpp at hand.
pub(super) fn node(script: &str) -> Command {
    let mut command = Command::new(system("node"));
    command.env("NODE_PATH", installed().join("node/node_modules")).arg(scripts().join("node").join(script));
    command
}

/// A script of tests/interop/python, with smpplib at hand.
pub(super) fn python(script: &str) -> Command {
    let program = installed().join("python/bin/python3");
    if !program.exists() {
        missing("smpplib");
    }
    let mut command = Command::new(program);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg("-u").arg(scripts().join("python").join(script));
    command
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}
