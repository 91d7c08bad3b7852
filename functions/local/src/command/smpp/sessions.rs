//! The table of customers' sessions.

use anyhow::Result;
use serde_json::Value as Json;

use super::operators::since;
use crate::client::{list, text};
use crate::output::{Mood, Output, Value, print_json};

pub(super) fn show(answer: &Json, out: &Output) -> Result<()> {
    if out.is_json() {
        return print_json(answer);
    }
    let rows = list(answer, "sessions").iter().map(row).collect();
    let headings = [
        "session",
        "system",
        "type",
        "peer",
        "since",
        "edge",
        "asked",
        "delivering",
        "submits",
        "accepted",
        "throttled",
        "delivered",
        "last error",
    ];
    out.table(&headings, rows, "nobody is bound");
    Ok(())
}

fn row(session: &Json) -> Vec<Value> {
    let tls = if session.get("tls") == Some(&Json::Bool(true)) { " tls" } else { "" };
    let throttled = text(session, "throttled");
    let mood = if throttled == "0" { Mood::Plain } else { Mood::Open };
    vec![
        text(session, "id").into(),
        text(session, "system").into(),
        text(session, "bind_type").into(),
        format!("{}{tls}", text(session, "peer")).into(),
        since(session).into(),
        text(session, "edge").into(),
        text(session, "in_flight").into(),
        text(session, "delivering").into(),
        text(session, "submits").into(),
        text(session, "accepted").into(),
        Value::with(mood, &throttled),
        text(session, "delivered").into(),
        text(session, "last_error").into(),
    ]
}
