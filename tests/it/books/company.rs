//! A house, a reseller, a reseller below it and a client below that; another client; three operators, of which one
//! takes another currency. Prices, rates and exchange rates change.

use chrono::{DateTime, TimeDelta, Utc};
use domain::fx::{ExchangeRate, Ratio};
use domain::lookup::Provider;
use domain::reroute::Policy;
use domain::{AccountId, ExchangeRateId, OperatorId};
use store::exchange_rates::{Made, publish};
use uuid::Uuid;

use super::acts;
use super::model::{Charge, Model, is_odd};
use crate::road::Road;
use crate::world::{self, World};

/// What every wallet begins with, in micros: enough for a while, so that some messages are refused in the end.
const BALANCE: i64 = 4_000_000_000;
pub(super) const NETWORKS: [&str; 2] = ["43405", "43404"];
const CURRENCY: &str = "UZS";
/// What the last operator takes.
const OTHER: &str = "EUR";
/// One of it in the currency of the prices, about.
pub(super) const PARITY: i64 = 10_000;

/// The firm, and the model of its business.
pub(super) struct Firm {
    pub(super) road: Road,
    pub(super) model: Model,
    /// The first is the house; each other's parent is below.
    pub(super) accounts: Vec<AccountId>,
    /// Who sends.
    pub(super) senders: [AccountId; 3],
    pub(super) operators: Vec<OperatorId>,
    /// Who is asked about numbers.
    pub(super) provider: Provider,
}

impl Firm {
    pub(super) async fn new() -> Self {
        let world = World::with_balance(BALANCE).await;
        let (house, reseller, client) = (world.house, world.reseller, world.client);
        let sub = world::account(world.pool(), Some(&[house, reseller]), "reseller").await;
        let deep = world::account(world.pool(), Some(&[house, reseller, sub]), "client").await;
        for id in [sub, deep] {
            world::fund(&world.db, id, BALANCE, "account").await;
        }
        let mut model = Model::new(house);
        let accounts = vec![house, reseller, sub, deep, client];
        for (account, parent) in [(reseller, house), (sub, reseller), (deep, sub), (client, reseller)] {
            model.adopt(account, parent);
        }
        for account in &accounts {
            model.pay_in(*account, BALANCE);
        }
        let provider = acts::provider(&world).await;
        let third = world.one_more_operator("Third", 20).await;
        let operators = vec![world.operators[0], world.operators[1], third];
        let mut firm =
            Self { road: Road::of(world), model, accounts, senders: [client, deep, sub], operators, provider };
        firm.first_prices().await;
        firm.road.set_policy(Policy { hops_max: 3, receipt_timeout_seconds: Some(60) }).await;
        firm
    }

    /// Every seller's prices anew, known to the model.
    async fn first_prices(&mut self) {
        use Charge::{Delivered, Submit};
        let long_ago = self.road.now() - TimeDelta::days(10);
        let [_, reseller, sub, deep, client] = self.accounts[..] else { panic!("five accounts") };
        sqlx::query("UPDATE accounts SET plan_id = NULL").execute(self.road.world.pool()).await.unwrap();
        sqlx::query("DELETE FROM tariffs").execute(self.road.world.pool()).await.unwrap();
        let rows = [
            (reseller, [(60, Submit), (61, Submit)]),
            (sub, [(70, Delivered), (71, Submit)]),
            (deep, [(80, Submit), (81, Delivered)]),
            (client, [(75, Submit), (76, Delivered)]),
        ];
        for (payer, prices) in rows {
            self.road.world.new_plan(payer).await;
            for (network, (price, charge)) in NETWORKS.into_iter().zip(prices) {
                self.set_price(payer, network, (price * 1_000_000, charge), long_ago).await;
            }
        }
        sqlx::query("DELETE FROM operator_rates").execute(self.road.world.pool()).await.unwrap();
        self.model.is_stranger(self.operators[2]);
        self.set_exchange((PARITY * 1_000_000_000, 5_000), long_ago).await;
        for (operator, cost) in self.operators.clone().into_iter().zip([15, 5, 20]) {
            self.set_rate(operator, cost * 1_000_000, long_ago).await;
        }
        self.road.world.catalogue.refresh().await.unwrap();
    }

    /// From `from` on, an account pays so much for a segment.
    pub(super) async fn set_price(
        &mut self,
        payer: AccountId,
        network: &'static str,
        (price, charge): (i64, Charge),
        from: DateTime<Utc>,
    ) {
        let pool = self.road.world.pool();
        let mnc = &network[3..];
        sqlx::query(
            "UPDATE tariffs SET effective_to = $3 WHERE effective_to IS NULL AND mnc = $2
             AND plan_id = (SELECT plan_id FROM accounts WHERE id = $1)",
        )
        .bind(payer.uuid())
        .bind(mnc)
        .bind(from)
        .execute(pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO tariffs (id, plan_id, mcc, mnc, price_micros, charge_on, effective_from, on_unconfirmed)
             SELECT $1, plan_id, '434', $3, $4, $5, $6, $7 FROM accounts WHERE id = $2",
        )
        .bind(Uuid::now_v7())
        .bind(payer.uuid())
        .bind(mnc)
        .bind(price)
        .bind(if charge == Charge::Submit { "submit" } else { "delivered" })
        .bind(from)
        .bind(if is_odd(price) { "capture" } else { "release" })
        .execute(pool)
        .await
        .unwrap();
        self.model.set_price(payer, network, from, (price, charge));
    }

    /// From `from` on, an operator takes about so much for a segment, in the currency of the prices.
    pub(super) async fn set_rate(&mut self, operator: OperatorId, cost: i64, from: DateTime<Utc>) {
        let on_delivery = is_odd(cost);
        let (cost, currency) = if operator == self.operators[2] { (cost / PARITY, OTHER) } else { (cost, CURRENCY) };
        let pool = self.road.world.pool();
        sqlx::query("UPDATE operator_rates SET effective_to = $2 WHERE effective_to IS NULL AND operator_id = $1")
            .bind(operator.uuid())
            .bind(from)
            .execute(pool)
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO operator_rates (id, operator_id, mcc, price_micros, currency, effective_from, charge_on)
             VALUES ($1, $2, '434', $3, $5, $4, $6)",
        )
        .bind(Uuid::now_v7())
        .bind(operator.uuid())
        .bind(cost)
        .bind(from)
        .bind(currency)
        .bind(if on_delivery { "delivered" } else { "submit" })
        .execute(pool)
        .await
        .unwrap();
        self.model.set_rate(operator, from, (cost, on_delivery));
    }

    /// From `from` on, one of the other currency is so much (in 10⁻⁹) of that of the prices, and its exchange costs so many
    /// millionths.
    pub(super) async fn set_exchange(&mut self, (nanos, spread_ppm): (i64, u32), from: DateTime<Utc>) {
        let rate = ExchangeRate {
            id: ExchangeRateId::generate(),
            ratio: Ratio::new(nanos).unwrap(),
            spread_ppm,
            from,
            to: None,
        };
        let pair = (OTHER.parse().unwrap(), CURRENCY.parse().unwrap());
        let made = Made { rate, pair, reason: String::new(), made_by: "test".to_owned() };
        let mut tx = self.road.world.db.begin().await.unwrap();
        publish(&mut tx, &made).await.unwrap();
        tx.commit().await.unwrap();
        self.model.set_exchange(from, (nanos, spread_ppm));
    }
}
