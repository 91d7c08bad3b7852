//! Messages that an operator took and did not deliver go to another one: once, within their policy, for the price of one.

mod price;
mod trust;

use std::time::Duration;

use chrono::TimeDelta;
use contract::{OutcomeClass, ReceiptState, Routed};
use domain::reroute::Policy;
use domain::{MessageId, OperatorId};
use store::accept::NewMessage;

use crate::road::Road;
use crate::world::{CLIENT_DELIVERED, CLIENT_SUBMIT, RESELLER, World};

/// What everybody begins with.
const BALANCE: i64 = 1_000_000_000_000;
/// The operators of the world, the cheaper first, and a third one: cost of a segment.
const BEELINE: i64 = 5_000_000;
const UCELL: i64 = 15_000_000;
const THIRD: i64 = 20_000_000;
/// SMPP `ESME_RSUBMITFAIL`.
const REFUSED: u32 = 0x45;

/// A world whose operators leave room for a second one in the margin.
struct Case {
    road: Road,
    cheap: OperatorId,
    dear: OperatorId,
}

impl Case {
    async fn with(policy: Option<Policy>) -> Self {
        let world = World::with_balance(BALANCE).await;
        let [dear, cheap] = world.operators;
        for (operator, cost) in [(cheap, BEELINE), (dear, UCELL)] {
            sqlx::query("UPDATE operator_rates SET price_micros = $2 WHERE operator_id = $1")
                .bind(operator.uuid())
                .bind(cost)
                .execute(world.pool())
                .await
                .unwrap();
        }
        let road = Road::of(world);
        road.world.catalogue.refresh().await.unwrap();
        if let Some(policy) = policy {
            road.set_policy(policy).await;
        }
        Self { road, cheap, dear }
    }

    fn message(&self, network: &str, segments: u8) -> NewMessage {
        let message = self.road.world.message(network, segments, self.road.now());
        NewMessage { status_url: Some("https://example.com/".to_owned()), ..message }
    }

    /// A message that the cheap operator took, and its customer was told so.
    async fn sent(&self, network: &str, segments: u8) -> (MessageId, Routed) {
        let id = self.road.send(self.message(network, segments)).await;
        let submit = self.road.one(self.cheap).await;
        self.road.accepts(self.cheap, &submit).await;
        assert_eq!(self.road.told().await, ["message.sent"]);
        (id, submit)
    }

    async fn assert_wallets(&self, client: i64, reseller: i64) {
        let world = &self.road.world;
        assert_eq!(world.wallet(world.client).await, (BALANCE - client, 0));
        assert_eq!(world.wallet(world.reseller).await, (BALANCE - reseller, 0));
        world.assert_books_are_right().await;
    }

    async fn assert_owed(&self, cheap: i64, dear: i64) {
        assert_eq!((self.road.owed(self.cheap).await, self.road.owed(self.dear).await), (cheap, dear));
    }
}

/// How the second operator fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fails {
    /// It takes the message and says that it did not arrive.
    Undelivered,
    /// It does not take it.
    Refused,
    /// Its edge finds that the validity is over.
    Lapsed,
}

impl Case {
    /// A message of which the cheap operator says nothing in time, so that it is with the dear one.
    async fn late(&self, network: &str) -> (MessageId, Routed) {
        let sent = self.sent(network, 1).await;
        self.road.clock.advance(Duration::from_secs(61));
        self.road.sweep.receipts().await.unwrap();
        self.road.route().await;
        sent
    }

    async fn fails(&self, submit: &Routed, how: Fails) {
        let (road, dear) = (&self.road, self.dear);
        match how {
            Fails::Undelivered => {
                road.accepts(dear, submit).await;
                road.explains(dear, submit, "second", Some(true)).await;
            }
            Fails::Refused => road.answer(dear, submit, OutcomeClass::Temporary, &[REFUSED]).await,
            Fails::Lapsed => {
                road.clock.set(submit.expires_at);
                road.answer(dear, submit, OutcomeClass::Expired, &[]).await;
            }
        }
    }
}

