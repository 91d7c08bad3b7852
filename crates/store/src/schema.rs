//! Is the schema the one that this program was built for?

use sqlx::migrate::Migrator;

use crate::{Db, Error};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// What PostgreSQL says of a table that is not there (appendix "PostgreSQL Error Codes"): nothing was ever migrated.
const UNDEFINED_TABLE: &str = "42P01";

/// Every migration that this program knows has run. A database that is ahead of the program is current, too:
/// migrations leave the old code working.
pub async fn is_current(db: &Db) -> Result<bool, Error> {
    // Not checked at compile time: the table is made by the migrator itself, outside of our migrations.
    let done = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(&db.pool).await;
    let done: Vec<i64> = match done {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => return Ok(false),
        done => done?,
    };
    Ok(MIGRATIONS.iter().all(|migration| done.contains(&migration.version)))
}
