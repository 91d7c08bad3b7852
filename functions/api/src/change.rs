//! How every change ends: an audit row in the same transaction, a commit, and a catalogue that knows of it.

use chrono::{DateTime, Utc};
use domain::AccountId;
use serde::Deserialize;
use serde_json::Value;
use store::audit::{self, Entry};
use store::tx::{Tx, commit};
use utoipa::ToSchema;

use crate::Api;
use crate::auth::Caller;
use crate::check::Check;
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

/// When something dated ends, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndDated {
    /// The first moment at which it does not hold; now when nothing is said. Not in the past.
    pub(crate) effective_to: Option<String>,
    /// Why, for the trail.
    #[schema(example = "the supplier closed the route")]
    pub(crate) reason: String,
}

impl EndDated {
    /// The moment, and the reason.
    pub(crate) fn read(self) -> Result<(DateTime<Utc>, String), Problem> {
        let now = crate::time::now();
        let mut check = Check::default();
        check.label("/reason", &self.reason, 1_000);
        let at = check.time("/effective_to", self.effective_to.as_deref()).unwrap_or(now);
        check.that(at >= now, "/effective_to", "expected a time that is not past");
        check.finish()?;
        Ok((at, self.reason.trim().to_owned()))
    }
}

/// What is dated does not hold at the moment at which it should end.
pub(crate) fn is_over() -> Problem {
    Problem::new(Code::Conflict, "it does not hold at that time: it begins later, or has ended before")
}

/// What is dated has begun, and cannot be taken back.
pub(crate) fn has_begun() -> Problem {
    Problem::new(Code::Conflict, "it has begun, and cannot be taken back; publish another one, or end it")
}
