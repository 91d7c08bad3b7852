//! Refunds of messages: each payer of the chain gets back what it paid, at its own price, segment by segment.
//!
//! **Invariant:** what is given back to a payer for a message never exceeds what was taken from it. Each row begins
//! where the one before it ended, and constraints bound where it ends.

use std::collections::HashMap;

use domain::settlement::{self, captured_segments};
use domain::tariff::{Chain, Link};
use domain::{AccountId, ChainId, Currency, MessageId, Micros, State};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::ledger::entry::Line;
use crate::ledger::payout::open_of;
use crate::ledger::post::{blank, post, record};
use crate::page::{outcome, parse};
use crate::{Db, Error, chain};

/// A refund that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewRefund {
    /// Of which message.
    pub message: MessageId,
    /// How many of its segments; `None`: all that is left.
    pub segments: Option<u8>,
    /// Why, for the statements.
    pub reason: String,
    /// Who does it.
    pub actor: String,
}

/// What one payer got back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Who.
    pub account: AccountId,
    /// Whose revenue it was.
    pub seller: AccountId,
    /// Segments given back before.
    pub before: u16,
    /// Segments given back now.
    pub segments: u16,
    /// How much.
    pub amount: Micros,
}

/// A refund that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its journal entry.
    pub entry: Uuid,
    /// Whose message it was.
    pub account: AccountId,
    /// The wallets' currency.
    pub currency: Currency,
    /// What each payer got back, the sender first.
    pub shares: Vec<Share>,
}

/// Why nothing was given back.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// There is no such message in the tenant's subtree.
    #[error("there is no such message")]
    Unknown,
    /// It has not ended: what it costs is not settled.
    #[error("the message has not ended")]
    Open,
    /// The tenant sells nothing of it.
    #[error("the tenant does not sell to the sender")]
    NoSeller,
    /// More than is left to give back.
    #[error("{left} segments are left")]
    TooMuch {
        /// Segments left.
        left: u16,
    },
    /// What a seller earned by it went out already, and what else is open does not cover it.
    #[error("the revenue went out")]
    PaidOut,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

struct Ended {
    account: AccountId,
    chain: ChainId,
    end: settlement::Ended,
}

/// Gives back what `new` says: to every payer from the sender up to who buys from the tenant. The house gives back to
/// all of them, and answers for it where a seller has had its revenue paid out; a seller gives back of what is open.
///
/// # Errors
/// See [`RefundError`].
pub async fn refund(
    connection: &mut PgConnection,
    db: &Db,
    tenant: AccountId,
    new: &NewRefund,
) -> Result<Refund, RefundError> {
    let message = lock(connection, tenant, new.message).await?;
    let chains = chain::load(connection, db, std::iter::once(message.chain)).await?;
    let chain = chains.get(&message.chain).ok_or_else(|| Error::Corrupt("a message without its chain".into()))?;
    let links = links_below(chain, tenant).ok_or(RefundError::NoSeller)?;
    let before = refunded(connection, new.message).await?;
    let shares = shares(links, &message, &before, new.segments)?;
    let refund = Refund { entry: Uuid::now_v7(), account: message.account, currency: chain.currency, shares };
    let is_house = links.len() == chain.links.len();
    let before = if is_house { Vec::new() } else { open(connection, &refund).await? };
    give_back(connection, &refund, new).await?;
    if !is_house {
        let after = open(connection, &refund).await?;
        let gone = |(before, after): (Option<Micros>, &Option<Micros>)| *after < before && *after < Some(Micros::ZERO);
        if before.into_iter().zip(&after).any(gone) {
            return Err(RefundError::PaidOut);
        }
    }
    store(connection, &refund, (new.message, &message, chain)).await?;
    Ok(refund)
}

/// What each seller has open, in one order for all; `None` for one of whose revenue nothing went out.
async fn open(connection: &mut PgConnection, refund: &Refund) -> Result<Vec<Option<Micros>>, Error> {
    let mut sellers: Vec<AccountId> = refund.shares.iter().map(|share| share.seller).collect();
    sellers.sort_unstable();
    let mut open = Vec::with_capacity(sellers.len());
    for seller in sellers {
        open.push(open_of(connection, seller, refund.currency).await?);
    }
    Ok(open)
}

async fn lock(connection: &mut PgConnection, tenant: AccountId, id: MessageId) -> Result<Ended, RefundError> {
    let row = query!(
        r#"SELECT m.account_id, m.chain_id, m.accepted_segments, m.state, m.outcome
           FROM messages m JOIN accounts a ON a.id = m.account_id
           WHERE m.id = $2 AND a.path @> ARRAY[$1::uuid] FOR NO KEY UPDATE OF m"#,
        tenant.uuid(),
        id.uuid()
    )
    .fetch_optional(connection)
    .await
    .map_err(Error::from)?
    .ok_or(RefundError::Unknown)?;
    let state: State = parse(&row.state, "state")?;
    let accepted = row.accepted_segments.map(u16::try_from).transpose().map_err(|_| Error::Range)?;
    let accepted = accepted.filter(|_| state.is_final()).ok_or(RefundError::Open)?;
    Ok(Ended {
        account: AccountId::from_uuid(row.account_id),
        chain: ChainId::from_uuid(row.chain_id),
        end: settlement::Ended { accepted, outcome: outcome(row.outcome.as_deref())? },
    })
}

