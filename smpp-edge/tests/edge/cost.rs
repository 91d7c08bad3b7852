//! What a message costs the edge in CPU time. Run by hand, with optimisation:
//! `cargo test --release -p smpp-edge --test edge -- --ignored --nocapture cost`.

use std::fs;
use std::time::{Duration, Instant};

use smsc::Profile;
use tokio::runtime::{Builder, Runtime};

use crate::rig::{Rig, config, messages, operator};

const MESSAGES: u64 = 100_000;
const TIME_MAX: Duration = Duration::from_mins(1);
/// Of the edge's share of the platform's 300 µs.
const COST_MAX: Duration = Duration::from_micros(20);
/// The unit of CPU times in `/proc` (`USER_HZ`), which Linux fixes at 100 per second.
const TICK: Duration = Duration::from_millis(10);

fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build().unwrap()
}

/// CPU time of all threads of this name.
fn cpu(name: &str) -> Duration {
    let mut ticks = 0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        let (command, rest) = stat.rsplit_once(") ").unwrap();
        if command.ends_with(&format!("({name}")) {
            let fields: Vec<&str> = rest.split(' ').collect();
            ticks += fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
        }
    }
    TICK * ticks
}

#[test]
#[ignore = "a measurement, not a check of behaviour"]
fn cost_of_a_message() {
    let (peer, edge) = (runtime("peer"), runtime("edge"));
    let (smsc, mut settings) = peer.block_on(operator(Profile::default()));
    settings.window = 200;
    let mut quiet = config();
    quiet.receipt_gather = Duration::from_millis(20);
    quiet.lease = Duration::from_mins(1);
    let rig = edge.block_on(edge.spawn(async move {
        let rig = Rig::start(quiet, &[&settings]).await;
        rig.submit(&settings, &messages(MESSAGES)).await;
        rig
    }));
    let rig = rig.unwrap();
    let (before, started) = (cpu("edge"), Instant::now());
    while smsc.counters().deliveries_confirmed < MESSAGES {
        assert!(started.elapsed() < TIME_MAX, "{:?}", smsc.counters());
        std::thread::sleep(Duration::from_millis(10));
    }
    let (took, spent) = (started.elapsed(), cpu("edge").saturating_sub(before));
    let each = spent / u32::try_from(MESSAGES).unwrap();
    println!("{MESSAGES} messages in {took:?}; edge {each:?} of CPU time for a message and its receipt");
    assert!(each < COST_MAX, "{each:?}");
    edge.block_on(edge.spawn(rig.stop())).unwrap();
}
