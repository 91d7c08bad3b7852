//! Messages that their SMPP customer cut into parts: kept and paid for as parts, shown as one.

use std::collections::HashMap;

use domain::{AccountId, MessageId, Micros, Private, State};
use sqlx::query;
use uuid::Uuid;

use crate::advance::count;
use crate::messages::Message;
use crate::page::parse;
use crate::{Db, Error};

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongPart {
    /// The part is a message of its own.
    pub id: MessageId,
    /// Which part, from 1.
    pub part: u8,
    /// Of how many.
    pub total: u8,
    /// Where it stands.
    pub state: State,
    /// What it says.
    pub text: Private,
    /// Short messages that it takes: one.
    pub segments: u8,
    /// Taken from the sender's wallet by now.
    pub captured: Micros,
}

/// Gives each of `messages` that is a part of a long one the parts of the whole, in their order.
pub(crate) async fn complete(db: &Db, messages: &mut [Message]) -> Result<(), Error> {
    let (accounts, heads): (Vec<Uuid>, Vec<Uuid>) =
        messages.iter().filter_map(|m| Some((m.account.uuid(), m.long_head?.uuid()))).unzip();
    if heads.is_empty() {
        return Ok(());
    }
    let rows = query!(
        r#"SELECT m.long_head AS "head!", m.id, m.account_id, m.long_part AS "part!", m.long_total AS "total!",
               m.state, m.body, m.segments, m.captured_micros
           FROM unnest($1::uuid[], $2::uuid[]) AS i (account, head)
           JOIN messages m ON m.long_head = i.head AND (m.account_id = i.account) IS TRUE
           ORDER BY m.long_head, m.long_part, m.id"#,
        &accounts,
        &heads
    )
    .fetch_all(&db.pool)
    .await?;
    let mut wholes: HashMap<(AccountId, MessageId), Vec<LongPart>> = HashMap::new();
    for row in rows {
        let part = LongPart {
            id: MessageId::from_uuid(row.id),
            part: count(row.part)?,
            total: count(row.total)?,
            state: parse(&row.state, "state")?,
            text: Private::new(row.body),
            segments: count(row.segments)?,
            captured: Micros::new(row.captured_micros),
        };
        let key = (AccountId::from_uuid(row.account_id), MessageId::from_uuid(row.head));
        let parts = wholes.entry(key).or_default();
        // The same message may stand in the list twice.
        if parts.iter().all(|known| known.id != part.id) {
            parts.push(part);
        }
    }
    for message in messages {
        if let Some(head) = message.long_head {
            message.long = wholes.get(&(message.account, head)).cloned().unwrap_or_default();
        }
    }
    Ok(())
}

/// Where the whole stands: where the part stands that is farthest behind; when all have ended, delivered when every
/// part is, else as the first that is not.
pub fn state_of(parts: &[LongPart]) -> Option<State> {
    let under_way = parts.iter().map(|part| part.state).filter(|state| !state.is_final()).min_by_key(|s| s.rank());
    let failed = || parts.iter().map(|part| part.state).find(|state| *state != State::Delivered);
    under_way.or_else(failed).or_else(|| parts.first().map(|part| part.state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_stands_where_its_last_part_does() {
        use State::{Accepted, Buffered, Delivered, Expired, Failed, Queued, Sent};
        let rows: [(&[State], Option<State>); 6] = [
            (&[], None),
            (&[Delivered, Delivered], Some(Delivered)),
            (&[Delivered, Queued, Sent], Some(Queued)),
            (&[Failed, Buffered], Some(Buffered)),
            (&[Delivered, Expired, Failed], Some(Expired)),
            (&[Accepted, Sent], Some(Accepted)),
        ];
        for (states, expected) in rows {
            let part = |state: &State| LongPart {
                id: MessageId::generate(),
                part: 1,
                total: 2,
                state: *state,
                text: Private::default(),
                segments: 1,
                captured: Micros::ZERO,
            };
            assert_eq!(state_of(&states.iter().map(part).collect::<Vec<_>>()), expected, "{states:?}");
        }
    }
}
