//! `GET /v1/messages` and `GET /v1/messages/{id}`: what was sent, and what became of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::{MessageId, Micros, OperatorId, Sender};
use serde::{Deserialize, Serialize};
use store::ledger::refund;
use store::messages::{self, Event, Filter, Part, Story};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::view::Cost;
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(get_message)).routes(routes!(list_messages))
}

/// Which messages.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// In this state.
    state: Option<String>,
    /// To this number.
    to: Option<String>,
    /// From this sender ID.
    from: Option<String>,
    /// With this reference of yours.
    client_reference: Option<String>,
    /// Of this account; else of your own and all below it.
    account_id: Option<String>,
    /// Accepted at this time or later.
    #[serde(rename = "created_at[gte]")]
    since: Option<String>,
    /// Accepted before this time.
    #[serde(rename = "created_at[lt]")]
    until: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// A message as it stands.
#[derive(Serialize, ToSchema)]
struct Message {
    /// Its id.
    id: String,
    /// Whose it is.
    account_id: String,
    /// Where it stands.
    #[schema(example = "delivered")]
    state: &'static str,
    /// Why it ended so.
    code: Option<String>,
    /// The recipient in the form of E.164.
    to: String,
    /// The sender ID.
    from: String,
    /// What it says.
    text: String,
    /// How many short messages it takes.
    segments: u8,
    /// `gsm7` or `ucs2`.
    encoding: String,
    /// The network that it was priced for.
    mcc_mnc: String,
    /// What kind of traffic it is, where that was said.
    traffic_class: Option<String>,
    /// The template that it was made of, where that was said.
    template: Option<String>,
    /// What it costs its account; null: an account further down than those that buy from you, whose prices are its own
    /// business.
    cost: Option<Cost>,
    /// What its account was charged by now; null as above.
    charged: Option<String>,
    /// Your own reference.
    client_reference: Option<String>,
    /// Where its events go.
    status_url: Option<String>,
    /// Your own values.
    #[schema(value_type = Option<Object>)]
    metadata: Option<serde_json::Value>,
    /// The message that this is a part of, where its SMPP customer cut one. Lists show the whole under its first part.
    #[serde(skip_serializing_if = "Option::is_none")]
    long: Option<LongMessage>,
    /// When it was accepted.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
    /// When its state changed last.
    #[serde(serialize_with = "crate::time::millis")]
    updated_at: DateTime<Utc>,
    /// When it is given up.
    #[serde(serialize_with = "crate::time::millis")]
    expires_at: DateTime<Utc>,
}

/// A message that its SMPP customer cut into parts. Each part is a message of its own, and paid for as one.
#[derive(Serialize, ToSchema)]
struct LongMessage {
    /// How many parts it has.
    total: u8,
    /// Where the whole stands: where its last part does.
    state: &'static str,
    /// What the whole says, as far as it came.
    text: String,
    /// Short messages of all parts.
    segments: u16,
    /// What was charged for all parts by now; null where that of the message is.
    charged: Option<String>,
    /// The parts that came, in their order.
    parts: Vec<LongPart>,
}

/// One part of it.
#[derive(Serialize, ToSchema)]
struct LongPart {
    /// The part's own id.
    id: String,
    /// From 1.
    part: u8,
    /// Where it stands.
    state: &'static str,
}

fn long(parts: &[store::long::LongPart]) -> Option<LongMessage> {
    let charged = parts.iter().map(|part| part.captured.get()).sum();
    Some(LongMessage {
        total: parts.first()?.total,
        state: store::long::state_of(parts)?.name(),
        text: parts.iter().map(|part| part.text.expose()).collect(),
        segments: parts.iter().map(|part| u16::from(part.segments)).sum(),
        charged: Some(Micros::new(charged).to_string()),
        parts: parts
            .iter()
            .map(|part| LongPart { id: part.id.to_string(), part: part.part, state: part.state.name() })
            .collect(),
    })
}

/// The first part in a list stands for the whole.
fn whole(row: messages::Message) -> Message {
    let unit = row.unit_price;
    let mut shown = view(row);
    if let Some(long) = &shown.long {
        shown.state = long.state;
        shown.text.clone_from(&long.text);
        shown.segments = u8::try_from(long.segments).unwrap_or(u8::MAX);
        if let Some(cost) = &mut shown.cost {
            cost.total = unit.times(long.segments).unwrap_or(Micros::ZERO).to_string();
        }
        shown.charged.clone_from(&long.charged);
    }
    shown
}

/// A message with its whole story.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageStory {
    #[serde(flatten)]
    message: Message,
    /// What happened, in order of time.
    events: Vec<MessageEvent>,
    /// Its segments at operators.
    parts: Vec<MessagePart>,
    /// What refunds gave back of what was charged; null where that is.
    #[schema(example = "0.00")]
    refunded: Option<String>,
    /// How its operator was chosen. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    decision: Option<serde_json::Value>,
}

/// Something that happened to a message.
#[derive(Serialize, ToSchema)]
struct MessageEvent {
    /// The state that it brought.
    state: String,
    /// When.
    #[serde(serialize_with = "crate::time::millis")]
    at: DateTime<Utc>,
    /// Who says so: api, route, bill, dlr, sweep.
    source: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// Of which segment; absent: of the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<i16>,
    /// At which operator. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<String>,
}

/// One segment at one operator.
#[derive(Serialize, ToSchema)]
struct MessagePart {
    /// From 1.
    segment: i16,
    /// Which try at a route; 0 is the first.
    hop: i16,
    /// Where it stands.
    state: String,
    /// The operator's error code.
    error: Option<String>,
    /// When the operator answered.
    #[serde(serialize_with = "crate::time::millis")]
    submitted_at: DateTime<Utc>,
    /// When its receipt came.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    receipt_at: Option<DateTime<Utc>>,
    /// The operator's id of it. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    smpp_message_id: Option<String>,
    /// SMPP `command_status` of the answer. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    submit_status: Option<i64>,
    /// At whom. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<String>,
}

