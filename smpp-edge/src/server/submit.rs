//! From a PDU to a submission: what the customer said, read tolerantly, refused exactly.

mod tlvs;
mod userdata;
mod when;

use chrono::{DateTime, Utc};
use contract::intake::Submission;
use contract::{Octets, SmppFields, SystemSettings};
use domain::{MessageId, Private};
use smpp::Status;
use smpp::pdu::{Address, DataSm, Sm};

pub(super) use userdata::read_text;
pub(super) use when::{schedule, validity};

/// Octets of an address, at most: what `data_sm` allows.
const ADDRESS_MAX: usize = 64;
/// `esm_class`: the message type, in bits 5-2.
const ESM_TYPE_MASK: u8 = 0x3C;
/// Message types that an ESME may send: default, and the two acknowledgements of a handset's application.
const ESM_TYPES: [u8; 3] = [0x00, 0x08, 0x10];
/// The highest priority (section 5.2.14).
const PRIORITY_MAX: u8 = 3;

/// A submission, and what the session needs to know of it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) submission: Submission,
    /// Short messages that it takes, for the rate.
    pub(super) segments: u32,
}

/// A `submit_sm` and everything that is like one.
pub(super) fn from_sm(sm: &Sm<'_>, system: &SystemSettings, now: DateTime<Utc>) -> Result<Read, Status> {
    if sm.priority_flag > PRIORITY_MAX {
        return Err(Status::RINVPRTFLG);
    }
    if sm.replace_if_present_flag > 1 {
        return Err(Status::RINVREPFLAG);
    }
    let scheduled_at = when::schedule(sm.schedule_delivery_time, now)?;
    let expires_at = when::validity(sm.validity_period, sm.tlvs, scheduled_at.unwrap_or(now), now)?;
    let mut read = from_common(sm, system)?;
    read.submission.expires_at = expires_at;
    read.submission.scheduled_at = scheduled_at;
    read.submission.fields.protocol_id = sm.protocol_id;
    read.submission.fields.priority = sm.priority_flag;
    read.submission.fields.replace_if_present = sm.replace_if_present_flag == 1;
    Ok(read)
}

/// A `data_sm`: what it does not have is as in a `submit_sm` that says nothing.
pub(super) fn from_data(data: &DataSm<'_>, system: &SystemSettings, now: DateTime<Utc>) -> Result<Read, Status> {
    let sm = Sm {
        service_type: data.service_type,
        source: data.source,
        destination: data.destination,
        esm_class: data.esm_class,
        registered_delivery: data.registered_delivery,
        data_coding: data.data_coding,
        tlvs: data.tlvs,
        ..Sm::default()
    };
    from_sm(&sm, system, now)
}

fn from_common(sm: &Sm<'_>, system: &SystemSettings) -> Result<Read, Status> {
    if !ESM_TYPES.contains(&(sm.esm_class & ESM_TYPE_MASK)) {
        return Err(Status::RINVESMCLASS);
    }
    let data = user_data(sm)?;
    let read = userdata::read(data, sm.has_udh(), sm.data_coding, system.default_alphabet)?;
    let part_of = read.part_of.or_else(|| tlvs::sar(sm.tlvs));
    let segments = if part_of.is_some() { 1 } else { userdata::segments(&read.text, read.encoding) };
    let segments = u32::try_from(segments).ok().filter(|segments| *segments <= 255).ok_or(Status::RINVMSGLEN)?;
    let service_type = lossy(sm.service_type);
    let submission = Submission {
        message_id: MessageId::generate(),
        account_id: system.account_id,
        system_id: system.id,
        to: destination(sm.destination)?,
        from: source(sm.source, system)?,
        text: Private::new(read.text),
        encoding: read.encoding,
        registered_delivery: sm.registered_delivery,
        expires_at: None,
        scheduled_at: None,
        receipt_id: None,
        long: None,
        traffic_class: system.service_types.get(&service_type).cloned(),
        fields: SmppFields {
            source: (!sm.source.addr.is_empty()).then_some((sm.source.ton, sm.source.npi)),
            destination: Some((sm.destination.ton, sm.destination.npi)),
            service_type,
            data_coding: Some(sm.data_coding),
            part_of,
            udh: Octets(read.udh),
            tlvs: tlvs::passed(sm.tlvs),
            ..SmppFields::default()
        },
    };
    Ok(Read { submission, segments })
}

/// The user data: in `short_message` or in `message_payload`, never in both.
fn user_data<'a>(sm: &Sm<'a>) -> Result<&'a [u8], Status> {
    tlvs::check(sm.tlvs)?;
    match sm.tlvs.message_payload() {
        Some(payload) if !payload.is_empty() && !sm.short_message.is_empty() => Err(Status::RINVMSGLEN),
        Some(payload) if sm.short_message.is_empty() => Ok(payload),
        _ if sm.short_message.is_empty() && sm.sm_default_msg_id != 0 => Err(Status::RINVDFTMSGID),
        _ => Ok(sm.short_message),
    }
}

/// The addressee as it came; whether it is a number is the intake's to say.
pub(super) fn destination(address: Address<'_>) -> Result<Private, Status> {
    let addr = address.addr.trim_ascii();
    if addr.is_empty() || addr.len() > ADDRESS_MAX {
        return Err(Status::RINVDSTADR);
    }
    Ok(Private::new(lossy(addr)))
}

/// The sender: what was given, or the system's default; one of those that the system may use.
fn source(address: Address<'_>, system: &SystemSettings) -> Result<String, Status> {
    let addr = address.addr.trim_ascii();
    if addr.len() > ADDRESS_MAX {
        return Err(Status::RINVSRCADR);
    }
    let from = match (&system.default_sender, addr.is_empty()) {
        (Some(default), true) => default.clone(),
        _ => lossy(addr),
    };
    let same = |allowed: &String| plain(allowed).eq_ignore_ascii_case(plain(&from));
    if system.senders.is_empty() || system.senders.iter().any(same) { Ok(from) } else { Err(Status::RINVSRCADR) }
}

fn plain(sender: &str) -> &str {
    sender.strip_prefix('+').unwrap_or(sender)
}

/// UTF-8 where it is, else Latin-1: nothing is lost, and nothing has a length that was not there.
pub(super) fn lossy(octets: &[u8]) -> String {
    std::str::from_utf8(octets).map_or_else(|_| octets.iter().copied().map(char::from).collect(), str::to_owned)
}

#[cfg(test)]
mod tests;
