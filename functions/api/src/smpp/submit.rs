//! Submits of SMPP customers, through the gatherer that sends over HTTPS go through.

use std::collections::{BTreeMap, HashSet};

use contract::intake::{Submission, Submissions, SubmitVerdict};
use domain::{AccountId, MessageId, Number};
use futures_util::future::join_all;
use store::accept::{self, Acceptance, NewMessage, Single};

use super::prepare::prepare;
use super::status::Why;
use crate::Api;
use crate::lookups::LookedUp;
use crate::messages::intake::Waiting;

/// A submission on its way: stored before (`None`), ready for the gatherer, or refused.
type Step = Result<Option<NewMessage>, Why>;

/// Accepts or refuses each submission, in their order. What is accepted is durable and paid for.
///
/// # Errors
/// When the outcome of some is not known: the same can be asked again with [`Submissions::repeated`].
pub async fn submit(api: &Api, submissions: &Submissions) -> anyhow::Result<Vec<SubmitVerdict>> {
    let stored = stored_before(api, submissions).await?;
    let mut steps = prepare_all(api, submissions, &stored, &LookedUp::default());
    look_up(api, submissions, &mut steps).await;
    hold_back(api, &mut steps).await;
    let offer = |message| api.intake.offer(Single { message, idempotency: None }).map_err(|_| Why::Busy);
    let begun: Vec<Result<Option<Waiting>, Why>> =
        steps.into_iter().map(|step| step.and_then(|message| message.map(offer).transpose())).collect();
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

/// Prepares anew those whose numbers are looked up, as the policies of their accounts ask for, and were found. Nothing is
/// asked for what would be refused wherever its number is.
async fn look_up(api: &Api, submissions: &Submissions, steps: &mut [Step]) {
    let number = |(step, submission): (&Step, &Submission)| match step {
        Ok(Some(message)) => Some((message.account_id, message.to)),
        Err(Why::UnpricedDestination) => {
            Number::parse(submission.to.expose()).ok().map(|to| (submission.account_id, to))
        }
        _ => None,
    };
    let asked: Vec<_> = steps.iter().zip(&submissions.submissions).map(number).collect();
    let wanted: Vec<_> = asked.iter().flatten().copied().collect();
    let looked_up = api.lookups.before_pricing(api, None, &wanted).await;
    let (catalogue, now) = (api.catalogue.get(), crate::time::now());
    for ((step, submission), asked) in steps.iter_mut().zip(&submissions.submissions).zip(asked) {
        if asked.is_some_and(|(account, number)| looked_up.network(account, number).is_some()) {
            *step = prepare(&catalogue, submission, now, &looked_up).map(Some);
        }
    }
}

fn prepare_all(api: &Api, submissions: &Submissions, stored: &HashSet<MessageId>, looked_up: &LookedUp) -> Vec<Step> {
    let (catalogue, now) = (api.catalogue.get(), crate::time::now());
    let step = |submission: &Submission| {
        if stored.contains(&submission.message_id) {
            return Ok(None);
        }
        prepare(&catalogue, submission, now, looked_up).map(Some)
    };
    submissions.submissions.iter().map(step).collect()
}

/// Takes the segments from the accounts' rates, all accounts at once; what a rate does not let through is refused.
async fn hold_back(api: &Api, steps: &mut [Step]) {
    let mut of_account: BTreeMap<AccountId, (Vec<usize>, Vec<u32>)> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        if let Ok(Some(message)) = step {
            let (places, segments) = of_account.entry(message.account_id).or_default();
            places.push(at);
            segments.push(u32::from(message.segments));
        }
    }
    let agreed: Vec<_> = {
        let catalogue = api.catalogue.get();
        of_account.keys().map(|account| api.pace.agreed(&catalogue, *account)).collect()
    };
    let asked = of_account.values().zip(agreed).map(|((_, segments), agreed)| api.pace.pass(agreed, segments));
    let passed = join_all(asked).await;
    for ((places, _), passed) in of_account.values().zip(passed) {
        for at in places.iter().skip(passed) {
            steps[*at] = Err(Why::RateLimited);
        }
    }
}

/// Those that came before and were stored, whatever would be said of them now.
async fn stored_before(api: &Api, submissions: &Submissions) -> anyhow::Result<HashSet<MessageId>> {
    if !submissions.repeated {
        return Ok(HashSet::new());
    }
    let ids: Vec<_> = submissions.submissions.iter().map(|one| (one.account_id, one.message_id)).collect();
    Ok(accept::stored(&api.db, &ids).await?)
}

fn verdict(acceptance: &Acceptance) -> SubmitVerdict {
    match acceptance {
        Acceptance::Stored => SubmitVerdict::Accepted,
        Acceptance::NoCredit => SubmitVerdict::Refused(Why::InsufficientCredit.into()),
        Acceptance::SpendCap => SubmitVerdict::Refused(Why::SpendCapReached.into()),
        Acceptance::OptedOut => SubmitVerdict::Refused(Why::OptedOut.into()),
        // There was no key.
        Acceptance::Replayed(_) => SubmitVerdict::Refused(Why::Internal.into()),
    }
}
