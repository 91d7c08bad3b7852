//! Reading the catalogue: everything that pricing and routing keep in memory.

use std::sync::Arc;

use domain::live::Live;
use domain::overrides::Overrides;
use domain::routing::Operator;
use domain::routing::margin::Guards;
use domain::routing::rule::Rules;
use domain::tariff::{Rate, Tariff};
use domain::{Account, AccountId, Catalogue, Micros, Network, OperatorId, PlanId, RateId, TariffId};
use sqlx::{PgConnection, query};

use crate::advance::currency_of;
use crate::page::{charge_on, on_unconfirmed, parse};
use crate::{Db, Error, exchange_rates, lookups, margin_guards, overrides, routing_rules, standings};

/// A status of binds older than this many seconds says nothing.
const BINDS_FRESH_SECONDS: f64 = 60.0;

/// The version of the catalogue that is stored now.
pub async fn version(db: &Db) -> Result<i64, Error> {
    Ok(query!("SELECT version FROM catalogue_version").fetch_one(&db.pool).await?.version)
}

/// The versions that are stored now: of the catalogue, and of the standings in it.
pub async fn versions(db: &Db) -> Result<(i64, i64), Error> {
    let row =
        query!("SELECT c.version, s.version AS standings FROM catalogue_version c CROSS JOIN standings_version s");
    let row = row.fetch_one(&db.pool).await?;
    Ok((row.version, row.standings))
}

/// Gives the catalogue a new version for what no trigger of its tables sees: every process reads it anew.
pub(crate) async fn changed_now(connection: &mut PgConnection) -> Result<(), Error> {
    query!("UPDATE catalogue_version SET version = version + 1").execute(&mut *connection).await?;
    query!("SELECT pg_notify('catalogue', '')").execute(connection).await?;
    Ok(())
}

/// Reads the whole catalogue on one snapshot of the database; of the overrides only what `known` does not know.
pub async fn load(db: &Db, known: &Overrides) -> Result<Catalogue, Error> {
    let mut tx = db.begin_picture().await?;
    let now = query!("SELECT version, overrides_dropped FROM catalogue_version").fetch_one(&mut *tx).await?;
    let overrides = overrides::since(&mut tx, known, (now.version, now.overrides_dropped)).await?;
    let mut catalogue = Catalogue { version: now.version, overrides, ..Catalogue::default() };
    accounts(&mut tx, &mut catalogue).await?;
    tariffs(&mut tx, &mut catalogue).await?;
    prefixes(&mut tx, &mut catalogue).await?;
    operators(&mut tx, &mut catalogue).await?;
    rates(&mut tx, &mut catalogue).await?;
    catalogue.fx = exchange_rates::current(&mut tx).await?;
    catalogue.rules = Rules::new(routing_rules::current(&mut tx).await?);
    catalogue.guards = Guards::new(margin_guards::current(&mut tx).await?);
    catalogue.lookups = lookups::terms(&mut tx).await?.into_iter().collect();
    catalogue.lookup_provider = lookups::providers(&mut tx).await?.into_iter().next().map(Arc::new);
    catalogue.standings = Live::new(standings::read(&mut tx).await?);
    tx.rollback().await?;
    Ok(catalogue)
}

