//! What an operator sends on its own: receipts, and messages from handsets.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use contract::{Receipt, ReceiptState};
use domain::{OperatorId, Private};
use smpp::pdu::Sm;
use smpp::receipt::{self, State, id::Rule};

/// Octets of a receipt's text that are kept for disputes.
const RAW_BYTES_MAX: usize = 512;
/// A time in a receipt counts as UTC only when it is this close to now: operators write local times without a zone.
const ZONE_TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// Reads a receipt. One without a readable id or state is passed on all the same: somebody has to look at it.
pub(super) fn receipt(operator_id: OperatorId, sm: &Sm<'_>, now: DateTime<Utc>) -> Receipt {
    let text = sm.text();
    let tlvs = receipt::Tlvs {
        receipted_message_id: sm.tlvs.receipted_message_id(),
        message_state: sm.tlvs.message_state().and_then(|state| u8::try_from(state).ok()),
    };
    let read = receipt::parse(text).with_tlvs(tlvs);
    let id = read.id.as_deref().map(|id| Rule::Raw.apply(id).into_owned());
    let raw = text.get(..RAW_BYTES_MAX).unwrap_or(text);
    Receipt {
        operator_id,
        smpp_message_id: id.unwrap_or_default(),
        state: state(read.state.unwrap_or(State::Unknown)),
        error: read.error.as_deref().unwrap_or_default().to_owned(),
        meaning: None,
        done_at: read.done_date.and_then(utc).filter(|at| (*at - now).abs() < ZONE_TOLERANCE),
        received_at: now,
        raw: Private::new(String::from_utf8_lossy(raw)),
        lookups: 0,
    }
}

const fn state(state: State) -> ReceiptState {
    match state {
        State::Enroute => ReceiptState::Enroute,
        State::Delivered => ReceiptState::Delivered,
        State::Expired => ReceiptState::Expired,
        State::Deleted => ReceiptState::Deleted,
        State::Undeliverable => ReceiptState::Undeliverable,
        State::Accepted => ReceiptState::Accepted,
        State::Unknown => ReceiptState::Unknown,
        State::Rejected => ReceiptState::Rejected,
    }
}

fn utc(date: receipt::Date) -> Option<DateTime<Utc>> {
    let day = NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())?;
    let second = u32::from(date.second).min(59);
    Some(day.and_hms_opt(date.hour.into(), date.minute.into(), second)?.and_utc())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use smpp::Tlvs;

    use super::*;

    #[test]
    fn receipts_as_they_come() {
        let now = Utc.with_ymd_and_hms(2026, 5, 4, 12, 0, 30).unwrap();
        let full =
            b"id:0a1F sub:001 dlvrd:001 submit date:2605041159 done date:2605041200 stat:DELIVRD err:000 text:hi";
        let tlvs = b"\x00\x1E\x00\x03T7\0\x04\x27\x00\x01\x05";
        for (text, tlvs, id, expected, error, timed) in [
            (&full[..], &b""[..], "0a1F", ReceiptState::Delivered, "000", true),
            (full, tlvs, "T7", ReceiptState::Undeliverable, "000", true),
            (b"", tlvs, "T7", ReceiptState::Undeliverable, "", false),
            (b"id:9 stat:EXPIRED done date:2605041700 err:12", b"", "9", ReceiptState::Expired, "12", false),
            (b"hello", b"", "", ReceiptState::Unknown, "", false),
        ] {
            let sm = Sm { esm_class: 4, short_message: text, tlvs: Tlvs::new(tlvs), ..Sm::default() };
            let read = receipt(OperatorId::generate(), &sm, now);
            assert_eq!((read.smpp_message_id.as_str(), read.state, read.error.as_str()), (id, expected, error));
            assert_eq!(read.done_at.is_some(), timed, "{text:?}");
        }
    }
}
