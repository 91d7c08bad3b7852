//! What look-ups of numbers cost: captured at once, since a look-up is over when it is answered.

use domain::lookup::{Charge, Provider};
use domain::{AccountId, Currency, KeyId, Micros, Network, Number};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::entry::Line;
use super::{caps, post};
use crate::Error;

/// Look-ups of one account that a provider answered.
#[derive(Debug, Clone, Copy)]
pub struct Lookups<'a> {
    /// Who was asked.
    pub provider: &'a Provider,
    /// Who pays what for one; none: the house absorbs it.
    pub charges: &'a [Charge],
    /// Currency of the wallets.
    pub currency: Currency,
    /// For whom it was asked.
    pub account: AccountId,
    /// What was answered: each number, and where it is.
    pub answered: &'a [(Number, Network)],
    /// With which key, where what may be spent with it is bounded.
    pub key: Option<KeyId>,
}

impl Lookups<'_> {
    fn count(&self) -> Result<u16, Error> {
        u16::try_from(self.answered.len()).map_err(|_| Error::Range)
    }
}

/// Posts what look-ups cost as one entry: each payer's wallet against its seller's revenue, and what the house owes the
/// provider. `None`: it costs nobody anything.
///
/// # Errors
/// The constraint `balance_covers_holds` where a payer has not enough, `wallet_spends_within_cap` where it may not spend so
/// much today, `key_spends_within_cap` where not so much may be spent with the key; then nothing of it may be committed.
pub async fn look_ups(tx: &mut PgConnection, lookups: &Lookups<'_>) -> Result<Option<Uuid>, Error> {
    let entry = Uuid::now_v7();
    let count = lookups.count()?;
    let mut lines = Vec::with_capacity(lookups.charges.len() * 2 + 2);
    for charge in lookups.charges {
        let total = total(charge.price, count)?;
        lines.push(line(lookups, "wallet", charge.payer.uuid(), (lookups.currency, -total)));
        lines.push(line(lookups, "revenue", charge.seller.uuid(), (lookups.currency, total)));
    }
    let cost = total(lookups.provider.cost, count)?;
    if cost != 0 {
        for (ledger, posted) in [("supplier_cost", -cost), ("supplier", cost)] {
            let house = line(lookups, ledger, Uuid::nil(), (lookups.provider.currency, posted));
            // Where operators are named stands the supplier: here the provider.
            lines.push(Line { operator: Some(lookups.provider.id.uuid()), ..house });
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    for (number, line) in (1..).zip(&mut lines) {
        (line.entry, line.number) = (entry, number);
    }
    if let Some(key) = lookups.key
        && let Some(own) = lookups.charges.iter().find(|charge| charge.payer == lookups.account)
    {
        caps::spend_with_key(tx, key, Micros::new(total(own.price, count)?)).await?;
    }
    post::post(tx, &mut lines).await?;
    caps::spend(tx, lookups.charges, count).await?;
    note(tx, entry, lookups).await?;
    Ok(Some(entry))
}

/// Notes what was looked up for `entry`, so that its lines open down to single numbers.
async fn note(tx: &mut PgConnection, entry: Uuid, lookups: &Lookups<'_>) -> Result<(), Error> {
    let numbers: Vec<i64> = lookups.answered.iter().map(|(number, _)| number.stored()).collect();
    let networks: Vec<String> = lookups.answered.iter().map(|(_, network)| network.to_string()).collect();
    let payers: Vec<Uuid> = lookups.charges.iter().map(|charge| charge.payer.uuid()).collect();
    let prices: Vec<i64> = lookups.charges.iter().map(|charge| charge.price.get()).collect();
    query!(
        "INSERT INTO entry_lookups (entry_id, account_id, provider_id, numbers, networks, payers, prices_micros, currency,
            cost_micros, cost_currency) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        entry,
        lookups.account.uuid(),
        lookups.provider.id.uuid(),
        &numbers,
        &networks,
        &payers,
        &prices,
        lookups.currency.code(),
        lookups.provider.cost.get(),
        lookups.provider.currency.code()
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn total(price: Micros, count: u16) -> Result<i64, Error> {
    Ok(price.times(count).ok_or(Error::Range)?.get())
}

fn line(lookups: &Lookups<'_>, ledger: &'static str, account: Uuid, (currency, posted): (Currency, i64)) -> Line {
    Line {
        entry: Uuid::nil(),
        number: 0,
        operation: "lookup",
        ledger,
        account,
        operator: None,
        currency,
        posted,
        held: 0,
        after: None,
        messages: i32::try_from(lookups.answered.len()).unwrap_or(i32::MAX),
        reason: Some(format!("look-ups by {}", lookups.provider.name)),
    }
}