async fn accounts(connection: &mut PgConnection, catalogue: &mut Catalogue) -> Result<(), Error> {
    let rows = query!(
        "SELECT id, parent_id, role, plan_id, currency, status, segments_per_second, any_sender, reroute FROM accounts"
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        if let Some(policy) = row.reroute {
            catalogue.reroutes.insert(AccountId::from_uuid(row.id), serde_json::from_value(policy)?);
        }
        let account = Account {
            id: AccountId::from_uuid(row.id),
            parent: row.parent_id.map(AccountId::from_uuid),
            role: row.role.parse().map_err(|_| Error::Corrupt("role".into()))?,
            plan: row.plan_id.map(PlanId::from_uuid),
            currency: currency_of(&row.currency)?,
            suspended: row.status != "active",
            segments_per_second: row.segments_per_second.and_then(|n| u32::try_from(n).ok()),
            any_sender: row.any_sender,
        };
        catalogue.accounts.insert(account.id, account);
    }
    let senders = query!(r#"SELECT account_id, lower(sender) AS "sender!" FROM sender_ids WHERE status = 'approved'"#)
        .fetch_all(connection)
        .await?;
    catalogue.senders = senders.into_iter().map(|row| (AccountId::from_uuid(row.account_id), row.sender)).collect();
    Ok(())
}

fn network(mcc: &str, mnc: Option<&str>) -> Result<Network, Error> {
    Network::parse(mcc, mnc).map_err(|_| Error::Corrupt("mcc or mnc".into()))
}

async fn tariffs(connection: &mut PgConnection, catalogue: &mut Catalogue) -> Result<(), Error> {
    // What has ended is of no use to a message of now.
    let rows = query!(
        "SELECT t.id, t.plan_id, t.mcc, t.mnc, t.traffic_class, t.price_micros, t.charge_on, t.on_unconfirmed, t.effective_from, t.effective_to,
            p.currency
         FROM tariffs t JOIN tariff_plans p ON p.id = t.plan_id
         WHERE t.effective_to IS NULL OR t.effective_to > now() - interval '1 hour'"
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let tariff = Tariff {
            id: TariffId::from_uuid(row.id),
            class: row.traffic_class.map(|name| parse(&name, "traffic_class")).transpose()?,
            price: Micros::new(row.price_micros),
            currency: currency_of(&row.currency)?,
            charge_on: charge_on(&row.charge_on)?,
            on_unconfirmed: on_unconfirmed(&row.on_unconfirmed)?,
            from: row.effective_from,
            to: row.effective_to,
        };
        let place = row.mcc.map(|mcc| network(&mcc, row.mnc.as_deref())).transpose()?;
        catalogue.add_tariff(PlanId::from_uuid(row.plan_id), place, tariff);
    }
    Ok(())
}

async fn prefixes(connection: &mut PgConnection, catalogue: &mut Catalogue) -> Result<(), Error> {
    let rows = query!("SELECT prefix, mcc, mnc FROM mcc_mnc_prefixes").fetch_all(connection).await?;
    for row in rows {
        catalogue.prefixes.insert(&row.prefix, network(&row.mcc, row.mnc.as_deref())?);
    }
    Ok(())
}

async fn operators(connection: &mut PgConnection, catalogue: &mut Catalogue) -> Result<(), Error> {
    // A status from before an outage was noted does not count, whatever time it is here.
    let rows = query!(
        r#"SELECT o.id, o.name, o.enabled, o.priority,
               coalesce((SELECT sum(b.bound) > 0 FROM operator_binds b
                   WHERE b.operator_id = o.id AND b.at > now() - make_interval(secs => $1) AND NOT EXISTS
                       (SELECT FROM operator_outages u WHERE u.operator_id = o.id AND u.since > b.at)),
                   false) AS "bound!"
           FROM operators o WHERE o.deleted_at IS NULL ORDER BY o.id"#,
        BINDS_FRESH_SECONDS
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        catalogue.operators.push(Operator {
            id: OperatorId::from_uuid(row.id),
            name: row.name.into(),
            enabled: row.enabled,
            priority: row.priority,
            bound: row.bound,
        });
    }
    Ok(())
}

async fn rates(connection: &mut PgConnection, catalogue: &mut Catalogue) -> Result<(), Error> {
    let rows = query!(
        "SELECT id, operator_id, mcc, mnc, traffic_class, price_micros, currency, charge_on, effective_from,
            effective_to
         FROM operator_rates
         WHERE effective_to IS NULL OR effective_to > now() - interval '1 hour'"
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let rate = Rate {
            id: RateId::from_uuid(row.id),
            operator: OperatorId::from_uuid(row.operator_id),
            class: row.traffic_class.map(|name| parse(&name, "traffic_class")).transpose()?,
            price: Micros::new(row.price_micros),
            currency: currency_of(&row.currency)?,
            charge_on: charge_on(&row.charge_on)?,
            from: row.effective_from,
            to: row.effective_to,
        };
        catalogue.add_rate(network(&row.mcc, row.mnc.as_deref())?, rate);
    }
    Ok(())
}
