//! What customers see of a message that was accepted just now.

use chrono::{DateTime, Utc};
use serde::Serialize;
use store::accept::NewMessage;
use utoipa::ToSchema;

use super::prepare::total;

/// What a message costs its sender. Decimal strings, never numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cost {
    /// Of one segment.
    #[schema(example = "50.00")]
    pub(crate) unit_price: String,
    /// Of all segments: held when the message is accepted.
    #[schema(example = "50.00")]
    pub(crate) total: String,
    /// ISO 4217.
    #[schema(example = "UZS")]
    pub(crate) currency: String,
}

/// A message that was accepted: durable, and its cost held.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AcceptedMessage {
    /// Its id.
    #[schema(example = "msg_01k6tz6d9v1k3qg3y8v0m5x2c4")]
    pub(crate) id: String,
    /// `accepted`, or `scheduled` with `send_at`.
    #[schema(example = "accepted")]
    pub(crate) state: &'static str,
    /// The recipient in the form of E.164.
    #[schema(example = "+998901234567")]
    pub(crate) to: String,
    /// The sender ID.
    #[schema(example = "TestCompany")]
    pub(crate) from: String,
    /// How many short messages it takes.
    #[schema(example = 1)]
    pub(crate) segments: u8,
    /// `gsm7` or `ucs2`.
    #[schema(example = "gsm7")]
    pub(crate) encoding: &'static str,
    /// The network that it was priced for.
    #[schema(example = "43405")]
    pub(crate) mcc_mnc: String,
    /// What kind of traffic it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "otp")]
    pub(crate) traffic_class: Option<String>,
    /// The template that it was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "login-code.v2")]
    pub(crate) template: Option<String>,
    /// What it costs.
    pub(crate) cost: Cost,
    /// Your own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_reference: Option<String>,
    /// When it was accepted.
    #[serde(serialize_with = "crate::time::millis")]
    pub(crate) created_at: DateTime<Utc>,
    /// When it is sent, where that is later.
    #[serde(serialize_with = "crate::time::millis_some", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub(crate) send_at: Option<DateTime<Utc>>,
    /// When it is given up.
    #[serde(serialize_with = "crate::time::millis")]
    pub(crate) expires_at: DateTime<Utc>,
}

impl AcceptedMessage {
    pub(crate) fn of(message: &NewMessage) -> Self {
        let unit = message.chain.links.first().map(|link| link.price).unwrap_or_default();
        Self {
            id: message.id.to_string(),
            state: if message.scheduled_at.is_some() { "scheduled" } else { "accepted" },
            to: message.to.e164(),
            from: message.from.as_str().to_owned(),
            segments: message.segments,
            encoding: message.encoding.name(),
            mcc_mnc: message.mcc_mnc.to_string(),
            traffic_class: message.traffic_class.map(|class| class.to_string()),
            template: message.template.as_ref().map(ToString::to_string),
            cost: Cost {
                unit_price: unit.to_string(),
                total: total(&message.chain, message.segments).unwrap_or_default().to_string(),
                currency: message.chain.currency.to_string(),
            },
            client_reference: message.client_reference.clone(),
            created_at: message.created_at,
            send_at: message.scheduled_at,
            expires_at: message.expires_at,
        }
    }
}