/// The links from the sender up to who buys from `seller`; `None` where nobody does.
fn links_below(chain: &Chain, seller: AccountId) -> Option<&[Link]> {
    let last = chain.links.iter().position(|link| link.seller == seller)?;
    chain.links.get(..=last)
}

/// Segments given back before, by payer.
async fn refunded(connection: &mut PgConnection, message: MessageId) -> Result<HashMap<AccountId, u16>, Error> {
    let rows = query!(
        r#"SELECT account_id, sum(segments) AS "segments!" FROM message_refunds WHERE message_id = $1
           GROUP BY account_id"#,
        message.uuid()
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let segments = u16::try_from(row.segments).map_err(|_| Error::Range)?;
            Ok((AccountId::from_uuid(row.account_id), segments))
        })
        .collect()
}

/// What each payer gets. A payer that paid for fewer segments than the sender (one charges on submit, another on
/// delivery) gets back what it paid.
fn shares(
    links: &[Link],
    message: &Ended,
    before: &HashMap<AccountId, u16>,
    asked: Option<u8>,
) -> Result<Vec<Share>, RefundError> {
    let left = |link: &Link| {
        let before = before.get(&link.account).copied().unwrap_or_default();
        (before, captured_segments(link, message.end).saturating_sub(before))
    };
    let most = links.iter().map(|link| left(link).1).max().unwrap_or_default();
    let asked = asked.map_or(most, u16::from);
    if asked == 0 || asked > most {
        return Err(RefundError::TooMuch { left: most });
    }
    let mut shares = Vec::with_capacity(links.len());
    for link in links {
        let (before, left) = left(link);
        let segments = asked.min(left);
        if segments > 0 {
            let amount = link.price.times(segments).ok_or(Error::Range)?;
            shares.push(Share { account: link.account, seller: link.seller, before, segments, amount });
        }
    }
    Ok(shares)
}

async fn give_back(connection: &mut PgConnection, refund: &Refund, new: &NewRefund) -> Result<(), Error> {
    let mut lines = Vec::with_capacity(refund.shares.len() * 2);
    for share in &refund.shares {
        let sides = [("wallet", share.account, share.amount.get()), ("revenue", share.seller, -share.amount.get())];
        for (ledger, account, posted) in sides {
            let number = i16::try_from(lines.len() + 1).map_err(|_| Error::Range)?;
            let blank = blank(refund.entry, "refund", account.uuid(), (refund.currency, &new.reason));
            lines.push(Line { number, ledger, posted, messages: 1, ..blank });
        }
    }
    post(connection, &mut lines).await?;
    for share in &refund.shares {
        let told = (refund.entry, new.reason.as_str(), new.actor.as_str());
        let id = record(connection, ("refund", share.account, share.amount, refund.currency), told).await?;
        query!("UPDATE transactions SET message_id = $2 WHERE id = $1", id.uuid(), new.message.uuid())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn store(
    connection: &mut PgConnection,
    refund: &Refund,
    (id, message, chain): (MessageId, &Ended, &Chain),
) -> Result<(), Error> {
    query!(
        "INSERT INTO entry_messages (entry_id, account_id, message_ids) VALUES ($1, $2, ARRAY[$3::uuid])",
        refund.entry,
        refund.account.uuid(),
        id.uuid()
    )
    .execute(&mut *connection)
    .await?;
    for share in &refund.shares {
        let link = chain.links.iter().find(|link| link.account == share.account);
        let link = link.ok_or_else(|| Error::Corrupt("a share without its link".into()))?;
        let narrow = |segments: u16| i16::try_from(segments).map_err(|_| Error::Range);
        query!(
            "INSERT INTO message_refunds (message_id, account_id, seller_id, before_segments, segments,
                captured_segments, unit_price_micros, amount_micros, currency, entry_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            id.uuid(),
            share.account.uuid(),
            share.seller.uuid(),
            narrow(share.before)?,
            narrow(share.segments)?,
            narrow(captured_segments(link, message.end))?,
            link.price.get(),
            share.amount.get(),
            refund.currency.code(),
            refund.entry
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// What was given back to `account` for `message` by now.
///
/// # Errors
/// When the database fails.
pub async fn given_back(db: &Db, account: AccountId, message: MessageId) -> Result<Micros, Error> {
    let row = query!(
        r#"SELECT coalesce(sum(amount_micros), 0)::bigint AS "given!" FROM message_refunds
           WHERE message_id = $2 AND account_id = $1"#,
        account.uuid(),
        message.uuid()
    )
    .fetch_one(&db.pool)
    .await?;
    Ok(Micros::new(row.given))
}
