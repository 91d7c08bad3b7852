//! Rules that say whose the messages to a number are.

use domain::inbound::Rule;
use domain::{AccountId, InboundRuleId, OperatorId, SmppSystemId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// A rule as it is stored.
struct Row {
    id: Uuid,
    account_id: Uuid,
    number: String,
    operator_id: Option<Uuid>,
    keyword: Option<String>,
    smpp_system_id: Option<Uuid>,
    url: Option<String>,
    stop_words: Vec<String>,
    start_words: Vec<String>,
}

impl From<Row> for Rule {
    fn from(row: Row) -> Self {
        Self {
            id: InboundRuleId::from_uuid(row.id),
            account: AccountId::from_uuid(row.account_id),
            number: row.number,
            operator: row.operator_id.map(OperatorId::from_uuid),
            keyword: row.keyword,
            system: row.smpp_system_id.map(SmppSystemId::from_uuid),
            url: row.url,
            stop_words: row.stop_words,
            start_words: row.start_words,
        }
    }
}

/// The rules of `numbers`. A system that was deleted gets nothing more.
pub async fn of_numbers(connection: &mut PgConnection, numbers: &[&str]) -> Result<Vec<Rule>, Error> {
    let rows = query_as!(
        Row,
        r#"SELECT r.id, r.account_id, r.number, r.operator_id, r.keyword, s.id AS "smpp_system_id?", r.url,
               r.stop_words, r.start_words
           FROM inbound_rules r LEFT JOIN smpp_systems s ON s.id = r.smpp_system_id AND s.deleted_at IS NULL
           WHERE r.number = ANY ($1)"#,
        numbers as &[&str]
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Rule::from).collect())
}

/// Stores a new rule. The constraint `inbound_rules_once` refuses one whose number, operator and keyword are taken.
/// `false`: the account is not in the tenant's subtree, or the SMPP system is not the account's.
pub async fn create(tx: &mut PgConnection, tenant: AccountId, rule: &Rule) -> Result<bool, Error> {
    let made = query!(
        "INSERT INTO inbound_rules (id, account_id, number, operator_id, keyword, smpp_system_id, url, stop_words,
            start_words)
         SELECT $2, a.id, $4, $5, $6, $7, $8, $9, $10 FROM accounts a
         WHERE a.id = $3 AND a.path @> ARRAY[$1::uuid] AND ($7::uuid IS NULL OR EXISTS (
            SELECT FROM smpp_systems s WHERE s.id = $7 AND s.account_id = a.id AND s.deleted_at IS NULL))",
        tenant.uuid(),
        rule.id.uuid(),
        rule.account.uuid(),
        rule.number,
        rule.operator.map(OperatorId::uuid),
        rule.keyword.as_deref(),
        rule.system.map(SmppSystemId::uuid),
        rule.url.as_deref(),
        &rule.stop_words,
        &rule.start_words
    )
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// Changes where the messages of a rule go and which words do something. `false`: there is no such rule in the
/// tenant's subtree, or the SMPP system is not the account's.
pub async fn change(tx: &mut PgConnection, tenant: AccountId, rule: &Rule) -> Result<bool, Error> {
    let done = query!(
        "UPDATE inbound_rules r SET smpp_system_id = $3, url = $4, stop_words = $5, start_words = $6 FROM accounts a
         WHERE r.id = $2 AND a.id = r.account_id AND a.path @> ARRAY[$1::uuid] AND ($3::uuid IS NULL OR EXISTS (
            SELECT FROM smpp_systems s WHERE s.id = $3 AND s.account_id = a.id AND s.deleted_at IS NULL))",
        tenant.uuid(),
        rule.id.uuid(),
        rule.system.map(SmppSystemId::uuid),
        rule.url.as_deref(),
        &rule.stop_words,
        &rule.start_words
    )
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes a rule; answers whose it was. `None`: there is no such rule in the tenant's subtree.
pub async fn delete(tx: &mut PgConnection, tenant: AccountId, id: InboundRuleId) -> Result<Option<AccountId>, Error> {
    let row = query!(
        "DELETE FROM inbound_rules r USING accounts a
         WHERE r.id = $2 AND a.id = r.account_id AND a.path @> ARRAY[$1::uuid] RETURNING r.account_id",
        tenant.uuid(),
        id.uuid()
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| AccountId::from_uuid(row.account_id)))
}

/// The rules of the tenant's subtree, newest first; one of them where it is named.
pub async fn list(db: &Db, tenant: AccountId, id: Option<InboundRuleId>, page: Page) -> Result<Vec<Rule>, Error> {
    let rows = query_as!(
        Row,
        "SELECT r.id, r.account_id, r.number, r.operator_id, r.keyword, r.smpp_system_id, r.url, r.stop_words,
            r.start_words
         FROM inbound_rules r JOIN accounts a ON a.id = r.account_id
         WHERE a.path @> ARRAY[$1::uuid] AND ($2::uuid IS NULL OR r.id = $2) AND r.id < $3
         ORDER BY r.id DESC LIMIT $4",
        tenant.uuid(),
        id.map(InboundRuleId::uuid),
        page.end(),
        page.limit()
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows.into_iter().map(Rule::from).collect())
}
