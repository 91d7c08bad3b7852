//! The demo's operators: simulated ones, and their rows in the database.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use contract::BindType;
use domain::{Network, OperatorId, RateId};
use host::secrets::Keys;
use smsc::{Account, Config, Outcome, Profile, Receipts, Rule, Smsc};
use store::Db;
use store::operators::Operator;
use store::page::Page;
use store::rates::NewRate;

use super::networks::MCC;
use super::{CURRENCY, since};
use crate::exit::Misused;

/// Our name and password at every simulated operator.
const SYSTEM_ID: &str = "chappe";
const PASSWORD: &str = "demo";
/// Sessions with each, and unanswered submits of each session.
const BINDS: u16 = 2;
const WINDOW: u16 = 100;
/// Time from a submit to its receipt, and what is added at most: who answers always after the same time is not believed.
const RECEIPT_DELAY_MS: u64 = 600;
const RECEIPT_JITTER_MS: u64 = 1_400;

/// An operator of the demo.
#[derive(Debug)]
pub(crate) struct DemoOperator {
    pub(crate) name: &'static str,
    mnc: &'static str,
    /// What it charges the house for a segment, in UZS.
    price: &'static str,
}

/// The operators, in the order of their ports.
pub(crate) const OPERATORS: [DemoOperator; 3] = [
    DemoOperator { name: "Ucell", mnc: "05", price: "50" },
    DemoOperator { name: "Beeline", mnc: "04", price: "45" },
    DemoOperator { name: "Uzmobile", mnc: "08", price: "48" },
];

impl DemoOperator {
    pub(super) fn network(&self) -> Result<Network> {
        Ok(Network::parse(MCC, Some(self.mnc))?)
    }
}

/// The simulated operators, running.
#[derive(Debug)]
pub(crate) struct Simulated {
    running: Vec<Smsc>,
}

impl Simulated {
    /// Starts all of them, see [`addresses`].
    pub(crate) async fn start(first: SocketAddr) -> Result<Self> {
        let mut running = Vec::new();
        for (operator, listen) in OPERATORS.iter().zip(addresses(first)?) {
            let config = Config {
                listen,
                accounts: vec![Account::new(SYSTEM_ID, PASSWORD)],
                profile: profile(),
                ..Config::default()
            };
            let started = Smsc::start(config).await.map_err(|error| {
                let name = operator.name;
                Misused(format!(
                    "the simulated operator {name} cannot listen on {listen}: {error}; set CHAPPE_SMSC_ADDR"
                ))
            });
            running.push(started?);
        }
        Ok(Self { running })
    }

    /// Where they listen, in the order of [`OPERATORS`].
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.running.iter().map(Smsc::addr).collect()
    }

    pub(crate) async fn stop(self) {
        for operator in self.running {
            operator.stop().await;
        }
    }
}

/// Where all of them listen when the first one listens at `first`: on the ports behind it, or on free ones where
/// `first` says 0.
pub(crate) fn addresses(first: SocketAddr) -> Result<Vec<SocketAddr>, Misused> {
    let places = (0_u16..).zip(&OPERATORS).map(|(at, _)| {
        let port = if first.port() == 0 { Some(0) } else { first.port().checked_add(at) };
        let port = port.ok_or_else(|| Misused("CHAPPE_SMSC_ADDR leaves no port for the last operator".to_owned()));
        Ok(SocketAddr::new(first.ip(), port?))
    });
    places.collect()
}

/// Good operators, but for numbers that end in certain digits.
fn profile() -> Profile {
    let receipts = Receipts { delay_ms: RECEIPT_DELAY_MS, jitter_ms: RECEIPT_JITTER_MS, ..Receipts::default() };
    let rules = [("0002", Outcome::Undelivered), ("0003", Outcome::Expired), ("0004", Outcome::Rejected)];
    let rule = |(suffix, outcome): (&str, Outcome)| Rule {
        suffix: suffix.to_owned(),
        outcome: Some(outcome),
        ..Rule::default()
    };
    Profile { receipts, rules: rules.into_iter().map(rule).collect(), ..Profile::default() }
}

/// Stores the operators where they are new, with what they charge, and where they listen now. Answers their ids.
pub(crate) async fn place(
    db: &Db,
    keys: &Keys,
    addresses: &[SocketAddr],
    now: DateTime<Utc>,
) -> Result<Vec<OperatorId>> {
    let known = store::operators::list(db, Page::new(None, 1000)).await.context("cannot read the operators")?;
    let mut ids = Vec::new();
    for (demo, address) in OPERATORS.iter().zip(addresses.iter().copied()) {
        let id = match known.iter().find(|operator| operator.name == demo.name) {
            Some(operator) => bring_up_to_date(db, keys, operator, address).await?,
            None => make(db, keys, demo, address, now).await?,
        };
        ids.push(id);
    }
    Ok(ids)
}

/// Only an operator on this machine is moved: one that a person pointed elsewhere stays there.
async fn bring_up_to_date(db: &Db, keys: &Keys, operator: &Operator, address: SocketAddr) -> Result<OperatorId> {
    let place = operator.id.to_string();
    let is_local = operator.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == address.ip());
    let is_there = operator.host == address.ip().to_string() && operator.port == address.port();
    // Sealed with the secret of a data folder that is gone.
    let is_locked = keys.open(&operator.password_sealed, &place).is_err();
    if is_local && (is_locked || !is_there) {
        let host = address.ip().to_string();
        let password_sealed = keys.seal(PASSWORD.as_bytes(), &place)?;
        let now = Operator { host, port: address.port(), password_sealed, ..operator.clone() };
        let mut tx = db.begin().await?;
        store::operators::put(&mut tx, &now).await?;
        tx.commit().await?;
    }
    Ok(operator.id)
}

async fn make(
    db: &Db,
    keys: &Keys,
    demo: &DemoOperator,
    address: SocketAddr,
    now: DateTime<Utc>,
) -> Result<OperatorId> {
    let id = OperatorId::generate();
    let operator = Operator {
        id,
        name: demo.name.to_owned(),
        host: address.ip().to_string(),
        port: address.port(),
        system_id: SYSTEM_ID.to_owned(),
        password_sealed: keys.seal(PASSWORD.as_bytes(), &id.to_string())?,
        system_type: String::new(),
        bind_type: BindType::Transceiver,
        binds: BINDS,
        window: WINDOW,
        tps: 0,
        daily_cap: 0,
        priority: 100,
        enabled: true,
        profile: Box::default(),
        tls_key_sealed: None,
        created_at: now,
    };
    let rate = NewRate {
        id: RateId::generate(),
        operator: id,
        network: demo.network()?,
        traffic_class: None,
        price: demo.price.parse()?,
        currency: CURRENCY.parse()?,
        charge_on: domain::tariff::ChargeOn::Submit,
        from: since(now),
    };
    let mut tx = db.begin().await?;
    store::operators::put(&mut tx, &operator).await?;
    ensure!(store::rates::publish(&mut tx, &rate).await?, "the store refused the rate of {}", demo.name);
    tx.commit().await?;
    Ok(id)
}
