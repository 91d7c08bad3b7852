//! A small company to test with: a house, a reseller and a client, two operators, prices and prefixes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contract::{Encoding, queues};
use domain::tariff::Chain;
use domain::{AccountId, MessageId, Network, Number, OperatorId, PlanId, Private, Sender};
use queue::Queue;
use sqlx::PgPool;
use store::accept::NewMessage;
use store::holder::Holder;
use store::{Db, Publish};
use testkit::Database;
use uuid::Uuid;

/// What the client pays for a segment to 434 05, charged on submit.
pub(crate) const CLIENT_SUBMIT: i64 = 80_000_000;
/// What the client pays for a segment to 434 04, charged on delivery.
pub(crate) const CLIENT_DELIVERED: i64 = 90_000_000;
/// What the reseller pays for a segment anywhere, charged on submit.
pub(crate) const RESELLER: i64 = 60_000_000;

/// The company, over a database of its own.
pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) catalogue: Arc<Holder>,
    pub(crate) house: AccountId,
    pub(crate) reseller: AccountId,
    pub(crate) client: AccountId,
    pub(crate) operators: [OperatorId; 2],
    database: Database,
}

impl World {
    /// A company whose reseller and client have `balance` micros each.
    pub(crate) async fn with_balance(balance: i64) -> Self {
        let database = Database::fresh().await;
        let db = Db::open(&database.url(), Publish::InTransaction).unwrap();
        let queue = queue::open(&database.url()).await.unwrap();
        for name in queues::ALWAYS {
            queue.create(name).await.unwrap();
        }
        let house = account(database.pool(), None, "admin").await;
        let reseller = account(database.pool(), Some(&[house]), "reseller").await;
        let client = account(database.pool(), Some(&[house, reseller]), "client").await;
        for (id, who) in [(house, "house"), (reseller, "reseller"), (client, "client")] {
            fund(&db, id, balance, who).await;
        }
        price(database.pool(), house, reseller, &[("434", None, RESELLER, "submit")]).await;
        let own = [("434", Some("05"), CLIENT_SUBMIT, "submit"), ("434", Some("04"), CLIENT_DELIVERED, "delivered")];
        price(database.pool(), reseller, client, &own).await;
        let operators =
            [operator(&database, &queue, "Ucell", 50).await, operator(&database, &queue, "Beeline", 45).await];
        sqlx::query("INSERT INTO mcc_mnc_prefixes (id, prefix, mcc, mnc) VALUES ($1, '99893', '434', '05'), ($2, '99890', '434', '04')")
            .bind(Uuid::now_v7())
            .bind(Uuid::now_v7())
            .execute(database.pool())
            .await
            .unwrap();
        let catalogue = Holder::load(db.clone()).await.unwrap();
        Self { db, queue, catalogue, house, reseller, client, operators, database }
    }

    /// Where the database is.
    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    /// The database itself.
    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// A message of the client that is ready to be accepted.
    pub(crate) fn message(&self, network: &str, segments: u8, now: DateTime<Utc>) -> NewMessage {
        let network: Network = network.parse().unwrap();
        let chain: Chain = self.catalogue.get().chain(self.client, network, None, now).unwrap();
        self.message_like(&network.to_string(), segments, now, chain)
    }

    /// The same under another chain of prices.
    pub(crate) fn message_like(&self, network: &str, segments: u8, now: DateTime<Utc>, chain: Chain) -> NewMessage {
        let network: Network = network.parse().unwrap();
        NewMessage {
            id: MessageId::generate(),
            account_id: self.client,
            to: Number::parse("998901234567").unwrap(),
            from: Sender::parse("TestCompany").unwrap(),
            text: Private::new("hello"),
            encoding: Encoding::Gsm7,
            segments,
            mcc_mnc: network,
            traffic_class: None,
            template: None,
            chain: Arc::new(chain),
            client_reference: None,
            status_url: None,
            metadata: None,
            expires_at: now + chrono::TimeDelta::days(1),
            scheduled_at: None,
            created_at: now,
            capped_key: None,
            smpp: None,
        }
    }

