//! `/v1/rate-sheet-rules`: how each supplier's sheets are read, and under which terms they are taken.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::OperatorId;
use domain::rate_sheet::ShortNotice;
use domain::tariff::ChargeOn;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sheet::Mapping;
use store::rate_sheets::rules::{self, Rules};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict};
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// Where two people are needed.
pub(super) const TWO: &str = "for these sheets";

/// Days of notice at most.
const NOTICE_DAYS_MAX: u16 = 365;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(get_rules))
        .routes(routes!(put_rules))
        .routes(routes!(get_own_rules))
        .routes(routes!(put_own_rules))
}

/// How sheets are read, and under which terms they are taken.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutRules {
    /// Where things stand in a sheet and what they mean.
    #[serde(default)]
    #[schema(inline)]
    pub(super) mapping: Mapping,
    /// Increases are effective not before so many days after receipt, at midnight UTC; 0 when nothing is said.
    #[serde(default)]
    #[schema(example = 7)]
    pub(super) notice_days: u16,
    /// What becomes of an increase that is effective sooner: `move` (default) or `refuse`.
    #[serde(default)]
    pub(super) on_short_notice: Option<String>,
    /// Who uploads a sheet may not approve it, and none is applied before it is approved. Both must be logged in, as must
    /// whoever sets or clears this: a key could be anybody's.
    #[serde(default)]
    pub(super) second_person: bool,
    /// Sheets list everything: rates for networks that a sheet does not list are closed, and rates of later that it does not
    /// confirm do not begin; one that would have been cheaper holds until the notice is over.
    #[serde(default)]
    pub(super) is_whole: bool,
    /// When the supplier takes its money, for networks without a rate before: `submit` (default: for what it accepts) or
    /// `delivered`. Where there is a rate, it stays as there.
    #[serde(default)]
    pub(super) charge_on: Option<String>,
}

/// Rules that are stored.
#[derive(Serialize, ToSchema)]
struct RateSheetRules {
    /// Whose; null: of operators that have none of their own.
    operator_id: Option<String>,
    /// Where things stand in a sheet and what they mean.
    #[schema(value_type = Mapping)]
    mapping: Value,
    /// Days between receipt and an increase.
    notice_days: i16,
    /// `move` or `refuse`.
    on_short_notice: String,
    /// Who uploads a sheet may not approve it.
    second_person: bool,
    /// Sheets list everything.
    is_whole: bool,
    /// `submit` or `delivered`: when rates are taken of networks without a rate before.
    charge_on: String,
    /// Who made them; null: nobody, they are the defaults.
    made_by: Option<String>,
    /// When.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    updated_at: Option<DateTime<Utc>>,
}

impl PutRules {
    pub(super) fn on_short_notice(&self) -> ShortNotice {
        self.on_short_notice.as_deref().and_then(ShortNotice::parse).unwrap_or_default()
    }

    pub(super) fn charge_on(&self) -> ChargeOn {
        self.charge_on.as_deref().and_then(ChargeOn::parse).unwrap_or_default()
    }
}

fn view(rules: Option<Rules>, operator: Option<OperatorId>) -> Result<RateSheetRules, Problem> {
    let Some(rules) = rules else {
        let mapping = serde_json::to_value(Mapping::default()).map_err(Problem::internal)?;
        return Ok(RateSheetRules {
            operator_id: operator.map(|id| id.to_string()),
            mapping,
            notice_days: 0,
            on_short_notice: ShortNotice::default().name().to_owned(),
            second_person: false,
            is_whole: false,
            charge_on: ChargeOn::default().name().to_owned(),
            made_by: None,
            updated_at: None,
        });
    };
    Ok(RateSheetRules {
        operator_id: rules.operator_id.map(|id| OperatorId::from_uuid(id).to_string()),
        mapping: rules.mapping,
        notice_days: rules.notice_days,
        on_short_notice: rules.on_short_notice,
        second_person: rules.second_person,
        is_whole: rules.is_whole,
        charge_on: rules.charge_on,
        made_by: Some(rules.made_by),
        updated_at: Some(rules.updated_at),
    })
}

/// The rules that a sheet of an operator is taken under: its own, else the platform's, else the defaults.
pub(super) async fn in_force(api: &Api, operator: Option<OperatorId>) -> Result<PutRules, Problem> {
    let own = rules::get(&api.db, operator).await?;
    let rules = match own {
        Some(own) => Some(own),
        None => rules::get(&api.db, None).await?,
    };
    let Some(rules) = rules else { return Ok(PutRules::default()) };
    Ok(PutRules {
        mapping: serde_json::from_value(rules.mapping).map_err(Problem::internal)?,
        notice_days: u16::try_from(rules.notice_days).unwrap_or(0),
        on_short_notice: Some(rules.on_short_notice),
        second_person: rules.second_person,
        is_whole: rules.is_whole,
        charge_on: Some(rules.charge_on),
    })
}

