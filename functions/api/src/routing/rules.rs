//! `/v1/routing/rules`: for which messages operators are ranked how. Versions, never edited; the house only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::RoutingRuleId;
use domain::routing::rule::Rule;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::routing_rules::{self, Version};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::ended;
use super::form::{self, RuleThen, RuleWhen};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_rule))
        .routes(routes!(list_rules))
        .routes(routes!(get_rule))
        .routes(routes!(publish_version))
        .routes(routes!(end_rule))
        .routes(routes!(withdraw_version))
}

/// A version of a rule to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishRule {
    /// For people.
    #[schema(example = "Bank traffic to Ucell by two")]
    name: String,
    /// Of several rules that fit a message, the one with the smallest position holds.
    #[schema(example = 100)]
    position: i32,
    /// For which messages.
    when: Option<RuleWhen>,
    /// How their operators are ranked.
    then: Option<RuleThen>,
    /// Why, for the trail.
    reason: Option<String>,
    /// From when it holds; now when nothing is said. Not in the past: what was decided stays explained.
    effective_from: Option<String>,
}

/// A rule in one version.
#[derive(Debug, Serialize, ToSchema)]
struct RoutingRule {
    /// The same in all versions.
    id: String,
    /// From 1.
    version: u32,
    /// For people.
    name: String,
    /// Of several rules that fit a message, the one with the smallest position holds.
    position: i32,
    /// For which messages.
    when: RuleWhen,
    /// How their operators are ranked.
    then: RuleThen,
    /// Why it was made.
    reason: String,
    /// The key or user that made it.
    made_by: String,
    /// From when it holds.
    #[serde(serialize_with = "crate::time::millis")]
    effective_from: DateTime<Utc>,
    /// Until when; null: open.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    effective_to: Option<DateTime<Utc>>,
    /// When it was made.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

/// A rule with all of its versions.
#[derive(Serialize, ToSchema)]
struct RuleHistory {
    /// The newest first.
    versions: Vec<VersionChanged>,
}

/// A version, and in what it differs from the one before.
#[derive(Serialize, ToSchema)]
struct VersionChanged {
    /// The version.
    #[serde(flatten)]
    version: RoutingRule,
    /// What changed; empty for the first.
    changes: Vec<FieldChange>,
}

/// One field that changed.
#[derive(Debug, Serialize, ToSchema, PartialEq)]
struct FieldChange {
    /// Which, as a JSON pointer.
    #[schema(example = "/then/strategy")]
    pointer: String,
    /// What it was; null: nothing.
    #[schema(value_type = Object)]
    before: Value,
    /// What it is; null: nothing.
    #[schema(value_type = Object)]
    after: Value,
}

/// Which rules.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Those that hold at this time; now when nothing is said.
    at: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

fn view(version: Version) -> RoutingRule {
    let Version { rule, reason, made_by, created_at } = version;
    let (when, then) = form::show(rule.body);
    RoutingRule {
        id: rule.id.to_string(),
        version: rule.version,
        name: rule.name,
        position: rule.position,
        when,
        then,
        reason,
        made_by,
        effective_from: rule.from,
        effective_to: rule.to,
        created_at,
    }
}

fn read(api: &Api, caller: &Caller, id: RoutingRuleId, body: PublishRule) -> Result<Version, Problem> {
    let now = crate::time::now();
    let mut check = Check::default();
    check.label("/name", &body.name, 200);
    let reason = body.reason.unwrap_or_default().trim().to_owned();
    check.that(reason.chars().count() <= 1_000, "/reason", "expected at most 1000 characters");
    let from = check.time("/effective_from", body.effective_from.as_deref()).unwrap_or(now);
    check.that(from >= now, "/effective_from", "expected a time that is not past");
    let says = form::read(api, &mut check, &body.when.unwrap_or_default(), &body.then.unwrap_or_default());
    check.finish()?;
    let rule =
        Rule { id, version: 0, name: body.name.trim().to_owned(), position: body.position, body: says, from, to: None };
    Ok(Version { rule, reason, made_by: caller.actor.to_string(), created_at: now })
}

async fn publish(api: &Api, caller: &Caller, mut new: Version, action: &'static str) -> Result<RoutingRule, Problem> {
    let mut tx = api.db.begin().await?;
    let made = routing_rules::publish(&mut tx, &new).await;
    let twice = "a version of this moment is there already";
    let made = made.map_err(|error| conflict(error, "routing_rules_do_not_overlap", twice))?;
    (new.rule.version, new.rule.to) = made;
    let Version { rule, reason, .. } = &new;
    let detail = json!({"version": rule.version, "name": rule.name, "position": rule.position, "body": rule.body,
        "reason": reason, "effective_from": rule.from});
    let change = Change { account: caller.account, action, subject: rule.id.to_string(), detail };
    api.commit(tx, caller, change).await?;
    Ok(view(new))
}

/// Make a routing rule.
#[utoipa::path(post, path = "/v1/routing/rules", tag = "operators", request_body = PublishRule,
    responses((status = 201, body = RoutingRule), Refusals))]
async fn create_rule(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<RoutingRule>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let new = read(&api, &caller, RoutingRuleId::generate(), raw.parse()?)?;
    Ok((StatusCode::CREATED, Json(publish(&api, &caller, new, "routing_rule.create").await?)))
}

