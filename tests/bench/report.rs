//! Figures and tables, in whole numbers.

use std::collections::BTreeMap;

use crate::load::Tally;
use crate::print;

/// Requests that do not grow with the messages: this benchmark asks whether all is done, the platform looks every 30 s.
const LOOKS: [&str; 3] = ["GetQueueAttributes", "GetQueueUrl", "ListQueues"];

/// Requests to SQS for 1,000 messages at most: of batches of 100 or more, and of single sends.
const REQUESTS_AIMS: [u64; 2] = [30, 4000];
/// The aims, and what others need for the same on two cores.
const DELIVERED_AIM: u64 = 5000;
/// Holds a second on one wallet: every message of a run is held on the same two, its client's and its reseller's, while
/// everything behind it (routing, submits, captures) goes on.
pub(crate) const HOLDS_AIM: u64 = 5000;
const CPU_AIM_US: u64 = 300;
/// Name, delivered messages a second, processor microseconds of a message.
const OTHERS: [(&str, u64, u64); 2] =
    [("Kannel, receipts, nothing durable or billed", 4900, 330), ("Jasmin, receipts", 200, 6500)];

/// What one run showed.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Where the queues were.
    pub(crate) queues: &'static str,
    pub(crate) name: String,
    pub(crate) operator_ms: u64,
    pub(crate) messages: u64,
    /// From the first request to the last message `delivered`.
    pub(crate) deliver_us: u64,
    pub(crate) tally: Tally,
    /// Processor time in microseconds.
    pub(crate) chappe_us: u64,
    pub(crate) postgres_us: u64,
    pub(crate) smsc_us: u64,
    /// Of the broker, where there is one.
    pub(crate) broker_us: u64,
    /// Requests to SQS by action, where somebody counted them.
    pub(crate) requests: BTreeMap<String, u64>,
    pub(crate) load_us: u64,
    /// The share of the machine that processes of others used meanwhile: where it is large, nothing here counts.
    pub(crate) elsewhere_percent: u64,
    pub(crate) peak_kib: u64,
}

impl Outcome {
    pub(crate) fn delivered_per_second(&self) -> u64 {
        per_second(self.messages, self.deliver_us)
    }

    /// Processor microseconds of a message; thousandths of a second for 1,000 of them.
    fn cpu_us(&self) -> u64 {
        (self.chappe_us + self.postgres_us) / self.messages
    }

    fn cells(&self) -> Vec<String> {
        let each = |us: u64| thousandths(us / self.messages);
        vec![
            self.name.clone(),
            format!("{} ms", self.operator_ms),
            per_second(self.messages, self.tally.elapsed_us).to_string(),
            self.delivered_per_second().to_string(),
            thousandths(self.tally.p50_us),
            thousandths(self.tally.p99_us),
            each(self.chappe_us),
            each(self.postgres_us),
            thousandths(self.cpu_us()),
            each(self.smsc_us),
            each(self.load_us),
            format!("{} %", self.elsewhere_percent),
            (self.peak_kib / 1024).to_string(),
            self.tally.retries.to_string(),
        ]
    }
}

/// All runs as a table.
pub(crate) fn runs(outcomes: &[Outcome]) {
    print(
        "\nAccepted and delivered: messages a second. Latency: milliseconds of a request. CPU: seconds for 1,000 messages.\n",
    );
    let titles = [
        "run",
        "operator",
        "accepted",
        "delivered",
        "p50",
        "p99",
        "chappe",
        "postgres",
        "both",
        "operator",
        "load",
        "elsewhere",
        "MiB",
        "retries",
    ];
    table(&titles, &outcomes.iter().map(Outcome::cells).collect::<Vec<_>>());
}

