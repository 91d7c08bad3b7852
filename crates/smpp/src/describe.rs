//! A PDU in words, for people who watch a session: one line that says most, and details.
//!
//! **Invariant:** passwords are in no description. Numbers and texts are only in those that were asked for with
//! [`Show::Full`]; without, they are told by their length.

use std::fmt;

use crate::frame::{Frame, Header};
use crate::pdu::{Address, Bind, BindResp, Body, DataSm, Destination, MessageResp, QuerySmResp, Sm, SubmitMulti};
use crate::receipt::{self, State};
use crate::status::Status;
use crate::text::{self, Encoding};
use crate::tlv::{Tag, Tlv, Tlvs};
use crate::udh::{Concat, Udh};

/// Addressees and refusals told one by one; a `submit_multi` can have 255.
const LISTED_MAX: usize = 20;

/// Whether numbers and texts of people are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// Only how long they are.
    #[default]
    Hidden,
    /// As they are.
    Full,
}

/// A PDU in words. Displayed as its line and the details below it, each on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Command, sequence number, status and what matters most.
    pub line: String,
    /// Fields by their names in the specification, those that say nothing left out.
    pub details: Vec<(String, String)>,
}

impl fmt::Display for Description {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.line)?;
        self.details.iter().try_for_each(|(name, value)| write!(out, "\n    {name}: {value}"))
    }
}

/// What `frame` says.
pub fn describe(frame: &Frame<'_>, show: Show) -> Description {
    let Header { command_id, command_status, sequence_number } = frame.header;
    let mut words = Words { show, summary: Vec::new(), details: Vec::new() };
    match &frame.body {
        Ok(body) => words.body(body),
        Err(error) => words.summary.push(format!("unreadable: {error}")),
    }
    let mut line = match command_id.name() {
        "unknown" => format!("unknown command 0x{:08X} seq {sequence_number}", command_id.0),
        name => format!("{name} seq {sequence_number}"),
    };
    if command_id.is_response() || command_status != Status::ROK {
        line = format!("{line} {command_status}");
    }
    if !words.summary.is_empty() {
        line = format!("{line}: {}", words.summary.join(", "));
    }
    Description { line, details: words.details }
}

/// Collects what is said.
struct Words {
    show: Show,
    summary: Vec<String>,
    details: Vec<(String, String)>,
}

impl Words {
    fn body(&mut self, body: &Body<'_>) {
        match body {
            Body::BindReceiver(bind) | Body::BindTransmitter(bind) | Body::BindTransceiver(bind) => self.bind(bind),
            Body::BindReceiverResp(resp) | Body::BindTransmitterResp(resp) | Body::BindTransceiverResp(resp) => {
                self.bind_resp(resp);
            }
            Body::Outbind(outbind) => self.summary.push(format!("system_id {}", plain(outbind.system_id))),
            Body::SubmitSm(sm) | Body::DeliverSm(sm) => self.sm(sm),
            Body::DataSm(data) => self.sm(&as_sm(data)),
            Body::SubmitSmResp(resp) | Body::DeliverSmResp(resp) | Body::DataSmResp(resp) => self.message_resp(resp),
            Body::SubmitMulti(multi) => self.multi(multi),
            Body::SubmitMultiResp(resp) => {
                self.id(resp.message_id);
                for refused in resp.unsuccessful().take(LISTED_MAX) {
                    let refusal = format!("{}: {}", self.address(refused.destination), refused.status);
                    self.detail("unsuccess_sme", refusal);
                }
            }
            Body::QuerySm(query) => {
                self.id(query.message_id);
                self.party("source_addr", query.source);
            }
            Body::QuerySmResp(resp) => self.query_resp(resp),
            Body::CancelSm(cancel) => {
                self.id(cancel.message_id);
                self.party("source_addr", cancel.source);
                self.party("destination_addr", cancel.destination);
            }
            Body::ReplaceSm(replace) => {
                self.id(replace.message_id);
                self.party("source_addr", replace.source);
                self.summary.push(format!("{} octets", replace.short_message.len()));
                self.octets("short_message", replace.short_message);
                self.tlvs(replace.tlvs);
            }
            Body::AlertNotification(alert) => {
                self.party("source_addr", alert.source);
                self.party("esme_addr", alert.esme);
                self.tlvs(alert.tlvs);
            }
            Body::Other(_, octets) => self.summary.push(format!("{} octets", octets.len())),
            Body::Unbind
            | Body::UnbindResp
            | Body::EnquireLink
            | Body::EnquireLinkResp
            | Body::ReplaceSmResp
            | Body::CancelSmResp
            | Body::GenericNack => {}
        }
    }

