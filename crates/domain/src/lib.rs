//! The rules of Chappe: ids, numbers, money, prices, message states, routes and settlement.
//!
//! Everything here is a value or a pure function: no async, no clock, no I/O. A function that needs the
//! time takes it as an argument. Handlers load, call one function of this crate, and save what it says.

pub mod account;
pub mod api_key;
pub mod burn;
pub mod catalogue;
pub mod cdr;
pub mod csv;
pub mod encoding;
pub mod ending;
pub mod fx;
pub mod hours;
pub mod id;
pub mod inbound;
pub mod live;
pub mod lookup;
pub mod money;
pub mod network;
pub mod number;
pub mod overrides;
pub mod prefix;
pub mod price_rule;
pub mod private;
pub mod rate_sheet;
pub mod report;
pub mod reroute;
pub mod routing;
pub mod sender;
pub mod settlement;
pub mod state;
pub mod tariff;
pub mod traffic;
pub mod what_if;
pub mod world;

pub use account::{Account, Role};
pub use catalogue::Catalogue;
pub use encoding::Encoding;
pub use id::{
    AccountId, AdjustmentId, ChainId, DecisionId, EnvelopeId, ExchangeRateId, ExportId, GuardId, InboundId,
    InboundRuleId, KeyId, LookupProviderId, MessageId, OperatorId, PlanId, PrefixId, RateId, RoutingRuleId, SenderIdId,
    SessionId, SheetId, SmppSystemId, TariffId, ThresholdId, TransactionId, UserId, WhatIfId,
};
pub use money::{Currency, Micros};
pub use network::Network;
pub use number::Number;
pub use private::Private;
pub use sender::Sender;
pub use state::State;
pub use traffic::{TemplateName, TrafficClass};
