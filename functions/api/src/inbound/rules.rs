//! `/v1/inbound-rules`: whose the messages to a number are. The house gives numbers and keywords to accounts; an
//! account says where its messages go and which words do something.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::inbound::{NAME_MAX, Rule, address, fold, words};
use domain::{InboundRuleId, SmppSystemId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::inbound_rules;
use store::page::Page;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::accounts::named;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::check::Check;
use crate::list::{List, Paging, Query, path_id};
use crate::messages::url_guard;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// Stop words, or start words, of one rule at most.
const WORDS_MAX: usize = 50;
/// Words that opt out where a rule says nothing.
const STOP_WORDS: [&str; 6] = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"];
/// Words that take an opt-out back where a rule says nothing.
const START_WORDS: [&str; 2] = ["START", "UNSTOP"];

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_rule))
        .routes(routes!(list_rules))
        .routes(routes!(get_rule))
        .routes(routes!(change_rule))
        .routes(routes!(delete_rule))
}

/// A rule to make. Of the rules that fit a message, one with its keyword goes before one without, then one for its
/// operator before one for any.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateInboundRule {
    /// Whose the messages are.
    account_id: String,
    /// Number or short code: up to 20 digits or letters.
    #[schema(example = "4400")]
    number: String,
    /// Only what comes through this operator.
    operator_id: Option<String>,
    /// Only what begins with this word, in capitals or not. Without one: what no keyword claims.
    #[schema(example = "NEWS")]
    keyword: Option<String>,
    /// The SMPP system of the account that gets the messages. This, or `url`, or both.
    smpp_system_id: Option<String>,
    /// Where the messages are posted: http or https.
    #[schema(example = "https://example.com/inbound")]
    url: Option<String>,
    /// Words that opt the handset out of all messages of the account, when a message is nothing else (but the
    /// keyword). `STOP`, `STOPALL`, `UNSUBSCRIBE`, `CANCEL`, `END` and `QUIT` when nothing is said.
    stop_words: Option<Vec<String>>,
    /// Words that take an opt-out back. `START` and `UNSTOP` when nothing is said.
    start_words: Option<Vec<String>>,
}

/// What to change; what is absent stays, an empty text takes away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeInboundRule {
    /// The SMPP system of the account that gets the messages.
    smpp_system_id: Option<String>,
    /// Where the messages are posted.
    url: Option<String>,
    /// Words that opt out.
    stop_words: Option<Vec<String>>,
    /// Words that take an opt-out back.
    start_words: Option<Vec<String>>,
}

/// Whose the messages to a number are.
#[derive(Serialize, ToSchema)]
struct InboundRule {
    /// Its id.
    #[schema(example = "rule_01m835r56ceywr0hvw89c806ve")]
    id: String,
    /// Whose the messages are.
    account_id: String,
    /// Number or short code.
    number: String,
    /// Only what comes through this operator.
    operator_id: Option<String>,
    /// Only what begins with this word.
    keyword: Option<String>,
    /// Which SMPP system gets the messages.
    smpp_system_id: Option<String>,
    /// Where the messages are posted.
    url: Option<String>,
    /// Words that opt out.
    stop_words: Vec<String>,
    /// Words that take an opt-out back.
    start_words: Vec<String>,
}

fn view(rule: Rule) -> InboundRule {
    InboundRule {
        id: rule.id.to_string(),
        account_id: rule.account.to_string(),
        number: rule.number,
        operator_id: rule.operator.map(|id| id.to_string()),
        keyword: rule.keyword,
        smpp_system_id: rule.system.map(|id| id.to_string()),
        url: rule.url,
        stop_words: rule.stop_words,
        start_words: rule.start_words,
    }
}

async fn one(api: &Api, caller: &Caller, id: InboundRuleId) -> Result<Rule, Problem> {
    let mut rows = inbound_rules::list(&api.db, caller.account, Some(id), Page::new(None, 1)).await?;
    rows.pop().ok_or_else(Problem::not_found)
}

/// Give a number, or a keyword of it, to an account. Only the house may.
#[utoipa::path(post, path = "/v1/inbound-rules", tag = "account", request_body = CreateInboundRule,
    responses((status = 201, body = InboundRule), Refusals))]
async fn create_rule(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<InboundRule>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let body: CreateInboundRule = raw.parse()?;
    let mut check = Check::default();
    let account = named(&api, &caller, &mut check, Some(&body.account_id))?;
    let rule = Rule {
        id: InboundRuleId::generate(),
        account: account.unwrap_or(caller.account),
        number: number(&mut check, &body.number),
        operator: check.parse_some("/operator_id", body.operator_id.as_deref()),
        keyword: body.keyword.as_deref().map(|keyword| word(&mut check, "/keyword", keyword)),
        system: check.parse_some("/smpp_system_id", body.smpp_system_id.as_deref()),
        url: url(&mut check, &api, body.url.as_deref()),
        stop_words: word_list(&mut check, "/stop_words", body.stop_words, &STOP_WORDS),
        start_words: word_list(&mut check, "/start_words", body.start_words, &START_WORDS),
    };
    let known = rule.operator.is_none_or(|id| api.catalogue.get().operators.iter().any(|operator| operator.id == id));
    check.that(known, "/operator_id", "there is no such operator");
    leads_somewhere(&mut check, &rule);
    check.finish()?;
    let mut tx = api.db.begin().await?;
    let made = inbound_rules::create(&mut tx, caller.account, &rule).await;
    let taken = "this number, operator and keyword have a rule already";
    system_is_known(made.map_err(|error| conflict(error, "inbound_rules_once", taken))?)?;
    api.commit(tx, &caller, change_of(&rule, "inbound_rule.create")).await?;
    Ok((StatusCode::CREATED, Json(view(rule))))
}