    fn bind(&mut self, bind: &Bind<'_>) {
        self.summary.push(format!("system_id {}", plain(bind.system_id)));
        self.summary.push(format!("version {:#04x}", bind.interface_version));
        self.string("system_type", bind.system_type);
        self.string("address_range", bind.address_range);
        self.number("addr_ton", bind.addr_ton);
        self.number("addr_npi", bind.addr_npi);
    }

    fn bind_resp(&mut self, resp: &BindResp<'_>) {
        if !resp.system_id.is_empty() {
            self.summary.push(format!("system_id {}", plain(resp.system_id)));
        }
        self.tlvs(resp.tlvs);
    }

    fn message_resp(&mut self, resp: &MessageResp<'_>) {
        self.id(resp.message_id);
        self.tlvs(resp.tlvs);
    }

    fn query_resp(&mut self, resp: &QuerySmResp<'_>) {
        self.id(resp.message_id);
        self.summary.push(state(u32::from(resp.message_state)));
        self.string("final_date", resp.final_date);
        self.number("error_code", resp.error_code);
    }

    fn multi(&mut self, multi: &SubmitMulti<'_>) {
        self.summary.push(format!("to {} destinations", multi.destinations.count()));
        for destination in multi.destinations.iter().take(LISTED_MAX) {
            let destination = match destination {
                Destination::Address(address) => self.address(address),
                Destination::List(name) => format!("list {}", plain(name)),
            };
            self.detail("dest_address", destination);
        }
        self.message(&multi.message);
    }

    fn sm(&mut self, sm: &Sm<'_>) {
        let to = self.address(sm.destination);
        self.summary.push(format!("to {to}"));
        self.detail("destination_addr", to);
        self.message(sm);
    }

    /// Everything but the addressees.
    fn message(&mut self, sm: &Sm<'_>) {
        let from = self.address(sm.source);
        self.summary.push(format!("from {from}"));
        self.detail("source_addr", from);
        self.user_data(sm);
        self.string("service_type", sm.service_type);
        self.bits("esm_class", sm.esm_class);
        self.number("protocol_id", sm.protocol_id);
        self.number("priority_flag", sm.priority_flag);
        self.string("schedule_delivery_time", sm.schedule_delivery_time);
        self.string("validity_period", sm.validity_period);
        self.bits("registered_delivery", sm.registered_delivery);
        self.number("replace_if_present_flag", sm.replace_if_present_flag);
        self.detail("data_coding", format!("{:#04x}", sm.data_coding));
        self.number("sm_default_msg_id", sm.sm_default_msg_id);
        self.tlvs(sm.tlvs);
    }

    /// Kind, place among parts, length and text.
    fn user_data(&mut self, sm: &Sm<'_>) {
        let text = sm.text();
        let (concat, body) = match Udh::parse(text) {
            Ok((udh, body)) if sm.has_udh() => (udh.concat(), body),
            _ => (None, text),
        };
        if sm.has_udh() && body.len() == text.len() {
            self.summary.push("a user data header that cannot be read".to_owned());
        }
        if sm.is_receipt() || sm.is_intermediate() {
            self.receipt(sm);
        }
        if let Some(Concat { total, part, .. }) = concat {
            self.summary.push(format!("part {part} of {total}"));
        }
        let encoding = Encoding::from_data_coding(sm.data_coding);
        let alphabet = encoding.map_or("another alphabet", |encoding| match encoding {
            Encoding::Gsm7 => "GSM 7-bit",
            Encoding::Ucs2 => "UCS-2",
            Encoding::Latin1 => "Latin-1",
        });
        self.summary.push(format!("{} octets of {alphabet}", body.len()));
        match encoding {
            Some(encoding) if self.show == Show::Full => {
                let quoted = format!("{:?}", text::decode(body, encoding));
                self.detail("text", quoted);
            }
            _ => self.octets("text", body),
        }
    }

