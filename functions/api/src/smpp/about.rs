//! `query_sm`, `cancel_sm` and `replace_sm`.

use contract::Encoding;
use contract::intake::{AboutMessage, Act, Answer, MessageReport};
use domain::{Private, Sender, State};
use store::tx::commit;
use store::withdraw::{self, Replacement, Standing};

use super::count::count;
use super::prepare::{text_of, times};
use super::status::Why;
use crate::Api;

/// Answers a question of a system about one of its messages.
///
/// # Errors
/// When the database fails; then nothing was done.
pub async fn about(api: &Api, about: &AboutMessage) -> anyhow::Result<Answer> {
    let answer = match &about.act {
        Act::Query => {
            let found = withdraw::find(&api.db, about.account_id, about.message_id).await?;
            own(found, about).map(|standing| report(&standing, standing.state))
        }
        Act::Cancel => cancel(api, about).await?,
        Act::Replace { text, encoding, .. } => replace(api, about, text, *encoding).await?,
    };
    Ok(match answer {
        Ok(report) => Answer::Report(report),
        Err(why) => Answer::Refused(why.into()),
    })
}

/// The message, where it is one of this system and from the source that is named.
fn own(found: Option<Standing>, about: &AboutMessage) -> Result<Standing, Why> {
    let named = Sender::parse(&about.from).ok();
    let is_own = |standing: &Standing| {
        let same_source =
            about.from.is_empty() || named.is_some_and(|from| standing.sender.eq_ignore_ascii_case(from.as_str()));
        standing.account == about.account_id && standing.system == Some(about.system_id) && same_source
    };
    found.filter(is_own).ok_or(Why::UnknownMessage)
}

async fn cancel(api: &Api, about: &AboutMessage) -> anyhow::Result<Result<MessageReport, Why>> {
    let mut tx = api.db.begin().await?;
    let standing = match own(withdraw::lock(&mut tx, about.account_id, about.message_id).await?, about) {
        Ok(standing) => standing,
        Err(why) => return Ok(Err(why)),
    };
    if !standing.is_withdrawable() {
        return Ok(Err(Why::CannotCancel));
    }
    withdraw::cancel(&mut tx, &api.db, &standing, crate::time::now()).await?;
    commit(tx).await?;
    Ok(Ok(report(&standing, State::Canceled)))
}

async fn replace(
    api: &Api,
    about: &AboutMessage,
    text: &Private,
    encoding: Encoding,
) -> anyhow::Result<Result<MessageReport, Why>> {
    let mut tx = api.db.begin().await?;
    let now = crate::time::now();
    let found = withdraw::lock(&mut tx, about.account_id, about.message_id).await?;
    let with = own(found, about).and_then(|standing| {
        let with = replacement(&standing, &about.act, (text, encoding), now)?;
        Ok((standing, with))
    });
    let (standing, with) = match with {
        Ok(both) => both,
        Err(why) => return Ok(Err(why)),
    };
    withdraw::replace(&mut tx, &standing, &with, now).await?;
    commit(tx).await?;
    Ok(Ok(report(&standing, standing.state)))
}

/// What the message becomes: of as many short messages as were paid for.
fn replacement(
    standing: &Standing,
    act: &Act,
    (text, encoding): (&Private, Encoding),
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Replacement, Why> {
    if !standing.is_replaceable() {
        return Err(Why::CannotReplace);
    }
    let (scheduled_at, expires_at) = match act {
        Act::Replace { scheduled_at, expires_at, .. } => (*scheduled_at, *expires_at),
        Act::Query | Act::Cancel => (None, None),
    };
    let text = text_of(text);
    let (encoding, segments) = count(text.expose(), encoding, &standing.fields)?;
    if segments != standing.segments {
        return Err(Why::CannotReplace);
    }
    let (scheduled_at, expires_at) =
        times(scheduled_at.or(standing.scheduled_at), expires_at.or(Some(standing.expires_at)), now)?;
    Ok(Replacement { text, encoding, scheduled_at: scheduled_at.or(Some(now)), expires_at })
}

fn report(standing: &Standing, state: State) -> MessageReport {
    let error = standing.code.as_deref().and_then(|code| code.parse().ok()).unwrap_or_default();
    let ended =
        state.is_final().then(|| if standing.state.is_final() { standing.updated_at } else { crate::time::now() });
    MessageReport { state, final_at: ended, error }
}
