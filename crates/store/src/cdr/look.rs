//! Which CDRs a page looks at.

use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;
use crate::dlr::uuid_at;
use crate::exports::Export;

/// A message, and which of its records.
pub(super) type Place = (Uuid, i16);

/// The next `count` records behind the cursor of `export`, in order; none: there are no more. Those of an account without
/// others below it are found by the account, so that its file takes no longer for all the traffic of others.
pub(super) async fn at(tx: &mut PgConnection, export: &Export, tenant: Uuid, count: u16) -> Result<Vec<Place>, Error> {
    let begin = (uuid_at(export.accepted_from), -1);
    let behind = export.after_message.zip(export.after_correction).unwrap_or(begin);
    let end = uuid_at(export.accepted_to);
    if is_alone(tx, tenant).await? {
        of_one(tx, tenant, (behind, end), count).await
    } else {
        of_all(tx, (behind, end), count).await
    }
}

/// Nobody is below `account`.
async fn is_alone(tx: &mut PgConnection, account: Uuid) -> Result<bool, Error> {
    let row = query!(
        r#"SELECT NOT EXISTS (SELECT FROM accounts WHERE path @> ARRAY[$1::uuid] AND id <> $1) AS "alone!""#,
        account
    );
    Ok(row.fetch_one(tx).await?.alone)
}

async fn of_one(
    tx: &mut PgConnection,
    account: Uuid,
    (behind, end): (Place, Uuid),
    count: u16,
) -> Result<Vec<Place>, Error> {
    let rows = query!(
        "SELECT message_id, correction FROM sms_cdr
         WHERE account_id = $1 AND message_id >= $2 AND message_id < $4 AND (message_id, correction) > ($2, $3)
         ORDER BY message_id, correction LIMIT $5",
        account,
        behind.0,
        behind.1,
        end,
        i64::from(count),
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.message_id, row.correction)).collect())
}

async fn of_all(tx: &mut PgConnection, (behind, end): (Place, Uuid), count: u16) -> Result<Vec<Place>, Error> {
    let rows = query!(
        "SELECT message_id, correction FROM sms_cdr
         WHERE message_id >= $1 AND message_id < $3 AND (message_id, correction) > ($1, $2)
         ORDER BY message_id, correction LIMIT $4",
        behind.0,
        behind.1,
        end,
        i64::from(count),
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.message_id, row.correction)).collect())
}