const TWO: Policy = Policy { hops_max: 2, receipt_timeout_seconds: None };
const TIMED: Policy = Policy { hops_max: 2, receipt_timeout_seconds: Some(60) };

#[tokio::test]
async fn what_one_does_not_deliver_another_does_and_the_client_pays_once() {
    for (network, price) in [("43405", CLIENT_SUBMIT), ("43404", CLIENT_DELIVERED)] {
        let case = Case::with(Some(TWO)).await;
        let Case { road, cheap, dear } = &case;
        let (id, first) = case.sent(network, 1).await;
        road.tells(*cheap, &first, 1, ReceiptState::Undeliverable).await;
        // The same word once more sends nothing twice.
        road.tells(*cheap, &first, 1, ReceiptState::Undeliverable).await;
        assert_eq!(road.stands(id).await.0, "sent", "its customer knows no more than before");
        let second = road.one(*dear).await;
        assert_eq!((second.message_id, second.hop), (id, 1));
        road.accepts(*dear, &second).await;
        road.tells(*dear, &second, 1, ReceiptState::Delivered).await;
        assert_eq!(road.stands(id).await, ("delivered".to_owned(), None, price));
        assert_eq!(road.told().await, ["message.delivered"]);
        case.assert_owed(BEELINE, UCELL).await;
        assert_eq!(road.record(id).await, (BEELINE + UCELL, 1, 1));
        case.assert_wallets(price, RESELLER).await;
    }
}

#[tokio::test]
async fn where_nobody_else_may_help_it_ends_at_once_with_the_operators_word() {
    // Code by the profile, what the profile says of it, the policy, and whether it goes on.
    let one = Policy { hops_max: 1, receipt_timeout_seconds: None };
    let rows = [
        ("absent_subscriber", None, Some(TWO), false),
        ("absent_subscriber", Some(true), Some(TWO), true),
        ("network_error", None, Some(TWO), true),
        ("network_error", Some(false), Some(TWO), false),
        ("network_error", None, None, false),
        ("network_error", None, Some(one), false),
    ];
    for (code, reroute, policy, goes_on) in rows {
        let case = Case::with(policy).await;
        let Case { road, cheap, dear } = &case;
        let (id, first) = case.sent("43405", 1).await;
        road.explains(*cheap, &first, code, reroute).await;
        assert_eq!(road.taken(*dear).await.len(), usize::from(goes_on), "{code} {reroute:?} {policy:?}");
        if !goes_on {
            assert_eq!(road.stands(id).await, ("undelivered".to_owned(), Some(code.to_owned()), CLIENT_SUBMIT));
            assert_eq!(road.told().await, ["message.undelivered"]);
            case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
        }
    }
}

#[tokio::test]
async fn hops_are_bounded_by_the_policy_and_end_with_the_last_word() {
    for (hops_max, hops) in [(2, 2), (3, 3)] {
        let case = Case::with(Some(Policy { hops_max, receipt_timeout_seconds: None })).await;
        let Case { road, cheap, dear } = &case;
        let third = road.operator("Third", THIRD / 1_000_000).await;
        let fourth = road.operator("Fourth", 1 + THIRD / 1_000_000).await;
        let (id, mut submit) = case.sent("43405", 1).await;
        let order = [*cheap, *dear, third];
        for (hop, operator) in order.into_iter().enumerate().take(hops) {
            if hop > 0 {
                submit = road.one(operator).await;
                road.accepts(operator, &submit).await;
            }
            road.tells(operator, &submit, 1, ReceiptState::Undeliverable).await;
        }
        assert_eq!(road.stands(id).await, ("undelivered".to_owned(), Some("0b2".to_owned()), CLIENT_SUBMIT));
        assert_eq!(road.told().await, ["message.undelivered"], "{hops_max}");
        assert!(road.taken(fourth).await.is_empty());
        let costs: i64 = [BEELINE, UCELL, THIRD].iter().take(hops).sum();
        assert_eq!(road.record(id).await, (costs, hops - 1, 1));
        case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
    }
}

