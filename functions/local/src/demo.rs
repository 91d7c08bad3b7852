//! The demo: three accounts one above the other, three operators, prices and prefixes of Uzbekistan.
//!
//! It is made once, in one transaction. A second start finds it, and changes only where the operators listen.

mod messages;
mod networks;
mod operators;
mod system;

use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::tariff::{ChargeOn, OnUnconfirmed};
use domain::{AccountId, Micros, Network, PlanId, PrefixId, Role, Sender, SenderIdId, TariffId, UserId};
use store::accounts::NewAccount;
use store::keys::NewKey;
use store::ledger::TopUp;
use store::prefixes::NewPrefix;
use store::senders::Verdict;
use store::tariffs::NewTariff;
use store::users::NewUser;
use store::{Connection, Db};

pub(crate) use messages::send_first_messages;
pub(crate) use operators::{Simulated, addresses};
pub(crate) use system::SYSTEM_ID;

use networks::PREFIXES;
use operators::OPERATORS;

use crate::folder::Folder;
use crate::platform::Platform;

/// Log-ins of house, reseller and client; all three have [`PASSWORD`].
pub(crate) const EMAILS: [&str; 3] = ["admin@example.com", "reseller@example.com", "client@example.com"];
/// The password of the demo's log-ins.
pub(crate) const PASSWORD: &str = "password123";
/// What the three wallets begin with, in UZS.
const BALANCES: [&str; 3] = ["1000000", "100000", "50000"];
/// The sender IDs that the client may use.
const SENDERS: [&str; 2] = ["TestCompany", "1234"];
/// What a reseller, and what its client, pays for a segment to each of [`OPERATORS`], in UZS.
const PRICES: [(&str, &str); 3] = [("55", "60"), ("50", "55"), ("53", "58")];
/// The currency of everything.
const CURRENCY: &str = "UZS";
/// What the client's key may do.
const SCOPES: [&str; 4] = ["messages:write", "messages:read", "balance:read", "account:read"];
/// Who did it, in the books.
const ACTOR: &str = "system";

/// The three accounts.
#[derive(Debug, Clone, Copy)]
struct Accounts {
    house: AccountId,
    reseller: AccountId,
    client: AccountId,
}

/// Makes the demo where it is not yet, and brings its operators up to date. Answers whether it was made now.
pub(crate) async fn prepare(platform: &Platform, folder: &Folder, addresses: &[SocketAddr]) -> Result<bool> {
    let Platform { db, keys, .. } = platform;
    let now = platform.clock.now();
    let [.., client] = EMAILS;
    let client = store::users::by_email(db, client).await.context("cannot look for the demo")?;
    let is_new = client.is_none();
    if is_new || folder.demo_key()?.is_none() {
        let key = api::mint_key(keys)?;
        // Kept first: a key in the file that nobody knows harms less than a known one that nobody has.
        folder.keep_demo_key(&key.secret)?;
        match client {
            None => make(db, &key, now).await?,
            Some(client) => add_key(db, client.account, &key).await?,
        }
    }
    let [.., email] = EMAILS;
    let client = store::users::by_email(db, email).await?.context("the demo's client is gone")?;
    system::place(platform, folder, client.account).await?;
    for operator in operators::place(db, keys, addresses, now).await? {
        platform.queue.create(&contract::queues::submit(operator)).await?;
    }
    platform.catalogue.refresh().await?;
    Ok(is_new)
}

/// Makes accounts, log-ins, wallets, prices, prefixes, sender IDs and the client's key.
async fn make(db: &Db, key: &api::Minted, now: DateTime<Utc>) -> Result<()> {
    let password_hash = api::hash_password(PASSWORD).map_err(|error| anyhow!("cannot hash a password: {error}"))?;
    let mut tx = db.begin().await?;
    let accounts = make_accounts(&mut tx, now).await?;
    fill_wallets(&mut tx, accounts).await?;
    make_logins(&mut tx, accounts, &password_hash).await?;
    make_prefixes(&mut tx).await?;
    make_senders(&mut tx, accounts).await?;
    make_key(&mut tx, accounts.client, key).await?;
    tx.commit().await.context("cannot store the demo")
}

/// Another key, where the folder with the first one is gone.
async fn add_key(db: &Db, client: AccountId, key: &api::Minted) -> Result<()> {
    let mut tx = db.begin().await?;
    make_key(&mut tx, client, key).await?;
    tx.commit().await.context("cannot store the demo's key")
}

