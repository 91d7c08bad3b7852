//! What look-ups of numbers cost: captured at once, since a look-up is over when it is answered.

use domain::lookup::{Charge, Provider};
use domain::{AccountId, Currency, KeyId, Micros};
use sqlx::PgConnection;
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
    /// How many were answered.
    pub count: u16,
    /// Who asked, and with which key, where what may be spent with it is bounded.
    pub key: Option<(AccountId, KeyId)>,
}

/// Posts what look-ups cost as one entry: each payer's wallet against its seller's revenue, and what the house owes the
/// provider. `None`: it costs nobody anything.
///
/// # Errors
/// The constraint `balance_covers_holds` where a payer has not enough, `wallet_spends_within_cap` where it may not spend so
/// much today, `key_spends_within_cap` where not so much may be spent with the key; then nothing of it may be committed.
pub async fn look_ups(tx: &mut PgConnection, lookups: &Lookups<'_>) -> Result<Option<Uuid>, Error> {
    let entry = Uuid::now_v7();
    let mut lines = Vec::with_capacity(lookups.charges.len() * 2 + 2);
    for charge in lookups.charges {
        let total = total(charge.price, lookups.count)?;
        lines.push(line(lookups, "wallet", charge.payer.uuid(), (lookups.currency, -total)));
        lines.push(line(lookups, "revenue", charge.seller.uuid(), (lookups.currency, total)));
    }
    let cost = total(lookups.provider.cost, lookups.count)?;
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
    if let Some((account, key)) = lookups.key
        && let Some(own) = lookups.charges.iter().find(|charge| charge.payer == account)
    {
        caps::spend_with_key(tx, key, Micros::new(total(own.price, lookups.count)?)).await?;
    }
    post::post(tx, &mut lines).await?;
    caps::spend(tx, lookups.charges, lookups.count).await?;
    Ok(Some(entry))
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
        messages: i32::from(lookups.count),
        reason: Some(format!("look-ups by {}", lookups.provider.name)),
    }
}
