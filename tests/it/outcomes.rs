//! Money that depends on how a message ended: operators that bill what they deliver, errors that are billable, and receipts
//! that come after their message was given up.

use contract::ReceiptState;
use contract::profile::ReceiptMeaning;
use contract::{Receipt, Routed};
use domain::reroute::Policy;
use domain::{MessageId, Micros, OperatorId};
use store::ledger::Transfer;
use store::ledger::refund::{NewRefund, refund};

use crate::road::{Road, smpp_id};
use crate::world::{CLIENT_DELIVERED, CLIENT_SUBMIT, RESELLER, World};

/// What everybody begins with.
const BALANCE: i64 = 1_000_000_000_000;
/// The operators of the world, the cheaper first: cost of a segment.
const BEELINE: i64 = 5_000_000;
const UCELL: i64 = 15_000_000;
/// The client pays for this network on submit, and for that one on delivery.
const ON_SUBMIT: &str = "43405";
const ON_DELIVERY: &str = "43404";

/// How a message's operator speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Delivered,
    Undelivered,
    /// Undelivered, with an error that the operator's profile calls billable.
    Billable,
    Nothing,
}

struct Case {
    road: Road,
    cheap: OperatorId,
    dear: OperatorId,
}

impl Case {
    /// Rates and tariffs say so when they are taken.
    async fn with(rates: &str, on_unconfirmed: &str) -> Self {
        let world = World::with_balance(BALANCE).await;
        let [dear, cheap] = world.operators;
        for (operator, cost) in [(cheap, BEELINE), (dear, UCELL)] {
            sqlx::query("UPDATE operator_rates SET price_micros = $2, charge_on = $3 WHERE operator_id = $1")
                .bind(operator.uuid())
                .bind(cost)
                .bind(rates)
                .execute(world.pool())
                .await
                .unwrap();
        }
        sqlx::query("UPDATE tariffs SET on_unconfirmed = $1").bind(on_unconfirmed).execute(world.pool()).await.unwrap();
        world.catalogue.refresh().await.unwrap();
        Self { road: Road::of(world), cheap, dear }
    }

    /// A message that the cheap operator took.
    async fn sent(&self, network: &str, segments: u8) -> (MessageId, Routed) {
        let road = &self.road;
        let id = road.send(road.world.message(network, segments, road.now())).await;
        let submit = road.one(self.cheap).await;
        road.accepts(self.cheap, &submit).await;
        (id, submit)
    }

    async fn hears(&self, operator: OperatorId, submit: &Routed, word: Word) {
        let state = match word {
            Word::Nothing => return,
            Word::Delivered => ReceiptState::Delivered,
            Word::Undelivered | Word::Billable => ReceiptState::Undeliverable,
        };
        let billable = word == Word::Billable;
        let meaning =
            billable.then(|| ReceiptMeaning { code: "handset_full".to_owned(), billable, reroute: Some(false) });
        let receipts = (1..=submit.segments)
            .map(|segment| self.road.receipt(operator, smpp_id(submit, segment), state))
            .map(|receipt| Receipt { meaning: meaning.clone(), ..receipt });
        self.road.hears(&receipts.collect::<Vec<_>>()).await;
    }

    /// Validity and grace are over, and nothing was heard.
    async fn is_given_up(&self, id: MessageId) {
        sqlx::query("UPDATE messages SET due_at = now() - interval '1 minute' WHERE id = $1")
            .bind(id.uuid())
            .execute(self.road.world.pool())
            .await
            .unwrap();
        self.road.sweep.overdue().await.unwrap();
        assert_eq!(self.road.stands(id).await.0, "unconfirmed");
    }

    async fn assert_wallets(&self, client: i64, reseller: i64) {
        let world = &self.road.world;
        assert_eq!(world.wallet(world.client).await, (BALANCE - client, 0));
        assert_eq!(world.wallet(world.reseller).await, (BALANCE - reseller, 0));
        world.assert_books_are_right().await;
    }
}

