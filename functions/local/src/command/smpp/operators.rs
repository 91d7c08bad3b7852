//! The table of operators' sessions.

use anyhow::Result;
use serde_json::Value as Json;

use crate::client::{list, text};
use crate::output::{Mood, Output, Value, print_json};

pub(super) fn show(answer: &Json, out: &Output) -> Result<()> {
    if out.is_json() {
        return print_json(answer);
    }
    let rows = list(answer, "operators").iter().flat_map(rows).collect();
    let headings =
        ["operator", "bind", "state", "since", "edge", "window", "submits/s", "tps", "queue", "oldest", "last error"];
    out.table(&headings, rows, "no operators yet");
    Ok(())
}

/// A line for each session; one alone where there is none.
fn rows(operator: &Json) -> Vec<Vec<Value>> {
    let sessions = list(operator, "sessions");
    if sessions.is_empty() {
        let off = operator.get("enabled") == Some(&Json::Bool(false));
        let state = if off { Value::with(Mood::Plain, &"off") } else { Value::with(Mood::Bad, &"no session") };
        return vec![line(operator, &Json::Null, state, true)];
    }
    let first = std::iter::once(true).chain(std::iter::repeat(false));
    sessions.iter().zip(first).map(|(session, first)| line(operator, session, state(session), first)).collect()
}

/// What belongs to the operator stands on its first line only.
fn line(operator: &Json, session: &Json, state: Value, first: bool) -> Vec<Value> {
    let own = |member: &str| if first { text(operator, member) } else { String::new() };
    let queue = operator.get("queue").cloned().unwrap_or_default();
    let waiting = queue.get("envelopes").and_then(Json::as_u64).unwrap_or(0);
    let oldest = queue.get("oldest_ms").and_then(Json::as_u64);
    let tps = match own("tps").as_str() {
        "0" => "-".to_owned(),
        other => other.to_owned(),
    };
    vec![
        own("name").into(),
        text(session, "bind").into(),
        state,
        since(session).into(),
        text(session, "edge").into(),
        window(operator, session).into(),
        text(session, "submits_per_second").into(),
        tps.into(),
        match waiting {
            _ if !first => Value::from(""),
            0 => Value::from(0),
            _ => Value::with(Mood::Open, &waiting),
        },
        if first { oldest.map_or(String::new(), |ms| format!("{} s", ms / 1000)).into() } else { Value::from("") },
        text(session, "last_error").into(),
    ]
}

fn window(operator: &Json, session: &Json) -> String {
    match session.get("in_flight") {
        Some(in_flight) => format!("{in_flight}/{}", text(operator, "window")),
        None => String::new(),
    }
}

/// Date and time to the second are enough for a person.
pub(super) fn since(session: &Json) -> String {
    text(session, "since").chars().take("2026-01-01T00:00:00".len()).collect()
}

fn state(session: &Json) -> Value {
    let name = text(session, "state");
    let mood = match name.as_str() {
        "bound" => Mood::Good,
        "refused" | "backing_off" => Mood::Bad,
        _ => Mood::Open,
    };
    Value::with(mood, &name)
}
