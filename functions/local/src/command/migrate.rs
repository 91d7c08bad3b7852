//! `chappe migrate`: brings the schema up to date.

use anyhow::Result;

use crate::cli::Common;
use crate::database;
use crate::output::line;

pub(crate) async fn run(common: &Common) -> Result<()> {
    let db = database::open(common)?;
    store::migrate(db.pool()).await?;
    line("the schema is up to date");
    Ok(())
}
