//! What had ended when an export was asked for is in it, however late it is stored.

use serde_json::json;
use uuid::Uuid;

use super::ROWS;
use crate::api::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn an_export_waits_for_those_who_store_what_ended_before_it_was_asked_for() {
    let rig = Rig::new().await;
    rig.cdrs().await;
    // Ended by now, and not committed yet: the id is the smallest of all, so that the first page passes it.
    let mut storing = rig.world.pool().begin().await.unwrap();
    sqlx::query(
        "WITH first AS (SELECT * FROM sms_cdr ORDER BY message_id LIMIT 1)
         INSERT INTO sms_cdr SELECT (jsonb_populate_record(NULL::sms_cdr, to_jsonb(first)
             || jsonb_build_object('message_id', $1, 'client_reference', 'stored late', 'ended_at', now()))).* FROM first",
    )
    .bind(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, before(&rig).await, 0)))
    .execute(&mut *storing)
    .await
    .unwrap();
    let path = rig.export(&rig.client, &json!({})).await;
    assert_eq!(rig.sweep(100).exports().await.unwrap(), 0);
    let waits = rig.state(&rig.client, &path).await;
    assert_eq!((&waits["state"], &waits["rows_done"]), (&json!("queued"), &json!(0)));

    storing.commit().await.unwrap();
    rig.export_all(100).await;
    assert_eq!(rig.state(&rig.client, &path).await["state"], "done");
    let records = rig.records(&rig.client, &path).await;
    assert_eq!(records.len(), 1 + ROWS + 1, "a heading, the records, and the late one");
    assert!(records[1].iter().any(|value| value == "stored late"));
}

/// A second before the first record, in Unix time.
async fn before(rig: &Rig) -> u64 {
    let first = "SELECT (extract(epoch FROM min(accepted_at)) - 1)::bigint FROM sms_cdr";
    u64::try_from(rig.world.count(first).await).unwrap()
}
