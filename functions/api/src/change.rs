//! How every change ends: an audit row in the same transaction, a commit, and a catalogue that knows of it.

use domain::AccountId;
use serde_json::Value;
use store::audit::{self, Entry};
use store::tx::{Tx, commit};

use crate::Api;
use crate::auth::Caller;
use crate::problem::{Code, Problem};

/// What was changed.
#[derive(Debug)]
pub(crate) struct Change {
    /// Whose thing.
    pub(crate) account: AccountId,
    /// For example `operator.update`.
    pub(crate) action: &'static str,
    /// Its id.
    pub(crate) subject: String,
    /// The new values, without secrets.
    pub(crate) detail: Value,
}

impl Api {
    /// Records `change`, commits, and reads the catalogue anew: who asks next sees what was answered.
    pub(crate) async fn commit(&self, mut tx: Tx, caller: &Caller, change: Change) -> Result<(), Problem> {
        let entry = Entry {
            account: change.account,
            actor_account: caller.account,
            actor: caller.actor.to_string(),
            action: change.action,
            subject: change.subject,
            detail: change.detail,
        };
        audit::record(&mut tx, &entry).await?;
        commit(tx).await?;
        // The change is durable: a catalogue that cannot be read now is read within half a second.
        if let Err(error) = self.catalogue.refresh().await {
            tracing::warn!(error = %error, "cannot refresh the catalogue after a change");
        }
        Ok(())
    }
}

/// A conflict where `constraint` refused the row; else what the store says.
pub(crate) fn conflict(error: store::Error, constraint: &str, detail: &'static str) -> Problem {
    match error.constraint() {
        Some(name) if name == constraint => Problem::new(Code::Conflict, detail),
        _ => error.into(),
    }
}

/// Something that must be there, and yours.
pub(crate) fn found(found: bool) -> Result<(), Problem> {
    if found { Ok(()) } else { Err(Problem::not_found()) }
}
