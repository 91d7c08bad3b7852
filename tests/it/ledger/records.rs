//! What a CDR says that a message cost the house is what the message and its hops say.

use store::ledger::Extent;

use super::live;
use super::seals::{RICH, audit, seal};
use crate::world::World;

/// What is done to the last CDR of a message, and which message that is.
const DAMAGES: [(&str, &str); 7] = [
    ("cost_micros = cost_micros + 1", "state = 'delivered' AND hops IS NULL"),
    ("cost_micros = cost_micros - 1", "state = 'delivered' AND hops IS NOT NULL"),
    ("cost_micros = 1", "cost_micros = 0"),
    ("cost_currency = 'USD'", "state = 'delivered'"),
    ("operator_id = gen_random_uuid()", "state = 'delivered'"),
    (
        "hops = jsonb_set(hops, '{0,accepted_segments}', to_jsonb((hops #>> '{0,accepted_segments}')::int + 1))",
        "hops IS NOT NULL",
    ),
    ("hops = NULL", "hops IS NOT NULL"),
];

async fn run(world: &World, sql: &str) -> u64 {
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(world.pool()).await.unwrap().rows_affected()
}

/// The last CDR of the last message that is so.
fn last(of: &str) -> String {
    format!(
        "SELECT message_id, correction FROM sms_cdr c WHERE {of} AND NOT EXISTS (SELECT FROM sms_cdr n
             WHERE n.message_id = c.message_id AND n.correction > c.correction) ORDER BY message_id DESC LIMIT 1"
    )
}

/// There is a message to damage in each way.
async fn has_all(world: &World) -> bool {
    for (_, of) in DAMAGES {
        if run(world, &last(of)).await == 0 {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_says_another_cost_than_its_message_is_found() {
    const BACK: &str = "UPDATE sms_cdr c SET cost_micros = h.cost_micros, cost_currency = h.cost_currency,
        operator_id = h.operator_id, hops = h.hops
        FROM honest_cdr h WHERE (h.message_id, h.correction) = (c.message_id, c.correction)";
    let world = World::with_balance(RICH).await;
    // Lives run side by side, so that no seed promises a message of each kind.
    for seed in 51.. {
        Box::pin(live(&world, seed)).await;
        if has_all(&world).await {
            break;
        }
        assert!(seed < 90, "forty lives without a message of each kind");
    }
    seal(&world).await;
    assert_eq!(audit(&world, Extent::Full).await.violations, []);
    run(&world, "CREATE TABLE honest_cdr AS TABLE sms_cdr").await;
    for (set, of) in DAMAGES {
        let damage = format!("UPDATE sms_cdr SET {set} WHERE (message_id, correction) = ({})", last(of));
        for extent in [Extent::Incremental, Extent::Full] {
            assert_eq!(run(&world, &damage).await, 1, "{damage}");
            let found = audit(&world, extent).await;
            assert_eq!(found.extent, extent);
            let is_named = found.violations.iter().any(|one| one.rule == "a CDR says what its message cost");
            assert!(is_named, "{damage}: {:?}", found.violations);
            run(&world, BACK).await;
        }
    }
    for extent in [Extent::Incremental, Extent::Full] {
        assert_eq!(audit(&world, extent).await.violations, [], "{extent:?}");
    }
}