/// Publish another version of a rule. It closes the one that holds at its moment.
#[utoipa::path(put, path = "/v1/routing/rules/{id}", tag = "operators", params(("id" = String, Path, description = "`route_…`")),
    request_body = PublishRule, responses((status = 200, body = RoutingRule), Refusals))]
async fn publish_version(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<RoutingRule>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id = path_id(&id)?;
    found(!routing_rules::versions(&api.db, id).await?.is_empty())?;
    let new = read(&api, &caller, id, raw.parse()?)?;
    Ok(Json(publish(&api, &caller, new, "routing_rule.publish").await?))
}

/// End a rule now. Its versions stay to be read; what was to begin later is dropped.
#[utoipa::path(delete, path = "/v1/routing/rules/{id}", tag = "operators", params(("id" = String, Path, description = "`route_…`")),
    responses((status = 204, description = "It holds no more"), Refusals))]
async fn end_rule(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: RoutingRuleId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let was_there = routing_rules::end(&mut tx, id, crate::time::now()).await?;
    ended(&api, &caller, tx, was_there, ("routing_rule.end", id.to_string())).await
}

/// Take back a version that has not begun: the one that it would have closed goes on. Its number is not given again.
#[utoipa::path(delete, path = "/v1/routing/rules/{id}/versions/{version}", tag = "operators",
    params(("id" = String, Path, description = "`route_…`"), ("version" = String, Path, description = "Its number")),
    responses((status = 204, description = "It never holds"), Refusals))]
async fn withdraw_version(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((id, version)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: RoutingRuleId = path_id(&id)?;
    let version: u32 = version.parse().map_err(|_| Problem::not_found())?;
    let is_there = |versions: Vec<Version>| versions.iter().any(|one| one.rule.version == version);
    found(is_there(routing_rules::versions(&api.db, id).await?))?;
    let mut tx = api.db.begin().await?;
    if !routing_rules::withdraw(&mut tx, id, version, crate::time::now()).await? {
        let detail = "this version has begun, so that messages may have been decided by it: publish another one, or end the rule";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let (action, subject) = ("routing_rule.withdraw", id.to_string());
    let detail = json!({"version": version});
    api.commit(tx, &caller, Change { account: caller.account, action, subject, detail }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the rules that hold at a time, newest first.
#[utoipa::path(get, path = "/v1/routing/rules", tag = "operators", params(Filters),
    responses((status = 200, body = List<RoutingRule>), Refusals))]
async fn list_rules(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<RoutingRule>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let at = check.time("/at", query.at.as_deref()).unwrap_or_else(crate::time::now);
    check.finish()?;
    let rows = routing_rules::in_force(&api.db, at, page).await?;
    Ok(Json(List::new(page, rows, |row| row.rule.id.uuid(), view)))
}

/// Read a rule with all of its versions, and what each changed.
#[utoipa::path(get, path = "/v1/routing/rules/{id}", tag = "operators", params(("id" = String, Path, description = "`route_…`")),
    responses((status = 200, body = RuleHistory), Refusals))]
async fn get_rule(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<RuleHistory>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let versions = routing_rules::versions(&api.db, path_id(&id)?).await?;
    found(!versions.is_empty())?;
    let says = |version: &Version| {
        let Rule { name, position, body, .. } = &version.rule;
        json!({"name": name, "position": position, "when": body.when, "then": body.then})
    };
    let said: Vec<Value> = versions.iter().map(says).collect();
    let versions = versions.into_iter().enumerate().map(|(at, version)| {
        let mut changes = Vec::new();
        if let Some(before) = said.get(at + 1) {
            differ(before, &said[at], String::new(), &mut changes);
        }
        VersionChanged { version: view(version), changes }
    });
    Ok(Json(RuleHistory { versions: versions.collect() }))
}

/// Where two documents differ: objects field by field, all else as a whole.
fn differ(before: &Value, after: &Value, pointer: String, changes: &mut Vec<FieldChange>) {
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let of = |fields: &serde_json::Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
            differ(&of(old), &of(new), format!("{pointer}/{name}"), changes);
        }
    } else if before != after {
        changes.push(FieldChange { pointer, before: before.clone(), after: after.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_by_their_place() {
        let change =
            |pointer: &str, before: Value, after: Value| FieldChange { pointer: pointer.to_owned(), before, after };
        for (before, after, expected) in [
            (json!({"a": 1}), json!({"a": 1}), vec![]),
            (json!({"a": 1}), json!({"a": 2}), vec![change("/a", json!(1), json!(2))]),
            (
                json!({"when": {"networks": ["434"]}}),
                json!({"when": {"networks": ["401"], "segments_min": 2}}),
                vec![
                    change("/when/networks", json!(["434"]), json!(["401"])),
                    change("/when/segments_min", Value::Null, json!(2)),
                ],
            ),
            (json!({"a": {"b": 1}}), json!({}), vec![change("/a", json!({"b": 1}), Value::Null)]),
        ] {
            let mut changes = Vec::new();
            differ(&before, &after, String::new(), &mut changes);
            assert_eq!(changes, expected, "{before} {after}");
        }
    }
}
