//! Submits of SMPP customers, through the gatherer that sends over HTTPS go through.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use contract::intake::{Submission, Submissions, SubmitVerdict};
use domain::{Catalogue, MessageId};
use store::accept::{self, Acceptance, Single};

use super::prepare::prepare;
use super::status::Why;
use crate::Api;
use crate::messages::intake::Waiting;

/// Accepts or refuses each submission, in their order. What is accepted is durable and paid for.
///
/// # Errors
/// When the outcome of some is not known: the same can be asked again with [`Submissions::repeated`].
pub async fn submit(api: &Api, submissions: &Submissions) -> anyhow::Result<Vec<SubmitVerdict>> {
    let stored = stored_before(api, submissions).await?;
    let (catalogue, now) = (api.catalogue.get(), crate::time::now());
    let begun: Vec<Result<Option<Waiting>, Why>> = submissions
        .submissions
        .iter()
        .map(|submission| {
            if stored.contains(&submission.message_id) {
                return Ok(None);
            }
            begin(api, &catalogue, submission, now).map(Some)
        })
        .collect();
    let mut verdicts = Vec::with_capacity(begun.len());
    for begun in begun {
        verdicts.push(match begun {
            Ok(None) => SubmitVerdict::Accepted,
            Ok(Some(waiting)) => verdict(&waiting.verdict().await.map_err(|problem| anyhow::anyhow!("{problem:?}"))?),
            Err(why) => SubmitVerdict::Refused(why.into()),
        });
    }
    Ok(verdicts)
}

/// Those that came before and were stored, whatever would be said of them now.
async fn stored_before(api: &Api, submissions: &Submissions) -> anyhow::Result<HashSet<MessageId>> {
    if !submissions.repeated {
        return Ok(HashSet::new());
    }
    let ids: Vec<_> = submissions.submissions.iter().map(|one| (one.account_id, one.message_id)).collect();
    Ok(accept::stored(&api.db, &ids).await?)
}

/// Everything before the database: prepares, and takes the segments from the account's rate.
fn begin(api: &Api, catalogue: &Catalogue, submission: &Submission, now: DateTime<Utc>) -> Result<Waiting, Why> {
    let message = prepare(catalogue, submission, now)?;
    let segments = u32::from(message.segments);
    api.pace.take(catalogue, message.account_id, segments).map_err(|_| Why::RateLimited)?;
    api.intake.offer(Single { message, idempotency: None }).map_err(|_| Why::Busy)
}

fn verdict(acceptance: &Acceptance) -> SubmitVerdict {
    match acceptance {
        Acceptance::Stored => SubmitVerdict::Accepted,
        Acceptance::NoCredit => SubmitVerdict::Refused(Why::InsufficientCredit.into()),
        Acceptance::OptedOut => SubmitVerdict::Refused(Why::OptedOut.into()),
        // There was no key.
        Acceptance::Replayed(_) => SubmitVerdict::Refused(Why::Internal.into()),
    }
}
