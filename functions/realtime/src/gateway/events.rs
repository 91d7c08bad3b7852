//! The events of a connection's life, as API Gateway sends them to a Lambda function with proxy integration
//! ("Integration request of a WebSocket API", and the `$connect`, `$default` and `$disconnect` routes).

use anyhow::Context as _;
use async_trait::async_trait;
use chrono::TimeDelta;
use contract::realtime::{ACCOUNT_CONNECTIONS_MAX, Filter, SAID_BYTES_MAX, Said};
use host::lambda::Events;
use serde_json::{Value, json};
use store::realtime::{self, Connection};
use tokio::time::Instant;

use super::credentials::{self, Given, Refused};
use super::{Gateway, PostError};
use crate::{Realtime, Way};

/// How long API Gateway keeps a connection at most, and a margin.
const LIFE_MAX: TimeDelta = TimeDelta::minutes(125);

#[async_trait]
impl Events for Realtime {
    async fn on_event(&self, event: Value, _: Instant) -> anyhow::Result<Value> {
        let Way::Gateway(gateway) = &self.way else { anyhow::bail!("this handler has no connections of API Gateway") };
        let context = &event["requestContext"];
        let id = context["connectionId"].as_str().context("the event is of no WebSocket")?;
        let status = match context["eventType"].as_str() {
            Some("CONNECT") => gateway.connect(id, &event, self.clock.now()).await,
            Some("DISCONNECT") => {
                realtime::disconnect(&gateway.db, &[id.to_owned()]).await?;
                200
            }
            Some("MESSAGE") => gateway.answer(id, &event).await?,
            other => anyhow::bail!("API Gateway sends no event of type {other:?}"),
        };
        Ok(json!({ "statusCode": status }))
    }
}

impl Gateway {
    /// Lets a client in, or answers the HTTP status that it gets instead of its connection.
    async fn connect(&self, id: &str, event: &Value, now: chrono::DateTime<chrono::Utc>) -> u16 {
        let query = &event["queryStringParameters"];
        let Ok(filter) = Filter::parse(query["events"].as_str().unwrap_or_default()) else { return 400 };
        let given = Given { authorization: header(event, "authorization"), ticket: query["ticket"].as_str() };
        let holder = match credentials::check(&self.db, &self.keys, given, now).await {
            Ok(holder) => holder,
            Err(Refused::Unauthorized) => return 401,
            Err(Refused::Forbidden) => return 403,
            Err(Refused::Database(error)) => return unavailable(&error),
        };
        let connection = Connection { id: id.to_owned(), holder, events: filter.names() };
        let most = i64::try_from(ACCOUNT_CONNECTIONS_MAX).unwrap_or(i64::MAX);
        match realtime::connect(&self.db, &connection, most, now + LIFE_MAX).await {
            Ok(true) => 200,
            Ok(false) => 429,
            Err(error) => unavailable(&error),
        }
    }

    /// Answers what a client says.
    async fn answer(&self, id: &str, event: &Value) -> anyhow::Result<u16> {
        let said = event["body"].as_str().filter(|said| said.len() <= SAID_BYTES_MAX);
        let answer = match Said::read(said.unwrap_or_default()) {
            Ok(said) => {
                if let Said::Subscribe(filter) = &said {
                    realtime::subscribe(&self.db, id, &filter.names()).await?;
                }
                said.answer()
            }
            Err(answer) => answer,
        };
        match self.posts.post(id, answer.into()).await {
            Ok(()) => Ok(200),
            Err(PostError::Gone) => {
                realtime::disconnect(&self.db, &[id.to_owned()]).await?;
                Ok(410)
            }
            Err(PostError::Failed(error)) => Err(error.context("cannot answer a client")),
        }
    }
}

fn unavailable(error: &store::Error) -> u16 {
    tracing::warn!(error = %error, "cannot let a client in");
    503
}

/// A header, whatever the case of its name: API Gateway passes names on as the client wrote them.
fn header<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    let headers = event["headers"].as_object()?;
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
}