    /// What is posted and held in a wallet, in micros.
    pub(crate) async fn wallet(&self, account: AccountId) -> (i64, i64) {
        let balance = store::ledger::balance(&self.db, account).await.unwrap().unwrap();
        (balance.posted.get(), balance.held.get())
    }

    /// Fails with what `chappe ledger verify` would say.
    pub(crate) async fn assert_books_are_right(&self) {
        let violations = store::ledger::verify(&self.db).await.unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }

    /// An account gets a price list of its own, empty.
    pub(crate) async fn new_plan(&self, payer: AccountId) {
        price(self.pool(), self.house, payer, &[]).await;
    }

    /// One more operator, that costs so much in the major unit.
    pub(crate) async fn one_more_operator(&self, name: &str, cost: i64) -> OperatorId {
        operator(&self.database, &self.queue, name, cost).await
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }
}

pub(crate) async fn account(pool: &PgPool, above: Option<&[AccountId]>, role: &str) -> AccountId {
    let id = AccountId::generate();
    let mut path: Vec<Uuid> = above.unwrap_or_default().iter().map(|a| a.uuid()).collect();
    let parent = path.last().copied();
    path.push(id.uuid());
    sqlx::query("INSERT INTO accounts (id, parent_id, path, name, role, currency) VALUES ($1, $2, $3, $4, $4, 'UZS')")
        .bind(id.uuid())
        .bind(parent)
        .bind(path)
        .bind(role)
        .execute(pool)
        .await
        .unwrap();
    id
}

pub(crate) async fn fund(db: &Db, account: AccountId, balance: i64, who: &str) {
    let mut tx = db.begin().await.unwrap();
    let zero = domain::Micros::ZERO;
    store::ledger::open_wallet(&mut tx, account, "UZS".parse().unwrap(), zero).await.unwrap();
    let amount = domain::Micros::new(balance);
    let top_up = store::ledger::TopUp { account, amount, reason: format!("for the {who}"), actor: "test".into() };
    store::ledger::top_up(&mut tx, &top_up).await.unwrap();
    tx.commit().await.unwrap();
}

pub(crate) async fn price(
    pool: &PgPool,
    seller: AccountId,
    payer: AccountId,
    prices: &[(&str, Option<&str>, i64, &str)],
) {
    let plan = PlanId::generate();
    sqlx::query("INSERT INTO tariff_plans (id, owner_account_id, name, currency) VALUES ($1, $2, $3, 'UZS')")
        .bind(plan.uuid())
        .bind(seller.uuid())
        .bind(plan.to_string())
        .execute(pool)
        .await
        .unwrap();
    for (mcc, mnc, price, charge_on) in prices {
        sqlx::query("INSERT INTO tariffs (id, plan_id, mcc, mnc, price_micros, charge_on, effective_from) VALUES ($1, $2, $3, $4, $5, $6, '2020-01-01')")
            .bind(Uuid::now_v7())
            .bind(plan.uuid())
            .bind(mcc)
            .bind(mnc)
            .bind(price)
            .bind(charge_on)
            .execute(pool)
            .await
            .unwrap();
    }
    sqlx::query("UPDATE accounts SET plan_id = $1 WHERE id = $2")
        .bind(plan.uuid())
        .bind(payer.uuid())
        .execute(pool)
        .await
        .unwrap();
}

async fn operator(database: &Database, queue: &Arc<dyn Queue>, name: &str, cost: i64) -> OperatorId {
    let id = OperatorId::generate();
    sqlx::query("INSERT INTO operators (id, name, host, port, system_id, password_sealed) VALUES ($1, $2, '127.0.0.1', 1, 'x', '')")
        .bind(id.uuid())
        .bind(name)
        .execute(database.pool())
        .await
        .unwrap();
    sqlx::query("INSERT INTO operator_rates (id, operator_id, mcc, price_micros, currency, effective_from) VALUES ($1, $2, '434', $3, 'UZS', '2020-01-01')")
        .bind(Uuid::now_v7())
        .bind(id.uuid())
        .bind(cost * 1_000_000)
        .execute(database.pool())
        .await
        .unwrap();
    queue.create(&queues::submit(id)).await.unwrap();
    id
}
