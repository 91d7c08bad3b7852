//! Look-ups of numbers: providers (the house's), what accounts agreed to, what was answered, and what it cost.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::lookup::{Provider, Terms};
use domain::{AccountId, LookupProviderId, Micros, Network, Number};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::advance::currency_of;
use crate::page::{narrow, parse};
use crate::{Db, Error};

/// Answers that one look of the sweep drops.
const SWEPT_MAX: i64 = 10_000;

/// The place that a provider's secret is sealed for, so that it opens nowhere else.
pub fn secret_place(id: LookupProviderId) -> String {
    format!("lookup_providers/{id}/secret")
}

/// What was answered about a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Where it is.
    pub network: Network,
    /// It moved there from another network.
    pub ported: Option<bool>,
    /// Its handset can be reached.
    pub reachable: Option<bool>,
    /// When it was asked.
    pub looked_up_at: DateTime<Utc>,
    /// How long it is believed.
    pub expires_at: DateTime<Utc>,
}

/// Stores a new provider.
pub async fn create_provider(tx: &mut PgConnection, new: &Provider) -> Result<(), Error> {
    query!(
        "INSERT INTO lookup_providers (id, name, position, url, header, secret_sealed, fields, timeout_ms, lifetime_seconds,
            cost_micros, cost_currency) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        new.id.uuid(),
        new.name,
        new.position,
        new.url,
        new.header,
        new.secret_sealed,
        serde_json::to_value(&new.fields)?,
        i32::from(new.timeout_ms),
        narrow::<i32, _>(new.lifetime_seconds, "lifetime")?,
        new.cost.get(),
        new.currency.code(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Every provider, in the order in which they are asked.
pub async fn providers(connection: &mut PgConnection) -> Result<Vec<Provider>, Error> {
    let rows = query!(
        "SELECT id, name, position, url, header, secret_sealed, fields, timeout_ms, lifetime_seconds, cost_micros,
            cost_currency FROM lookup_providers WHERE deleted_at IS NULL ORDER BY position, id"
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Provider {
                id: LookupProviderId::from_uuid(row.id),
                name: row.name,
                position: row.position,
                url: row.url,
                header: row.header,
                secret_sealed: row.secret_sealed,
                fields: serde_json::from_value(row.fields)?,
                timeout_ms: narrow(row.timeout_ms, "timeout")?,
                lifetime_seconds: narrow(row.lifetime_seconds, "lifetime")?,
                cost: Micros::new(row.cost_micros),
                currency: currency_of(&row.cost_currency)?,
            })
        })
        .collect()
}

/// A provider that is in use, locked until the transaction ends. `None`: there is none.
pub async fn lock_provider(tx: &mut PgConnection, id: LookupProviderId) -> Result<Option<Provider>, Error> {
    query!("SELECT id FROM lookup_providers WHERE id = $1 AND deleted_at IS NULL FOR UPDATE", id.uuid())
        .fetch_optional(&mut *tx)
        .await?;
    Ok(providers(tx).await?.into_iter().find(|provider| provider.id == id))
}

