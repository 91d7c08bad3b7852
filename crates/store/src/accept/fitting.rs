//! Which messages fit into their wallets and caps, decided one after the other under the locks.

use std::collections::{BTreeSet, HashMap};

use domain::{AccountId, KeyId, Micros};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;
use crate::accept::NewMessage;
use crate::accept::needs::{self, Holds, Spends};

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
    Ok(messages.iter().map(|message| take(&mut wallets, &mut keys, message)).collect())
}

async fn keys_left(connection: &mut PgConnection, messages: &[&NewMessage]) -> Result<HashMap<KeyId, i64>, Error> {
    let keys: BTreeSet<KeyId> = messages.iter().filter_map(|message| message.capped_key).collect();
    let keys: Vec<Uuid> = keys.into_iter().map(KeyId::uuid).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = query!(
        r#"SELECT key_id, cap_micros - CASE WHEN spend_day >= (now() AT TIME ZONE 'UTC')::date
               THEN spent_micros ELSE 0 END AS cap_left
           FROM api_key_caps WHERE key_id = ANY ($1) ORDER BY key_id FOR NO KEY UPDATE"#,
        &keys
    )
    .fetch_all(connection)
    .await?;
    // A key whose cap was taken away has a row, and no bound.
    Ok(rows.into_iter().filter_map(|row| Some((KeyId::from_uuid(row.key_id), row.cap_left?))).collect())
}

async fn wallets_left(
    connection: &mut PgConnection,
    messages: &[&NewMessage],
) -> Result<HashMap<AccountId, Left>, Error> {
    let payers = messages.iter().flat_map(|message| &message.chain.links).map(|link| link.account);
    let wallets: Vec<Uuid> = payers.collect::<BTreeSet<_>>().into_iter().map(AccountId::uuid).collect();
    let rows = query!(
        r#"SELECT account_id, posted_micros + credit_limit_micros - held_micros AS "available!",
               spend_cap_micros - CASE WHEN spend_day >= (now() AT TIME ZONE 'UTC')::date
                   THEN spent_micros ELSE 0 END AS cap
           FROM account_balances WHERE account_id = ANY ($1) ORDER BY account_id FOR NO KEY UPDATE"#,
        &wallets
    )
    .fetch_all(connection)
    .await?;
    // Together they must be countable, too.
    let left = |available: i64, cap| Left { available: available.min(Micros::WALLET_MAX.get()), cap };
    Ok(rows.into_iter().map(|row| (AccountId::from_uuid(row.account_id), left(row.available, row.cap))).collect())
}

fn take(wallets: &mut HashMap<AccountId, Left>, keys: &mut HashMap<KeyId, i64>, message: &NewMessage) -> Fit {
    // What cannot be counted nobody has.
    let Some((holds, spends)) = needs::of(std::iter::once(message)) else { return Fit::NoCredit };
    let fit = fit(wallets, keys, &holds, &spends);
    if fit == Fit::Yes {
        for (account, (need, _)) in holds {
            wallets.entry(account).and_modify(|left| {
                left.available -= need;
                left.cap = left.cap.map(|cap| cap - need);
            });
        }
        for (key, need) in spends {
            keys.entry(key).and_modify(|left| *left -= need);
        }
    }
    fit
}

fn fit(wallets: &HashMap<AccountId, Left>, keys: &HashMap<KeyId, i64>, holds: &Holds, spends: &Spends) -> Fit {
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
    if holds.iter().all(within) && spends.iter().all(within_key) { Fit::Yes } else { Fit::SpendCap }
}
