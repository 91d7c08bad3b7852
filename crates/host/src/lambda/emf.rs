//! Metrics as log lines that CloudWatch reads (embedded metric format), written before each answer.
//!
//! Lambda has no port that Prometheus could ask, and freezes whatever would push in the background. A line on standard
//! output costs no call. CloudWatch bills each set of dimensions as a metric of its own, so of the labels only
//! [`DIMENSIONS`] become dimensions; what differs in other labels is added up.
//!
//! Format: Amazon CloudWatch, "Specification: Embedded metric format".

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use chrono::Utc;
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::{Map, Value, json};

/// Where our metrics are in CloudWatch.
const NAMESPACE: &str = "Chappe";
/// Labels that become dimensions: few values each.
const DIMENSIONS: [&str; 5] = ["handler", "verdict", "result", "sweep", "class"];
/// Values of one histogram in one line; the format allows no more.
const VALUES_MAX: usize = 100;
/// Kinds of measurements that are kept; more are not recorded. We have some dozens.
const SERIES_MAX: usize = 1_000;

/// Name and dimensions.
type Series = (String, BTreeMap<String, String>);

/// Records metrics and writes them out. A cheap handle.
#[derive(Clone, Default)]
pub struct Emf(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    counters: BTreeMap<Series, Arc<AtomicU64>>,
    histograms: BTreeMap<Series, Arc<Values>>,
}

/// Names and values of labels.
type Dimensions = BTreeMap<String, String>;

impl fmt::Debug for Emf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emf")
    }
}

/// Values since the last line; beyond the format's bound they are only counted.
#[derive(Default)]
struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() < VALUES_MAX {
            values.push(value);
        }
    }
}

impl Emf {
    /// Records every metric of this process, once per process.
    pub fn install() -> anyhow::Result<Self> {
        let emf = Self::default();
        let installed = metrics::set_global_recorder(emf.clone());
        installed.ok().context("recording metrics was started before")?;
        Ok(emf)
    }

    /// Writes what was recorded since the last time to standard output.
    pub fn flush(&self) {
        let lines = self.lines(Utc::now().timestamp_millis());
        let mut out = std::io::stdout().lock();
        for line in lines {
            // Nobody reads standard output: then nobody reads metrics.
            let _ = writeln!(out, "{line}");
        }
        let _ = out.flush();
    }

    fn lines(&self, at_ms: i64) -> Vec<Value> {
        // One line for each set of dimensions, with all metrics that have it.
        let mut by_dimensions: BTreeMap<Dimensions, Vec<(String, &str, Value)>> = BTreeMap::new();
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((name, dimensions), counter) in &recorded.counters {
            let count = counter.swap(0, Ordering::Relaxed);
            if count > 0 {
                let found = by_dimensions.entry(dimensions.clone()).or_default();
                found.push((name.clone(), "Count", json!(count)));
            }
        }
        for ((name, dimensions), values) in &recorded.histograms {
            let values = std::mem::take(&mut *values.0.lock().unwrap_or_else(PoisonError::into_inner));
            if !values.is_empty() {
                let unit = if name.ends_with("_seconds") { "Seconds" } else { "None" };
                by_dimensions.entry(dimensions.clone()).or_default().push((name.clone(), unit, json!(values)));
            }
        }
        by_dimensions.into_iter().map(|(dimensions, metrics)| line(at_ms, &dimensions, metrics)).collect()
    }

    fn recorded(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(at_ms: i64, dimensions: &BTreeMap<String, String>, metrics: Vec<(String, &str, Value)>) -> Value {
    let names: Vec<&String> = dimensions.keys().collect();
    let described: Vec<Value> = metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let mut line = Map::new();
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [names], "Metrics": described });
    line.insert("_aws".to_owned(), json!({ "Timestamp": at_ms, "CloudWatchMetrics": [directive] }));
    line.extend(dimensions.iter().map(|(name, value)| (name.clone(), json!(value))));
    line.extend(metrics.into_iter().map(|(name, _, value)| (name, value)));
    Value::Object(line)
}

fn series(key: &Key) -> Series {
    let kept = key.labels().filter(|label| DIMENSIONS.contains(&label.key()));
    (key.name().to_owned(), kept.map(|label| (label.key().to_owned(), label.value().to_owned())).collect())
}

impl Recorder for Emf {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut recorded = self.recorded();
        let series = series(key);
        if recorded.counters.len() >= SERIES_MAX && !recorded.counters.contains_key(&series) {
            return Counter::noop();
        }
        Counter::from_arc(Arc::clone(recorded.counters.entry(series).or_default()))
    }

    /// What stands at a moment says nothing of an environment that is frozen.
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut recorded = self.recorded();
        let series = series(key);
        if recorded.histograms.len() >= SERIES_MAX && !recorded.histograms.contains_key(&series) {
            return Histogram::noop();
        }
        Histogram::from_arc(Arc::clone(recorded.histograms.entry(series).or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_told_once() {
        let emf = Emf::default();
        metrics::with_local_recorder(&emf, || {
            metrics::counter!("chappe_handled_total", "handler" => "route", "verdict" => "ack").increment(2);
            metrics::counter!("chappe_http_requests_total", "route" => "/a", "class" => "2xx").increment(1);
            metrics::counter!("chappe_http_requests_total", "route" => "/b", "class" => "2xx").increment(1);
            metrics::histogram!("chappe_handle_seconds", "handler" => "route").record(0.25);
        });
        let lines = emf.lines(7);
        let find = |name: &str| lines.iter().find(|line| line.get(name).is_some()).unwrap();
        let handled = find("chappe_handled_total");
        assert_eq!((&handled["chappe_handled_total"], &handled["verdict"]), (&json!(2), &json!("ack")));
        assert_eq!(handled["_aws"]["Timestamp"], 7);
        let directive = &handled["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["handler", "verdict"]]));
        assert_eq!(directive["Metrics"], json!([{ "Name": "chappe_handled_total", "Unit": "Count" }]));
        // Routes are no dimension: they are added up.
        assert_eq!(find("chappe_http_requests_total")["chappe_http_requests_total"], 2);
        assert_eq!(find("chappe_handle_seconds")["chappe_handle_seconds"], json!([0.25]));
        assert_eq!(emf.lines(8), Vec::<Value>::new());
    }
}
