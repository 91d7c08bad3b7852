//! The files of `infra/`, judged by the programs that will read them, and by ours that they name.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::chappe::binary;
use crate::tidy::read;

/// Where people and machines are told what to run.
const FILES: [&str; 8] = [
    "infra/DEPLOY.md",
    "infra/compose/cluster.yaml",
    "infra/docker/Dockerfile",
    "infra/systemd/chappe.service",
    "infra/systemd/chappe-api.service",
    "infra/systemd/chappe-edge@.service",
    "infra/systemd/chappe-migrate.service",
    "infra/systemd/chappe-verify.service",
];

#[test]
fn prometheus_systemd_and_the_balancer_can_read_their_files() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/setup/ops.sh");
    let output = Command::new(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What follows `chappe ` in `text`: a command, and the next word where that is one.
fn commands(text: &str) -> impl Iterator<Item = Vec<String>> {
    text.split("chappe ").skip(1).map(|rest| {
        let line = rest.lines().next().unwrap_or_default();
        let mut words = Vec::new();
        for word in line.split(' ').take(2) {
            let letters: String = word.chars().take_while(char::is_ascii_lowercase).collect();
            let is_whole = letters == word;
            words.extend(Some(letters).filter(|letters| !letters.is_empty()));
            if !is_whole {
                break;
            }
        }
        words
    })
}

#[test]
fn every_command_that_is_written_down_exists() {
    let named: BTreeSet<Vec<String>> =
        FILES.iter().flat_map(|file| commands(&read(file)).collect::<Vec<_>>()).collect();
    let named: Vec<_> = named.into_iter().filter(|words| !words.is_empty()).collect();
    assert!(named.len() > 10, "{named:?}");
    for words in named {
        let help = Command::new(binary::chappe()).args(&words).arg("--help").stdout(Stdio::null()).output().unwrap();
        assert!(help.status.success(), "chappe {words:?}: {}", String::from_utf8_lossy(&help.stderr));
    }
}
