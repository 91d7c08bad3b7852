//! Which messages fit into their wallets and caps, decided one after the other under the locks.

use std::collections::{BTreeMap, HashMap};

use domain::{AccountId, KeyId};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;
use crate::accept::{NewMessage, key_needs, needs};

/// Whether a message fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It does.
    Yes,
    /// A wallet of the chain has not enough.
    NoCredit,
    /// A wallet of the chain, or the key, has spent what it may on this day.
    SpendCap,
}

/// What is left of a wallet.
struct Left {
    available: i64,
    /// Of today's cap; `None`: there is none.
    cap: Option<i64>,
}

/// Locks the caps of keys and the wallets of `messages`, in the order of the statement that stores them, and says which
/// messages fit, taken in their order.
pub(super) async fn fitting(connection: &mut PgConnection, messages: &[&NewMessage]) -> Result<Vec<Fit>, Error> {
    let mut keys = keys_left(connection, messages).await?;
    let mut wallets = wallets_left(connection, messages).await?;
    messages.iter().map(|message| take(&mut wallets, &mut keys, message)).collect()
}

async fn keys_left(connection: &mut PgConnection, messages: &[&NewMessage]) -> Result<HashMap<KeyId, i64>, Error> {
    let keys: Vec<Uuid> = key_needs(messages.iter().copied())?.into_keys().map(KeyId::uuid).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = query!(
        r#"SELECT key_id, cap_micros - CASE WHEN spend_day >= (now() AT TIME ZONE 'UTC')::date
               THEN spent_micros ELSE 0 END AS "left!"
           FROM api_key_caps WHERE key_id = ANY ($1) ORDER BY key_id FOR NO KEY UPDATE"#,
        &keys
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (KeyId::from_uuid(row.key_id), row.left)).collect())
}

async fn wallets_left(
    connection: &mut PgConnection,
    messages: &[&NewMessage],
) -> Result<HashMap<AccountId, Left>, Error> {
    let wallets: Vec<Uuid> = needs(messages.iter().copied())?.into_keys().map(AccountId::uuid).collect();
    let rows = query!(
        r#"SELECT account_id, posted_micros + credit_limit_micros - held_micros AS "available!",
               spend_cap_micros - CASE WHEN spend_day >= (now() AT TIME ZONE 'UTC')::date
                   THEN spent_micros ELSE 0 END AS cap
           FROM account_balances WHERE account_id = ANY ($1) ORDER BY account_id FOR NO KEY UPDATE"#,
        &wallets
    )
    .fetch_all(connection)
    .await?;
    let left = |available, cap| Left { available, cap };
    Ok(rows.into_iter().map(|row| (AccountId::from_uuid(row.account_id), left(row.available, row.cap))).collect())
}

fn take(
    wallets: &mut HashMap<AccountId, Left>,
    keys: &mut HashMap<KeyId, i64>,
    message: &NewMessage,
) -> Result<Fit, Error> {
    let holds = needs(std::iter::once(message))?;
    let of_keys = key_needs(std::iter::once(message))?;
    let fit = fit(wallets, keys, &holds, &of_keys);
    if fit == Fit::Yes {
        for (account, (need, _)) in holds {
            wallets.entry(account).and_modify(|left| {
                left.available -= need;
                left.cap = left.cap.map(|cap| cap - need);
            });
        }
        for (key, need) in of_keys {
            keys.entry(key).and_modify(|left| *left -= need);
        }
    }
    Ok(fit)
}

fn fit(
    wallets: &HashMap<AccountId, Left>,
    keys: &HashMap<KeyId, i64>,
    holds: &BTreeMap<AccountId, (i64, i32)>,
    of_keys: &BTreeMap<KeyId, i64>,
) -> Fit {
    let covered = |(account, (need, _)): (&AccountId, &(i64, i32))| {
        wallets.get(account).is_some_and(|left| left.available >= *need)
    };
    if !holds.iter().all(covered) {
        return Fit::NoCredit;
    }
    let within = |(account, (need, _)): (&AccountId, &(i64, i32))| {
        wallets.get(account).and_then(|left| left.cap).is_none_or(|cap| cap >= *need)
    };
    // A key without a row has no cap.
    let within_key = |(key, need): (&KeyId, &i64)| keys.get(key).is_none_or(|left| left >= need);
    if holds.iter().all(within) && of_keys.iter().all(within_key) { Fit::Yes } else { Fit::SpendCap }
}
