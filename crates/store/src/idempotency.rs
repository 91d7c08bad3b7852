//! `Idempotency-Key` of acts that are no messages: the key is remembered in the transaction of the act.

use domain::AccountId;
use sqlx::PgConnection;

use crate::Error;
pub use crate::accept::IdempotencyRecord;
use crate::accept::statement;

/// Remembers `record` for `account`. `false`: another request with the key has won; undo, and answer what it was
/// answered.
///
/// # Errors
/// When the database fails.
pub async fn remember(
    connection: &mut PgConnection,
    account: AccountId,
    record: &IdempotencyRecord,
) -> Result<bool, Error> {
    statement::remember_key(connection, account, record).await
}

pub use crate::accept::idempotency_record as find;
