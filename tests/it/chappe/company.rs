//! A house, a reseller and a client, with prices, prefixes and operators: all made through the API, but for the
//! house itself and its first key, which an installer makes.

use std::time::Duration;

use domain::AccountId;
use serde_json::{Value, json};
use smsc::{Account, Config, Profile, Smsc};
use store::keys::NewKey;
use testkit::eventually;

use super::{Api, Chappe};

/// The currency of everything.
const CURRENCY: &str = "UZS";
/// The country of all networks.
const MCC: &str = "434";
/// What every account begins with.
const BALANCE: &str = "1000000";
/// What the reseller pays for a segment anywhere, charged on submit.
const RESELLER_PRICE: &str = "60";
/// Our name and password at every operator.
pub(crate) const SYSTEM_ID: &str = "chappe";
pub(crate) const PASSWORD: &str = "secret";
/// The sender ID of every message.
pub(crate) const SENDER: &str = "TestCompany";
/// Settings are followed within a second or two; sessions come up right after.
const BOUND_LIMIT: Duration = Duration::from_secs(30);
/// What the first key may do.
const SCOPES: [&str; 7] =
    ["messages:write", "messages:read", "balance:read", "account:read", "account:write", "admin:read", "admin:write"];

/// A network, and what the client pays there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    pub(crate) mnc: &'static str,
    /// The first digits of its numbers.
    pub(crate) prefix: &'static str,
    pub(crate) price: &'static str,
    pub(crate) charge_on: &'static str,
}

/// The network that charges on submit.
pub(crate) const ON_SUBMIT: Network = Network { mnc: "05", prefix: "99893", price: "80", charge_on: "submit" };
/// The network that charges on delivery.
pub(crate) const ON_DELIVERY: Network = Network { mnc: "04", prefix: "99890", price: "90", charge_on: "delivered" };

/// The company.
#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) house: AccountId,
    pub(crate) reseller: AccountId,
    pub(crate) client: AccountId,
    /// The house's key.
    pub(crate) admin: Api,
    /// The client's key.
    pub(crate) sender: Api,
    /// With which the client's webhooks are signed.
    pub(crate) webhook_secret: String,
    /// The reseller's key, and its price list for the client.
    selling: Api,
    retail: String,
}

/// How an operator is set up; the rest is as [`Company::operator`] says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OperatorIs {
    pub(crate) name: &'static str,
    /// The only network that it serves.
    pub(crate) mnc: &'static str,
    /// What it takes for a segment.
    pub(crate) price: &'static str,
    pub(crate) binds: u16,
    pub(crate) window: u16,
    pub(crate) tps: u32,
}

impl OperatorIs {
    /// One session with room for plenty.
    pub(crate) const fn simple(name: &'static str, network: Network, price: &'static str) -> Self {
        Self { name, mnc: network.mnc, price, binds: 1, window: 50, tps: 0 }
    }

    /// Submits that can be unanswered at one moment.
    pub(crate) fn windows(&self) -> u64 {
        u64::from(self.binds) * u64::from(self.window)
    }
}

/// A simulated operator that behaves so and knows us.
pub(crate) async fn smsc(profile: Profile) -> Smsc {
    smsc_of(profile, usize::MAX).await
}

/// The same, that refuses a bind beyond `binds_max`.
pub(crate) async fn smsc_of(profile: Profile, binds_max: usize) -> Smsc {
    let account = Account::new(SYSTEM_ID, PASSWORD);
    let accounts = vec![Account { binds_max: account.binds_max.min(binds_max), ..account }];
    Smsc::start(Config { accounts, profile, ..Config::default() }).await.unwrap()
}

impl Company {
    /// Founds the company.
    pub(crate) async fn found(chappe: &Chappe) -> Self {
        let (house, key) = install(chappe).await;
        let admin = chappe.api(&key);
        top_up(&admin, house).await;
        let wholesale = plan(&admin, "Wholesale", &[(None, RESELLER_PRICE, "submit")]).await;
        let reseller = account(&admin, &json!({"name": "R", "role": "reseller", "plan_id": wholesale})).await;
        let selling = key_of(chappe, &admin, reseller, &SCOPES).await;
        let networks = [ON_SUBMIT, ON_DELIVERY];
        let prices = networks.map(|network| (Some(network.mnc), network.price, network.charge_on));
        let retail = plan(&selling, "Retail", &prices).await;
        let client = account(&selling, &client_of(&retail)).await;
        top_up(&admin, reseller).await;
        top_up(&admin, client).await;
        for network in networks {
            prefix(&admin, network).await;
        }
        let sender = key_of(chappe, &admin, client, &SCOPES[..5]).await;
        let registered = sender.make("/v1/sender-ids", json!({ "sender": SENDER })).await;
        admin.post(&format!("/v1/sender-ids/{registered}/approve"), json!({})).await;
        let webhook_secret = sender.get("/v1/webhook-secret").await["secret"].as_str().unwrap().to_owned();
        Self { house, reseller, client, admin, sender, webhook_secret, selling, retail }
    }

    /// Sells one more network to the reseller's clients.
    pub(crate) async fn network(&self, network: Network) {
        let Network { mnc, price, charge_on, .. } = network;
        let tariff = json!({"plan_id": self.retail, "mcc": MCC, "mnc": mnc, "price": price, "charge_on": charge_on});
        self.selling.post("/v1/tariffs", tariff).await;
        prefix(&self.admin, network).await;
    }

