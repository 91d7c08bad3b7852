//! The demo client's SMPP system, so that any ESME library can bind at once.

use anyhow::{Context, Result, anyhow};
use domain::{AccountId, SmppSystemId};

use super::done;
use crate::folder::Folder;
use crate::platform::Platform;

/// The name it binds by.
pub(crate) const SYSTEM_ID: &str = "demo";

/// Makes the system where it is not yet, or gives it a new password where the folder has lost it.
pub(super) async fn place(platform: &Platform, folder: &Folder, client: AccountId) -> Result<()> {
    let known = store::smpp_systems::by_name(&platform.db, SYSTEM_ID).await?.map(|system| system.settings);
    if known.is_some() && folder.demo_password()?.is_some() {
        return Ok(());
    }
    let password = api::smpp_password().map_err(|error| anyhow!("cannot make a password: {error}"))?;
    // Kept first: a password in the file that nobody knows harms less than a known one that nobody has.
    folder.keep_demo_password(&password)?;
    let mut system = known.unwrap_or_else(|| api::smpp_system(SmppSystemId::generate(), client));
    SYSTEM_ID.clone_into(&mut system.system_id);
    system.password_hash.0 = platform.keys.hash(password.as_bytes()).to_vec();
    let mut tx = platform.db.begin().await?;
    done(store::smpp_systems::put(&mut tx, &platform.db, system.account_id, &system).await?, SYSTEM_ID)?;
    tx.commit().await.context("cannot store the demo's SMPP system")?;
    Ok(platform.queue.create(&contract::queues::deliver(system.id)).await?)
}
