//! Who wants no more messages of an account. An opt-out is of a handset for an account, with all of its senders.

use std::collections::HashSet;

use domain::{AccountId, Number};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;

/// Those of `pairs` that have opted out. [`accept`](crate::accept) asks by itself, within its own statement; this
/// is for whoever must name them.
///
/// # Errors
/// When the database fails.
pub async fn opted_out(
    connection: &mut PgConnection,
    pairs: &[(AccountId, Number)],
) -> Result<HashSet<(AccountId, Number)>, Error> {
    let accounts: Vec<Uuid> = pairs.iter().map(|(account, _)| account.uuid()).collect();
    let numbers: Vec<i64> = pairs.iter().map(|(_, number)| number.stored()).collect();
    let rows = query!(
        "SELECT o.account_id, o.recipient FROM unnest($1::uuid[], $2::bigint[]) AS p (account_id, recipient)
         JOIN opt_outs o ON o.account_id = p.account_id AND o.recipient = p.recipient",
        &accounts,
        &numbers
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let number = Number::from_stored(row.recipient).ok_or_else(|| Error::Corrupt("opt-out".into()))?;
            Ok((AccountId::from_uuid(row.account_id), number))
        })
        .collect()
}
