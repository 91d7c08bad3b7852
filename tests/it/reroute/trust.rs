//! What is heard of a message that several operators had counts for the one whose receipt it is about.

use contract::ReceiptState::{self, Delivered, Undeliverable};
use store::feedback::{self, Outcome};

use super::{Case, TIMED};

/// Who says what, in this order: the first operator, or the second, which got the message for want of a receipt.
type Words<'a> = &'a [(usize, ReceiptState)];

impl Case {
    /// A message that both operators have, and what they say of it.
    async fn told(&self, words: Words<'_>) -> domain::MessageId {
        let Self { road, cheap, dear } = self;
        let (id, first) = self.late("43405").await;
        let second = road.one(*dear).await;
        road.accepts(*dear, &second).await;
        for (who, state) in words {
            let (operator, submit) = [(*cheap, &first), (*dear, &second)][*who];
            road.tells(operator, submit, 1, *state).await;
        }
        id
    }
}

#[tokio::test]
async fn a_test_result_is_held_against_the_receipts_of_who_had_the_message() {
    // What they say, whether it arrived, and the results for and against each operator: how many, and how many are untrue.
    type Row<'a> = (Words<'a>, bool, [(u64, u64); 2]);
    let rows: [Row<'_>; 6] = [
        (&[(0, Delivered)], false, [(1, 1), (0, 0)]),
        (&[(0, Delivered)], true, [(1, 0), (0, 0)]),
        (&[(1, Delivered)], false, [(0, 0), (1, 1)]),
        // One of two delivered it: the other did not, and says so.
        (&[(1, Delivered), (0, Undeliverable)], true, [(0, 0), (1, 0)]),
        (&[(1, Delivered), (0, Undeliverable)], false, [(1, 0), (1, 1)]),
        // One of two lies, and nobody knows which.
        (&[(0, Undeliverable), (1, Undeliverable)], true, [(0, 0), (0, 0)]),
    ];
    for (words, arrived, expected) in rows {
        let case = Case::with(Some(TIMED)).await;
        let id = case.told(words).await;
        let world = &case.road.world;
        sqlx::query(
            "INSERT INTO test_results (message_id, number, arrived, made_by, reported_at) VALUES ($1, 1, $2, 'test', $3)",
        )
        .bind(id.uuid())
        .bind(arrived)
        .bind(case.road.now())
        .execute(world.pool())
        .await
        .unwrap();
        let mut tx = world.db.begin().await.unwrap();
        let records = store::standings::records(&mut tx, case.road.now()).await.unwrap();
        let of = |operator| records.iter().find(|(who, ..)| *who == operator).map(|(.., record)| record);
        let found = [case.cheap, case.dear].map(|one| of(one).map(|it| (it.tests, it.untrue)).unwrap_or_default());
        assert_eq!(found, expected, "{words:?} {arrived}");
    }
}

#[tokio::test]
async fn feedback_counts_for_the_operator_that_reported_the_message_delivered() {
    let rows: [(Words<'_>, usize); 4] = [
        (&[(0, Delivered)], 0),
        (&[(1, Delivered), (0, Undeliverable)], 1),
        (&[(0, Delivered), (1, Delivered)], 0),
        // Nobody has said so: the last one that took it.
        (&[], 1),
    ];
    for (words, expected) in rows {
        let case = Case::with(Some(TIMED)).await;
        let world = &case.road.world;
        sqlx::query(
            "INSERT INTO feedback_accounts (account_id, since) SELECT id, now() - interval '1 day' FROM accounts",
        )
        .execute(world.pool())
        .await
        .unwrap();
        let id = case.told(words).await;
        let mut tx = world.db.begin().await.unwrap();
        feedback::give(&mut tx, world.client, (id, Outcome::Converted), case.road.now()).await.unwrap();
        tx.commit().await.unwrap();
        let counted: Vec<uuid::Uuid> =
            sqlx::query_scalar("SELECT operator_id FROM operator_count_deltas WHERE converted > 0")
                .fetch_all(world.pool())
                .await
                .unwrap();
        assert_eq!(counted, [[case.cheap, case.dear][expected].uuid()], "{words:?}");
    }
}