    fn receipt(&mut self, sm: &Sm<'_>) {
        let message_state = sm.tlvs.message_state().and_then(|state| u8::try_from(state).ok());
        let tlvs = receipt::Tlvs { receipted_message_id: sm.tlvs.receipted_message_id(), message_state };
        let read = receipt::parse(sm.text()).with_tlvs(tlvs);
        let kind = if sm.is_receipt() { "receipt" } else { "intermediate notification" };
        let state = read.state.map_or("no state", State::name);
        let id = plain(read.id.as_deref().unwrap_or("(none)").as_bytes());
        self.summary.push(format!("{kind} {state} of id {id}"));
    }

    fn tlvs(&mut self, tlvs: Tlvs<'_>) {
        for tlv in tlvs {
            let value = self.value(tlv);
            let name = match tlv.tag.name() {
                name @ ("unknown" | "vendor") => format!("{name} 0x{:04X}", tlv.tag.0),
                name => name.to_owned(),
            };
            self.details.push((name, value));
        }
    }

    fn value(&self, tlv: Tlv<'_>) -> String {
        match (tlv.tag, tlv.int()) {
            (Tag::RECEIPTED_MESSAGE_ID | Tag::ADDITIONAL_STATUS_INFO, _) => plain(tlv.text()),
            (Tag::MESSAGE_STATE, Some(value)) => state(value),
            // What a vendor puts into a parameter may be somebody's number or text.
            (tag, Some(value)) if !matches!(tag.name(), "unknown" | "vendor" | "message_payload" | "callback_num") => {
                value.to_string()
            }
            (Tag::NETWORK_ERROR_CODE, _) => hex(tlv.value),
            _ => self.hidden(tlv.value, || hex(tlv.value)),
        }
    }

    fn id(&mut self, id: &[u8]) {
        if !id.is_empty() {
            self.summary.push(format!("id {}", plain(id)));
        }
    }

    fn party(&mut self, name: &str, address: Address<'_>) {
        let address = self.address(address);
        self.detail(name, address);
    }

    /// TON/NPI and the address or its length.
    fn address(&self, address: Address<'_>) -> String {
        let Address { ton, npi, addr } = address;
        format!("{ton}/{npi} {}", self.hidden(addr, || plain(addr)))
    }

    fn hidden(&self, octets: &[u8], shown: impl Fn() -> String) -> String {
        match self.show {
            Show::Full => shown(),
            Show::Hidden => format!("({} octets)", octets.len()),
        }
    }

    fn octets(&mut self, name: &str, octets: &[u8]) {
        let value = self.hidden(octets, || hex(octets));
        self.detail(name, value);
    }

    fn string(&mut self, name: &str, value: &[u8]) {
        if !value.is_empty() {
            self.detail(name, plain(value));
        }
    }

    fn number(&mut self, name: &str, value: u8) {
        if value != 0 {
            self.detail(name, value.to_string());
        }
    }

    fn bits(&mut self, name: &str, value: u8) {
        if value != 0 {
            self.detail(name, format!("{value:#04x}"));
        }
    }

    fn detail(&mut self, name: &str, value: String) {
        self.details.push((name.to_owned(), value));
    }
}

/// `data_sm` in the layout of the others.
fn as_sm<'a>(data: &DataSm<'a>) -> Sm<'a> {
    Sm {
        service_type: data.service_type,
        source: data.source,
        destination: data.destination,
        esm_class: data.esm_class,
        registered_delivery: data.registered_delivery,
        data_coding: data.data_coding,
        tlvs: data.tlvs,
        ..Sm::default()
    }
}

fn state(value: u32) -> String {
    let known = u8::try_from(value).ok().and_then(State::from_tlv);
    known.map_or_else(|| format!("state {value}"), |state| state.name().to_owned())
}

/// Octets that are mostly ASCII, on one line: what is not printable is escaped, so that no peer can forge lines.
fn plain(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}

fn hex(octets: &[u8]) -> String {
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 0x0F]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

#[cfg(test)]
mod tests;
