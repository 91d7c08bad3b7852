//! Corrections: what was moved by mistake is moved back, in full or in part.
//!
//! **Invariant:** the corrections of a transaction never exceed it. `corrected_micros` of the original counts them, and
//! a constraint bounds it, whatever happens at the same time.

use domain::{AccountId, Micros, TransactionId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::Error;
use crate::ledger::adjust::limit;
use crate::ledger::entry::Line;
use crate::ledger::post::{TransferError, blank, is_own, post, record, short};
use crate::ledger::transactions::{Row, Transaction};

/// A correction that somebody asks for.
#[derive(Debug, Clone)]
pub struct Correction {
    /// Which transaction; of a transfer, either side.
    pub original: TransactionId,
    /// How much is moved back, without a sign; `None`: all that is left of it.
    pub amount: Option<Micros>,
    /// Why, for the statement.
    pub reason: String,
    /// Who does it.
    pub actor: String,
}

/// Why nothing was corrected.
#[derive(Debug, thiserror::Error)]
pub enum CorrectError {
    /// There is no such transaction in the tenant's subtree, or not all of its sides are.
    #[error("there is no such transaction")]
    Unknown,
    /// Its kind is not corrected but by its own means: refunds, corrections.
    #[error("a {0} is not corrected")]
    Kind(String),
    /// More than is left of it.
    #[error("{left} is left of it")]
    TooMuch {
        /// What is left.
        left: Micros,
    },
    /// A wallet that got the money has it no more.
    #[error("the wallet has not enough")]
    NoCredit,
    /// One person alone moves back no more than this of an adjustment.
    #[error("above {limit} two people are needed")]
    NeedsTwo {
        /// The limit of the currency.
        limit: Micros,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<TransferError> for CorrectError {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NoCredit => Self::NoCredit,
            // The sides of an entry have one currency.
            TransferError::Currency => Self::Store(Error::Corrupt("currency of a correction".into())),
            TransferError::Store(error) => Self::Store(error),
        }
    }
}

/// The sides of the transaction that is to be corrected, locked. The caller decides whether the tenant may.
///
/// # Errors
/// [`CorrectError::Unknown`], [`CorrectError::Kind`], or when the database fails.
pub async fn lock(
    connection: &mut PgConnection,
    tenant: AccountId,
    original: TransactionId,
) -> Result<Vec<Transaction>, CorrectError> {
    let rows = query_as!(
        Row,
        r#"SELECT t.id, t.account_id, t.kind, t.amount_micros, t.currency AS "currency!", t.reason, t.entry_id,
               t.message_id, t.original_id, t.operator_id, t.provider_id, t.corrected_micros, t.actor, t.at
           FROM transactions o JOIN transactions t ON t.entry_id = o.entry_id
           WHERE o.id = $1 ORDER BY t.id FOR NO KEY UPDATE OF t"#,
        original.uuid()
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(Error::from)?;
    let accounts: Vec<Uuid> = rows.iter().map(|row| row.account_id).collect();
    let seen = query!(
        r#"SELECT count(*) AS "seen!" FROM unnest($2::uuid[]) AS s (id) JOIN accounts a ON a.id = s.id
           WHERE a.path @> ARRAY[$1::uuid]"#,
        tenant.uuid(),
        &accounts
    )
    .fetch_one(connection)
    .await
    .map_err(Error::from)?;
    if rows.is_empty() || usize::try_from(seen.seen).ok() != Some(rows.len()) {
        return Err(CorrectError::Unknown);
    }
    let sides = rows.into_iter().map(Row::transaction).collect::<Result<Vec<_>, _>>()?;
    match sides
        .iter()
        .find(|side| !matches!(side.kind.as_str(), "top_up" | "transfer" | "adjustment" | "revenue_credit" | "payout"))
    {
        Some(side) => Err(CorrectError::Kind(side.kind.clone())),
        None => Ok(sides),
    }
}

/// Moves back what `correction` says of `sides`, which [`lock`] answered. Answers the journal entry and the amount. Of an
/// adjustment one person takes back as much as one person may adjust, in all its corrections together: what two people
/// decided one does not undo.
///
/// # Errors
/// See [`CorrectError`]; then roll back.
pub async fn correct(
    connection: &mut PgConnection,
    sides: &[Transaction],
    correction: &Correction,
) -> Result<(Uuid, Micros), CorrectError> {
    let first = sides.first().ok_or(CorrectError::Unknown)?;
    // Both sides of a transfer are corrected together: what is left of one is left of the other.
    let left = Micros::new(first.amount.get().saturating_abs() - first.corrected.get());
    let amount = correction.amount.unwrap_or(left);
    if amount > left || amount <= Micros::ZERO {
        return Err(CorrectError::TooMuch { left });
    }
    if first.kind == "adjustment" {
        let limit = limit(connection, first.currency).await?;
        if first.corrected.get() + amount.get() > limit.get() {
            return Err(CorrectError::NeedsTwo { limit });
        }
    }
    let entry = Uuid::now_v7();
    let mut lines = lines(entry, sides, (amount.get(), &correction.reason))?;
    post(connection, &mut lines).await.map_err(short)?;
    // A credit limit must not become money in another wallet, nor revenue that can be paid out.
    let mut givers = lines.iter().filter(|line| line.is_wallet() && line.posted < 0);
    if matches!(first.kind.as_str(), "transfer" | "revenue_credit") && !givers.all(is_own) {
        return Err(CorrectError::NoCredit);
    }
    for side in sides {
        let back = if side.amount.is_negative() { amount } else { -amount };
        let told = (entry, correction.reason.as_str(), correction.actor.as_str());
        let id = record(connection, ("correction", side.account, back, side.currency), told).await?;
        note(connection, (side.id, id), amount).await?;
    }
    Ok((entry, amount))
}

/// The wallets' lines, and where the money came from or went to when only one wallet was moved, or none: a payout went from
/// revenue to cash.
fn lines(entry: Uuid, sides: &[Transaction], (amount, reason): (i64, &str)) -> Result<Vec<Line>, CorrectError> {
    let mut lines = Vec::with_capacity(2);
    for side in sides {
        let posted = if side.amount.is_negative() { amount } else { -amount };
        let (moved, other) = match side.kind.as_str() {
            "top_up" => ("wallet", Some("cash")),
            "adjustment" => ("wallet", Some("adjustment")),
            "revenue_credit" => ("wallet", Some("revenue")),
            "payout" => ("cash", Some("revenue")),
            _ => ("wallet", None),
        };
        let blank = |ledger, posted| Line {
            ledger,
            posted,
            ..blank(entry, "correction", side.account.uuid(), (side.currency, reason))
        };
        lines.push(blank(moved, posted));
        lines.extend(other.map(|ledger| blank(ledger, -posted)));
    }
    for (number, line) in lines.iter_mut().enumerate() {
        line.number = i16::try_from(number + 1).map_err(|_| Error::Range)?;
    }
    Ok(lines)
}

async fn note(
    connection: &mut PgConnection,
    (original, correction): (TransactionId, TransactionId),
    amount: Micros,
) -> Result<(), Error> {
    query!(
        "WITH counted AS (UPDATE transactions SET corrected_micros = corrected_micros + $3 WHERE id = $1)
         UPDATE transactions SET original_id = $1 WHERE id = $2",
        original.uuid(),
        correction.uuid(),
        amount.get()
    )
    .execute(connection)
    .await?;
    Ok(())
}