#[tokio::test]
async fn a_second_operator_that_leaves_no_margin_behind_the_first_is_not_asked() {
    let case = Case::with(Some(TWO)).await;
    let Case { road, cheap, dear } = &case;
    // The house earns 60: 46 alone would do, and not behind the 5 of the first and with 10 to earn.
    sqlx::query("UPDATE operator_rates SET price_micros = 46000000 WHERE operator_id = $1")
        .bind(dear.uuid())
        .execute(road.world.pool())
        .await
        .unwrap();
    sqlx::query("INSERT INTO margin_guards (id, min_micros, made_by, effective_from) VALUES ($1, 10000000, 'test', '2020-01-01')")
        .bind(uuid::Uuid::now_v7())
        .execute(road.world.pool())
        .await
        .unwrap();
    road.world.catalogue.refresh().await.unwrap();
    let (id, first) = case.sent("43405", 1).await;
    road.tells(*cheap, &first, 1, ReceiptState::Undeliverable).await;
    assert!(road.taken(*dear).await.is_empty());
    assert_eq!(road.stands(id).await, ("undelivered".to_owned(), Some("0b2".to_owned()), CLIENT_SUBMIT));
    let why: Vec<String> = sqlx::query_scalar(
        "SELECT code FROM message_events WHERE message_id = $1 AND source = 'route' AND code IS NOT NULL",
    )
    .bind(id.uuid())
    .fetch_all(road.world.pool())
    .await
    .unwrap();
    assert_eq!(why, ["below_margin"], "its history says why nobody else was asked");
    case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
}

#[tokio::test]
async fn an_operator_that_bills_deliveries_counts_in_the_margin_while_it_may_still_deliver() {
    // The house earns 60; the first operator takes so much on delivery, and the second 50.
    for (first_cost, goes_on) in [(9, true), (11, false)] {
        let case = Case::with(Some(TIMED)).await;
        let Case { road, cheap, dear } = &case;
        sqlx::query("UPDATE operator_rates SET charge_on = 'delivered', price_micros = $2 WHERE operator_id = $1")
            .bind(cheap.uuid())
            .bind(i64::from(first_cost) * 1_000_000)
            .execute(road.world.pool())
            .await
            .unwrap();
        sqlx::query("UPDATE operator_rates SET price_micros = 50000000 WHERE operator_id = $1")
            .bind(dear.uuid())
            .execute(road.world.pool())
            .await
            .unwrap();
        road.world.catalogue.refresh().await.unwrap();
        let (id, first) = case.late("43405").await;
        assert_eq!(road.taken(*dear).await.len(), usize::from(goes_on), "{first_cost}");
        if !goes_on {
            assert_eq!(road.stands(id).await.0, "sent");
        }
        road.tells(*cheap, &first, 1, ReceiptState::Delivered).await;
        assert_eq!(road.owed(*cheap).await, i64::from(first_cost) * 1_000_000);
        road.world.assert_books_are_right().await;
    }
}

