//! Finds the PostgreSQL programs of this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The oldest major version that Chappe's schema works with.
pub const MAJOR_MIN: u32 = 15;

/// Folders whose children each hold one version's programs, as (folder, what lies between version and program).
const VERSIONED: [(&str, &str); 5] = [
    ("/usr/lib/postgresql", "bin"),
    ("/opt/homebrew/opt", "bin"),
    ("/usr/local/opt", "bin"),
    ("/Library/PostgreSQL", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "bin"),
];
/// Folders that hold the programs themselves.
const PLAIN: [&str; 6] = [
    "/usr/bin",
    "/usr/local/bin",
    "/usr/local/pgsql/bin",
    "/usr/pgsql-18/bin",
    "/usr/pgsql-17/bin",
    "/usr/pgsql-16/bin",
];

/// One installed PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Programs {
    major: u32,
    dir: PathBuf,
}

impl Programs {
    /// The newest installed PostgreSQL, or exactly version `major` where a cluster of that version exists.
    pub fn find(major: Option<u32>) -> Result<Self> {
        let mut found = installed();
        match major {
            Some(major) => found.retain(|programs| programs.major == major),
            None => found.retain(|programs| programs.major >= MAJOR_MIN),
        }
        let wanted = major.map_or(format!("{MAJOR_MIN} or newer"), |major| major.to_string());
        let Some(newest) = found.into_iter().max() else {
            bail!(
                "no PostgreSQL server {wanted} is installed (looked for initdb, postgres and pg_ctl); \
                 install the package `postgresql`, or set DATABASE_URL to a server that you run"
            );
        };
        Ok(newest)
    }

    /// The major version, such as 16.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one program.
    pub fn path(&self, program: &str) -> PathBuf {
        self.dir.join(program)
    }

    fn in_dir(dir: PathBuf) -> Option<Self> {
        if !["initdb", "postgres", "pg_ctl"].iter().all(|program| dir.join(program).is_file()) {
            return None;
        }
        let output = Command::new(dir.join("postgres")).arg("--version").stderr(Stdio::null()).output().ok()?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { major, dir })
    }
}

/// The major version of the cluster in `pgdata`, None where there is none.
pub(crate) fn cluster_major(pgdata: &Path) -> Result<Option<u32>> {
    let file = pgdata.join("PG_VERSION");
    if !file.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let major = text.trim().parse().with_context(|| format!("{} holds no version", file.display()))?;
    Ok(Some(major))
}

/// Every PostgreSQL that can be found.
fn installed() -> Vec<Programs> {
    let mut dirs: Vec<PathBuf> = PLAIN.iter().map(PathBuf::from).collect();
    for (folder, rest) in VERSIONED {
        let children = std::fs::read_dir(folder).into_iter().flatten().flatten();
        dirs.extend(children.map(|child| child.path().join(rest)));
    }
    dirs.extend(bindir_of_pg_config());
    dirs.into_iter().filter_map(Programs::in_dir).collect()
}

/// What the `pg_config` on the search path says.
fn bindir_of_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// The major version in "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)" and its like.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_prints() {
        let rows = [
            ("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)", Some(15)),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 17.0\n", Some(17)),
            ("mysqld 8", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_major(text), expected, "{text}");
        }
    }
}
