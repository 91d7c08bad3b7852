//! Receipts that say what became of a message after it had ended without one.
//!
//! Its hold is over, so what is to be taken now must be there: the wallets of its whole chain are looked at first, and
//! nobody pays where one of them has not enough. The message ends as the receipt says all the same.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::settlement::{Ended, Outcome, due_late};
use domain::{AccountId, ChainId, MessageId, Micros};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::advance::{Advance, Moved, take};
use crate::{Db, Error, chain};

/// Takes those of `items` that correct a message without a receipt to what is billable. `moved` is what the same transaction
/// has moved already: it settles all wallets in one order, so all of them are locked here. Answers the steps taken.
///
/// # Errors
/// When the database fails.
pub async fn correct(
    connection: &mut PgConnection,
    db: &Db,
    (mut items, moved): (Vec<Advance>, &[Moved]),
    now: DateTime<Utc>,
) -> Result<Vec<Moved>, Error> {
    let unconfirmed = unconfirmed(connection, &items).await?;
    items.retain(|item| unconfirmed.contains_key(&item.message));
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let chains = unconfirmed.values().map(|(chain, _)| *chain).chain(moved.iter().map(|moved| moved.chain));
    let chains = chain::load(connection, db, chains).await?;
    let payers = chains.values().flat_map(|chain| chain.links.iter().map(|link| link.account));
    let mut left = lock(connection, payers.collect()).await?;
    items.sort_by_key(|item| item.message);
    for item in &mut items {
        let Some((chain, accepted)) = unconfirmed.get(&item.message) else { continue };
        let chain = chains.get(chain).ok_or_else(|| Error::Corrupt("a message without its chain".into()))?;
        let due = due_late(chain, Ended { accepted: *accepted, outcome: item.outcome });
        if !pay(&mut left, &due) {
            item.outcome = Outcome::Unconfirmed;
            metrics::counter!("chappe_late_receipts_unpaid_total").increment(1);
        }
    }
    take(connection, items, true, now).await
}

/// Chain and accepted segments of those that ended without a receipt, locked in one order.
async fn unconfirmed(
    connection: &mut PgConnection,
    items: &[Advance],
) -> Result<HashMap<MessageId, (ChainId, u16)>, Error> {
    if items.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = items.iter().map(|item| item.message.uuid()).collect();
    let accounts: Vec<Uuid> = items.iter().map(|item| item.account.uuid()).collect();
    let rows = query!(
        r#"SELECT m.id, m.chain_id, coalesce(m.accepted_segments, 0) AS "accepted!"
           FROM unnest($1::uuid[], $2::uuid[]) AS i (account, id)
           JOIN messages m ON m.id = i.id AND (m.account_id = i.account) IS TRUE
           WHERE m.state = 'unconfirmed' ORDER BY m.id FOR NO KEY UPDATE OF m"#,
        &accounts,
        &ids
    )
    .fetch_all(connection)
    .await?;
    let one = |id, chain, accepted| {
        let accepted = u16::try_from(accepted).map_err(|_| Error::Corrupt("segments".into()))?;
        Ok((MessageId::from_uuid(id), (ChainId::from_uuid(chain), accepted)))
    };
    rows.into_iter().map(|row| one(row.id, row.chain_id, row.accepted)).collect()
}

/// Locks the wallets of `payers`, in the order of all transactions; answers what each can still pay.
async fn lock(connection: &mut PgConnection, payers: Vec<AccountId>) -> Result<BTreeMap<AccountId, Micros>, Error> {
    let ids: Vec<Uuid> = payers.into_iter().map(AccountId::uuid).collect();
    let rows = query!(
        r#"SELECT account_id, posted_micros + credit_limit_micros - held_micros AS "left!" FROM account_balances
           WHERE account_id = ANY ($1) ORDER BY account_id FOR NO KEY UPDATE"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (AccountId::from_uuid(row.account_id), Micros::new(row.left))).collect())
}

/// Takes all of `due` from what is left, or nothing. `false`: somebody has not enough.
fn pay(left: &mut BTreeMap<AccountId, Micros>, due: &[(AccountId, Micros)]) -> bool {
    let has = |(account, amount): &(AccountId, Micros)| left.get(account).is_some_and(|left| left >= amount);
    if !due.iter().all(has) {
        return false;
    }
    for (account, amount) in due {
        if let Some(left) = left.get_mut(account) {
            *left = Micros::new(left.get() - amount.get());
        }
    }
    true
}
