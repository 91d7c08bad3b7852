//! What can be asked of an export, and what of it is refused.

use chrono::TimeDelta;
use domain::world::world;
use domain::{AccountId, ExportId, Network, OperatorId, Role};
use serde::Deserialize;
use store::exports::{Filter, NewExport};
use utoipa::ToSchema;

use crate::Api;
use crate::auth::Caller;
use crate::check::Check;
use crate::problem::{Code, Problem};

/// The longest time of one export.
const SPAN_MAX: TimeDelta = TimeDelta::days(400);

/// A file to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateExport {
    /// `cdr`: a call detail record for every message that ended.
    #[schema(example = "cdr")]
    kind: String,
    /// Of messages accepted at this time or later.
    #[schema(example = "2026-11-01T00:00:00Z")]
    from: String,
    /// And before this; 400 days later at most.
    #[schema(example = "2026-12-01T00:00:00Z")]
    to: String,
    /// `csv` (when nothing is said) or `ndjson`: one JSON object a line.
    format: Option<String>,
    /// Pack it with gzip.
    gzip: Option<bool>,
    /// Of this account and all below it; else of your own and all below it.
    account_id: Option<String>,
    /// To this country (ISO 3166-1 alpha-2).
    country: Option<String>,
    /// To this network (MCC and MNC).
    network: Option<String>,
    /// Carried by this operator at last. The house only.
    operator_id: Option<String>,
    /// That ended so, for example `undelivered`.
    state: Option<String>,
}

/// What `body` asks for, of the caller's own account and those below it.
pub(super) fn read(api: &Api, caller: &Caller, body: &CreateExport) -> Result<NewExport, Problem> {
    if body.operator_id.is_some() && caller.role != Role::Admin {
        return Err(Problem::new(Code::Forbidden, "only the house can ask by operator_id"));
    }
    let mut check = Check::default();
    check.that(body.kind == "cdr", "/kind", "expected cdr");
    let from = check.time("/from", Some(&body.from));
    let to = check.time("/to", Some(&body.to));
    if let Some((from, to)) = from.zip(to) {
        check.that(from < to && to - from <= SPAN_MAX, "/to", "expected a time behind from, by 400 days at most");
    }
    let format = body.format.clone().unwrap_or_else(|| "csv".to_owned());
    check.that(matches!(format.as_str(), "csv" | "ndjson"), "/format", "expected csv or ndjson");
    let filter = filter(&mut check, body);
    let (from, to) = check.finish_with(from.zip(to))?;
    if let Some(account) = filter.account {
        caller.sees(&api.catalogue.get(), account)?;
    }
    Ok(NewExport {
        id: ExportId::generate(),
        account: caller.account,
        format,
        gzip: body.gzip.unwrap_or(false),
        from,
        to,
        filter,
        actor: caller.actor.to_string(),
        at: crate::time::now(),
    })
}

fn filter(check: &mut Check, body: &CreateExport) -> Filter {
    let account: Option<AccountId> = check.parse_some("/account_id", body.account_id.as_deref());
    let operator: Option<OperatorId> = check.parse_some("/operator_id", body.operator_id.as_deref());
    let network: Option<Network> = check.parse_some("/network", body.network.as_deref());
    let state: Option<domain::State> = check.parse_some("/state", body.state.as_deref());
    let mut mccs = Vec::new();
    if let Some(iso) = body.country.as_deref() {
        let country = world().countries().iter().find(|one| !iso.is_empty() && one.iso.eq_ignore_ascii_case(iso));
        check.that(country.is_some(), "/country", "expected the two letters of a country (ISO 3166-1)");
        mccs.extend(country.into_iter().flat_map(|country| country.mccs.iter().map(ToString::to_string)));
    }
    Filter {
        account,
        mccs,
        network: network.map(|network| network.to_string()),
        operator,
        state: state.map(|state| state.name().to_owned()),
    }
}