/// House, reseller and client, each with the price list that the next one buys by.
async fn make_accounts(tx: &mut Connection, now: DateTime<Utc>) -> Result<Accounts> {
    let [house, reseller, client] = [AccountId::generate(), AccountId::generate(), AccountId::generate()];
    let made = store::accounts::create_house(tx, house, "Chappe", CURRENCY.parse()?).await;
    if made.as_ref().is_err_and(|error| error.constraint() == Some("accounts_one_house")) {
        bail!("this database belongs to another installation; the demo is made only where nothing is yet");
    }
    made?;
    let wholesale = make_plan(tx, (house, house), "Wholesale", PRICES.map(|(price, _)| price), now).await?;
    make_account(tx, house, (reseller, house), ("Demo Reseller", Role::Reseller, wholesale)).await?;
    let retail = make_plan(tx, (house, reseller), "Retail", PRICES.map(|(_, price)| price), now).await?;
    make_account(tx, house, (client, reseller), ("Demo Client", Role::Client, retail)).await?;
    Ok(Accounts { house, reseller, client })
}

async fn make_account(
    tx: &mut Connection,
    tenant: AccountId,
    (id, parent): (AccountId, AccountId),
    (name, role, plan): (&str, Role, PlanId),
) -> Result<()> {
    let new = NewAccount {
        id,
        parent,
        name: name.to_owned(),
        role,
        plan: Some(plan),
        segments_per_second: None,
        any_sender: false,
        credit_limit: Micros::ZERO,
        currency: None,
    };
    done(store::accounts::create(tx, tenant, &new).await?, name)
}

/// A price list of `owner`, with one price for each operator's network.
async fn make_plan(
    tx: &mut Connection,
    (tenant, owner): (AccountId, AccountId),
    name: &str,
    prices: [&str; 3],
    now: DateTime<Utc>,
) -> Result<PlanId> {
    let plan = PlanId::generate();
    done(store::tariffs::create_plan(tx, tenant, plan, owner, (name, None)).await?, name)?;
    for (operator, price) in OPERATORS.iter().zip(prices) {
        let tariff = NewTariff {
            id: TariffId::generate(),
            plan,
            network: Some(operator.network()?),
            traffic_class: None,
            price: price.parse()?,
            charge_on: ChargeOn::Submit,
            on_unconfirmed: OnUnconfirmed::Release,
            from: since(now),
        };
        done(store::tariffs::publish(tx, tenant, &tariff).await?, name)?;
    }
    Ok(plan)
}

async fn fill_wallets(tx: &mut Connection, accounts: Accounts) -> Result<()> {
    for (account, amount) in [accounts.house, accounts.reseller, accounts.client].into_iter().zip(BALANCES) {
        let reason = "demo balance".to_owned();
        let top_up = TopUp { account, amount: amount.parse()?, reason, actor: ACTOR.to_owned() };
        store::ledger::top_up(tx, &top_up).await?;
    }
    Ok(())
}

async fn make_logins(tx: &mut Connection, accounts: Accounts, password_hash: &str) -> Result<()> {
    let owners = [accounts.house, accounts.reseller, accounts.client];
    for (account, email) in owners.into_iter().zip(EMAILS) {
        let new = NewUser { id: UserId::generate(), account, email, password_hash, created_by: None };
        done(store::users::create(tx, accounts.house, &new).await?, email)?;
    }
    Ok(())
}

async fn make_prefixes(tx: &mut Connection) -> Result<()> {
    let mut prefixes = Vec::new();
    for (mnc, operator_name, digits) in PREFIXES {
        for national in *digits {
            prefixes.push(NewPrefix {
                id: PrefixId::generate(),
                prefix: format!("{}{national}", networks::COUNTRY_CODE),
                network: Network::parse(networks::MCC, *mnc)?,
                operator_name: (*operator_name).to_owned(),
            });
        }
    }
    Ok(store::prefixes::put(tx, &prefixes).await?)
}

async fn make_senders(tx: &mut Connection, accounts: Accounts) -> Result<()> {
    for text in SENDERS {
        let (id, sender) = (SenderIdId::generate(), Sender::parse(text)?);
        done(store::senders::register(tx, accounts.house, id, accounts.client, &sender).await?, text)?;
        let decided = store::senders::decide(tx, accounts.house, id, &Verdict::Approved, ACTOR).await?;
        done(decided.is_some(), text)?;
    }
    Ok(())
}

async fn make_key(tx: &mut Connection, client: AccountId, key: &api::Minted) -> Result<()> {
    let new = NewKey {
        id: key.id,
        account: client,
        name: "Demo key".to_owned(),
        secret_hash: key.hash,
        scopes: SCOPES.map(str::to_owned).to_vec(),
        expires_at: None,
    };
    done(store::keys::create(tx, client, &new).await?, "the key")
}

/// Prices hold from yesterday, so that no difference of clocks leaves the first message without one.
fn since(now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::days(1)
}

/// The store answers `false` to what is outside the tenant's subtree; here everything is inside.
fn done(made: bool, what: &str) -> Result<()> {
    ensure!(made, "the store refused a part of the demo: {what}");
    Ok(())
}
