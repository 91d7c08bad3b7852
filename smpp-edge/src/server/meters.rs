//! Metrics of one system, looked up once per session and then only counted.

use std::collections::HashMap;
use std::time::Duration;

use contract::BindType;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use smpp::Status;

/// Statuses counted by their own label; more of them are counted as `other`.
const STATUSES_MAX: usize = 64;

/// What a session counts. Sessions of one system count on the same series.
pub(super) struct Meters {
    system: String,
    binds: Gauge,
    in_flight: Gauge,
    pub(super) submits: Counter,
    pub(super) throttles: Counter,
    answer_time: Histogram,
    answers: HashMap<Status, Counter>,
    deliveries: HashMap<&'static str, Counter>,
    told_in_flight: u32,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").field("system", &self.system).finish_non_exhaustive()
    }
}

impl Drop for Meters {
    fn drop(&mut self) {
        self.binds.decrement(1.0);
        self.in_flight.decrement(f64::from(self.told_in_flight));
    }
}

impl Meters {
    pub(super) fn new(system: &str, bind_type: BindType) -> Self {
        let name = || system.to_owned();
        let binds = gauge!("edge_customer_binds", "system_id" => name(), "type" => bind_type.name());
        binds.increment(1.0);
        Self {
            system: name(),
            binds,
            in_flight: gauge!("edge_customer_in_flight", "system_id" => name()),
            submits: counter!("edge_customer_submits_total", "system_id" => name()),
            throttles: counter!("edge_customer_throttles_total", "system_id" => name()),
            answer_time: histogram!("edge_customer_answer_seconds", "system_id" => name()),
            answers: HashMap::new(),
            deliveries: HashMap::new(),
            told_in_flight: 0,
        }
    }

    /// `count` answers with this status.
    pub(super) fn answered(&mut self, status: Status, count: u64) {
        let known = self.answers.len();
        let system = &self.system;
        let counter = self.answers.entry(status).or_insert_with(|| {
            let label = match status.name() {
                _ if known >= STATUSES_MAX => "other".to_owned(),
                "ESME_UNKNOWN" => format!("0x{:08X}", status.0),
                name => name.to_owned(),
            };
            counter!("edge_customer_answers_total", "system_id" => system.clone(), "status" => label)
        });
        counter.increment(count);
    }

    /// From the submit to its answer.
    pub(super) fn took(&self, time: Duration) {
        self.answer_time.record(time.as_secs_f64());
    }

    /// One delivery, and what became of it.
    pub(super) fn delivered(&mut self, result: &'static str) {
        let system = &self.system;
        let counter = self.deliveries.entry(result).or_insert_with(
            || counter!("edge_customer_deliveries_total", "system_id" => system.clone(), "result" => result),
        );
        counter.increment(1);
    }

    pub(super) fn set_in_flight(&mut self, in_flight: u32) {
        let before = std::mem::replace(&mut self.told_in_flight, in_flight);
        self.in_flight.increment(f64::from(in_flight));
        self.in_flight.decrement(f64::from(before));
    }
}
