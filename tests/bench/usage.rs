//! Processor time and memory of processes, from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::ops::{Add, AddAssign, Sub};
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Processor time, user and system together, in the kernel's clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ticks(u64);

impl Ticks {
    /// Microseconds.
    pub(crate) fn micros(self, per_second: u64) -> u64 {
        self.0 * 1_000_000 / per_second.max(1)
    }
}

impl Add for Ticks {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Ticks {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Ticks {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Clock ticks of a second.
pub(crate) fn ticks_per_second() -> Result<u64> {
    let output = Command::new("getconf").arg("CLK_TCK").output().context("cannot run getconf")?;
    String::from_utf8(output.stdout)?.trim().parse().context("getconf CLK_TCK says no number")
}

/// Of the whole machine, whoever used it: (busy, busy and idle).
pub(crate) fn of_machine() -> Result<(Ticks, Ticks)> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are part of user.
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let all = ticks.iter().sum::<u64>();
    let idle = ticks.iter().skip(3).take(2).sum::<u64>();
    Ok((Ticks(all - idle), Ticks(all)))
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    parent: u32,
    name: String,
    own: Ticks,
    /// Of children that ended and were waited for.
    ended_children: Ticks,
}

impl Stat {
    /// `None` where the process is gone.
    fn read(pid: &str) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold anything, brackets too.
        let (start, rest) = text.rsplit_once(')')?;
        let name = start.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(field(4)?).ok()?,
            name,
            own: Ticks(field(14)? + field(15)?),
            ended_children: Ticks(field(16)? + field(17)?),
        })
    }
}

/// Of this process.
pub(crate) fn own() -> Result<Ticks> {
    Ok(Stat::read("self").context("cannot read /proc/self/stat")?.own)
}

/// Of a process, its threads together, without its children.
pub(crate) fn of(pid: u32) -> Result<Ticks> {
    Ok(Stat::read(&pid.to_string()).with_context(|| format!("process {pid} is gone"))?.own)
}

/// Of all of PostgreSQL below a process: postmaster, backends and helpers that run, and those that ended.
pub(crate) fn of_postgres_below(ancestor: u32) -> Result<Ticks> {
    of_named_below(ancestor, "postgres")
}

/// Of all processes below another whose name begins so, and of those that they waited for.
pub(crate) fn of_named_below(ancestor: u32, name: &str) -> Result<Ticks> {
    let all = processes()?;
    let named = all.iter().filter(|(pid, stat)| stat.name.starts_with(name) && is_below(**pid, ancestor, &all));
    let mut sum = Ticks::default();
    named.for_each(|(_, stat)| sum += stat.own + stat.ended_children);
    Ok(sum)
}

fn processes() -> Result<HashMap<u32, Stat>> {
    let entries = fs::read_dir("/proc").context("cannot read /proc")?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| Some((name.parse().ok()?, Stat::read(&name)?))).collect())
}

fn is_below(pid: u32, ancestor: u32, all: &HashMap<u32, Stat>) -> bool {
    let mut at = pid;
    for _ in 0..16 {
        match all.get(&at) {
            Some(stat) if stat.parent == ancestor => return true,
            Some(stat) => at = stat.parent,
            None => return false,
        }
    }
    false
}

/// Resident memory now, in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most resident memory since the start or since [`forget_peak`], in KiB.
pub(crate) fn peak_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

/// Begins a new peak. Where the kernel refuses, the peak stays that since the start.
pub(crate) fn forget_peak(pid: u32) {
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

fn status_kib(pid: u32, name: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid} is gone"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name} in status"))?;
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).with_context(|| format!("{name} is no number"))
}

/// The kind of file system that a folder lies on.
pub(crate) fn file_system(dir: &std::path::Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        dir.starts_with(place).then_some((place.len(), kind))
    });
    // Of mounts at one place the last one counts; max_by_key answers the last.
    holding.max_by_key(|(length, _)| *length).map_or("unknown", |(_, kind)| kind).to_owned()
}
