//! Writes `.sqlx/`: what the compiler needs to check queries without a database. `make prepare` runs it after a
//! change of a query or a migration; with `--check` it only says whether that is due.
//!
//! The crates with checked queries are compiled against a fresh, migrated database; the macros leave one file per
//! query in the folder that `SQLX_OFFLINE_DIR` names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};

/// The crates whose queries are checked.
const CRATES: [&str; 2] = ["store", "queue"];

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let fresh = testkit::temp_dir();
    let database = testkit::Database::fresh().await;
    let touched = compile(&root, &database.url(), fresh.path())?;
    let (made, kept) = (read(fresh.path())?, read(&root.join(".sqlx"))?);
    if made == kept {
        touched.into_iter().try_for_each(|(file, modified)| set_modified(&file, modified))?;
        eprintln!(".sqlx is up to date, {} queries", made.len());
        return Ok(ExitCode::SUCCESS);
    }
    if std::env::args().any(|argument| argument == "--check") {
        eprintln!(".sqlx does not fit the queries and migrations; run `make prepare` and commit the result");
        return Ok(ExitCode::FAILURE);
    }
    write(&root.join(".sqlx"), &made)?;
    eprintln!(".sqlx written, {} queries", made.len());
    Ok(ExitCode::SUCCESS)
}

/// Compiles the crates with their queries described by `database_url`, into files in `out`. Answers which files it touched,
/// and their times before: who sets those again spares everybody else a compilation.
fn compile(root: &Path, database_url: &str, out: &Path) -> Result<Vec<(PathBuf, SystemTime)>> {
    let mut touched = Vec::new();
    // The one on the path chooses the toolchain of this folder, and tells the compilers it starts.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["check", "--quiet", "--all-targets"]);
    for name in CRATES {
        let file = root.join("crates").join(name).join("src/lib.rs");
        let modified = touch(&file)?;
        touched.push((file, modified));
        cargo.args(["--package", name]);
    }
    cargo.env("DATABASE_URL", database_url).env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", out);
    ensure!(cargo.status().context("cannot run cargo")?.success(), "the queries do not compile");
    Ok(touched)
}

/// Makes cargo compile the crate again: it does not see that the database is another. Answers the time that was there.
fn touch(file: &Path) -> Result<SystemTime> {
    let modified = file.metadata().with_context(|| format!("cannot read {}", file.display()))?.modified()?;
    let step = Duration::from_millis(1);
    set_modified(file, modified + modified.elapsed().unwrap_or(step).max(step))?;
    Ok(modified)
}

fn set_modified(file: &Path, modified: SystemTime) -> Result<()> {
    let opened = std::fs::File::options().append(true).open(file);
    Ok(opened.with_context(|| format!("cannot open {}", file.display()))?.set_modified(modified)?)
}

/// File names and contents of the query files in `dir`.
fn read(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path: PathBuf = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("query-") {
            files.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(files)
}

/// Makes `dir` hold exactly `files`.
fn write(dir: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    for name in read(dir)?.into_keys() {
        if !files.contains_key(&name) {
            std::fs::remove_file(dir.join(name))?;
        }
    }
    for (name, content) in files {
        std::fs::write(dir.join(name), content)?;
    }
    Ok(())
}
