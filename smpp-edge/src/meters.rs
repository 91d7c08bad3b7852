//! Metrics of one operator, looked up once and then only counted.

use std::collections::HashMap;
use std::time::Duration;

use contract::edge::BindState;
use contract::{OutcomeClass, ReceiptState};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use smpp::Status;

/// Statuses counted by their own label; an operator that invents more of them is counted as `other`.
const STATUSES_MAX: usize = 64;

/// What a bind counts. Every bind has its own handles on the same series.
pub(crate) struct Meters {
    operator: String,
    pub(crate) submits: Counter,
    pub(crate) unanswered: Counter,
    pub(crate) unmatched: Counter,
    pub(crate) throttles: Counter,
    pub(crate) inbound: Counter,
    pub(crate) arrivals_refused: Counter,
    pub(crate) binds_refused: Counter,
    pub(crate) reconnects: Counter,
    pub(crate) in_flight: Gauge,
    pub(crate) answer_time: Histogram,
    answers: HashMap<Status, Counter>,
    receipts: HashMap<ReceiptState, Counter>,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").field("operator", &self.operator).finish_non_exhaustive()
    }
}

impl Meters {
    pub(crate) fn new(operator: &str, bind: u16) -> Self {
        let name = || operator.to_owned();
        Self {
            operator: name(),
            submits: counter!("edge_submits_total", "operator" => name()),
            unanswered: counter!("edge_unanswered_total", "operator" => name()),
            unmatched: counter!("edge_unmatched_answers_total", "operator" => name()),
            throttles: counter!("edge_throttles_total", "operator" => name()),
            inbound: counter!("edge_inbound_total", "operator" => name()),
            arrivals_refused: counter!("edge_arrivals_refused_total", "operator" => name()),
            binds_refused: counter!("edge_binds_refused_total", "operator" => name()),
            reconnects: counter!("edge_reconnects_total", "operator" => name()),
            in_flight: gauge!("edge_in_flight", "operator" => name(), "bind" => bind.to_string()),
            answer_time: histogram!("edge_answer_seconds", "operator" => name()),
            answers: HashMap::new(),
            receipts: HashMap::new(),
        }
    }

    /// One answer to a submit, and how long it took.
    pub(crate) fn answered(&mut self, status: Status, took: Duration) {
        self.answer_time.record(took.as_secs_f64());
        if let Some(counter) = self.answers.get(&status) {
            counter.increment(1);
            return;
        }
        let label = if self.answers.len() < STATUSES_MAX { label(status) } else { "other".to_owned() };
        let counter = counter!("edge_answers_total", "operator" => self.operator.clone(), "status" => label);
        counter.increment(1);
        if self.answers.len() < STATUSES_MAX {
            self.answers.insert(status, counter);
        }
    }

    /// A receipt, by what it says.
    pub(crate) fn receipt(&mut self, state: ReceiptState) {
        let operator = &self.operator;
        let counter = || counter!("edge_receipts_total", "operator" => operator.clone(), "state" => state.name());
        self.receipts.entry(state).or_insert_with(counter).increment(1);
    }

    /// A session goes from one state to another; `None` before the first and after the last.
    pub(crate) fn moved(&self, from: Option<BindState>, to: Option<BindState>) {
        for (state, step) in [(from, -1.0), (to, 1.0)] {
            if let Some(state) = state {
                let gauge = gauge!("edge_binds", "operator" => self.operator.clone(), "state" => state_name(state));
                gauge.increment(step);
            }
        }
    }
}

/// Outcomes published, by class.
pub(crate) fn outcome(class: OutcomeClass) {
    let class = match class {
        OutcomeClass::Accepted => "accepted",
        OutcomeClass::Temporary => "temporary",
        OutcomeClass::Permanent => "permanent",
        OutcomeClass::Expired => "expired",
        OutcomeClass::Unknown => "unknown",
    };
    counter!("edge_outcomes_total", "class" => class).increment(1);
}

fn label(status: Status) -> String {
    match status.name() {
        "ESME_UNKNOWN" => format!("0x{:08X}", status.0),
        name => name.to_owned(),
    }
}

const fn state_name(state: BindState) -> &'static str {
    match state {
        BindState::Connecting => "connecting",
        BindState::Bound => "bound",
        BindState::BackingOff => "backing_off",
        BindState::Refused => "refused",
        BindState::Closed => "closed",
    }
}