#[tokio::test]
async fn a_late_delivery_of_the_first_operator_counts_once() {
    // What has happened to the second try by then, and whether its operator is paid.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Second {
        InTheQueue,
        Submitted,
        Answered,
    }
    for second in [Second::InTheQueue, Second::Submitted, Second::Answered] {
        let case = Case::with(Some(TWO)).await;
        let Case { road, cheap, dear } = &case;
        let (id, first) = case.sent("43404", 2).await;
        for segment in [1, 2] {
            // Two receipts for each part: a failure, and the truth later.
            road.tells(*cheap, &first, segment, ReceiptState::Undeliverable).await;
        }
        let submit = road.one(*dear).await;
        if second == Second::Answered {
            road.accepts(*dear, &submit).await;
        }
        // An operator that corrects itself: the parts are delivered after all.
        sqlx::query("UPDATE message_parts SET state = 'sent' WHERE hop = 0").execute(road.world.pool()).await.unwrap();
        for segment in [1, 2] {
            road.tells(*cheap, &first, segment, ReceiptState::Delivered).await;
        }
        assert_eq!(road.stands(id).await.0, "delivered", "{second:?}");
        let known = store::outcome::known(&road.world.db, &[(id, 1)]).await.unwrap();
        assert_eq!(known.len(), 1, "an edge that asks is told not to send it: {second:?}");
        if second == Second::Submitted {
            road.accepts(*dear, &submit).await;
        }
        let is_paid = second != Second::InTheQueue;
        if is_paid {
            road.tells(*dear, &submit, 1, ReceiptState::Delivered).await;
            road.tells(*dear, &submit, 2, ReceiptState::Undeliverable).await;
        }
        assert_eq!(road.told().await, ["message.delivered"], "{second:?}");
        let dear_costs = if is_paid { 2 * UCELL } else { 0 };
        case.assert_owed(2 * BEELINE, dear_costs).await;
        let records = 1 + i64::from(second == Second::Submitted);
        assert_eq!(road.record(id).await, (2 * BEELINE + dear_costs, 1, records), "{second:?}");
        for account in [road.world.client, road.world.reseller, road.world.house] {
            let exported = road.assert_export_adds_up(account).await;
            assert_eq!(i64::try_from(exported.len()), Ok(records), "{second:?}");
        }
        case.assert_wallets(2 * CLIENT_DELIVERED, 2 * RESELLER).await;
    }
}

#[tokio::test]
async fn without_a_receipt_in_time_it_goes_on_and_the_first_word_counts() {
    // Who says what in the end, in this order.
    use ReceiptState::{Delivered, Undeliverable};
    let rows: [(&[(usize, ReceiptState)], &str); 4] = [
        (&[(1, Delivered)], "delivered"),
        (&[(0, Delivered), (1, Delivered)], "delivered"),
        (&[(1, Undeliverable), (0, Delivered)], "delivered"),
        (&[(0, Undeliverable), (1, Undeliverable)], "undelivered"),
    ];
    for (words, end) in rows {
        let case = Case::with(Some(TIMED)).await;
        let Case { road, cheap, dear } = &case;
        let (id, first) = case.sent("43405", 1).await;
        assert_eq!(road.sweep.receipts().await.unwrap(), 0, "it is not late yet");
        road.clock.advance(Duration::from_secs(61));
        assert_eq!(road.sweep.receipts().await.unwrap(), 1);
        assert_eq!(road.sweep.receipts().await.unwrap(), 0, "once");
        road.route().await;
        let second = road.one(*dear).await;
        road.accepts(*dear, &second).await;
        for (who, state) in words {
            let (operator, submit) = [(*cheap, &first), (*dear, &second)][*who];
            road.tells(operator, submit, 1, *state).await;
        }
        assert_eq!(road.stands(id).await.0, end, "{words:?}");
        assert_eq!(road.told().await, [format!("message.{end}")], "{words:?}");
        case.assert_owed(BEELINE, UCELL).await;
        case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
    }
}

#[tokio::test]
async fn when_all_have_failed_it_ends_at_once_whoever_says_so_last() {
    // What each of two operators says, by whether its message goes on for want of a receipt first; which one speaks last.
    for (second_fails, last, code) in [
        (Fails::Undelivered, 0, "first"),
        (Fails::Undelivered, 1, "second"),
        (Fails::Refused, 0, "first"),
        (Fails::Refused, 1, "smpp_00000045"),
        (Fails::Lapsed, 0, "first"),
        (Fails::Lapsed, 1, "validity_expired"),
    ] {
        let case = Case::with(Some(TIMED)).await;
        let Case { road, cheap, dear } = &case;
        let (id, first) = case.late("43405").await;
        let second = road.one(*dear).await;
        for who in [1 - last, last] {
            assert_eq!(road.stands(id).await.0, "sent", "{second_fails:?} {last}");
            if who == 0 {
                road.explains(*cheap, &first, "first", Some(true)).await;
            } else {
                case.fails(&second, second_fails).await;
            }
        }
        let state = if (second_fails, last) == (Fails::Lapsed, 1) { "expired" } else { "undelivered" };
        assert_eq!(road.stands(id).await, (state.to_owned(), Some(code.to_owned()), CLIENT_SUBMIT));
        assert_eq!(road.told().await, [format!("message.{state}")], "{second_fails:?} {last}");
        let dear_costs = if second_fails == Fails::Undelivered { UCELL } else { 0 };
        case.assert_owed(BEELINE, dear_costs).await;
        assert_eq!(road.record(id).await, (BEELINE + dear_costs, 1, 1), "{second_fails:?} {last}");
        case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
    }
}

