//! A provider of look-ups over HTTP: one GET for one number, an answer in JSON whose facts stand where the settings say.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::lookup::{Fields, Provider as Settings};
use domain::network::{Mcc, Mnc};
use domain::{Network, Number};
use egress::Reach;
use host::secrets::Keys;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;
use store::lookups::{Answer, secret_place};

/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Where numbers are looked up.
#[async_trait]
pub(super) trait Provider: Send + Sync {
    /// Asks about one number. `None`: the provider knows no network of it, by an answer that names none or by 404.
    ///
    /// # Errors
    /// When nobody answers in time, or not in JSON. The text holds no number and no secret.
    async fn look_up(&self, number: Number, now: DateTime<Utc>) -> anyhow::Result<Option<Answer>>;
}

/// A provider over HTTP.
#[derive(Debug)]
pub(super) struct Http<'a> {
    client: &'a reqwest::Client,
    reach: Reach,
    settings: &'a Settings,
    secret: Option<(HeaderName, HeaderValue)>,
}

impl<'a> Http<'a> {
    /// As `settings` say; opens the secret.
    pub(super) fn new(
        client: &'a reqwest::Client,
        reach: Reach,
        settings: &'a Settings,
        keys: &Keys,
    ) -> anyhow::Result<Self> {
        let secret = match (&settings.header, &settings.secret_sealed) {
            (Some(header), Some(sealed)) => {
                let plain = keys.open(sealed, &secret_place(settings.id)).context("the secret cannot be opened")?;
                let mut value = HeaderValue::from_bytes(&plain).context("the secret is no header value")?;
                value.set_sensitive(true);
                Some((header.parse().context("the header has no good name")?, value))
            }
            _ => None,
        };
        Ok(Self { client, reach, settings, secret })
    }
}

#[async_trait]
impl Provider for Http<'_> {
    async fn look_up(&self, number: Number, now: DateTime<Utc>) -> anyhow::Result<Option<Answer>> {
        let url: reqwest::Url =
            self.settings.url.replace("{number}", &number.digits()).parse().context("the URL cannot be read")?;
        egress::check(self.reach, &url)?;
        let mut request = self.client.get(url).timeout(Duration::from_millis(self.settings.timeout_ms.into()));
        if let Some((name, value)) = &self.secret {
            request = request.header(name.clone(), value.clone());
        }
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        anyhow::ensure!(response.status().is_success(), "the provider answered {}", response.status().as_u16());
        let body = egress::body(response, ANSWER_BYTES_MAX).await?;
        let body: Value = serde_json::from_slice(&body).context("the answer is not JSON")?;
        let Some((network, ported, reachable)) = read(&body, &self.settings.fields) else { return Ok(None) };
        let lifetime = TimeDelta::seconds(self.settings.lifetime_seconds.into());
        Ok(Some(Answer { network, ported, reachable, looked_up_at: now, expires_at: now + lifetime }))
    }
}

/// The facts of an answer; `None`: it names no network where the settings say.
fn read(body: &Value, fields: &Fields) -> Option<(Network, Option<bool>, Option<bool>)> {
    let at = |pointer: &Option<String>| pointer.as_deref().and_then(|pointer| body.pointer(pointer));
    let network = if let Some(joint) = at(&fields.network).and_then(digits) {
        joint.parse().ok()
    } else {
        let mcc: Option<Mcc> = at(&fields.mcc).and_then(digits).and_then(|mcc| mcc.parse().ok());
        mcc.map(|mcc| Network { mcc, mnc: at(&fields.mnc).and_then(mnc) })
    };
    Some((network?, at(&fields.ported).and_then(flag), at(&fields.reachable).and_then(flag)))
}

/// Codes are strings or, where somebody has lost the zeros before them, numbers.
fn digits(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().replace(['-', ' '], "")),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn mnc(value: &Value) -> Option<Mnc> {
    let text = digits(value)?;
    let text = if value.is_number() { format!("{text:0>2}") } else { text };
    text.parse().ok()
}

/// A truth in the forms that providers use.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "1" | "ported" | "reachable" | "active" | "connected" | "available" => Some(true),
            "false" | "no" | "n" | "0" | "not_ported" | "unreachable" | "inactive" | "absent" | "unavailable" => {
                Some(false)
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn facts_are_read_where_the_settings_say() {
        let joint = Fields {
            network: Some("/data/0/mccmnc".into()),
            ported: Some("/data/0/ported".into()),
            ..Fields::default()
        };
        let apart = Fields {
            mcc: Some("/mcc".into()),
            mnc: Some("/mnc".into()),
            reachable: Some("/status".into()),
            ..Fields::default()
        };
        let rows = [
            (&joint, json!({"data": [{"mccmnc": "43404", "ported": true}]}), Some(("43404", Some(true), None))),
            (&joint, json!({"data": [{"mccmnc": 43405, "ported": "No"}]}), Some(("43405", Some(false), None))),
            (&joint, json!({"data": [{"mccmnc": "434-08", "ported": "perhaps"}]}), Some(("43408", None, None))),
            (&joint, json!({"data": []}), None),
            (&joint, json!({"data": [{"mccmnc": null}]}), None),
            (&joint, json!({"data": [{"mccmnc": "x"}]}), None),
            (&apart, json!({"mcc": "434", "mnc": "05", "status": "active"}), Some(("43405", None, Some(true)))),
            (&apart, json!({"mcc": 434, "mnc": 5, "status": "absent"}), Some(("43405", None, Some(false)))),
            (&apart, json!({"mcc": 310, "mnc": 260}), Some(("310260", None, None))),
            (&apart, json!({"mcc": "434", "mnc": ""}), Some(("434", None, None))),
            (&apart, json!({"mcc": "43"}), None),
            (&apart, json!("434"), None),
        ];
        for (fields, body, expected) in rows {
            let found =
                read(&body, fields).map(|(network, ported, reachable)| (network.to_string(), ported, reachable));
            assert_eq!(found, expected.map(|(network, p, r)| (network.to_owned(), p, r)), "{body}");
        }
    }
}
