//! `/v1/operator-presets`: profiles to begin with, as data.

use std::sync::{Arc, LazyLock};

use axum::Json;
use contract::Profile;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::openapi::Refusals;
use crate::problem::Problem;

/// All of them; a test reads each as a profile.
static PRESETS: LazyLock<Vec<OperatorPreset>> =
    LazyLock::new(|| serde_json::from_str(include_str!("presets.json")).unwrap_or_default());

/// A profile to begin with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(super) struct OperatorPreset {
    /// To name it by.
    #[schema(example = "latin1")]
    pub(super) name: String,
    /// When to take it.
    description: String,
    /// What it says; the rest has its default.
    #[schema(value_type = Object)]
    pub(super) profile: Map<String, Value>,
}

/// All presets.
#[derive(Serialize, ToSchema)]
struct OperatorPresets {
    /// In the order in which to try them.
    data: Vec<OperatorPreset>,
    /// A profile with every field at its default.
    #[schema(value_type = Object)]
    defaults: Profile,
}

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_operator_presets))
}

/// The preset of this name.
pub(super) fn named(name: &str) -> Option<&'static OperatorPreset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// List the profiles that an operator can begin with.
#[utoipa::path(get, path = "/v1/operator-presets", tag = "operators",
    responses((status = 200, body = OperatorPresets), Refusals))]
async fn list_operator_presets(caller: Caller) -> Result<Json<OperatorPresets>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    Ok(Json(OperatorPresets { data: PRESETS.clone(), defaults: Profile::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Check;

    #[test]
    fn every_preset_is_a_good_profile() {
        assert!(PRESETS.len() >= 5);
        for preset in PRESETS.iter() {
            let mut check = Check::default();
            let read = super::super::profile::read(&mut check, Some(&preset.name), Map::new());
            assert!(read.is_some() && check.finish().is_ok(), "{}", preset.name);
        }
        assert!(named("none").is_none());
    }
}