/// Show the rules for operators that have none of their own.
#[utoipa::path(get, path = "/v1/rate-sheet-rules", tag = "operators", responses((status = 200, body = RateSheetRules), Refusals))]
async fn get_rules(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<RateSheetRules>, Problem> {
    show(&api, &caller, None).await
}

/// Set the rules for operators that have none of their own. They hold for sheets that are uploaded from now on.
#[utoipa::path(put, path = "/v1/rate-sheet-rules", tag = "operators", request_body = PutRules,
    responses((status = 200, body = RateSheetRules), Refusals))]
async fn put_rules(State(api): State<Arc<Api>>, caller: Caller, raw: Raw) -> Result<Json<RateSheetRules>, Problem> {
    put(&api, &caller, None, &raw).await
}

/// Show the rules for sheets of an operator: the defaults where it has none of its own.
#[utoipa::path(get, path = "/v1/operators/{id}/rate-sheet-rules", tag = "operators",
    params(("id" = String, Path, description = "`op_…`")), responses((status = 200, body = RateSheetRules), Refusals))]
async fn get_own_rules(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<RateSheetRules>, Problem> {
    show(&api, &caller, Some(&id)).await
}

/// Set the rules for sheets of an operator. They hold for sheets that are uploaded from now on.
#[utoipa::path(put, path = "/v1/operators/{id}/rate-sheet-rules", tag = "operators", request_body = PutRules,
    params(("id" = String, Path, description = "`op_…`")), responses((status = 200, body = RateSheetRules), Refusals))]
async fn put_own_rules(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<RateSheetRules>, Problem> {
    put(&api, &caller, Some(&id), &raw).await
}

async fn show(api: &Api, caller: &Caller, operator: Option<&str>) -> Result<Json<RateSheetRules>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let operator = operator.map(path_id).transpose()?;
    Ok(Json(view(rules::get(&api.db, operator).await?, operator)?))
}

async fn put(api: &Api, caller: &Caller, operator: Option<&str>, raw: &Raw) -> Result<Json<RateSheetRules>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let operator: Option<OperatorId> = operator.map(path_id).transpose()?;
    let body: PutRules = raw.parse()?;
    check(&body)?;
    if body.second_person || in_force(api, operator).await?.second_person {
        caller.is_person(TWO)?;
    }
    let rules = Rules {
        operator_id: operator.map(OperatorId::uuid),
        mapping: serde_json::to_value(&body.mapping).map_err(Problem::internal)?,
        notice_days: i16::try_from(body.notice_days).unwrap_or(i16::MAX),
        on_short_notice: body.on_short_notice().name().to_owned(),
        second_person: body.second_person,
        is_whole: body.is_whole,
        charge_on: body.charge_on().name().to_owned(),
        made_by: caller.actor.to_string(),
        updated_at: crate::time::now(),
    };
    let mut tx = api.db.begin().await?;
    let unknown = "rate_sheet_rules_operator_id_fkey";
    let saved = rules::put(&mut tx, &rules).await;
    saved.map_err(
        |error| if error.constraint() == Some(unknown) { Problem::not_found() } else { conflict(error, "", "") },
    )?;
    let detail = serde_json::to_value(&body).unwrap_or_else(|_| json!({}));
    let subject = operator.map_or_else(|| "platform".to_owned(), |id| id.to_string());
    let change = Change { account: caller.account, action: "rate_sheet_rules.put", subject, detail };
    api.commit(tx, caller, change).await?;
    Ok(Json(view(Some(rules), operator)?))
}

fn check(body: &PutRules) -> Result<(), Problem> {
    let mut check = Check::default();
    for fault in body.mapping.faults() {
        check.refuse(&format!("/mapping{}", fault.pointer), Code::InvalidRequest, fault.detail);
    }
    check.that(body.notice_days <= NOTICE_DAYS_MAX, "/notice_days", "expected at most 365 days");
    let known = body.on_short_notice.as_deref().is_none_or(|name| ShortNotice::parse(name).is_some());
    check.that(known, "/on_short_notice", "expected move or refuse");
    let known = body.charge_on.as_deref().is_none_or(|name| ChargeOn::parse(name).is_some());
    check.that(known, "/charge_on", "expected submit or delivered");
    check.finish()
}