/// Each run against the aims, and against what others do.
pub(crate) fn ratios(outcomes: &[Outcome]) {
    print(&format!(
        "\nHolds on one wallet against the aim of {HOLDS_AIM}/s; delivered against {DELIVERED_AIM}/s; CPU against {}:\n",
        thousandths(CPU_AIM_US)
    ));
    let mut titles = ["run", "operator", "holds", "delivered", "CPU"].map(str::to_owned).to_vec();
    titles.extend(OTHERS.iter().flat_map(|(name, ..)| {
        let name = name.split(',').next().unwrap_or(name);
        [format!("/ {name}"), format!("CPU / {name}")]
    }));
    let rows: Vec<Vec<String>> = outcomes.iter().map(ratio_cells).collect();
    table(&titles.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
    for (name, per_second, cpu_us) in OTHERS {
        print(&format!("{name}: {per_second}/s at {}", thousandths(cpu_us)));
    }
    slow_operator(outcomes);
}

fn ratio_cells(outcome: &Outcome) -> Vec<String> {
    let (delivered, cpu_us) = (outcome.delivered_per_second(), outcome.cpu_us());
    let holds = per_second(outcome.messages, outcome.tally.elapsed_us);
    let mut cells = vec![
        outcome.name.clone(),
        format!("{} ms", outcome.operator_ms),
        verdict(holds >= HOLDS_AIM, &ratio(holds, HOLDS_AIM)),
        verdict(delivered >= DELIVERED_AIM, &ratio(delivered, DELIVERED_AIM)),
        verdict(cpu_us <= CPU_AIM_US, &ratio(cpu_us, CPU_AIM_US)),
    ];
    cells.extend(OTHERS.iter().flat_map(|(_, other, other_us)| [ratio(delivered, *other), ratio(cpu_us, *other_us)]));
    cells
}

/// What the latency of the operator costs.
fn slow_operator(outcomes: &[Outcome]) {
    for quick in outcomes.iter().filter(|outcome| outcome.operator_ms == 0) {
        let slow = outcomes.iter().find(|slow| slow.name == quick.name && slow.operator_ms != 0);
        if let Some(slow) = slow {
            let share = ratio(slow.delivered_per_second(), quick.delivered_per_second());
            print(&format!("{}: an operator of {} ms keeps {share} of the throughput", quick.name, slow.operator_ms));
        }
    }
}

/// A ratio, and whether the aim is reached.
pub(crate) fn verdict(reached: bool, ratio: &str) -> String {
    format!("{ratio} {}", if reached { "ok" } else { "NOT" })
}

/// A table with its first column to the left and numbers to the right.
pub(crate) fn table(titles: &[&str], rows: &[Vec<String>]) {
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(column, title)| {
            rows.iter().filter_map(|row| row.get(column)).map(String::len).fold(title.len(), usize::max)
        })
        .collect();
    let titles: Vec<String> = titles.iter().map(|&title| title.to_owned()).collect();
    for row in std::iter::once(&titles).chain(rows) {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        print(&cells.collect::<Vec<_>>().join("  "));
    }
}

/// Whole events of a second.
pub(crate) fn per_second(count: u64, micros: u64) -> u64 {
    count * 1_000_000 / micros.max(1)
}

/// `1234` as `1.234`.
pub(crate) fn thousandths(number: u64) -> String {
    format!("{}.{:03}", number / 1000, number % 1000)
}

/// `part` of `whole`, with two digits behind the point.
pub(crate) fn ratio(part: u64, whole: u64) -> String {
    let hundredths = part * 100 / whole.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The places of queues side by side, and what SQS would bill.
pub(crate) fn queues(outcomes: &[Outcome]) {
    print("\nQueues side by side, operator of 0 ms. CPU: seconds for 1,000 messages. Requests: for 1,000 messages.\n");
    let quick = || outcomes.iter().filter(|outcome| outcome.operator_ms == 0);
    let titles =
        ["run", "queues", "delivered", "/ postgresql", "p50", "p99", "chappe", "postgres", "broker", "all", "requests"];
    let row = |outcome: &Outcome| {
        let base = quick().find(|base| base.name == outcome.name).map_or(0, Outcome::delivered_per_second);
        let each = |us: u64| thousandths(us / outcome.messages);
        vec![
            outcome.name.clone(),
            outcome.queues.to_owned(),
            outcome.delivered_per_second().to_string(),
            ratio(outcome.delivered_per_second(), base),
            thousandths(outcome.tally.p50_us),
            thousandths(outcome.tally.p99_us),
            each(outcome.chappe_us),
            each(outcome.postgres_us),
            each(outcome.broker_us),
            each(outcome.chappe_us + outcome.postgres_us + outcome.broker_us),
            outcome.requests_cell(),
        ]
    };
    let mut rows: Vec<Vec<String>> = quick().map(row).collect();
    rows.sort();
    table(&titles, &rows);
    for outcome in quick().filter(|outcome| !outcome.requests.is_empty()) {
        let of = |(action, count): (&String, &u64)| format!("{action} {}", count * 1000 / outcome.messages);
        let actions: Vec<String> = outcome.requests.iter().map(of).collect();
        print(&format!("{}, requests for 1,000 messages: {}", outcome.name, actions.join(", ")));
    }
}

impl Outcome {
    fn requests_cell(&self) -> String {
        if self.requests.is_empty() {
            return String::new();
        }
        let of_messages = self.requests.iter().filter(|(action, _)| !LOOKS.contains(&action.as_str()));
        let requests = of_messages.map(|(_, count)| count).sum::<u64>() * 1000 / self.messages;
        let [batches, singles] = REQUESTS_AIMS;
        let aim = if self.name == "single" { singles } else { batches };
        verdict(requests <= aim, &requests.to_string())
    }
}
