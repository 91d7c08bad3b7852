//! `Idempotency-Key` of acts that are no messages: the key is taken first in the transaction of the act.

use domain::AccountId;
use sqlx::{PgConnection, query};

use crate::Error;
pub use crate::accept::IdempotencyRecord;
use crate::accept::statement;

/// Takes a key of `account` for this transaction, with what it was sent with. While another transaction has it, this waits:
/// when that one commits, its record is answered; when it is undone, the key is ours. The caller compares the fingerprints.
///
/// # Errors
/// When the database fails.
pub async fn take(
    connection: &mut PgConnection,
    account: AccountId,
    (key, fingerprint): (&str, &[u8; 32]),
) -> Result<Option<IdempotencyRecord>, Error> {
    loop {
        let taken = query!(
            "INSERT INTO idempotency_keys (account_id, key, fingerprint, status, response) VALUES ($1, $2, $3, 0, '')
             ON CONFLICT DO NOTHING",
            account.uuid(),
            key,
            &fingerprint[..]
        )
        .execute(&mut *connection)
        .await?;
        if taken.rows_affected() == 1 {
            return Ok(None);
        }
        // Gone between the two looks: it was so old that it was forgotten.
        if let Some(record) = statement::known_key(&mut *connection, account, key).await? {
            return Ok(Some(record));
        }
    }
}

/// Remembers what is answered to the key of `record`, which this transaction has taken.
///
/// # Errors
/// When the database fails.
pub async fn answer(
    connection: &mut PgConnection,
    account: AccountId,
    record: &IdempotencyRecord,
) -> Result<(), Error> {
    query!(
        "UPDATE idempotency_keys SET status = $3, response = $4 WHERE account_id = $1 AND key = $2",
        account.uuid(),
        record.key,
        i16::try_from(record.status).map_err(|_| Error::Range)?,
        record.response
    )
    .execute(connection)
    .await?;
    Ok(())
}
