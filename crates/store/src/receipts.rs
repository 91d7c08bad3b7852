//! Receipts for SMPP customers: written in the transaction that moved their message.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{CustomerReceipt, Deliver, SmppFields, What, WireAddress, queues, seal};
use domain::{MessageId, Private, SmppSystemId, State};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::advance::Moved;
use crate::outbox::Outboxed;
use crate::publish::{outbox, outboxed};
use crate::{Db, Error, Publish, Tx};

/// How long a receipt waits for its customer.
const KEPT: TimeDelta = TimeDelta::days(7);
/// Bits 1 and 0 of `registered_delivery` (SMPP 3.4 section 5.2.17).
const FINAL_MASK: u8 = 0b11;
/// Bit 4 of it: intermediate notifications.
const INTERMEDIATE: u8 = 0b1_0000;
/// Tag of `user_message_reference` (section 5.3.2.17).
const USER_MESSAGE_REFERENCE: u16 = 0x0204;
/// TON and NPI of a number in international form.
const INTERNATIONAL: (u8, u8) = (1, 1);
/// TON and NPI of a name.
const ALPHANUMERIC: (u8, u8) = (5, 0);

/// Our codes as error codes of three digits, where no operator gave one.
const OUR_ERRORS: [(&str, &str); 10] = [
    ("no_route", "901"),
    ("routes_exhausted", "902"),
    ("validity_expired", "903"),
    ("no_receipt", "904"),
    ("canceled", "905"),
    ("submit_unanswered", "906"),
    ("below_margin", "907"),
    ("blocked_by_rule", "908"),
    ("breaker_open", "909"),
    ("daily_cap", "910"),
];
/// A code that three characters cannot say.
const OTHER_ERROR: &str = "999";
/// There is none.
const NO_ERROR: &str = "000";

/// What a receipt says beyond the step of its message.
#[derive(Debug, Clone)]
pub struct Submitter {
    /// Who submitted the message.
    pub system: SmppSystemId,
    /// As it asked.
    pub registered_delivery: u8,
    /// The id that it was told.
    pub told: MessageId,
    /// What it said.
    pub fields: SmppFields,
    /// The sender.
    pub sender: String,
    /// The beginning of the text.
    pub text: String,
    /// When it submitted.
    pub submitted_at: DateTime<Utc>,
}

/// Publishes a receipt for each of `moved` whose customer asked for one.
pub(crate) async fn publish(tx: &mut Tx, db: &Db, moved: &[Moved], at: DateTime<Utc>) -> Result<(), Error> {
    let mut receipts: Vec<Deliver> =
        moved.iter().filter(|moved| moved.has_moved).filter_map(|moved| receipt(moved, at)).collect();
    if receipts.is_empty() {
        return Ok(());
    }
    receipts.sort_by_key(|receipt| receipt.system_id);
    let mut rows: Vec<Outboxed> = Vec::new();
    for of_one in receipts.chunk_by(|a, b| a.system_id == b.system_id) {
        let queue = queues::deliver(of_one[0].system_id);
        rows.extend(seal(of_one, at)?.into_iter().map(|sealed| outboxed(&queue, sealed, 0)));
    }
    match db.publish {
        Publish::InTransaction => send(tx, rows).await,
        Publish::Outbox => outbox(tx, rows).await,
    }
}

