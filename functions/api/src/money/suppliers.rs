//! `/v1/operators/{id}/account`: how the house stands with its suppliers. Providers of look-ups are suppliers, too.

mod providers;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::{Currency, Micros, OperatorId};
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::supplier::{self, Line, Payment, Standing, Supplier};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::once::{Begun, Once};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(get_supplier_account))
        .routes(routes!(set_supplier_alarm))
        .routes(routes!(list_supplier_entries))
        .routes(routes!(pay_supplier))
        .merge(providers::routes())
}

/// How the house stands with a supplier in one currency.
#[derive(Serialize, ToSchema)]
struct SupplierBalance {
    /// ISO 4217.
    currency: String,
    /// Paid to it by now.
    paid: String,
    /// What its messages or look-ups cost by now.
    cost: String,
    /// What is left: `paid` - `cost`; below zero: what is owed.
    balance: String,
    /// An alarm is raised below this; null: never.
    alarm_below: Option<String>,
    /// The balance is below it.
    is_low: bool,
}

/// How the house stands with a supplier.
#[derive(Serialize, ToSchema)]
struct SupplierAccount {
    /// The operator; null: it is a provider of look-ups.
    operator_id: Option<String>,
    /// The provider of look-ups.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
    /// One for each currency that was ever paid, charged or watched.
    balances: Vec<SupplierBalance>,
}

fn view(standing: &Standing) -> SupplierBalance {
    let balance = standing.balance();
    SupplierBalance {
        currency: standing.currency.to_string(),
        paid: standing.paid.to_string(),
        cost: standing.cost.to_string(),
        balance: balance.to_string(),
        alarm_below: standing.alarm_below.map(|below| below.to_string()),
        is_low: standing.alarm_below.is_some_and(|below| balance < below),
    }
}

async fn account(tx: &mut store::Tx, supplier: Supplier) -> Result<SupplierAccount, Problem> {
    let balances = supplier::standings(tx, Some(supplier)).await?;
    let (operator_id, provider_id) = match supplier {
        Supplier::Operator(id) => (Some(id.to_string()), None),
        Supplier::Provider(id) => (None, Some(id.to_string())),
    };
    Ok(SupplierAccount { operator_id, provider_id, balances: balances.iter().map(view).collect() })
}

/// Read how the house stands with a supplier: paid, used up, left. Only the house may.
#[utoipa::path(get, path = "/v1/operators/{id}/account", tag = "operators",
    params(("id" = String, Path, description = "`op_…`")), responses((status = 200, body = SupplierAccount), Refusals))]
async fn get_supplier_account(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SupplierAccount>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let operator: OperatorId = path_id(&id)?;
    found(store::operators::get(&api.db, operator).await?.is_some())?;
    let mut tx = api.db.begin().await?;
    Ok(Json(account(&mut tx, Supplier::Operator(operator)).await?))
}

/// An alarm to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetAlarm {
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// Raise an alarm when the balance is below this; null: never.
    #[schema(example = "500.00")]
    alarm_below: Option<String>,
}

/// Set from where on the balance with a supplier raises an alarm. Only the house may.
#[utoipa::path(put, path = "/v1/operators/{id}/account", tag = "operators", request_body = SetAlarm,
    params(("id" = String, Path, description = "`op_…`")), responses((status = 200, body = SupplierAccount), Refusals))]
async fn set_supplier_alarm(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<SupplierAccount>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let operator: OperatorId = path_id(&id)?;
    watch(&api, &caller, Supplier::Operator(operator), &raw).await
}

/// Sets the alarm that a request asks for.
async fn watch(api: &Api, caller: &Caller, supplier: Supplier, raw: &Raw) -> Result<Json<SupplierAccount>, Problem> {
    let body: SetAlarm = raw.parse()?;
    let mut check = Check::default();
    let currency: Option<Currency> = check.parse("/currency", &body.currency);
    let below: Option<Micros> = body.alarm_below.as_deref().and_then(|text| check.level("/alarm_below", text));
    let currency = check.finish_with(currency)?;
    let mut tx = api.db.begin().await?;
    found(supplier::set_alarm(&mut tx, (supplier, currency), below).await?)?;
    let shown = account(&mut tx, supplier).await?;
    let detail = json!({"currency": currency, "alarm_below": below});
    let change = Change { account: caller.account, action: "supplier.alarm", subject: supplier.to_string(), detail };
    api.commit(tx, caller, change).await?;
    Ok(Json(shown))
}

/// A payment to a supplier.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPayment {
    /// How much; below zero: it came back.
    #[schema(example = "5000.00")]
    amount: String,
    /// ISO 4217: a currency that it charges in.
    #[schema(example = "EUR")]
    currency: String,
    /// Why; it stands with the entry.
    #[schema(example = "prepayment for December")]
    reason: String,
}