    /// One more client of the reseller, with this much money and the right to send as [`SENDER`].
    pub(crate) async fn one_more(&self, amount: &str) -> AccountId {
        let client = account(&self.selling, &client_of(&self.retail)).await;
        credit(&self.admin, client, amount).await;
        let sender = json!({"sender": SENDER, "account_id": client.to_string()});
        let registered = self.admin.make("/v1/sender-ids", sender).await;
        self.admin.post(&format!("/v1/sender-ids/{registered}/approve"), json!({})).await;
        client
    }

    /// A key of a client, with which it sends.
    pub(crate) async fn key(&self, chappe: &Chappe, client: AccountId) -> Api {
        key_of(chappe, &self.admin, client, &SCOPES[..5]).await
    }

    /// Makes an operator of ours out of `smsc` and waits until every session is up. Answers its id.
    pub(crate) async fn operator(&self, smsc: &Smsc, is: OperatorIs) -> String {
        let id = self.operator_unbound(smsc, is).await;
        eventually(BOUND_LIMIT, async || smsc.bound(SYSTEM_ID) == usize::from(is.binds)).await;
        id
    }

    /// The same without the wait.
    pub(crate) async fn operator_unbound(&self, smsc: &Smsc, is: OperatorIs) -> String {
        self.operator_at(smsc.addr().port(), is, json!({})).await
    }

    /// Makes an operator of ours out of whatever listens at `port` of this machine, with further settings.
    pub(crate) async fn operator_at(&self, port: u16, is: OperatorIs, more: Value) -> String {
        let mut operator = json!({
            "name": is.name, "host": "127.0.0.1", "port": port, "system_id": SYSTEM_ID,
            "password": PASSWORD, "bind_type": "transceiver", "binds": is.binds, "window": is.window, "tps": is.tps,
            "enabled": true,
        });
        operator.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let id = self.admin.make("/v1/operators", operator).await;
        let rate = json!({"operator_id": id, "mcc": MCC, "mnc": is.mnc, "price": is.price, "currency": CURRENCY});
        self.admin.post("/v1/operator-rates", rate).await;
        id
    }

    /// Changes settings of an operator.
    pub(crate) async fn change_operator(&self, id: &str, change: Value) {
        self.admin.patch(&format!("/v1/operators/{id}"), change).await;
    }

    /// Sends a message of the client; answers its id.
    pub(crate) async fn send(&self, to: &str, text: &str) -> String {
        self.send_with(to, text, json!({})).await
    }

    /// The same with further fields.
    pub(crate) async fn send_with(&self, to: &str, text: &str, more: Value) -> String {
        let mut body = json!({"to": format!("+{to}"), "from": SENDER, "text": text});
        let (fields, more) = (body.as_object_mut().unwrap(), more.as_object().unwrap().clone());
        fields.extend(more);
        self.sender.make("/v1/messages", body).await
    }
}

/// What an installer does: the house, and a key with which everything else is made.
async fn install(chappe: &Chappe) -> (AccountId, String) {
    let (db, house) = (chappe.db(), AccountId::generate());
    let minted = api::mint_key(&super::keys()).unwrap();
    let key = NewKey {
        id: minted.id,
        account: house,
        name: "first".to_owned(),
        secret_hash: minted.hash,
        scopes: SCOPES.map(str::to_owned).to_vec(),
        expires_at: None,
    };
    let mut tx = db.begin().await.unwrap();
    store::accounts::create_house(&mut tx, house, "House", CURRENCY.parse().unwrap()).await.unwrap();
    assert!(store::keys::create(&mut tx, house, &key).await.unwrap());
    tx.commit().await.unwrap();
    (house, minted.secret)
}

async fn top_up(admin: &Api, account: AccountId) {
    credit(admin, account, BALANCE).await;
}

async fn credit(admin: &Api, account: AccountId, amount: &str) {
    let amount = json!({"amount": amount, "reason": "for the test"});
    admin.post(&format!("/v1/accounts/{account}/credit"), amount).await;
}

/// A price list of the key's account.
async fn plan(seller: &Api, name: &str, prices: &[(Option<&str>, &str, &str)]) -> String {
    let plan = seller.make("/v1/tariff-plans", json!({ "name": name })).await;
    for (mnc, price, charge_on) in prices {
        let tariff = json!({"plan_id": plan, "mcc": MCC, "mnc": mnc, "price": price, "charge_on": charge_on});
        seller.post("/v1/tariffs", tariff).await;
    }
    plan
}

/// A client with this price list.
fn client_of(plan: &str) -> Value {
    json!({"name": "C", "role": "client", "plan_id": plan, "segments_per_second": 1_000_000})
}

/// Says where a network's numbers are.
async fn prefix(admin: &Api, network: Network) {
    let prefix = json!({"prefix": network.prefix, "mcc": MCC, "mnc": network.mnc, "operator_name": "N"});
    admin.post("/v1/prefixes", prefix).await;
}

async fn account(seller: &Api, new: &Value) -> AccountId {
    seller.make("/v1/accounts", new.clone()).await.parse().unwrap()
}

async fn key_of(chappe: &Chappe, admin: &Api, account: AccountId, scopes: &[&str]) -> Api {
    let new = json!({"name": "test", "account_id": account, "scopes": scopes});
    let made = admin.post("/v1/api-keys", new).await;
    chappe.api(made["secret"].as_str().unwrap())
}
