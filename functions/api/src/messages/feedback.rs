//! `POST /v1/messages/{id}/feedback`: what became of a message, by who sent it. Receipts are held against it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::MessageId;
use serde::{Deserialize, Serialize};
use store::feedback::{self, Given, Outcome};
use store::tx::commit;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(give_feedback))
}

/// What became of a message.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GiveFeedback {
    /// `converted`: its recipient did what it asked for, such as entering its code. `not_received`: it did not arrive.
    #[schema(example = "converted")]
    outcome: String,
}

/// What was said of a message.
#[derive(Serialize, ToSchema)]
struct MessageFeedback {
    /// Which message.
    message_id: String,
    /// `converted` or `not_received`.
    outcome: &'static str,
    /// When it was said first.
    #[serde(serialize_with = "crate::time::millis")]
    at: DateTime<Utc>,
}

/// Say what became of a message. The same again changes nothing; another opinion of the same message is refused with 409.
///
/// It decides, with that of others, how far the receipts of operators are believed; it does not change the message, nor
/// what it costs. What you say of messages counts for those that you sent after you said something for the first time.
#[utoipa::path(post, path = "/v1/messages/{id}/feedback", tag = "messages",
    params(("id" = String, Path, description = "`msg_…`")), request_body = GiveFeedback,
    responses((status = 200, body = MessageFeedback), Refusals))]
async fn give_feedback(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<MessageFeedback>, Problem> {
    caller.may(Scope::MessagesWrite)?;
    let message: MessageId = path_id(&id)?;
    let body: GiveFeedback = raw.parse()?;
    let mut check = Check::default();
    let outcome = Outcome::parse(&body.outcome).ok_or("expected converted or not_received");
    let outcome = check.value("/outcome", Code::InvalidRequest, outcome);
    let outcome = check.finish_with(outcome)?;
    let mut tx = api.db.begin().await?;
    let given = feedback::give(&mut tx, caller.account, (message, outcome), crate::time::now()).await?;
    let conflict = |detail: String| Problem::new(Code::Conflict, detail);
    let at = match given {
        Given::Stored(at) => at,
        Given::NoMessage => return Err(Problem::not_found()),
        Given::NotSent => return Err(conflict("the message was not given to an operator".to_owned())),
        Given::Otherwise(before) => {
            return Err(conflict(format!("it was said before that the message is {}", before.name())));
        }
    };
    commit(tx).await?;
    Ok(Json(MessageFeedback { message_id: message.to_string(), outcome: outcome.name(), at }))
}