/// List the rules of your own account and of all below it, newest first.
#[utoipa::path(get, path = "/v1/inbound-rules", tag = "account", params(Paging),
    responses((status = 200, body = List<InboundRule>), Refusals))]
async fn list_rules(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<InboundRule>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let page = query.page()?;
    let rows = inbound_rules::list(&api.db, caller.account, None, page).await?;
    Ok(Json(List::new(page, rows, |rule| rule.id.uuid(), view)))
}

/// Read a rule.
#[utoipa::path(get, path = "/v1/inbound-rules/{id}", tag = "account", params(("id" = String, Path, description = "`rule_…`")),
    responses((status = 200, body = InboundRule), Refusals))]
async fn get_rule(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<InboundRule>, Problem> {
    caller.may(Scope::AccountRead)?;
    Ok(Json(view(one(&api, &caller, path_id(&id)?).await?)))
}

/// Change where the messages of a rule go, and which words do something.
#[utoipa::path(patch, path = "/v1/inbound-rules/{id}", tag = "account", params(("id" = String, Path, description = "`rule_…`")),
    request_body = ChangeInboundRule, responses((status = 200, body = InboundRule), Refusals))]
async fn change_rule(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<InboundRule>, Problem> {
    caller.may(Scope::AccountWrite)?;
    let body: ChangeInboundRule = raw.parse()?;
    let mut rule = one(&api, &caller, path_id(&id)?).await?;
    let mut check = Check::default();
    if let Some(system) = &body.smpp_system_id {
        rule.system = Some(system.as_str())
            .filter(|id| !id.is_empty())
            .and_then(|id| check.parse::<SmppSystemId>("/smpp_system_id", id));
    }
    if let Some(text) = &body.url {
        rule.url = url(&mut check, &api, Some(text.as_str()).filter(|text| !text.is_empty()));
    }
    if let Some(words) = body.stop_words {
        rule.stop_words = word_list(&mut check, "/stop_words", Some(words), &[]);
    }
    if let Some(words) = body.start_words {
        rule.start_words = word_list(&mut check, "/start_words", Some(words), &[]);
    }
    leads_somewhere(&mut check, &rule);
    check.finish()?;
    let mut tx = api.db.begin().await?;
    system_is_known(inbound_rules::change(&mut tx, caller.account, &rule).await?)?;
    api.commit(tx, &caller, change_of(&rule, "inbound_rule.change")).await?;
    Ok(Json(view(rule)))
}

/// Take a number, or a keyword of it, from its account. Only the house may.
#[utoipa::path(delete, path = "/v1/inbound-rules/{id}", tag = "account", params(("id" = String, Path, description = "`rule_…`")),
    responses((status = 204, description = "Messages to it are the house's again"), Refusals))]
async fn delete_rule(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: InboundRuleId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let account = inbound_rules::delete(&mut tx, caller.account, id).await?;
    found(account.is_some())?;
    let account = account.unwrap_or(caller.account);
    let change = Change { account, action: "inbound_rule.delete", subject: id.to_string(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn change_of(rule: &Rule, action: &'static str) -> Change {
    let detail = json!({
        "number": rule.number,
        "operator_id": rule.operator,
        "keyword": rule.keyword,
        "smpp_system_id": rule.system,
        "url": rule.url,
        "stop_words": rule.stop_words,
        "start_words": rule.start_words,
    });
    Change { account: rule.account, action, subject: rule.id.to_string(), detail }
}

fn number(check: &mut Check, text: &str) -> String {
    let number = address(text);
    let good = (1..=NAME_MAX).contains(&number.chars().count()) && number.chars().all(char::is_alphanumeric);
    check.that(good, "/number", "expected a number or short code of up to 20 digits or letters");
    number
}

/// One word, as it is compared.
fn word(check: &mut Check, pointer: &str, text: &str) -> String {
    let word = fold(text.trim());
    let good = words(text) == [word.clone()] && word.chars().count() <= NAME_MAX;
    check.that(good, pointer, "expected one word of up to 20 characters that begins and ends with a letter or digit");
    word
}

fn word_list(check: &mut Check, pointer: &str, given: Option<Vec<String>>, usual: &[&str]) -> Vec<String> {
    let Some(given) = given else { return usual.iter().map(|word| (*word).to_owned()).collect() };
    check.that(given.len() <= WORDS_MAX, pointer, "expected at most 50 words");
    given.iter().take(WORDS_MAX).map(|text| word(check, pointer, text)).collect()
}

fn url(check: &mut Check, api: &Api, text: Option<&str>) -> Option<String> {
    let read = url_guard::check(text?, api.settings.private_webhooks);
    check.value("/url", Code::InvalidRequest, read)
}

fn leads_somewhere(check: &mut Check, rule: &Rule) {
    let somewhere = rule.system.is_some() || rule.url.is_some() || !check.is_clean();
    check.that(somewhere, "/url", "expected a url, or an smpp_system_id, or both");
}

/// The store refuses a system of somebody else like one that is not there.
fn system_is_known(done: bool) -> Result<(), Problem> {
    let detail = "there is no such SMPP system of this account";
    if done { Ok(()) } else { Err(Problem::field("/smpp_system_id", Code::InvalidRequest, detail)) }
}
