//! Makes everything a sender needs, by the HTTP API alone: operators with prices, a reseller and below it a client
//! with credit, an approved sender and a key.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::http::{Connection, post_head};
use crate::operator::{self, Operator};

/// The log-in of the house in a new demo.
const EMAIL: &str = "admin@example.com";
const PASSWORD: &str = "password123";
/// What the client sends as.
pub(crate) const SENDER: &str = "Bench";
/// The networks of the operators: MCC, MNC, and everything of a number but its last seven digits. Nobody else in the
/// demo sells there.
pub(crate) const NETWORKS: [(&str, &str, &str); 2] = [("434", "07", "+99897"), ("434", "06", "+99898")];
/// Sessions with each operator, and unanswered submits of each session: enough that 50 ms of latency are not the limit.
const BINDS: u16 = 4;
const WINDOW: u16 = 400;
/// More than can be reached, so that the limit of an account is none.
const SEGMENTS_PER_SECOND: u32 = 1_000_000;
/// Enough for every run.
const CREDIT: &str = "1000000000";

/// A client of the API.
pub(crate) struct Api {
    addr: SocketAddr,
    connection: Connection,
    token: String,
    /// The account that the log-in acts for: the house.
    account: String,
}

/// A client that sends over SMPP.
pub(crate) struct Customer {
    pub(crate) system_id: String,
    pub(crate) password: String,
}

/// As [`run`], for a client that binds to us.
pub(crate) async fn run_for_smpp(addr: SocketAddr, operator: &Arc<Operator>) -> Result<Customer> {
    let (mut api, client) = accounts(addr, std::slice::from_ref(operator)).await?;
    let customer = Customer { system_id: "bench".to_owned(), password: "bench-password".to_owned() };
    let system = crate::smpp::system(&client, &customer.system_id, &customer.password);
    api.post("/v1/smpp/systems", &system).await?;
    Ok(customer)
}

/// Makes it all; answers the client's key.
pub(crate) async fn run(addr: SocketAddr, operators: &[Arc<Operator>]) -> Result<String> {
    let (mut api, client) = accounts(addr, operators).await?;
    let key = api.post("/v1/api-keys", &json!({ "account_id": client, "name": "Bench" })).await?;
    text(&key, "secret")
}

/// Operators, a reseller, and a client with credit and a sender: its id.
async fn accounts(addr: SocketAddr, operators: &[Arc<Operator>]) -> Result<(Api, String)> {
    let mut api = Api::log_in(addr).await?;
    for (operator, network) in operators.iter().zip(NETWORKS) {
        make_operator(&mut api, operator, network).await?;
    }
    let house = api.account.clone();
    let reseller = make_account(&mut api, &house, ("Bench Reseller", "reseller", "1.10")).await?;
    let client = make_account(&mut api, &reseller, ("Bench Client", "client", "1.20")).await?;
    let sender = api.post("/v1/sender-ids", &json!({ "account_id": client, "sender": SENDER })).await?;
    api.post(&format!("/v1/sender-ids/{}/approve", text(&sender, "id")?), &json!({})).await?;
    Ok((api, client))
}

impl Api {
    /// As the house of the demo.
    pub(crate) async fn log_in(addr: SocketAddr) -> Result<Self> {
        let mut api =
            Self { addr, connection: Connection::open(addr).await?, token: String::new(), account: String::new() };
        let tokens = api.post("/v1/auth/login", &json!({ "email": EMAIL, "password": PASSWORD })).await?;
        api.token = text(&tokens, "access_token")?;
        api.account = text(&tokens, "account_id")?;
        Ok(api)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        let (addr, token) = (self.addr, &self.token);
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\n\r\n");
        let answer = self.connection.exchange(request.as_bytes()).await?;
        answer.json().with_context(|| format!("GET {path}"))
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let request = post_head(self.addr, path, &self.token, body.len()) + &body;
        let answer = self.connection.exchange(request.as_bytes()).await?;
        answer.json().with_context(|| format!("POST {path}"))
    }
}

async fn make_operator(api: &mut Api, operator: &Operator, (mcc, mnc, _): (&str, &str, &str)) -> Result<()> {
    let new = json!({
        "name": format!("Bench {} ms", operator.latency_ms),
        "host": operator.addr.ip().to_string(),
        "port": operator.addr.port(),
        "system_id": operator::SYSTEM_ID,
        "password": operator::PASSWORD,
        "bind_type": "transceiver",
        "binds": BINDS,
        "window": WINDOW,
        "tps": 0,
        "enabled": true,
    });
    let id = text(&api.post("/v1/operators", &new).await?, "id")?;
    let rate = json!({ "operator_id": id, "mcc": mcc, "mnc": mnc, "price": "1.00", "currency": "UZS" });
    api.post("/v1/operator-rates", &rate).await?;
    Ok(())
}

/// An account below `parent`, with credit, which pays `price` for a segment to every network; answers its id.
async fn make_account(api: &mut Api, parent: &str, (name, role, price): (&str, &str, &str)) -> Result<String> {
    let plan = api.post("/v1/tariff-plans", &json!({ "account_id": parent, "name": name })).await?;
    let plan = text(&plan, "id")?;
    for (mcc, mnc, _) in NETWORKS {
        api.post("/v1/tariffs", &json!({ "plan_id": plan, "mcc": mcc, "mnc": mnc, "price": price })).await?;
    }
    let new = json!({
        "name": name,
        "role": role,
        "parent_id": parent,
        "plan_id": plan,
        "segments_per_second": SEGMENTS_PER_SECOND,
    });
    let account = text(&api.post("/v1/accounts", &new).await?, "id")?;
    let credit = json!({ "amount": CREDIT, "reason": "benchmark" });
    api.post(&format!("/v1/accounts/{account}/credit"), &credit).await?;
    Ok(account)
}

pub(crate) fn text(value: &Value, member: &str) -> Result<String> {
    let text = value.get(member).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("the answer has no {member}"))
}
