//! Accepting messages: the money is held and the message, its outbox and its idempotency record are stored in
//! one transaction, for many messages at once.

mod fitting;
mod needs;
pub(crate) mod statement;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use contract::fields::SmppFields;
use contract::intake::LongPart;
use contract::{Accepted, Encoding};
use domain::tariff::Chain;
use domain::{AccountId, KeyId, MessageId, Network, Number, Private, Sender, SmppSystemId, TemplateName, TrafficClass};

use sqlx::{Connection as _, PgConnection};

use crate::accept::fitting::{Fit, fitting};
use crate::accept::statement::{Known, Stored};
use crate::tx::{Tx, hand_over};
use crate::{Db, Error, chain, meters, opt_outs};

/// How long after its validity a message is final at the latest: receipts may be on their way.
const GRACE: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// A message that passed every check but that of the wallet.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Made by the caller: UUID v7.
    pub id: MessageId,
    /// Whose it is.
    pub account_id: AccountId,
    /// Where it goes.
    pub to: Number,
    /// What the handset shows as its origin.
    pub from: Sender,
    /// What it says.
    pub text: Private,
    /// How it travels.
    pub encoding: Encoding,
    /// How many short messages it takes.
    pub segments: u8,
    /// Where it was priced for.
    pub mcc_mnc: Network,
    /// What kind of traffic it is.
    pub traffic_class: Option<TrafficClass>,
    /// The template that it was made of.
    pub template: Option<TemplateName>,
    /// Who pays what.
    pub chain: Arc<Chain>,
    /// The customer's own reference.
    pub client_reference: Option<String>,
    /// Where its events go.
    pub status_url: Option<String>,
    /// The customer's own data.
    pub metadata: Option<serde_json::Value>,
    /// Not submitted after this.
    pub expires_at: DateTime<Utc>,
    /// Not submitted before this, which is later than `created_at`.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// The API key that sends it, where it has or may have a spend cap.
    pub capped_key: Option<KeyId>,
    /// What its SMPP customer said beyond that.
    pub smpp: Option<Box<SmppMessage>>,
}

/// What an SMPP customer's submit says beyond a message of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmppMessage {
    /// Who gets the receipts.
    pub system_id: SmppSystemId,
    /// Which receipts (SMPP 3.4 section 5.2.17), as it came.
    pub registered_delivery: u8,
    /// The id that the customer was told, where it is not the message's own.
    pub receipt_id: Option<MessageId>,
    /// Passed on to the operator.
    pub fields: SmppFields,
    /// The long message that this is a part of.
    pub long: Option<LongPart>,
}

/// What an `Idempotency-Key` remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// As the customer sent it.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub fingerprint: [u8; 32],
    /// HTTP status of the answer.
    pub status: u16,
    /// Body of the answer.
    pub response: Vec<u8>,
}

/// One single send.
#[derive(Debug, Clone)]
pub struct Single {
    /// What is sent.
    pub message: NewMessage,
    /// Stored only when the message is.
    pub idempotency: Option<IdempotencyRecord>,
}

/// What became of one single send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// Durable; the money is held.
    Stored,
    /// A wallet of the chain has not enough: nothing stored, nothing held.
    NoCredit,
    /// A wallet of the chain, or the key, has spent what it may on this day: nothing stored, nothing held.
    SpendCap,
    /// The recipient wants no more messages of the account: nothing stored, nothing held.
    OptedOut,
    /// The key was used before: nothing stored now; this is what was answered then. The caller compares the
    /// fingerprints.
    Replayed(IdempotencyRecord),
}

/// What became of one message of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Durable; the money is held.
    Stored,
    /// A wallet of the chain has not enough.
    NoCredit,
    /// A wallet of the chain, or the key, has spent what it may on this day.
    SpendCap,
    /// The recipient wants no more messages of the account.
    OptedOut,
}

/// What became of a batch of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchAcceptance {
    /// Done now; what became of each message.
    Stored(Vec<Verdict>),
    /// The key was used before: nothing stored now.
    Replayed(IdempotencyRecord),
}

