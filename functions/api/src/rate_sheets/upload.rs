//! `POST /v1/operators/{id}/rate-sheets`: a sheet comes in and is compared; nothing is changed yet.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::rate_sheet::Terms;
use domain::{OperatorId, SheetId};
use http::{StatusCode, header};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sheet::{Error, Grid, Mapping};
use store::rate_sheets::{self, NewSheet, apply, volumes};
use tokio::sync::Semaphore;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::dry_run::{dry_run, short};
use super::rules::{self, PutRules};
use super::view::RateSheet;
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::{Query, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// Sheets that are read at the same time; each takes a processor for a while.
static READING: Semaphore = Semaphore::const_new(2);

/// What was carried in so many days is what changes are weighed with.
const WEEK: TimeDelta = TimeDelta::days(7);
/// How long ago a sheet may have been received.
const RECEIVED_AGO_MAX: TimeDelta = TimeDelta::days(31);

/// Media types of sheets. The bytes say which it is.
const TYPES: [&str; 5] = [
    "text/csv",
    "text/plain",
    "application/csv",
    "application/octet-stream",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
];

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(upload_sheet)).layer(DefaultBodyLimit::max(sheet::BYTES_MAX))
}

/// What is to know of a file.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct About {
    /// The name of the file.
    name: Option<String>,
    /// When the supplier's message came, at most 31 days ago; now when nothing is said. Notice is counted from here.
    received_at: Option<String>,
    /// From when rows hold that say no date; from receipt when nothing is said.
    effective_from: Option<String>,
    /// `true`: the sheet lists everything, and what it does not list is closed, and rates of later that it does not
    /// confirm do not begin; what the rules say when nothing is said.
    is_whole: Option<String>,
}

/// The bytes of a sheet.
struct File(Bytes);

impl<S: Send + Sync> FromRequest<S> for File {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !kind.is_empty() && !TYPES.contains(&kind.as_str()) {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "send the sheet itself as text/csv or as an XLSX workbook",
            ));
        }
        let refuse = |error: BytesRejection| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::PayloadTooLarge, "a sheet has at most 8 MiB"),
            _ => Problem::new(Code::InvalidRequest, "the body could not be read to its end"),
        };
        Bytes::from_request(request, state).await.map(Self).map_err(refuse)
    }
}

/// Upload a supplier's rate sheet (CSV or XLSX) as the body itself. It is read by the operator's rules and compared with the
/// rates in force; nothing is changed before it is applied. `/v1/rate-sheets/{id}/lines` tells what each row changes.
#[utoipa::path(post, path = "/v1/operators/{id}/rate-sheets", tag = "operators",
    params(About, ("id" = String, Path, description = "`op_…`")),
    request_body(content(
        (Vec<u8> = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 201, body = RateSheet), Refusals))]
async fn upload_sheet(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(about): Query<About>,
    File(bytes): File,
) -> Result<(StatusCode, Json<RateSheet>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let operator: OperatorId = path_id(&id)?;
    let mut rules = rules::in_force(&api, Some(operator)).await?;
    if rules.second_person {
        caller.is_person(rules::TWO)?;
    }
    let (name, terms) = terms(&about, &mut rules, crate::time::now())?;
    let known = rate_sheets::known_networks(&api.db).await?;
    let (mapping, file) = (rules.mapping.clone(), bytes.clone());
    let (grid, read) = read(mapping, move |mapping| {
        let grid =
            Grid::read(&file, mapping.sheet.as_deref(), mapping.separator()).map_err(|error| unreadable(&error))?;
        let read = sheet::parse(&grid, mapping, &|network| {
            known.contains(&network) || domain::world::world().name(network).is_some()
        });
        let read = read.map_err(|missing| {
            let pointer = if missing.field == "header_row" {
                "/mapping/header_row".to_owned()
            } else {
                format!("/mapping/columns/{}", missing.field)
            };
            Problem::field(pointer, Code::InvalidRequest, missing.to_string())
        })?;
        Ok((grid.format, read))
    })
    .await?;
    let carried = volumes::carried(&api.db, Some(operator), (terms.now - WEEK, terms.now)).await?;
    api.catalogue.refresh().await?;
    let catalogue = api.catalogue.get();
    let mut tx = api.db.begin().await?;
    let held = apply::held(&mut tx, operator, terms.now).await?;
    let run = dry_run(&read, &held, &terms, &carried, &catalogue.fx);
    rules.is_whole = terms.is_whole && !run.summary.closings_withheld;
    let new = NewSheet {
        id: SheetId::generate(),
        operator,
        name,
        format: grid.name(),
        sha256: Sha256::digest(&bytes).into(),
        file_bytes: i32::try_from(bytes.len()).unwrap_or(i32::MAX),
        rules: serde_json::to_value(&rules).map_err(Problem::internal)?,
        received_at: terms.received_at,
        default_from: terms.default_from,
        second_person: rules.second_person,
        rows_read: i32::try_from(read.rows).unwrap_or(i32::MAX),
        summary: serde_json::to_value(&run.summary).map_err(Problem::internal)?,
        uploaded_by: caller.actor.to_string(),
        created_at: terms.now,
    };
    found(rate_sheets::create(&mut tx, &new, &run.lines).await?)?;
    let detail = short(operator, &run.summary);
    let change = Change { account: caller.account, action: "rate_sheet.upload", subject: new.id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    metrics::counter!("chappe_rate_sheet_rows_total").increment(read.rows.into());
    Ok((StatusCode::CREATED, super::show(&api, new.id).await?))
}

/// Runs `work` where it keeps nobody waiting.
async fn read<T: Send + 'static>(
    mapping: Mapping,
    work: impl FnOnce(&Mapping) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let _seat = READING.acquire().await.map_err(Problem::internal)?;
    tokio::task::spawn_blocking(move || work(&mapping)).await.map_err(Problem::internal)?
}

fn unreadable(error: &Error) -> Problem {
    match error {
        Error::TooLarge | Error::Unpacked | Error::TooLong | Error::TooWide(_) => {
            Problem::new(Code::PayloadTooLarge, error.to_string())
        }
        Error::NoSuchSheet(_) => Problem::field("/mapping/sheet", Code::InvalidRequest, error.to_string()),
        Error::OldExcel | Error::NotASheet(_) => Problem::field("", Code::InvalidRequest, error.to_string()),
    }
}

fn terms(about: &About, rules: &mut PutRules, now: DateTime<Utc>) -> Result<(String, Terms), Problem> {
    let mut check = Check::default();
    let received_at = check.time("/received_at", about.received_at.as_deref()).unwrap_or(now).trunc_subsecs(3);
    let recent = received_at <= now && now - received_at <= RECEIVED_AGO_MAX;
    check.that(recent, "/received_at", "expected a time of the last 31 days");
    let default_from = check.time("/effective_from", about.effective_from.as_deref()).unwrap_or(received_at);
    let default_from = default_from.trunc_subsecs(3);
    let name = about.name.clone().unwrap_or_else(|| "sheet".to_owned());
    check.label("/name", &name, 200);
    match about.is_whole.as_deref() {
        None => {}
        Some("true") => rules.is_whole = true,
        Some("false") => rules.is_whole = false,
        Some(_) => check.refuse("/is_whole", Code::InvalidRequest, "expected true or false"),
    }
    check.finish()?;
    let (notice_days, is_whole) = (rules.notice_days, rules.is_whole);
    let terms =
        Terms { received_at, default_from, now, notice_days, on_short_notice: rules.on_short_notice(), is_whole };
    Ok((name.trim().to_owned(), terms))
}
