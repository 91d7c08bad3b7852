//! What must be true of the books: the product's own checks, and the model's word on every balance.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::{AccountId, MessageId, OperatorId};
use uuid::Uuid;

use super::life::Life;
use super::model::{Books, Stand, Wallet};

impl Life {
    /// Messages that have not ended.
    pub(super) async fn open(&self) -> Vec<MessageId> {
        let open: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM messages WHERE state_rank < 8")
            .fetch_all(self.firm.road.world.pool())
            .await
            .unwrap();
        open.into_iter().map(MessageId::from_uuid).collect()
    }

    /// What is true of the books whatever happened, in one statement: after every step.
    pub(super) async fn assert_cheap(&self, step: usize) {
        let wrong: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM account_balances
                 WHERE posted_micros + credit_limit_micros - held_micros < 0 OR held_micros < 0)
             + (SELECT count(*) FROM (
                 SELECT FROM balance_ledger GROUP BY entry_id, currency HAVING sum(posted_micros) <> 0) s)
             + (SELECT count(*) FROM (SELECT FROM balance_ledger l JOIN accounts a ON a.id = l.account_id
                 WHERE l.ledger = 'revenue' OR l.ledger = 'wallet' AND l.operation IN ('capture', 'refund', 'lookup')
                 GROUP BY l.entry_id, l.currency, CASE l.ledger WHEN 'revenue' THEN a.id ELSE a.parent_id END
                 HAVING sum(l.posted_micros) <> 0) s)
             + (SELECT count(*) FROM messages m WHERE (m.state_rank >= 8) <> EXISTS (SELECT FROM sms_cdr c
                 WHERE c.message_id = m.id AND c.correction = m.corrections + m.late_costs
                     AND c.price_micros = m.captured_micros AND c.state = m.state))
             + (SELECT count(*) FROM account_balances b, LATERAL (
                 SELECT coalesce(sum(l.posted_micros), 0) AS posted, coalesce(sum(l.held_micros), 0) AS held
                 FROM balance_ledger l WHERE l.account_id = b.account_id AND l.ledger = 'wallet') AS fold
                 WHERE b.posted_micros <> fold.posted OR b.held_micros <> fold.held)",
        )
        .fetch_one(self.firm.road.world.pool())
        .await
        .unwrap();
        assert_eq!(wrong, 0, "seed {}, step {step}", self.seed);
    }

    /// The product's own checks, and the model.
    pub(super) async fn assert_books(&self) {
        let violations = store::ledger::verify(&self.firm.road.world.db).await.unwrap();
        assert!(violations.is_empty(), "seed {}: {violations:#?}", self.seed);
        self.assert_model(usize::MAX).await;
    }

    /// Every balance is what the model says, to the micro.
    pub(super) async fn assert_model(&self, step: usize) {
        let (kept, due) = (self.kept().await, self.due().await);
        assert_eq!(kept, due, "seed {}, step {step}: the books (left) and the model (right)", self.seed);
    }

    pub(super) async fn assert_nothing_is_open(&self) {
        assert!(self.open().await.is_empty(), "seed {}", self.seed);
        for (account, wallet) in self.kept().await.wallets {
            assert_eq!(wallet.held, 0, "seed {}: {account} still holds something", self.seed);
        }
        self.assert_reports().await;
    }

    /// Everything has ended: what the reports say that each seller earned is what the books say.
    async fn assert_reports(&self) {
        let road = &self.firm.road;
        store::traffic::fold(&road.world.db).await.unwrap();
        let counted: Vec<(Uuid, i64)> = sqlx::query_as(
            "SELECT viewer_id, sum(revenue_micros - revenue_refunded_micros)::bigint FROM traffic_counters GROUP BY 1
             HAVING sum(revenue_micros - revenue_refunded_micros) <> 0",
        )
        .fetch_all(road.world.pool())
        .await
        .unwrap();
        let counted: BTreeMap<AccountId, i64> =
            counted.into_iter().map(|(id, sum)| (AccountId::from_uuid(id), sum)).collect();
        assert_eq!(
            counted,
            self.firm.model.earned_by_messages(self.kept().await.revenue),
            "seed {}: reports (left) and books (right)",
            self.seed
        );
    }

    /// What the model says.
    pub(super) async fn due(&self) -> Books {
        type Row = (Uuid, String, i16, Option<String>);
        let pool = self.firm.road.world.pool();
        let messages: Vec<Row> =
            sqlx::query_as("SELECT id, state, state_rank, outcome FROM messages").fetch_all(pool).await.unwrap();
        let routed: Vec<(Uuid, Uuid, DateTime<Utc>)> = sqlx::query_as(
            "SELECT message_id, operator_id, at FROM message_events
             WHERE state = 'queued' AND source = 'route' ORDER BY at",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let mut stands: HashMap<MessageId, Stand> = HashMap::new();
        for (id, state, rank, outcome) in messages {
            let (is_final, is_delivered) = (rank >= 8, state == "delivered");
            let stand = Stand { is_final, is_delivered, outcome, delivered_hops: Vec::new(), routed_at: Vec::new() };
            stands.insert(MessageId::from_uuid(id), stand);
        }
        let delivered: Vec<(Uuid, i16)> =
            sqlx::query_as("SELECT message_id, hop FROM message_parts GROUP BY 1, 2 HAVING every(state = 'delivered')")
                .fetch_all(pool)
                .await
                .unwrap();
        for (id, hop) in delivered {
            let stand = stands.get_mut(&MessageId::from_uuid(id)).unwrap();
            stand.delivered_hops.push(u8::try_from(hop).unwrap());
        }
        for (id, operator, at) in routed {
            let stand = stands.get_mut(&MessageId::from_uuid(id)).unwrap();
            stand.routed_at.push((OperatorId::from_uuid(operator), at));
        }
        self.firm.model.books(&stands)
    }

    /// What the books say.
    pub(super) async fn kept(&self) -> Books {
        let pool = self.firm.road.world.pool();
        let mut books = Books::default();
        let wallets: Vec<(Uuid, i64, i64)> =
            sqlx::query_as("SELECT account_id, posted_micros, held_micros FROM account_balances")
                .fetch_all(pool)
                .await
                .unwrap();
        for (account, posted, held) in wallets {
            books.wallets.insert(AccountId::from_uuid(account), Wallet { posted, held });
        }
        books.revenue = self
            .sums("revenue", "account_id")
            .await
            .into_iter()
            .map(|(id, sum)| (AccountId::from_uuid(id), sum))
            .collect();
        books.suppliers = self
            .sums("supplier", "operator_id")
            .await
            .into_iter()
            .map(|(id, sum)| (OperatorId::from_uuid(id), sum))
            .collect();
        let exchanges: Vec<(Uuid, i64, i64)> = sqlx::query_as(
            "SELECT operator_id, -coalesce(sum(posted_micros) FILTER (WHERE ledger = 'supplier_cost'), 0)::bigint,
                 -coalesce(sum(posted_micros) FILTER (WHERE ledger = 'fx_spread'), 0)::bigint
             FROM balance_ledger WHERE operation = 'exchange' AND currency = 'UZS' GROUP BY 1",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        books.exchanges =
            exchanges.into_iter().map(|(id, sum, cost)| (OperatorId::from_uuid(id), (sum, cost))).collect();
        let records: Vec<(Uuid, i64, i64)> = sqlx::query_as(
            "SELECT DISTINCT ON (message_id) message_id, price_micros, converted_micros FROM sms_cdr
             ORDER BY message_id, correction DESC",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        books.records =
            records.into_iter().map(|(id, price, cost)| (MessageId::from_uuid(id), (price, cost))).collect();
        books
    }

    async fn sums(&self, ledger: &str, by: &'static str) -> BTreeMap<Uuid, i64> {
        let sql = match by {
            "operator_id" => {
                "SELECT operator_id, sum(posted_micros)::bigint FROM balance_ledger WHERE ledger = $1 GROUP BY 1
                 HAVING sum(posted_micros) <> 0"
            }
            _ => {
                "SELECT account_id, sum(posted_micros)::bigint FROM balance_ledger WHERE ledger = $1 GROUP BY 1
                 HAVING sum(posted_micros) <> 0"
            }
        };
        let sums: Vec<(Uuid, i64)> =
            sqlx::query_as(sql).bind(ledger).fetch_all(self.firm.road.world.pool()).await.unwrap();
        sums.into_iter().collect()
    }
}
