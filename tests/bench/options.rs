//! What can be set, by environment.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use host::config::{Environment, Strings};

/// Printed for `BENCH_HELP=1`, and behind a refused setting.
pub(crate) const HELP: &str = "\
BENCH_MESSAGES     messages of each run (50000)
BENCH_CONNECTIONS  connections that post single messages (64)
BENCH_ONLY         single or batch: only these runs
BENCH_ENDURANCE    messages of the long run that watches memory (200000); 0 leaves it out
BENCH_WHAT_IF      lines of CSV that a what-if replays (1000000); 0 leaves what-ifs out
BENCH_MICRO        0 leaves the micro-benchmarks out
BENCH_QUEUES       0 leaves the runs with queues in RabbitMQ and SQS out
BENCH_CHAPPE       the program to measure (chappe beside this one)
BENCH_LINES        journal lines of `make bench-books` (10000000, about 5 GB)
BENCH_DIR          where the temporary data folder is made; a disk, not memory
BENCH_PAUSE        1 waits for Enter before each run, to attach a profiler";

/// Which runs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    Single,
    Batch,
}

/// The settings of a benchmark.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) messages: u64,
    pub(crate) connections: usize,
    pub(crate) only: Option<Only>,
    pub(crate) endurance: u64,
    pub(crate) what_if: u64,
    pub(crate) micro: bool,
    pub(crate) queues: bool,
    pub(crate) pause: bool,
    pub(crate) program: PathBuf,
    pub(crate) dir: PathBuf,
}

impl Options {
    pub(crate) fn read() -> Result<Self> {
        let only = match text("BENCH_ONLY")?.as_deref() {
            None => None,
            Some("single") => Some(Only::Single),
            Some("batch") => Some(Only::Batch),
            Some(_) => bail!("BENCH_ONLY is single or batch"),
        };
        let connections = number("BENCH_CONNECTIONS", 64)?.clamp(1, 1024);
        Ok(Self {
            messages: number("BENCH_MESSAGES", 50_000)?.clamp(1000, 5_000_000),
            connections: usize::try_from(connections)?,
            only,
            endurance: number("BENCH_ENDURANCE", 200_000)?,
            what_if: number("BENCH_WHAT_IF", 1_000_000)?.min(1_000_000),
            micro: number("BENCH_MICRO", 1)? != 0,
            queues: number("BENCH_QUEUES", 1)? != 0,
            pause: number("BENCH_PAUSE", 0)? != 0,
            program: text("BENCH_CHAPPE")?.map_or_else(beside, |path| Ok(PathBuf::from(path)))?,
            dir: text("BENCH_DIR")?.map_or_else(std::env::temp_dir, PathBuf::from),
        })
    }
}

/// Cargo puts the program into the folder above the benchmark's own.
fn beside() -> Result<PathBuf> {
    let own = std::env::current_exe().context("where does this program lie?")?;
    let folder = own.parent().and_then(|deps| deps.parent()).context("this program lies in no folder")?;
    let program = folder.join("chappe");
    if !program.is_file() {
        bail!("there is no {}; build it with `cargo build --release --package local`", program.display());
    }
    Ok(program)
}

pub(crate) fn number(name: &str, default: u64) -> Result<u64> {
    text(name)?.map_or(Ok(default), |text| text.parse()).with_context(|| format!("{name} is a whole number"))
}

fn text(name: &str) -> Result<Option<String>> {
    Environment.get(name).with_context(|| name.to_owned())
}