#[tokio::test]
async fn of_three_operators_the_last_word_ends_it_in_every_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let case = Case::with(Some(Policy { hops_max: 3, ..TIMED })).await;
        let Case { road, cheap, dear } = &case;
        let third = road.operator("Third", THIRD / 1_000_000).await;
        let (id, first) = case.late("43404").await;
        let second = road.one(*dear).await;
        road.accepts(*dear, &second).await;
        road.clock.advance(Duration::from_secs(61));
        road.sweep.receipts().await.unwrap();
        road.route().await;
        let last = road.one(third).await;
        road.accepts(third, &last).await;
        let submits = [(*cheap, &first), (*dear, &second), (third, &last)];
        for who in order {
            assert_eq!(road.stands(id).await.0, "sent", "{order:?} before {who}");
            let (operator, submit) = submits[who];
            road.explains(operator, submit, ["zero", "one", "two"][who], Some(true)).await;
        }
        let code = ["zero", "one", "two"][order[2]];
        assert_eq!(road.stands(id).await, ("undelivered".to_owned(), Some(code.to_owned()), 0), "{order:?}");
        assert_eq!(road.told().await, ["message.undelivered"], "{order:?}");
        assert_eq!(road.record(id).await, (BEELINE + UCELL + THIRD, 2, 1), "{order:?}");
        // What is charged on delivery is not charged; the reseller pays what was taken.
        case.assert_wallets(0, RESELLER).await;
    }
}

#[tokio::test]
async fn what_nobody_else_took_ends_with_the_word_of_the_one_before() {
    // A policy of three, and only two operators: the second fails while the first may still deliver.
    let case = Case::with(Some(Policy { hops_max: 3, ..TIMED })).await;
    let Case { road, cheap, dear } = &case;
    let (id, first) = case.late("43405").await;
    let second = road.one(*dear).await;
    case.fails(&second, Fails::Undelivered).await;
    assert_eq!(road.stands(id).await.0, "sent");
    road.explains(*cheap, &first, "first", Some(true)).await;
    assert_eq!(road.stands(id).await, ("undelivered".to_owned(), Some("first".to_owned()), CLIENT_SUBMIT));
    assert_eq!(road.told().await, ["message.undelivered"]);
    case.assert_owed(BEELINE, UCELL).await;
    case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
}

#[tokio::test]
async fn the_wait_for_a_receipt_begins_with_the_submit_and_ends_nothing_by_itself() {
    let case = Case::with(Some(TIMED)).await;
    let Case { road, cheap, dear } = &case;
    let id = road.send(case.message("43405", 1)).await;
    road.clock.advance(Duration::from_secs(100));
    assert_eq!(road.sweep.receipts().await.unwrap(), 1, "it waits for its submit, and is looked at again later");
    let first = road.one(*cheap).await;
    road.accepts(*cheap, &first).await;
    road.clock.advance(Duration::from_secs(59));
    road.sweep.receipts().await.unwrap();
    road.route().await;
    assert!(road.taken(*dear).await.is_empty());
    // Nobody else is there: it goes on waiting, and its receipt counts.
    sqlx::query("UPDATE operators SET enabled = false WHERE id = $1")
        .bind(dear.uuid())
        .execute(road.world.pool())
        .await
        .unwrap();
    road.world.catalogue.refresh().await.unwrap();
    road.clock.advance(Duration::from_secs(200));
    road.sweep.receipts().await.unwrap();
    road.route().await;
    assert_eq!(road.stands(id).await.0, "sent");
    road.tells(*cheap, &first, 1, ReceiptState::Delivered).await;
    assert_eq!(road.told().await, ["message.sent", "message.delivered"]);
    case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
}

