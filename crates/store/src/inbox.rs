//! The inbox: an envelope is used once by each consumer, however often it comes.

use domain::EnvelopeId;
use sqlx::{PgConnection, query};

use crate::Error;

/// Marks `envelope` as used by `consumer`, in the caller's transaction. `false`: it was used before, so there is
/// nothing left to do but to acknowledge it.
pub async fn mark(connection: &mut PgConnection, consumer: &str, envelope: EnvelopeId) -> Result<bool, Error> {
    let done = query!(
        "INSERT INTO inbox (envelope_id, consumer) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        envelope.uuid(),
        consumer
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
