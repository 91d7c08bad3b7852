//! `DELETE /v1/messages/{id}`: a message that was not sent yet is withdrawn.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::MessageId;
use store::tx::commit;
use store::withdraw;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::read::{MessageStory, story};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(cancel_message))
}

/// Cancel a message that waits for its time or for an operator. What is held for it is free again.
///
/// Refused with 409 once it has an operator: then it may be on its way.
#[utoipa::path(delete, path = "/v1/messages/{id}", tag = "messages", params(("id" = String, Path, description = "`msg_…`")),
    responses((status = 200, body = MessageStory), Refusals))]
async fn cancel_message(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<MessageStory>, Problem> {
    caller.may(Scope::MessagesWrite)?;
    let id: MessageId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let standing = withdraw::lock(&mut tx, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    if !standing.is_withdrawable() {
        let detail =
            format!("the message is {}; only one that is accepted or scheduled can be canceled", standing.state);
        return Err(Problem::new(Code::Conflict, detail));
    }
    withdraw::cancel(&mut tx, &api.db, &standing, crate::time::now()).await?;
    commit(tx).await?;
    story(&api, &caller, id).await
}