/// Accepts single sends of any accounts, together: one statement where every wallet has enough and every key is
/// new. Otherwise used keys are answered from their record, and under the lock of the wallets one send is decided
/// after the other, so that nobody's send suffers from somebody else's empty wallet. A message that is stored
/// already, under the same id, counts as stored: it was sent again because its verdict was lost.
///
/// # Errors
/// When the database fails; then nothing of it is stored.
pub async fn accept_gathered(db: &Db, singles: &[Single]) -> Result<Vec<Acceptance>, Error> {
    let mut verdicts: Vec<Option<Acceptance>> = vec![None; singles.len()];
    let mut open: Vec<usize> = (0..singles.len()).collect();
    let mut later = take_repeated(singles, &mut open);
    while !open.is_empty() {
        let batch: Vec<&Single> = open.iter().map(|&at| &singles[at]).collect();
        let stored = match statement::store(db, &batch).await {
            Err(error) if key_was_taken(&error) => continue,
            Err(error) if id_was_taken(&error) => Stored::Before(statement::stored_before(db, &batch, error).await?),
            stored => stored?,
        };
        match stored {
            Stored::All(outboxed) => {
                hand_over(db.hand_over.as_deref(), outboxed).await;
                for at in open.drain(..) {
                    verdicts[at] = Some(Acceptance::Stored);
                }
            }
            Stored::Before(ids) => settle_stored(singles, &mut open, &mut verdicts, &ids),
            Stored::Known(known) => settle_known(singles, &mut open, &mut verdicts, known),
            Stored::OptedOut(who) => settle_opted_out(singles, &mut open, &mut verdicts, &who),
            Stored::Short => decide_in_order(db, singles, &mut open, &mut verdicts).await?,
        }
        if open.is_empty() {
            open.append(&mut later);
            later = take_repeated(singles, &mut open);
        }
    }
    let verdicts: Vec<Acceptance> = verdicts.into_iter().map(|v| v.unwrap_or(Acceptance::NoCredit)).collect();
    meters::accepted(&verdicts);
    Ok(verdicts)
}

/// Another batch stored one of the keys between our look and our write. Nothing of ours is stored; the next look
/// finds the key.
fn key_was_taken(error: &Error) -> bool {
    error.constraint() == Some("idempotency_keys_pkey")
}

/// A message with this id is stored already, in one of the partitions.
fn id_was_taken(error: &Error) -> bool {
    error.constraint().is_some_and(|name| name.starts_with("messages_") && name.ends_with("_pkey"))
}

/// A key or an id that stands twice in one batch: the second waits for the first.
fn take_repeated(singles: &[Single], open: &mut Vec<usize>) -> Vec<usize> {
    let (mut ids, mut keys) = (HashSet::with_capacity(open.len()), HashSet::new());
    let mut later = Vec::new();
    open.retain(|&at| {
        let Single { message, idempotency } = &singles[at];
        let fresh = ids.insert(message.id)
            && idempotency.as_ref().is_none_or(|record| keys.insert((message.account_id, &record.key)));
        if !fresh {
            later.push(at);
        }
        fresh
    });
    later
}

fn settle_stored(
    singles: &[Single],
    open: &mut Vec<usize>,
    verdicts: &mut [Option<Acceptance>],
    ids: &HashSet<MessageId>,
) {
    open.retain(|&at| {
        let is_stored = ids.contains(&singles[at].message.id);
        if is_stored {
            verdicts[at] = Some(Acceptance::Stored);
        }
        !is_stored
    });
}

fn settle_known(singles: &[Single], open: &mut Vec<usize>, verdicts: &mut [Option<Acceptance>], known: Known) {
    let mut known: HashMap<_, _> = known.into_iter().collect();
    open.retain(|&at| {
        let Single { message, idempotency } = &singles[at];
        let found = idempotency.as_ref().and_then(|r| known.remove(&(message.account_id, r.key.clone())));
        let fresh = found.is_none();
        if let Some(record) = found {
            verdicts[at] = Some(Acceptance::Replayed(record));
        }
        fresh
    });
}