/// Sends to many queues at once. A queue that is missing is made: no message may fail for want of it.
async fn send(connection: &mut PgConnection, rows: Vec<Outboxed>) -> Result<(), Error> {
    let (queues, bodies): (Vec<String>, Vec<Vec<u8>>) = rows.into_iter().map(|row| (row.queue, row.body)).unzip();
    query!(
        "WITH named AS (
             SELECT i.name, array_agg(i.body ORDER BY i.place) AS bodies
             FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS i (name, body, place) GROUP BY i.name
         ), made AS MATERIALIZED (
             SELECT queue.create(n.name) FROM named n
             WHERE NOT EXISTS (SELECT FROM queue.queues q WHERE q.name = n.name)
         )
         SELECT queue.send(n.name, n.bodies, array_fill(0::bigint, ARRAY[cardinality(n.bodies)]))
         FROM named n, (SELECT count(*) FROM made) AS first",
        &queues,
        &bodies
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn receipt(moved: &Moved, at: DateTime<Utc>) -> Option<Deliver> {
    let submitter = moved.submitter.as_deref()?;
    if !wants(submitter.registered_delivery, moved.state) {
        return None;
    }
    let is_name = !submitter.sender.bytes().all(|byte| byte.is_ascii_digit());
    let sender = submitter.fields.source.unwrap_or(if is_name { ALPHANUMERIC } else { INTERNATIONAL });
    let recipient = submitter.fields.destination.unwrap_or(INTERNATIONAL);
    let receipt = CustomerReceipt {
        message_id: submitter.told,
        recipient: address(recipient, moved.to.digits()),
        sender: address(sender, submitter.sender.clone()),
        state: moved.state,
        error: error_of(moved.state, moved.code.as_deref()),
        submitted_at: submitter.submitted_at,
        done_at: at,
        segments: moved.segments,
        text: Private::new(submitter.text.clone()),
        user_message_reference: user_message_reference(&submitter.fields.tlvs.0),
    };
    Some(Deliver {
        id: Uuid::now_v7(),
        system_id: submitter.system,
        account_id: moved.account,
        expires_at: at + KEPT,
        what: What::Receipt(receipt),
    })
}

fn address((ton, npi): (u8, u8), addr: String) -> WireAddress {
    WireAddress { ton, npi, addr: Private::new(addr) }
}

/// Does `registered_delivery` ask for a receipt of this state? 1: of every end; 2: of failures; 3: of success.
fn wants(registered_delivery: u8, state: State) -> bool {
    if !state.is_final() {
        return registered_delivery & INTERMEDIATE != 0 && matches!(state, State::Sent | State::Buffered);
    }
    match registered_delivery & FINAL_MASK {
        1 => true,
        2 => state != State::Delivered,
        3 => state == State::Delivered,
        _ => false,
    }
}

/// The error code in three characters: the operator's own from its receipt, the number of the status with which it
/// refused the submit, or one of ours from 901 on.
fn error_of(state: State, code: Option<&str>) -> String {
    let Some(code) = code.filter(|_| !matches!(state, State::Delivered | State::Sent)) else {
        return NO_ERROR.to_owned();
    };
    if let Some((_, ours)) = OUR_ERRORS.iter().find(|(name, _)| *name == code) {
        return (*ours).to_owned();
    }
    if let Some(status) = code.strip_prefix("smpp_") {
        let status = u32::from_str_radix(status, 16).ok().filter(|status| *status <= 999);
        return status.map_or_else(|| OTHER_ERROR.to_owned(), |status| format!("{status:03}"));
    }
    if (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return format!("{code:0>3}");
    }
    OTHER_ERROR.to_owned()
}

/// Looks through parameters of the form tag, length, value.
fn user_message_reference(mut tlvs: &[u8]) -> Option<u16> {
    while let [t1, t0, l1, l0, rest @ ..] = tlvs {
        let (value, after) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l1, *l0])))?;
        if u16::from_be_bytes([*t1, *t0]) == USER_MESSAGE_REFERENCE {
            return <[u8; 2]>::try_from(value).ok().map(u16::from_be_bytes);
        }
        tlvs = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_errors_are_codes_that_have_words() {
        for (code, _) in OUR_ERRORS {
            assert!(domain::ending::CODES.iter().any(|(own, ..)| *own == code), "{code}");
        }
    }

    #[test]
    fn registered_delivery_says_which_receipts() {
        use State::{Buffered, Canceled, Delivered, Expired, Failed, Sent, Unconfirmed};
        let rows: [(u8, &[State]); 6] = [
            (0x00, &[]),
            (0x01, &[Delivered, Failed, Expired, Canceled, Unconfirmed]),
            (0x02, &[Failed, Expired, Canceled, Unconfirmed]),
            (0x03, &[Delivered]),
            (0x11, &[Sent, Buffered, Delivered, Failed, Expired, Canceled, Unconfirmed]),
            (0x10, &[Sent, Buffered]),
        ];
        for (registered, expected) in rows {
            for state in [Sent, Buffered, Delivered, Failed, Expired, Canceled, Unconfirmed] {
                assert_eq!(wants(registered, state), expected.contains(&state), "{registered:#x} {state}");
            }
        }
    }

    #[test]
    fn errors_have_three_characters() {
        let rows = [
            (State::Delivered, Some("007"), "000"),
            (State::Undelivered, None, "000"),
            (State::Undelivered, Some("1"), "001"),
            (State::Undelivered, Some("0b2"), "0b2"),
            (State::Failed, Some("smpp_0000000b"), "011"),
            (State::Failed, Some("smpp_00000400"), "999"),
            (State::Rejected, Some("no_route"), "901"),
            (State::Expired, Some("validity_expired"), "903"),
            (State::Unconfirmed, Some("no_receipt"), "904"),
            (State::Canceled, Some("canceled"), "905"),
            (State::Rejected, Some("below_margin"), "907"),
            (State::Rejected, Some("blocked_by_rule"), "908"),
            (State::Undelivered, Some("absent subscriber"), "999"),
        ];
        for (state, code, expected) in rows {
            assert_eq!(error_of(state, code), expected, "{state} {code:?}");
        }
    }

    #[test]
    fn the_customers_reference_is_found_among_parameters() {
        let rows: [(&[u8], Option<u16>); 5] = [
            (&[], None),
            (&[2, 4, 0, 2, 0x12, 0x34], Some(0x1234)),
            (&[0x14, 0, 0, 1, 9, 2, 4, 0, 2, 0, 7], Some(7)),
            (&[2, 4, 0, 1, 7], None),
            (&[2, 4, 0, 9, 7], None),
        ];
        for (tlvs, expected) in rows {
            assert_eq!(user_message_reference(tlvs), expected, "{tlvs:?}");
        }
    }
}
