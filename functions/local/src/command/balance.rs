//! `chappe balance`: what the account has, holds and may spend, and when it is empty.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;

use crate::cli::{Api, Common};
use crate::client::{Client, text};
use crate::output::{Mood, Output, Value, print_json};

/// A wallet that is empty sooner than this is worth a look.
const SOON: TimeDelta = TimeDelta::days(3);
/// A wallet that is empty sooner than this wants money now.
const NOW: TimeDelta = TimeDelta::hours(6);

pub(crate) async fn run(common: &Common, api: Api, out: &Output) -> Result<()> {
    let balance = Client::new(common, &api)?.get("/v1/balance", &[]).await?;
    if out.is_json() {
        return print_json(&balance);
    }
    let members = ["available", "balance", "held", "credit_limit", "currency", "kind", "burn_per_hour"];
    let mut row: Vec<Value> = members.map(|member| text(&balance, member).into()).into();
    row.push(empty(&balance, Utc::now()));
    out.table(&[&members[..], &["empty_at"]].concat(), vec![row], "no balance");
    Ok(())
}

/// When the wallet is empty, in the colour of how soon that is.
fn empty(balance: &Json, now: DateTime<Utc>) -> Value {
    let told = text(balance, "empty_at");
    let Ok(at) = told.parse::<DateTime<Utc>>() else { return Value::with(Mood::Good, &"not soon") };
    let mood = match at - now {
        left if left < NOW => Mood::Bad,
        left if left < SOON => Mood::Open,
        _ => Mood::Good,
    };
    Value::with(mood, &told)
}
