//! What an edge is called. Edges tell their sessions under their names: two of one name would overwrite each other's,
//! and one that comes back under its name replaces what it told before.

use clap::Args;

/// The longest name, in bytes.
const BYTES_MAX: usize = 80;
/// Where Linux tells the name of the machine, or of the container.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";
/// What stands in its place elsewhere.
const SOMEWHERE: &str = "edge";

/// The name of the edge.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Names this edge where its sessions are shown, each by another name: letters, digits, - _ and .; the host's name
    /// and the process's number when not given
    #[arg(long = "name", env = "CHAPPE_EDGE_NAME", value_name = "NAME", value_parser = checked)]
    name: Option<String>,
}

impl Named {
    /// The name that was given, or one that no other process has.
    pub(crate) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(own)
    }
}

/// A name that no other process has at this time: in containers every process has the same number, and the hosts differ.
pub(crate) fn own() -> String {
    let host = std::fs::read_to_string(HOSTNAME).unwrap_or_default();
    let host = Some(host.trim()).filter(|host| is_good(host)).unwrap_or(SOMEWHERE);
    format!("{host}-{}", std::process::id())
}

fn checked(text: &str) -> Result<String, String> {
    let good = is_good(text).then(|| text.to_owned());
    good.ok_or_else(|| format!("expected 1 to {BYTES_MAX} letters, digits, hyphens, underscores and dots"))
}

fn is_good(text: &str) -> bool {
    (1..=BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_words() {
        let long = "e".repeat(BYTES_MAX + 1);
        for (text, expected) in
            [("tashkent-1", true), ("ip-10-0-1-7.ec2.internal", true), ("", false), ("a b", false), (&long, false)]
        {
            assert_eq!(checked(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn without_a_name_host_and_process_make_one() {
        let own = own();
        let (host, process) = own.rsplit_once('-').unwrap();
        assert!(is_good(host) && process == std::process::id().to_string(), "{own}");
    }
}
