//! Scores from what flows, and receipts that are not believed: by their form, by test numbers, by conversions.

use chrono::TimeDelta;
use contract::ReceiptState;

use super::{BEELINE, Given, Play, UCELL, honest, split};

/// Delivered, after 20 ms.
fn at_once(_: usize) -> (ReceiptState, TimeDelta) {
    (ReceiptState::Delivered, TimeDelta::milliseconds(20))
}

impl Play {
    /// So many messages through one operator, whose receipts are `of` their number.
    pub(super) async fn carry(
        &self,
        operator: usize,
        count: usize,
        of: impl Fn(usize) -> (ReceiptState, TimeDelta),
    ) -> Vec<Given> {
        let other = self.world.operators[1 - operator].uuid();
        self.enable(other, false).await;
        let given = self.send(count).await;
        assert_eq!(split(&given)[operator], count);
        self.answer(&given, true).await;
        self.receipt(&given, of).await;
        self.enable(other, true).await;
        given
    }

    async fn enable(&self, operator: uuid::Uuid, enabled: bool) {
        sqlx::query("UPDATE operators SET enabled = $2 WHERE id = $1")
            .bind(operator)
            .bind(enabled)
            .execute(self.world.pool())
            .await
            .unwrap();
        self.world.catalogue.refresh().await.unwrap();
    }

    async fn sql(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.world.pool()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_follow_what_flows_and_fall_due() {
    let play = Play::new().await;
    play.carry(UCELL, 100, honest).await;
    // Every fifth receipt does not come.
    let given = play.send(100).await;
    assert_eq!(split(&given), [0, 100]);
    play.answer(&given, true).await;
    play.receipt(&given[..80], honest).await;
    play.judge().await;
    assert_eq!(play.standing(UCELL).await, Some((1000, 900, 1000, 1000)));
    assert_eq!(play.standing(BEELINE).await, Some((1000, 900, 1000, 1000)), "72 of 80 so far");
    play.later(311);
    play.judge().await;
    assert_eq!(play.standing(BEELINE).await, Some((1000, 720, 1000, 1000)), "20 are missing by now");
    play.later(3_600);
    play.judge().await;
    let kept = play.standing(BEELINE).await;
    assert_eq!(kept, Some((1000, 720, 1000, 1000)), "nothing is known of the last quarter of an hour, but of before");
    for _ in 0..40 {
        play.later(3_600);
        play.judge().await;
    }
    assert_eq!(play.standing(BEELINE).await, None, "in the end it is forgotten");
    play.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_at_once_are_not_believed_and_the_route_comes_behind() {
    let play = Play::new().await;
    play.carry(UCELL, 150, honest).await;
    let fake = play.carry(BEELINE, 150, at_once).await;
    assert_eq!(play.ranked(fake[0].routed.message_id).await, ["Beeline", "Ucell: disabled"]);
    play.judge().await;
    assert_eq!(play.standing(UCELL).await.unwrap().3, 1000);
    assert_eq!(play.standing(BEELINE).await.unwrap().3, 130);
    assert_eq!(split(&play.send(5).await), [5, 0], "the dearer one is believed");
    play.enable(play.world.operators[UCELL].uuid(), false).await;
    assert_eq!(split(&play.send(5).await), [0, 5], "but better an untrusted one than none");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_numbers_that_are_reported_as_delivered_cost_trust() {
    let play = Play::new().await;
    play.sql("INSERT INTO test_numbers (number, kind, made_by) VALUES (998901234567, 'dead', 'test')").await;
    play.carry(UCELL, 3, |number| (ReceiptState::Undeliverable, honest(number).1)).await;
    play.carry(BEELINE, 3, |number| (ReceiptState::Delivered, honest(number).1)).await;
    play.judge().await;
    assert_eq!(play.standing(UCELL).await, None, "the truth is no reason");
    assert_eq!(play.standing(BEELINE).await, Some((1000, 1000, 1000, 100)));
    assert_eq!(split(&play.send(2).await), [2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_converts_nothing_where_others_convert_is_not_believed() {
    let play = Play::new().await;
    play.sql("INSERT INTO feedback_accounts (account_id, since) SELECT id, now() - interval '1 day' FROM accounts")
        .await;
    let plausible = |number: usize| (ReceiptState::Delivered, honest(number).1);
    let real = play.carry(UCELL, 120, plausible).await;
    play.carry(BEELINE, 120, plausible).await;
    for given in &real[..40] {
        let mut tx = play.world.db.begin().await.unwrap();
        let said = (given.routed.message_id, store::feedback::Outcome::Converted);
        let said = store::feedback::give(&mut tx, play.world.client, said, chrono::Utc::now()).await.unwrap();
        assert!(matches!(said, store::feedback::Given::Stored(_)));
        tx.commit().await.unwrap();
    }
    play.judge().await;
    assert_eq!(play.standing(UCELL).await.unwrap().3, 1000);
    assert_eq!(play.standing(BEELINE).await.unwrap().3, 300);
    assert_eq!(split(&play.send(2).await), [2, 0]);
}