/// Stores a provider as it is from now on.
pub async fn update_provider(tx: &mut PgConnection, provider: &Provider) -> Result<(), Error> {
    query!(
        "UPDATE lookup_providers SET name = $2, position = $3, url = $4, header = $5, secret_sealed = $6, fields = $7,
            timeout_ms = $8, lifetime_seconds = $9, cost_micros = $10, cost_currency = $11 WHERE id = $1",
        provider.id.uuid(),
        provider.name,
        provider.position,
        provider.url,
        provider.header,
        provider.secret_sealed,
        serde_json::to_value(&provider.fields)?,
        i32::from(provider.timeout_ms),
        narrow::<i32, _>(provider.lifetime_seconds, "lifetime")?,
        provider.cost.get(),
        provider.currency.code(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes a provider out of use. `false`: there is none.
pub async fn delete_provider(tx: &mut PgConnection, id: LookupProviderId) -> Result<bool, Error> {
    let gone = query!("UPDATE lookup_providers SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL", id.uuid())
        .execute(tx)
        .await?;
    Ok(gone.rows_affected() == 1)
}

/// What was agreed with every account that agreed to anything.
pub(crate) async fn terms(connection: &mut PgConnection) -> Result<Vec<(AccountId, Terms)>, Error> {
    let rows = query!("SELECT account_id, policy, price_micros FROM account_lookups").fetch_all(connection).await?;
    rows.into_iter()
        .map(|row| {
            let policy = row.policy.map(|policy| parse(&policy, "policy")).transpose()?;
            Ok((AccountId::from_uuid(row.account_id), Terms { policy, price: Micros::new(row.price_micros) }))
        })
        .collect()
}

/// Agrees with an account. `false`: it is not in the tenant's subtree.
pub async fn put_terms(
    tx: &mut PgConnection,
    tenant: AccountId,
    account: AccountId,
    terms: Terms,
) -> Result<bool, Error> {
    let put = query!(
        "INSERT INTO account_lookups (account_id, policy, price_micros)
         SELECT id, $3, $4 FROM accounts WHERE id = $2 AND path @> ARRAY[$1::uuid]
         ON CONFLICT (account_id) DO UPDATE
         SET policy = excluded.policy, price_micros = excluded.price_micros, updated_at = now()",
        tenant.uuid(),
        account.uuid(),
        terms.policy.map(domain::lookup::Policy::name),
        terms.price.get(),
    )
    .execute(tx)
    .await?;
    Ok(put.rows_affected() == 1)
}

/// What was answered about these numbers and is still believed.
pub async fn cached(db: &Db, numbers: &[Number], now: DateTime<Utc>) -> Result<HashMap<Number, Answer>, Error> {
    let stored: Vec<i64> = numbers.iter().map(|number| number.stored()).collect();
    let rows = query!(
        "SELECT number, mcc, mnc, ported, reachable, looked_up_at, expires_at FROM number_lookups
         WHERE number = ANY ($1) AND expires_at > $2",
        &stored,
        now,
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let number = Number::from_stored(row.number).ok_or_else(|| Error::Corrupt("number".to_owned()))?;
            let network = Network::parse(&row.mcc, row.mnc.as_deref());
            let answer = Answer {
                network: network.map_err(|error| Error::Corrupt(error.to_string()))?,
                ported: row.ported,
                reachable: row.reachable,
                looked_up_at: row.looked_up_at,
                expires_at: row.expires_at,
            };
            Ok((number, answer))
        })
        .collect()
}

/// Keeps answers of a provider, and the journal entry that charged them. Each number stands in `answers` once.
pub async fn keep(
    tx: &mut PgConnection,
    provider: LookupProviderId,
    answers: &[(Number, Answer)],
    entry: Option<Uuid>,
) -> Result<(), Error> {
    let numbers: Vec<i64> = answers.iter().map(|(number, _)| number.stored()).collect();
    let countries: Vec<String> = answers.iter().map(|(_, answer)| answer.network.mcc.to_string()).collect();
    let networks: Vec<Option<String>> =
        answers.iter().map(|(_, answer)| answer.network.mnc.map(|mnc| mnc.to_string())).collect();
    let ported: Vec<Option<bool>> = answers.iter().map(|(_, answer)| answer.ported).collect();
    let reachable: Vec<Option<bool>> = answers.iter().map(|(_, answer)| answer.reachable).collect();
    let asked: Vec<DateTime<Utc>> = answers.iter().map(|(_, answer)| answer.looked_up_at).collect();
    let expires: Vec<DateTime<Utc>> = answers.iter().map(|(_, answer)| answer.expires_at).collect();
    query!(
        "INSERT INTO number_lookups (number, mcc, mnc, ported, reachable, provider_id, entry_id, looked_up_at, expires_at)
         SELECT a.number, a.mcc, a.mnc, a.ported, a.reachable, $8, $9, a.asked, a.expires
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bool[], $5::bool[], $6::timestamptz[], $7::timestamptz[])
            AS a (number, mcc, mnc, ported, reachable, asked, expires)
         ORDER BY a.number
         ON CONFLICT (number) DO UPDATE SET mcc = excluded.mcc, mnc = excluded.mnc, ported = excluded.ported,
            reachable = excluded.reachable, provider_id = excluded.provider_id, entry_id = excluded.entry_id,
            looked_up_at = excluded.looked_up_at, expires_at = excluded.expires_at",
        &numbers,
        &countries,
        &networks as &[Option<String>],
        &ported as &[Option<bool>],
        &reachable as &[Option<bool>],
        &asked,
        &expires,
        provider.uuid(),
        entry,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Drops answers that are believed no more. Answers how many.
pub async fn sweep(db: &Db, now: DateTime<Utc>) -> Result<u64, Error> {
    let gone = query!(
        "DELETE FROM number_lookups WHERE number IN (SELECT number FROM number_lookups WHERE expires_at <= $1 LIMIT $2)
         AND expires_at <= $1",
        now,
        SWEPT_MAX
    )
    .execute(&db.pool)
    .await?;
    Ok(gone.rows_affected())
}
