//! A process dies in the middle of an export.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use testkit::eventually;

use super::{MOMENT, profile};
use crate::api::exports::cdrs;
use crate::chappe::{Chappe, Company, Leftovers, ON_SUBMIT, OperatorIs, smsc};

/// Records: several pages of them.
const ROWS: usize = 7_000;
/// Lets whoever stores the third chunk of a file wait for a lock that the answered session holds: its transaction is under way then.
async fn hold_up(chappe: &Chappe) -> PgConnection {
    let mut session = PgConnection::connect(&chappe.database_url()).await.unwrap();
    for statement in [
        "CREATE FUNCTION held_up() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$",
        "CREATE TRIGGER held_up BEFORE INSERT ON export_chunks FOR EACH ROW WHEN (NEW.number = 2) EXECUTE FUNCTION held_up()",
        "SELECT pg_advisory_lock(4711)",
    ] {
        sqlx::query(statement).execute(&mut session).await.unwrap();
    }
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_an_export_leaves_each_record_in_it_once() {
    let mut chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let carrier = smsc(profile()).await;
    let operator = company.operator(&carrier, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    let sent = company.send("998930000001", "Hello").await;
    chappe.assert_settled(MOMENT, Leftovers::default()).await;
    let mut session = hold_up(&chappe).await;
    cdrs(chappe.db().pool(), (sent.parse().unwrap(), operator.parse().unwrap()), ROWS).await;

    let (from, to) = (Utc::now() - TimeDelta::hours(1), Utc::now() + TimeDelta::hours(1));
    let asked = json!({"kind": "cdr", "from": from, "to": to, "format": "ndjson"});
    let path = format!("/v1/exports/{}", company.sender.make("/v1/exports", asked).await);
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted";
    eventually(MOMENT, async || chappe.count(waiting).await == 1).await;
    chappe.kill();
    let done = chappe.count("SELECT rows_done FROM exports WHERE state = 'running'").await;
    assert!(0 < done && done < i64::try_from(ROWS).unwrap(), "it died in the middle: {done}");
    sqlx::query("SELECT pg_advisory_unlock(4711)").execute(&mut session).await.unwrap();
    chappe.restart().await;
    eventually(MOMENT, async || company.sender.get(&path).await["state"] == "done").await;

    let export = company.sender.get(&path).await;
    let file = company.sender.text(&format!("{path}/download")).await;
    let records: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: BTreeSet<&str> = records.iter().map(|record| record["message_id"].as_str().unwrap()).collect();
    // And the one that was sent.
    assert_eq!((records.len(), ids.len()), (ROWS + 1, ROWS + 1));
    assert_eq!(export["rows_done"], ROWS + 1);
    assert_eq!(export["bytes"], file.len());
}
