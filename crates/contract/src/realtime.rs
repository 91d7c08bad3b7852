//! Queue `realtime`: what happened, for customers that listen at this moment; and what is said on their connections,
//! which is the same whoever holds them.

use std::collections::BTreeSet;

use domain::{AccountId, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::envelope::Item;
use crate::event::{BALANCE_LOW, CustomerEvent, INBOUND};

/// Bytes of one event on a connection at most: a frame of API Gateway. A longer text is left out.
pub const EVENT_BYTES_MAX: usize = 32 * 1024;
/// Bytes of what a client says at most.
pub const SAID_BYTES_MAX: usize = 4 * 1024;
/// Connections of one account: in one process, or at one API Gateway.
pub const ACCOUNT_CONNECTIONS_MAX: usize = 100;
/// Between the name of an event and the event itself, where both travel together.
const BREAK: char = '\n';

/// One event, for the accounts that see it and have somebody listening: its own, and those above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealtimeEvent {
    /// Who listens.
    pub listeners: Vec<AccountId>,
    /// What happened.
    pub event: CustomerEvent,
    /// What the account pays is not the business of these listeners: neither its price is told, nor what it can spend,
    /// which changes by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hides_price: bool,
}

impl RealtimeEvent {
    /// What these listeners hear.
    pub fn frame(&self) -> Frame {
        let mut body = self.event.body();
        for amount in ["price", "available"] {
            if self.hides_price && !body["data"][amount].is_null() {
                body["data"][amount] = Value::Null;
            }
        }
        Frame::with(&self.event, body)
    }
}

impl Item for RealtimeEvent {
    const KIND: &'static str = "realtime.event";
}

/// An event as a connection brings it: the body of a webhook with the event's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// `message.delivered` and the like.
    pub name: String,
    /// JSON, at most [`EVENT_BYTES_MAX`].
    pub json: String,
}

impl Frame {
    /// Writes `event` as `body` says it.
    fn with(event: &CustomerEvent, mut body: Value) -> Self {
        body["id"] = json!(format!("evt_{}", event.id().simple()));
        let mut json = body.to_string();
        if json.len() > EVENT_BYTES_MAX {
            body["data"]["text"] = Value::Null;
            body["data"]["text_omitted"] = json!(true);
            json = body.to_string();
        }
        Self { name: event.name(), json }
    }

    /// As it goes from process to process.
    pub fn packed(&self) -> String {
        format!("{}{BREAK}{}", self.name, self.json)
    }

    /// Name and JSON of what was packed.
    pub fn unpack(packed: &[u8]) -> Option<(&str, &str)> {
        std::str::from_utf8(packed).ok()?.split_once(BREAK)
    }
}

/// Which events a connection wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter(BTreeSet<String>);

/// A name that no event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected names of events, such as message.delivered, message.inbound and balance.low; none at all: every event"
)]
pub struct UnknownEvent;

impl Filter {
    /// Events of these names; of none: every event.
    ///
    /// # Errors
    /// When a name is none of an event.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownEvent> {
        let known = |name: &&str| {
            *name == INBOUND
                || *name == BALANCE_LOW
                || name.strip_prefix("message.").is_some_and(|state| state.parse::<State>().is_ok())
        };
        let names = names.into_iter().map(|name| Some(name).filter(known).map(str::to_owned).ok_or(UnknownEvent));
        Ok(Self(names.collect::<Result<_, _>>()?))
    }

    /// The parameter `events` of a query: names with commas between them.
    ///
    /// # Errors
    /// When a name is none of an event.
    pub fn parse(names: &str) -> Result<Self, UnknownEvent> {
        Self::of(names.split(',').map(str::trim).filter(|name| !name.is_empty()))
    }

    /// Whether events of this name pass.
    pub fn passes(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.contains(name)
    }

    /// The names; empty: every event.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

/// What a client says on its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// From now on these events only.
    Subscribe(Filter),
    /// Are you there?
    Ping,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Wire {
    Subscribe {
        #[serde(default)]
        events: Vec<String>,
    },
    Ping {},
}