/// A payment that was posted.
#[derive(Serialize, ToSchema)]
struct PaidSupplier {
    /// Names the entry of the journal.
    entry_id: String,
    /// How the house stands with the supplier now.
    account: SupplierAccount,
}

/// Post a payment to a supplier. Only the house may.
#[utoipa::path(post, path = "/v1/operators/{id}/payments", tag = "operators", request_body = NewPayment,
    params(("id" = String, Path, description = "`op_…`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = PaidSupplier), Refusals))]
async fn pay_supplier(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    (uri, headers): (Uri, HeaderMap),
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let operator: OperatorId = path_id(&id)?;
    pay(&api, &caller, Supplier::Operator(operator), (&headers, &uri), &raw).await
}

/// Posts the payment that a request asks for, once.
async fn pay(
    api: &Arc<Api>,
    caller: &Caller,
    supplier: Supplier,
    (headers, uri): (&HeaderMap, &Uri),
    raw: &Raw,
) -> Result<Response, Problem> {
    let mut once = match Once::begin(api, caller, (headers, uri), raw).await? {
        Begun::New(once) => once,
        Begun::Answered(answer) => return Ok(*answer),
    };
    let payment = read(supplier, &raw.parse()?, caller.actor.to_string())?;
    let entry = supplier::pay(&mut once.tx, caller.account, &payment).await?.ok_or_else(Problem::not_found)?;
    let body = PaidSupplier { entry_id: entry.to_string(), account: account(&mut once.tx, supplier).await? };
    let detail = json!({"amount": payment.amount, "currency": payment.currency, "reason": payment.reason,
        "entry_id": entry});
    let change = Change { account: caller.account, action: "supplier.pay", subject: supplier.to_string(), detail };
    once.finish((api, caller), change, &body).await
}

fn read(supplier: Supplier, body: &NewPayment, actor: String) -> Result<Payment, Problem> {
    let mut check = Check::default();
    let amount: Option<Micros> = check.parse("/amount", &body.amount);
    let good = amount
        .is_none_or(|amount| amount != Micros::ZERO && amount <= Micros::AMOUNT_MAX && -amount <= Micros::AMOUNT_MAX);
    check.that(good, "/amount", "expected an amount other than zero, up to 1000000000 in either direction");
    let currency: Option<Currency> = check.parse("/currency", &body.currency);
    super::reason(&mut check, &body.reason);
    let (amount, currency) = check.finish_with(amount.zip(currency))?;
    Ok(Payment { supplier, amount, currency, reason: body.reason.trim().to_owned(), actor })
}

/// Which movements.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// In this currency (ISO 4217).
    currency: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// A movement on the account with a supplier.
#[derive(Serialize, ToSchema)]
struct SupplierEntry {
    /// Names the entry of the journal.
    entry_id: String,
    /// When.
    #[serde(serialize_with = "crate::time::millis")]
    at: DateTime<Utc>,
    /// `supplier_cost`, `lookup` or `supplier_payment`.
    operation: String,
    /// Above zero: paid; below zero: a cost.
    amount: String,
    /// ISO 4217.
    currency: String,
    /// How many messages or look-ups it covers.
    messages: i32,
    /// Why, where somebody said so.
    reason: Option<String>,
}

/// List the movements on the account with a supplier in one currency, newest first. Only the house may.
#[utoipa::path(get, path = "/v1/operators/{id}/entries", tag = "operators",
    params(("id" = String, Path, description = "`op_…`"), Filters),
    responses((status = 200, body = List<SupplierEntry>), Refusals))]
async fn list_supplier_entries(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<Filters>,
) -> Result<Json<List<SupplierEntry>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let operator: OperatorId = path_id(&id)?;
    entries(&api, Supplier::Operator(operator), &query).await
}

async fn entries(api: &Api, supplier: Supplier, query: &Filters) -> Result<Json<List<SupplierEntry>>, Problem> {
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let currency = if let Some(currency) = &query.currency {
        check.parse("/currency", currency)
    } else {
        check.refuse("/currency", Code::InvalidRequest, "name the currency of the account");
        None
    };
    let currency = check.finish_with(currency)?;
    let view = |row: Line| SupplierEntry {
        entry_id: row.entry.to_string(),
        at: row.at,
        operation: row.operation,
        amount: row.amount.to_string(),
        currency: row.currency.to_string(),
        messages: row.messages,
        reason: row.reason,
    };
    let rows = supplier::lines(&api.db, supplier, currency, page).await?;
    Ok(Json(List::new(page, rows, |row| row.entry, view)))
}
