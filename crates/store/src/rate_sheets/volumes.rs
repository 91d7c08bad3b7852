//! What was carried in a while, and what the house earned for it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::tariff::ChargeOn;
use domain::{AccountId, ChainId, Currency, Network, OperatorId, TrafficClass};
use sqlx::query;

use crate::page::parse;
use crate::{Db, Error, chain};

/// Groups of one question at most; beyond it the smallest are left out.
pub const GROUPS_MAX: i64 = 100_000;

/// What one account sent to one network over one operator, of one class of traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Who sent.
    pub account: AccountId,
    /// Where to.
    pub network: Network,
    /// Who carried it.
    pub operator: OperatorId,
    /// Of which class of traffic; `None`: of none.
    pub class: Option<TrafficClass>,
    /// Segments that the operator took.
    pub segments: i64,
    /// What the house earned for them, in micros: the price of the last payer before the house, for delivered segments alone where
    /// that is what it pays for. `None` for its own messages.
    pub earned: Option<(Currency, i128)>,
}

/// What was carried by messages that ended between two moments; by one operator, where one is named. Corrections of late
/// receipts change no volume.
pub async fn carried(
    db: &Db,
    operator: Option<OperatorId>,
    (since, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Carried>, Error> {
    let mut tx = db.begin_picture().await?;
    let rows = query!(
        r#"SELECT account_id, mcc_mnc, operator_id AS "operator_id!", traffic_class, chain_id,
             sum(accepted_segments)::bigint AS "segments!",
             coalesce(sum(accepted_segments) FILTER (WHERE state = 'delivered'), 0)::bigint AS "delivered!"
           FROM sms_cdr
           WHERE message_id >= uuid_at($2) AND message_id < uuid_at($3) AND correction = 0 AND accepted_segments > 0
             AND operator_id IS NOT NULL AND ($1::uuid IS NULL OR operator_id = $1)
           GROUP BY account_id, mcc_mnc, operator_id, traffic_class, chain_id
           ORDER BY sum(accepted_segments) DESC LIMIT $4"#,
        operator.map(OperatorId::uuid),
        since,
        until,
        GROUPS_MAX,
    )
    .fetch_all(&mut *tx)
    .await?;
    let ids = rows.iter().map(|row| ChainId::from_uuid(row.chain_id));
    let chains = chain::load(&mut tx, db, ids).await?;
    tx.rollback().await?;
    let mut carried: BTreeMap<(AccountId, Network, OperatorId, Option<TrafficClass>), Carried> = BTreeMap::new();
    for row in rows {
        let (account, network) = (AccountId::from_uuid(row.account_id), parse(&row.mcc_mnc, "mcc_mnc")?);
        let operator = OperatorId::from_uuid(row.operator_id);
        let class = row.traffic_class.map(|class| parse(&class, "traffic_class")).transpose()?;
        let chain = chains.get(&ChainId::from_uuid(row.chain_id));
        let top = chain.and_then(|chain| Some((chain.currency, chain.links.last()?)));
        let earned = top.filter(|(_, link)| link.seller != link.account);
        let paid_for = |charge_on| if charge_on == ChargeOn::Delivered { row.delivered } else { row.segments };
        let earned = earned
            .map(|(currency, link)| (currency, i128::from(link.price.get()) * i128::from(paid_for(link.charge_on))));
        let entry = carried.entry((account, network, operator, class)).or_insert_with(|| Carried {
            account,
            network,
            operator,
            class,
            segments: 0,
            earned: None,
        });
        entry.segments += row.segments;
        if let Some((currency, amount)) = earned {
            // A wallet has one currency for ever.
            let before = entry.earned.map_or(0, |(_, amount)| amount);
            entry.earned = Some((currency, before + amount));
        }
    }
    Ok(carried.into_values().collect())
}