#[tokio::test]
async fn of_several_parts_all_must_have_failed() {
    use ReceiptState::{Delivered, Undeliverable};
    // What comes of the two parts, in order; whether another operator gets the message.
    let rows = [
        (vec![(1, Undeliverable)], false, "sent"),
        (vec![(1, Undeliverable), (2, Undeliverable)], true, "sent"),
        (vec![(1, Undeliverable), (2, Delivered)], false, "undelivered"),
        (vec![(1, Delivered), (2, Undeliverable)], false, "undelivered"),
    ];
    for (words, goes_on, state) in rows {
        let case = Case::with(Some(TWO)).await;
        let Case { road, cheap, dear } = &case;
        let (id, first) = case.sent("43405", 2).await;
        for (segment, word) in &words {
            road.tells(*cheap, &first, *segment, *word).await;
        }
        assert_eq!(road.taken(*dear).await.len(), usize::from(goes_on), "{words:?}");
        assert_eq!(road.stands(id).await.0, state, "{words:?}");
        road.world.assert_books_are_right().await;
    }
}

#[tokio::test]
async fn a_submit_that_was_taken_in_part_goes_on_whole_where_its_policy_allows() {
    for (policy, charged, owed) in [(Some(TWO), 2, UCELL * 2), (None, 1, 0)] {
        let case = Case::with(policy).await;
        let Case { road, cheap, dear } = &case;
        let id = road.send(case.message("43405", 2)).await;
        let first = road.one(*cheap).await;
        road.answer(*cheap, &first, OutcomeClass::Temporary, &[0, REFUSED]).await;
        if policy.is_some() {
            let second = road.one(*dear).await;
            road.accepts(*dear, &second).await;
            road.tells(*dear, &second, 1, ReceiptState::Delivered).await;
            road.tells(*dear, &second, 2, ReceiptState::Delivered).await;
        }
        let (state, _, captured) = road.stands(id).await;
        assert_eq!(state, if policy.is_some() { "delivered" } else { "failed" });
        assert_eq!(captured, charged * CLIENT_SUBMIT);
        case.assert_owed(BEELINE, owed).await;
        case.assert_wallets(charged * CLIENT_SUBMIT, charged * RESELLER).await;
    }
}

#[tokio::test]
async fn what_the_next_operator_refuses_ends_undelivered_and_is_not_released() {
    for (class, code) in [(OutcomeClass::Temporary, "smpp_00000045"), (OutcomeClass::Permanent, "smpp_00000045")] {
        let case = Case::with(Some(TWO)).await;
        let Case { road, cheap, dear } = &case;
        let (id, first) = case.sent("43405", 1).await;
        road.tells(*cheap, &first, 1, ReceiptState::Undeliverable).await;
        let second = road.one(*dear).await;
        road.answer(*dear, &second, class, &[REFUSED]).await;
        assert_eq!(road.stands(id).await, ("undelivered".to_owned(), Some(code.to_owned()), CLIENT_SUBMIT));
        assert_eq!(road.told().await, ["message.undelivered"]);
        case.assert_owed(BEELINE, 0).await;
        case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
    }
}

#[tokio::test]
async fn nothing_is_sent_after_its_validity() {
    let case = Case::with(Some(TIMED)).await;
    let Case { road, cheap, dear } = &case;
    let (id, first) = case.sent("43405", 1).await;
    road.clock.set(road.now() + TimeDelta::days(2));
    road.sweep.receipts().await.unwrap();
    road.route().await;
    assert!(road.taken(*dear).await.is_empty());
    road.tells(*cheap, &first, 1, ReceiptState::Undeliverable).await;
    assert!(road.taken(*dear).await.is_empty());
    assert_eq!(road.stands(id).await.0, "undelivered");
    case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
}
