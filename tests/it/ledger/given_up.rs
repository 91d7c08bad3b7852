//! Callers that give up while a transaction begins: a customer who closes the connection, a handler whose time is over.

use std::time::Duration;

use futures_util::future::{Either, poll_fn, select};
use testkit::eventually;

use crate::world::World;

/// How often a beginning is let go on before it is given up, at most: each time it waits for the pool or the server.
const POLLS_MAX: usize = 8;
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_nobody_waits_for_is_not_left_open() {
    let world = World::with_balance(0).await;
    for polls in (1..=POLLS_MAX).cycle().take(10 * POLLS_MAX) {
        let mut left = polls;
        let given_up = poll_fn(|context| {
            context.waker().wake_by_ref();
            left -= 1;
            if left == 0 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        if let Either::Left((begun, _)) = select(Box::pin(world.db.begin()), given_up).await {
            drop(begun.unwrap());
        }
    }
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend' AND xact_start IS NOT NULL";
    eventually(LIMIT, async || world.count(open).await == 0).await;
}
