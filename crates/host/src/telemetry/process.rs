//! What this process takes of the machine: processor time and memory, under the names that Prometheus' own clients use
//! where the unit is the same.

use std::time::Duration;

/// Clock ticks of `/proc`: a hundred in a second on every architecture that we run on (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Sets the gauges; where there is no `/proc`, as on macOS, there are none.
pub(super) fn measure() {
    if let Some(taken) = std::fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_time) {
        metrics::gauge!("process_cpu_seconds_total").set(taken);
    }
    if let Some(kib) = std::fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_kib) {
        metrics::gauge!("process_resident_memory_kib").set(kib);
    }
}

/// User and system time, fields 14 and 15 of proc(5)'s `stat`. The second field is a name in brackets that may hold
/// anything, so counting begins behind it.
fn cpu_time(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse::<u32>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(TICK * user.saturating_add(system))
}

fn resident_kib(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_memory_are_read_as_linux_writes_them() {
        let stat = "42 (a) name) S 1 42 42 0 -1 4194560 900 0 0 0 150 50 7 8 20 0 9 0 100 1000 200";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu_time("42 (x) S 1"), None);
        assert_eq!(resident_kib("Name:\tchappe\nVmRSS:\t   10240 kB\nThreads:\t3\n"), Some(10240));
        assert_eq!(resident_kib("Name:\tchappe\n"), None);
    }
}
