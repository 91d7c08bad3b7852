//! The operating-system account that PostgreSQL runs as.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Accounts that root hands the server to, in order of preference.
const UNPRIVILEGED: [&str; 3] = ["postgres", "_postgres", "nobody"];
/// Where root keeps data that must be reachable for an unprivileged account.
const FALLBACK_ROOT: &str = "/var/lib/chappe";

/// Who the server runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// The account of this process, which is an ordinary user.
    Own,
    /// This process is root and the server runs as somebody else.
    Other { name: String, uid: u32, gid: u32 },
}

impl Account {
    /// The account to use: our own, or for root the first unprivileged one that exists.
    pub fn choose() -> Result<Self> {
        if id_number("-u", None) != Some(0) {
            return Ok(Self::Own);
        }
        for name in UNPRIVILEGED {
            if let (Some(uid), Some(gid)) = (id_number("-u", Some(name)), id_number("-g", Some(name))) {
                return Ok(Self::Other { name: name.to_owned(), uid, gid });
            }
        }
        bail!("PostgreSQL refuses to run as root, and none of the users {} exists", UNPRIVILEGED.join(", "))
    }

    /// A command that runs as this account, away from our terminal's signals: Ctrl-C is for us to handle.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").process_group(0).stdin(Stdio::null());
        if let Self::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// Makes `dir` with its parents and gives it to the account, closed to everybody else.
    pub(crate) fn make_dir(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("cannot close the folder {} to others", dir.display()))?;
        self.own(dir)?;
        if !self.reaches(dir) {
            bail!("PostgreSQL runs as {self}, who cannot reach {}; choose another data folder", dir.display());
        }
        Ok(())
    }

    /// Gives `path` to the account.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        let Self::Other { uid, gid, .. } = self else {
            return Ok(());
        };
        if std::fs::metadata(path).is_ok_and(|meta| meta.uid() == *uid) {
            return Ok(());
        }
        chown(path, Some(*uid), Some(*gid)).with_context(|| format!("cannot give {} to {self}", path.display()))
    }

    /// Whether the account can enter `dir`.
    fn reaches(&self, dir: &Path) -> bool {
        let status = self.command("sh").args(["-c", "cd \"$1\"", "sh"]).arg(dir).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Own => f.write_str("this user"),
            Self::Other { name, .. } => write!(f, "the user {name}"),
        }
    }
}

/// `wanted` where the server's account can reach it, otherwise a folder of its own below `/var/lib/chappe`,
/// named after `wanted` so that two checkouts never share one.
pub fn reachable_dir(wanted: &Path) -> Result<PathBuf> {
    let wanted = std::path::absolute(wanted).context("the data folder has no absolute path")?;
    let account = Account::choose()?;
    let existing = wanted.ancestors().skip(1).find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    if account == Account::Own || account.reaches(existing) {
        return Ok(wanted);
    }
    let name = wanted.to_string_lossy().trim_matches('/').replace('/', "-");
    Ok(Path::new(FALLBACK_ROOT).join(name))
}

/// What `id <flag> [name]` says; None for an unknown name.
fn id_number(flag: &str, name: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(flag).args(name).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