/// Read a message with its whole story.
#[utoipa::path(get, path = "/v1/messages/{id}", tag = "messages", params(("id" = String, Path, description = "`msg_…`")),
    responses((status = 200, body = MessageStory), Refusals))]
async fn get_message(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<MessageStory>, Problem> {
    caller.may(Scope::MessagesRead)?;
    story(&api, &caller, path_id(&id)?).await
}

/// A message with its whole story, as this caller sees it.
pub(crate) async fn story(api: &Api, caller: &Caller, id: MessageId) -> Result<Json<MessageStory>, Problem> {
    let story = messages::get(&api.db, caller.account, id).await?;
    let story = story.ok_or_else(Problem::not_found)?;
    let refunded = refund::given_back(&api.db, story.message.account, id).await?;
    let mut told = tell(story, refunded, caller.sees_costs());
    told.hide_prices(api, caller);
    Ok(Json(told))
}

/// List messages, newest first. One that an SMPP customer cut is shown once, as a whole; filters look at its first
/// part.
#[utoipa::path(get, path = "/v1/messages", tag = "messages", params(Filters),
    responses((status = 200, body = List<Message>), Refusals))]
async fn list_messages(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<Message>>, Problem> {
    caller.may(Scope::MessagesRead)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let filter = filter(&mut check, &query);
    check.finish()?;
    if let Some(account) = filter.account {
        caller.sees(&api.catalogue.get(), account)?;
    }
    let rows = messages::list(&api.db, caller.account, &filter, page).await?;
    let catalogue = api.catalogue.get();
    let view = |row: messages::Message| {
        let is_known = caller.knows_prices_of(&catalogue, row.account);
        let mut shown = whole(row);
        if !is_known {
            shown.hide_prices();
        }
        shown
    };
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), view)))
}

fn filter(check: &mut Check, query: &Filters) -> Filter {
    if let Some(reference) = &query.client_reference {
        check.label("/client_reference", reference, 128);
    }
    let to = query.to.as_deref().and_then(|to| check.value("/to", Code::InvalidNumber, domain::Number::parse(to)));
    let from = query.from.as_deref().and_then(|from| check.value("/from", Code::InvalidSender, Sender::parse(from)));
    Filter {
        account: check.parse_some("/account_id", query.account_id.as_deref()),
        state: check.parse_some("/state", query.state.as_deref()),
        to,
        from: from.map(|from| from.as_str().to_owned()),
        client_reference: query.client_reference.clone(),
        since: check.time("/created_at[gte]", query.since.as_deref()),
        until: check.time("/created_at[lt]", query.until.as_deref()),
    }
}

impl Message {
    fn hide_prices(&mut self) {
        (self.cost, self.charged) = (None, None);
        if let Some(long) = &mut self.long {
            long.charged = None;
        }
    }
}

impl MessageStory {
    /// Takes out what is not the caller's business.
    pub(super) fn hide_prices(&mut self, api: &Api, caller: &Caller) {
        let account = self.message.account_id.parse().ok();
        if !account.is_some_and(|account| caller.knows_prices_of(&api.catalogue.get(), account)) {
            self.message.hide_prices();
            self.refunded = None;
        }
    }
}

fn view(row: messages::Message) -> Message {
    let total = row.unit_price.times(u16::from(row.segments)).unwrap_or(Micros::ZERO);
    Message {
        id: row.id.to_string(),
        account_id: row.account.to_string(),
        state: row.state.name(),
        code: row.code,
        to: row.to.e164(),
        from: row.from,
        text: row.text.into_exposed(),
        segments: row.segments,
        encoding: row.encoding,
        mcc_mnc: row.mcc_mnc,
        traffic_class: row.traffic_class,
        template: row.template,
        cost: Some(Cost {
            unit_price: row.unit_price.to_string(),
            total: total.to_string(),
            currency: row.currency.to_string(),
        }),
        charged: Some(row.captured.to_string()),
        client_reference: row.client_reference,
        status_url: row.status_url,
        metadata: row.metadata,
        long: long(&row.long),
        created_at: row.created_at,
        updated_at: row.updated_at,
        expires_at: row.expires_at,
    }
}

/// Customers do not see who carries their messages: that is the house's own business.
pub(super) fn tell(story: Story, refunded: Micros, to_house: bool) -> MessageStory {
    let accepted = MessageEvent {
        state: domain::State::Accepted.name().to_owned(),
        at: story.message.created_at,
        source: "api".to_owned(),
        code: None,
        segment: None,
        operator_id: None,
    };
    let operator = |id| Some(OperatorId::from_uuid(id).to_string()).filter(|_| to_house);
    let event = |event: Event| MessageEvent {
        state: event.state,
        at: event.at,
        source: event.source,
        code: event.code,
        segment: event.segment,
        operator_id: event.operator_id.and_then(operator),
    };
    let part = |part: Part| MessagePart {
        segment: part.segment,
        hop: part.hop,
        state: part.state,
        error: part.error,
        submitted_at: part.submitted_at,
        receipt_at: part.receipt_at,
        smpp_message_id: part.smpp_message_id.filter(|_| to_house),
        submit_status: part.submit_status.filter(|_| to_house),
        operator_id: operator(part.operator_id),
    };
    MessageStory {
        message: view(story.message),
        events: std::iter::once(accepted).chain(story.events.into_iter().map(event)).collect(),
        parts: story.parts.into_iter().map(part).collect(),
        refunded: Some(refunded.to_string()),
        decision: story.decision.filter(|_| to_house),
    }
}
