//! Stored messages as the queue items that send them on their way.

use chrono::{DateTime, Utc};
use contract::{Accepted, Encoding};
use domain::tariff::Chain;
use domain::{AccountId, MessageId, Number, OperatorId, Private, Sender};
use uuid::Uuid;

use crate::Error;
use crate::advance::count;

/// What a queue item needs of a message's row.
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) account_id: Uuid,
    pub(crate) recipient: i64,
    pub(crate) sender: String,
    pub(crate) body: String,
    pub(crate) encoding: String,
    pub(crate) segments: i16,
    pub(crate) mcc_mnc: String,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) smpp: Option<serde_json::Value>,
    pub(crate) traffic_class: Option<String>,
    pub(crate) template: Option<String>,
    /// The prices that it was accepted at.
    pub(crate) chain: Option<serde_json::Value>,
    /// Operators that had it before, in order.
    pub(crate) tried: Vec<Option<Uuid>>,
}

impl Row {
    pub(crate) fn accepted(self) -> Result<Accepted, Error> {
        let corrupt = |what: &str| Error::Corrupt(what.to_owned());
        Ok(Accepted {
            message_id: MessageId::from_uuid(self.id),
            account_id: AccountId::from_uuid(self.account_id),
            to: Number::from_stored(self.recipient).ok_or_else(|| corrupt("recipient"))?,
            from: Sender::parse(&self.sender).map_err(|_| corrupt("sender"))?,
            text: Private::new(self.body),
            encoding: Encoding::parse(&self.encoding).ok_or_else(|| corrupt("encoding"))?,
            segments: count(self.segments)?,
            mcc_mnc: self.mcc_mnc.parse().map_err(|_| corrupt("mcc_mnc"))?,
            expires_at: self.expires_at,
            // What an older release stored may not be a name of today: then it is as if nothing had been said.
            traffic_class: self.traffic_class.and_then(|name| name.parse().ok()),
            template: self.template.and_then(|name| name.parse().ok()),
            earned: self.chain.map(serde_json::from_value::<Chain>).transpose()?.and_then(|chain| chain.earned()),
            tried: self.tried.into_iter().flatten().map(OperatorId::from_uuid).collect(),
            smpp: self.smpp.map(serde_json::from_value).transpose()?,
            reroute: None,
            waited_for: None,
        })
    }
}
