//! What a rule said when it held.

use chrono::{DateTime, Utc};
use domain::routing::RuleUsed;
use serde::Serialize;
use store::routing_rules::Version;
use utoipa::ToSchema;

use super::form::{self, RuleThen, RuleWhen};

/// A rule in the version that held.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleSaid {
    /// Which.
    id: String,
    /// In which version.
    version: u32,
    /// Its name then.
    name: String,
    /// For which messages it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<RuleWhen>,
    /// How it ranks operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<RuleThen>,
    /// Why that version was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The key or user that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<String>,
    /// From when that version holds.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    effective_from: Option<DateTime<Utc>>,
    /// Until when; null: open.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    effective_to: Option<DateTime<Utc>>,
}

pub(crate) fn said(used: &RuleUsed, version: Option<Version>) -> RuleSaid {
    let mut told = RuleSaid {
        id: used.id.to_string(),
        version: used.version,
        name: used.name.clone(),
        when: None,
        then: None,
        reason: None,
        made_by: None,
        effective_from: None,
        effective_to: None,
    };
    if let Some(Version { rule, reason, made_by, .. }) = version {
        let (when, then) = form::show(rule.body);
        (told.when, told.then) = (Some(when), Some(then));
        (told.reason, told.made_by) = (Some(reason).filter(|reason| !reason.is_empty()), Some(made_by));
        (told.effective_from, told.effective_to) = (Some(rule.from), rule.to);
    }
    told
}
