//! A margin is reckoned from the price that a message was accepted at, whatever it is by now.

use contract::ReceiptState;
use store::accept::{Acceptance, NewMessage, Single, accept_gathered};

use super::{Case, TWO};
use crate::world::RESELLER;

impl Case {
    /// What the house asks of its reseller is another price from now on, as if it had always been.
    async fn price_becomes(&self, micros: i64) {
        let world = &self.road.world;
        sqlx::query("UPDATE tariffs SET price_micros = $2 WHERE price_micros = $1")
            .bind(RESELLER)
            .bind(micros)
            .execute(world.pool())
            .await
            .unwrap();
        world.catalogue.refresh().await.unwrap();
    }

    async fn accept(&self, message: NewMessage) {
        let stored = accept_gathered(&self.road.world.db, &[Single { message, idempotency: None }]).await.unwrap();
        assert_eq!(stored, [Acceptance::Stored]);
    }
}

#[tokio::test]
async fn what_was_accepted_at_a_good_price_is_carried_when_it_falls() {
    let case = Case::with(Some(TWO)).await;
    let Case { road, cheap, dear } = &case;
    case.accept(case.message("43405", 1)).await;
    let later =
        NewMessage { scheduled_at: Some(road.now() + chrono::TimeDelta::minutes(1)), ..case.message("43405", 1) };
    case.accept(later).await;
    case.price_becomes(1_000_000).await;
    road.route().await;
    let first = road.one(*cheap).await;
    // Also when it goes on, and when it is released.
    road.accepts(*cheap, &first).await;
    road.tells(*cheap, &first, 1, ReceiptState::Undeliverable).await;
    assert_eq!(road.one(*dear).await.message_id, first.message_id);
    road.clock.advance(std::time::Duration::from_secs(61));
    road.sweep.scheduled().await.unwrap();
    road.route().await;
    assert_eq!(road.taken(*cheap).await.len(), 1);
}

#[tokio::test]
async fn what_was_accepted_at_a_bad_price_is_not_carried_when_it_rises() {
    let case = Case::with(None).await;
    let message = case.message("43405", 1);
    let id = message.id;
    case.accept(message).await;
    case.price_becomes(10 * RESELLER).await;
    sqlx::query(
        "INSERT INTO margin_guards (id, min_micros, made_by, effective_from) VALUES ($1, $2, 'test', '2020-01-01')",
    )
    .bind(uuid::Uuid::now_v7())
    .bind(RESELLER)
    .execute(case.road.world.pool())
    .await
    .unwrap();
    case.road.world.catalogue.refresh().await.unwrap();
    case.road.route().await;
    assert_eq!(case.road.stands(id).await, ("rejected".to_owned(), Some("below_margin".to_owned()), 0));
}
