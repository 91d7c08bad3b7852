//! Rates rise above what customers pay, in mid-traffic.

use super::{BEELINE, Play, UCELL, split};

impl Play {
    /// From now on an operator takes so many millionths for a segment.
    async fn costs(&self, operator: usize, micros: i64) {
        sqlx::query("UPDATE operator_rates SET price_micros = $2 WHERE operator_id = $1")
            .bind(self.world.operators[operator].uuid())
            .bind(micros)
            .execute(self.world.pool())
            .await
            .unwrap();
        self.world.catalogue.refresh().await.unwrap();
    }

    /// Money of the client that is set aside or was taken.
    async fn gone(&self) -> i64 {
        let gone = "SELECT held_micros + (SELECT coalesce(-sum(posted_micros), 0)::bigint FROM balance_ledger
                WHERE account_id = b.account_id AND operation = 'capture' AND ledger = 'wallet')
            FROM account_balances b WHERE account_id = $1";
        sqlx::query_scalar(gone).bind(self.world.client.uuid()).fetch_one(self.world.pool()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_loses_money_is_refused_and_costs_nobody_anything() {
    let play = Play::new().await;
    let given = play.send(2).await;
    assert_eq!(split(&given), [0, 2]);
    play.answer(&given, true).await;
    let gone = play.gone().await;
    // The house earns 60 for a segment.
    play.costs(BEELINE, 60_000_001).await;
    let given = play.send(2).await;
    assert_eq!(split(&given), [2, 0], "the dearer route earns, so it carries");
    assert_eq!(play.ranked(given[0].routed.message_id).await, ["Ucell", "Beeline: margin"]);
    play.answer(&given, true).await;
    let both = play.gone().await;
    assert_eq!(both, 2 * gone, "customers pay what they paid before");

    play.costs(UCELL, 60_000_001).await;
    assert!(play.send(3).await.is_empty(), "nobody is given what would lose money");
    let refused = "SELECT count(*) FROM messages m JOIN sms_cdr c ON c.message_id = m.id
        WHERE m.state = 'rejected' AND m.code = 'below_margin' AND c.price_micros = 0 AND c.cost_micros = 0";
    assert_eq!(play.world.count(refused).await, 3);
    assert_eq!(play.gone().await, both, "what was held for them is free again");
    // As much as it earns is not a loss.
    play.costs(BEELINE, 60_000_000).await;
    assert_eq!(split(&play.send(1).await), [0, 1]);
    play.world.assert_books_are_right().await;
}