#[tokio::test]
async fn an_operator_that_bills_deliveries_is_owed_for_what_it_delivered() {
    use Word::{Billable, Delivered, Nothing, Undelivered};
    // When rates and this network's tariff are taken, what is heard, and what is owed and charged for two segments.
    let rows = [
        ("submit", ON_SUBMIT, Delivered, 2 * BEELINE, 2 * CLIENT_SUBMIT),
        ("submit", ON_SUBMIT, Undelivered, 2 * BEELINE, 2 * CLIENT_SUBMIT),
        ("delivered", ON_SUBMIT, Delivered, 2 * BEELINE, 2 * CLIENT_SUBMIT),
        ("delivered", ON_SUBMIT, Undelivered, 0, 2 * CLIENT_SUBMIT),
        ("delivered", ON_SUBMIT, Billable, 2 * BEELINE, 2 * CLIENT_SUBMIT),
        ("delivered", ON_SUBMIT, Nothing, 0, 2 * CLIENT_SUBMIT),
        ("delivered", ON_DELIVERY, Delivered, 2 * BEELINE, 2 * CLIENT_DELIVERED),
        ("delivered", ON_DELIVERY, Undelivered, 0, 0),
        ("submit", ON_DELIVERY, Billable, 2 * BEELINE, 2 * CLIENT_DELIVERED),
        ("delivered", ON_DELIVERY, Nothing, 0, 0),
    ];
    for (rates, network, word, owed, charged) in rows {
        let case = Case::with(rates, "release").await;
        let Case { road, cheap, .. } = &case;
        let (id, submit) = case.sent(network, 2).await;
        if rates == "delivered" {
            assert_eq!(road.owed(*cheap).await, 0, "accepted is not delivered");
        }
        case.hears(*cheap, &submit, word).await;
        if word == Nothing {
            case.is_given_up(id).await;
        }
        let told = format!("{rates} {network} {word:?}");
        assert_eq!((road.owed(*cheap).await, road.stands(id).await.2), (owed, charged), "{told}");
        // What came before comes again, and changes nothing.
        case.hears(*cheap, &submit, word).await;
        assert_eq!(road.record(id).await, (owed, 0, 1), "{told}");
        case.assert_wallets(charged, 2 * RESELLER).await;
    }
}

#[tokio::test]
async fn each_operator_that_delivers_is_owed_in_whatever_order_they_say_so() {
    use Word::{Delivered, Undelivered};
    let timed = Policy { hops_max: 2, receipt_timeout_seconds: Some(60) };
    // What the first and the second operator say, who speaks first, and what is owed to each.
    let rows = [
        (Undelivered, Delivered, true, 0, UCELL),
        (Delivered, Undelivered, true, BEELINE, 0),
        (Delivered, Undelivered, false, BEELINE, 0),
        (Delivered, Delivered, true, BEELINE, UCELL),
        (Delivered, Delivered, false, BEELINE, UCELL),
    ];
    for (first, second, in_order, owed_first, owed_second) in rows {
        let case = Case::with("delivered", "release").await;
        let Case { road, cheap, dear } = &case;
        road.set_policy(timed).await;
        let (id, submit) = case.sent(ON_SUBMIT, 1).await;
        road.clock.advance(std::time::Duration::from_secs(61));
        road.sweep.receipts().await.unwrap();
        road.route().await;
        let again = road.one(*dear).await;
        road.accepts(*dear, &again).await;
        let mut words = [(*cheap, &submit, first), (*dear, &again, second)];
        if !in_order {
            words.reverse();
        }
        for (operator, submit, word) in words {
            case.hears(operator, submit, word).await;
        }
        let told = format!("{first:?} {second:?} {in_order}");
        assert_eq!(road.stands(id).await, ("delivered".to_owned(), None, CLIENT_SUBMIT), "{told}");
        assert_eq!((road.owed(*cheap).await, road.owed(*dear).await), (owed_first, owed_second), "{told}");
        assert_eq!(road.record(id).await.0, owed_first + owed_second, "{told}");
        case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
    }
}

#[tokio::test]
async fn two_operators_that_deliver_are_owed_when_both_say_so_in_one_envelope() {
    let timed = Policy { hops_max: 2, receipt_timeout_seconds: Some(60) };
    for (in_order, is_over) in [(true, false), (false, false), (true, true), (false, true)] {
        let case = Case::with("delivered", "release").await;
        let Case { road, cheap, dear } = &case;
        road.set_policy(timed).await;
        let (id, submit) = case.sent(ON_SUBMIT, 1).await;
        road.clock.advance(std::time::Duration::from_secs(61));
        road.sweep.receipts().await.unwrap();
        road.route().await;
        let again = road.one(*dear).await;
        road.accepts(*dear, &again).await;
        if is_over {
            case.is_given_up(id).await;
        }
        let words = [(*cheap, &submit), (*dear, &again)];
        let receipt = |(operator, submit)| road.receipt(operator, smpp_id(submit, 1), ReceiptState::Delivered);
        let mut receipts: Vec<Receipt> = words.into_iter().map(receipt).collect();
        if !in_order {
            receipts.reverse();
        }
        road.hears(&receipts).await;
        let told = format!("in order {in_order}, over {is_over}");
        assert_eq!((road.owed(*cheap).await, road.owed(*dear).await), (BEELINE, UCELL), "{told}");
        assert_eq!(road.record(id).await.0, BEELINE + UCELL, "{told}");
        case.assert_wallets(CLIENT_SUBMIT, RESELLER).await;
    }
}