fn settle_opted_out(
    singles: &[Single],
    open: &mut Vec<usize>,
    verdicts: &mut [Option<Acceptance>],
    who: &HashSet<(AccountId, Number)>,
) {
    open.retain(|&at| {
        let message = &singles[at].message;
        let refused = who.contains(&(message.account_id, message.to));
        if refused {
            verdicts[at] = Some(Acceptance::OptedOut);
        }
        !refused
    });
}

/// Locks the wallets and decides one send after the other, in their order.
async fn decide_in_order(
    db: &Db,
    singles: &[Single],
    open: &mut Vec<usize>,
    verdicts: &mut [Option<Acceptance>],
) -> Result<(), Error> {
    let messages: Vec<&NewMessage> = open.iter().map(|&at| &singles[at].message).collect();
    let mut tx = db.begin().await?;
    let fits = fitting(&mut tx, &messages).await?;
    let fit = |(&at, fit): (&usize, &Fit)| (*fit == Fit::Yes).then_some(&singles[at]);
    let batch: Vec<&Single> = open.iter().zip(&fits).filter_map(fit).collect();
    match statement::store_on(&mut tx, db, &batch).await {
        Ok(Stored::All(outboxed)) => {
            tx.outboxed(outboxed);
            tx.commit().await?;
            for (at, fit) in open.drain(..).zip(fits) {
                verdicts[at] = Some(match fit {
                    Fit::Yes => Acceptance::Stored,
                    Fit::NoCredit => Acceptance::NoCredit,
                    Fit::SpendCap => Acceptance::SpendCap,
                });
            }
        }
        // A key was used meanwhile: the next round finds it.
        Ok(Stored::Known(known)) => settle_known(singles, open, verdicts, known),
        Ok(Stored::OptedOut(who)) => settle_opted_out(singles, open, verdicts, &who),
        Ok(Stored::Short | Stored::Before(_)) => return Err(Error::Corrupt("a locked wallet changed".into())),
        // The next round finds which.
        Err(error) if key_was_taken(&error) || id_was_taken(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Makes, of what was stored and what was refused, the answer's status and body.
pub type Render<'a> = &'a (dyn Fn(&[Verdict]) -> (u16, Vec<u8>) + Send + Sync);

/// Accepts a batch of one account in one transaction: each message in its order, as far as the wallets reach.
/// `render` makes the answer that the key remembers.
///
/// # Errors
/// When the database fails; then nothing of it is stored.
pub async fn accept_batch(
    db: &Db,
    account: AccountId,
    messages: &[NewMessage],
    key: Option<(String, [u8; 32])>,
    render: Render<'_>,
) -> Result<BatchAcceptance, Error> {
    // A chain that is new takes a connection of its own: there may be no second one.
    chain::remember(db, messages.iter().map(|message| &message.chain)).await?;
    let mut tx = db.begin().await?;
    if let Some((key, _)) = &key
        && let Some(record) = statement::known_key(&mut tx, account, key).await?
    {
        return Ok(BatchAcceptance::Replayed(record));
    }
    let verdicts = store_what_fits(&mut tx, db, messages).await?;
    if let Some((key, fingerprint)) = key {
        let (status, response) = render(&verdicts);
        let record = IdempotencyRecord { key, fingerprint, status, response };
        if !statement::remember_key(&mut tx, account, &record).await? {
            // The same key is being used by another request right now: it has won.
            tx.rollback().await?;
            let found = idempotency_record(db, account, &record.key).await?;
            return Ok(found
                .map_or(BatchAcceptance::Stored(vec![Verdict::NoCredit; verdicts.len()]), BatchAcceptance::Replayed));
        }
    }
    tx.commit().await?;
    meters::accepted_of_batch(&verdicts);
    Ok(BatchAcceptance::Stored(verdicts))
}

/// Stores all of `messages`; when that is not possible, those whose recipients want them, as far as the wallets reach.
async fn store_what_fits(tx: &mut Tx, db: &Db, messages: &[NewMessage]) -> Result<Vec<Verdict>, Error> {
    let singles: Vec<Single> =
        messages.iter().map(|message| Single { message: message.clone(), idempotency: None }).collect();
    let mut attempt = tx.begin().await?;
    let all: Vec<&Single> = singles.iter().collect();
    if let Stored::All(outboxed) = statement::store_on(&mut attempt, db, &all).await? {
        attempt.commit().await?;
        tx.outboxed(outboxed);
        return Ok(vec![Verdict::Stored; messages.len()]);
    }
    attempt.rollback().await?;
    loop {
        let verdicts = judge(tx, messages).await?;
        let stored = |(single, verdict): (_, &Verdict)| (*verdict == Verdict::Stored).then_some(single);
        let batch: Vec<&Single> = singles.iter().zip(&verdicts).filter_map(stored).collect();
        // Who opts out between the two statements stops the second: judge again.
        match statement::store_on(tx, db, &batch).await? {
            Stored::OptedOut(_) => {}
            Stored::All(outboxed) => {
                tx.outboxed(outboxed);
                return Ok(verdicts);
            }
            Stored::Short | Stored::Before(_) | Stored::Known(_) => {
                return Err(Error::Corrupt("a locked wallet changed".into()));
            }
        }
    }
}

/// What can become of each of `messages` now; locks their wallets.
async fn judge(tx: &mut PgConnection, messages: &[NewMessage]) -> Result<Vec<Verdict>, Error> {
    let gone = opt_outs::opted_out(tx, &statement::recipients(messages.iter())).await?;
    let wants = |message: &&NewMessage| !gone.contains(&(message.account_id, message.to));
    let mut fits = fitting(tx, &messages.iter().filter(wants).collect::<Vec<_>>()).await?.into_iter();
    let verdict = |message: &NewMessage| match wants(&message).then(|| fits.next()).flatten() {
        None => Verdict::OptedOut,
        Some(Fit::Yes) => Verdict::Stored,
        Some(Fit::NoCredit) => Verdict::NoCredit,
        Some(Fit::SpendCap) => Verdict::SpendCap,
    };
    Ok(messages.iter().map(verdict).collect())
}

/// Which of `messages` of these accounts are stored already.
///
/// # Errors
/// When the database fails.
pub async fn stored(db: &Db, messages: &[(AccountId, MessageId)]) -> Result<HashSet<MessageId>, Error> {
    statement::stored(db, messages).await
}

/// What was answered to a key before.
pub async fn idempotency_record(db: &Db, account: AccountId, key: &str) -> Result<Option<IdempotencyRecord>, Error> {
    let mut connection = db.pool.lend().await?;
    statement::known_key(&mut connection, account, key).await
}

impl NewMessage {
    /// The queue item that sends it on its way.
    fn item(&self) -> Accepted {
        Accepted {
            message_id: self.id,
            account_id: self.account_id,
            to: self.to,
            from: self.from.clone(),
            text: self.text.clone(),
            encoding: self.encoding,
            segments: self.segments,
            mcc_mnc: self.mcc_mnc,
            expires_at: self.expires_at,
            traffic_class: self.traffic_class,
            template: self.template.clone(),
            earned: self.chain.earned(),
            tried: Vec::new(),
            smpp: self.fields().cloned().map(Box::new),
            reroute: None,
            waited_for: None,
        }
    }

    /// What goes on to the operator; `None` when its customer said nothing special.
    fn fields(&self) -> Option<&SmppFields> {
        self.smpp.as_ref().map(|smpp| &smpp.fields).filter(|fields| **fields != SmppFields::default())
    }

    fn due_at(&self) -> DateTime<Utc> {
        self.expires_at + GRACE
    }
}