impl Said {
    /// Reads what a client says.
    ///
    /// # Errors
    /// With the answer to it, when it cannot be understood.
    pub fn read(text: &str) -> Result<Self, String> {
        let refused = |detail: &str| json!({"type": "error", "code": "invalid_request", "detail": detail}).to_string();
        let unknown = r#"send {"type":"subscribe","events":[…]} or {"type":"ping"}"#;
        match serde_json::from_str(text).map_err(|_| refused(unknown))? {
            Wire::Ping {} => Ok(Self::Ping),
            Wire::Subscribe { events } => {
                let filter = Filter::of(events.iter().map(String::as_str));
                filter.map(Self::Subscribe).map_err(|error| refused(&error.to_string()))
            }
        }
    }

    /// What is answered.
    pub fn answer(&self) -> String {
        match self {
            Self::Subscribe(filter) => json!({"type": "subscribed", "events": filter.names()}).to_string(),
            Self::Ping => json!({"type": "pong"}).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::{Micros, ThresholdId};
    use uuid::Uuid;

    use super::*;
    use crate::event::BalanceEvent;

    #[test]
    fn who_may_not_know_prices_hears_that_a_balance_is_low_and_not_what_it_is() {
        let account = AccountId::generate();
        let event = CustomerEvent::Balance(BalanceEvent {
            id: Uuid::nil(),
            account_id: account,
            threshold_id: ThresholdId::generate(),
            url: String::new(),
            threshold: Micros::new(500_000_000),
            available: Micros::new(499_000_000),
            currency: "UZS".parse().unwrap(),
            at: DateTime::UNIX_EPOCH,
        });
        for (hides_price, expected) in [(false, json!({"amount": "499.00", "currency": "UZS"})), (true, Value::Null)] {
            let heard = RealtimeEvent { listeners: Vec::new(), event: event.clone(), hides_price }.frame();
            let heard: Value = serde_json::from_str(&heard.json).unwrap();
            assert_eq!(heard["data"]["available"], expected);
            assert_eq!(heard["data"]["account_id"], json!(account));
        }
    }

    #[test]
    fn what_clients_say_is_answered() {
        let rows = [
            (r#"{"type":"ping"}"#, r#"{"type":"pong"}"#),
            (r#"{"type":"subscribe"}"#, r#"{"events":[],"type":"subscribed"}"#),
            (
                r#"{"type":"subscribe","events":["message.sent","message.inbound","message.sent"]}"#,
                r#"{"events":["message.inbound","message.sent"],"type":"subscribed"}"#,
            ),
            (r#"{"type":"subscribe","events":["balance.low"]}"#, r#"{"events":["balance.low"],"type":"subscribed"}"#),
            (r#"{"type":"subscribe","events":["message.nonsense"]}"#, "error"),
            (r#"{"type":"subscribe","events":["delivered"]}"#, "error"),
            (r#"{"type":"subscribe","event":[]}"#, "error"),
            (r#"{"type":"other"}"#, "error"),
            ("hello", "error"),
            ("", "error"),
        ];
        for (said, expected) in rows {
            match Said::read(said) {
                Ok(said) => assert_eq!(said.answer(), expected),
                Err(answer) => assert!(answer.contains(r#""type":"error""#) && expected == "error", "{said}: {answer}"),
            }
        }
    }

    #[test]
    fn filters_pass_what_they_name() {
        for (names, passes, stops) in [
            ("", &["message.sent", "message.inbound"][..], &[][..]),
            ("message.delivered, message.failed", &["message.failed"], &["message.sent", "message.inbound"]),
            (",message.inbound,", &["message.inbound"], &["message.delivered"]),
        ] {
            let filter = Filter::parse(names).unwrap();
            assert!(passes.iter().all(|name| filter.passes(name)), "{names}");
            assert!(!stops.iter().any(|name| filter.passes(name)), "{names}");
        }
        assert_eq!(Filter::parse("message.delivered,sent"), Err(UnknownEvent));
    }
}