#[tokio::test]
async fn a_late_receipt_corrects_what_was_given_up_as_the_tariff_says() {
    use Word::{Billable, Delivered, Undelivered};
    // The tariff, what is charged when nothing came, what comes late, and what is charged then.
    let rows = [
        ("release", 0, Delivered, CLIENT_DELIVERED),
        ("release", 0, Undelivered, 0),
        ("release", 0, Billable, CLIENT_DELIVERED),
        ("capture", CLIENT_DELIVERED, Delivered, CLIENT_DELIVERED),
        ("capture", CLIENT_DELIVERED, Undelivered, 0),
        ("capture", CLIENT_DELIVERED, Billable, CLIENT_DELIVERED),
    ];
    for (on_unconfirmed, charged, word, then) in rows {
        let case = Case::with("delivered", on_unconfirmed).await;
        let Case { road, cheap, .. } = &case;
        let (id, submit) = case.sent(ON_DELIVERY, 1).await;
        case.is_given_up(id).await;
        assert_eq!(road.stands(id).await.2, charged);
        case.assert_wallets(charged, RESELLER).await;
        case.hears(*cheap, &submit, word).await;
        case.hears(*cheap, &submit, word).await;
        let told = format!("{on_unconfirmed} {word:?}");
        assert_eq!(road.stands(id).await.2, then, "{told}");
        assert_eq!(road.owed(*cheap).await, if word == Undelivered { 0 } else { BEELINE }, "{told}");
        case.assert_wallets(then, RESELLER).await;
        let lines = "SELECT count(*) FROM balance_ledger WHERE ledger = 'wallet' AND reason = 'late receipt'
            AND entry_id IN (SELECT entry_id FROM entry_messages)";
        assert_eq!(road.world.count(lines).await, i64::from(then != charged), "{told}");
    }
}

#[tokio::test]
async fn a_late_delivery_is_free_where_the_wallet_has_not_enough_and_a_refund_is_not_given_twice() {
    let case = Case::with("submit", "release").await;
    let Case { road, cheap, .. } = &case;
    let (id, submit) = case.sent(ON_DELIVERY, 1).await;
    case.is_given_up(id).await;
    let world = &road.world;
    let (reason, actor) = ("all of it but a millionth less than the price".to_owned(), "test".to_owned());
    let amount = Micros::new(BALANCE - CLIENT_DELIVERED + 1);
    let transfer = Transfer { from: world.client, to: world.reseller, amount, reason, actor };
    let mut tx = world.db.begin().await.unwrap();
    store::ledger::transfer(&mut tx, &transfer).await.unwrap();
    tx.commit().await.unwrap();
    case.hears(*cheap, &submit, Word::Delivered).await;
    assert_eq!(road.stands(id).await, ("delivered".to_owned(), Some("no_receipt".to_owned()), 0));
    assert_eq!(world.wallet(world.client).await, (CLIENT_DELIVERED - 1, 0));
    world.assert_books_are_right().await;

    let case = Case::with("submit", "capture").await;
    let Case { road, cheap, .. } = &case;
    let (id, submit) = case.sent(ON_DELIVERY, 1).await;
    case.is_given_up(id).await;
    let (reason, actor) = ("it did not help".to_owned(), "test".to_owned());
    let new = NewRefund { message: id, segments: None, reason, actor };
    let mut tx = road.world.db.begin().await.unwrap();
    refund(&mut tx, &road.world.db, road.world.house, &new).await.unwrap();
    tx.commit().await.unwrap();
    case.hears(*cheap, &submit, Word::Undelivered).await;
    assert_eq!(road.stands(id).await.0, "undelivered");
    case.assert_wallets(0, 0).await;
}
