//! What indexes read: a step of a message that changes no such column writes into none of them.

use sqlx::Row as _;

use crate::world::World;

/// The columns that indexes of the tables may read which every step of every message changes. None of them changes with a
/// step, or it does so for few messages.
const READ: [(&str, &[&str]); 2] = [
    (
        "messages",
        &["account_id", "client_reference", "due_at", "id", "long_head", "recipient", "released_at", "scheduled_at"],
    ),
    ("message_parts", &["hop", "message_id", "operator_id", "segment", "smpp_message_id"]),
];

/// An index counts with its conditions, too: PostgreSQL gives up updates in place (HOT) for a column that one of them reads.
#[tokio::test(flavor = "multi_thread")]
async fn no_step_of_a_message_changes_what_an_index_reads() {
    let world = World::with_balance(1).await;
    for (table, expected) in READ {
        let rows = sqlx::query(
            "SELECT DISTINCT a.attname::text FROM pg_index i
             JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid
             JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE i.indrelid = $1::text::regclass
             UNION SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
                AND a.attnum = ANY (i.indkey) WHERE i.indrelid = $1::text::regclass
             ORDER BY 1",
        )
        .bind(table)
        .fetch_all(world.pool())
        .await
        .unwrap();
        let read: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(read, expected, "{table}");
    }
}
