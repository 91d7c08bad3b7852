//! What can be set on a system, and what is wrong with it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use contract::system::{InboundStyle, ReceiptPdu, ReceiptStyle};
use contract::{Alphabet, BindCounts, IdForm, Octets, SystemSettings};
use domain::{AccountId, Sender, SmppSystemId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use crate::check::Check;
use crate::problem::Code;

/// Bytes of a `system_id` on the wire (SMPP 3.4 section 5.2.1) without its NUL.
const SYSTEM_ID_MAX: usize = 15;
/// Sessions of one kind.
const BINDS_MAX: u16 = 1_000;
/// Entries of a list.
const LIST_MAX: usize = 1_000;
/// Characters of a template for receipts: with its values it must fit into a short message field.
const TEMPLATE_MAX: usize = 160;
/// What a template may have between braces.
const PLACEHOLDERS: [&str; 8] = ["id", "sub", "dlvrd", "submit_date", "done_date", "stat", "err", "text"];
/// Bytes of a `service_type` (section 5.2.11) without its NUL.
const SERVICE_TYPE_MAX: usize = 5;

/// A system: how a customer may bind, and what its sessions do. What is absent stays, or has its default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SystemForm {
    /// Whose it is; your own when nothing is said. Cannot be changed.
    pub(super) account_id: Option<String>,
    /// The name it binds by: 1 to 15 characters of ASCII, unique on the platform. Required for a new system.
    #[schema(example = "shop")]
    pub(super) system_id: Option<String>,
    /// 8 to 64 characters of ASCII; without one a new system gets a password of 8 characters, shown once.
    #[schema(format = Password)]
    pub(super) password: Option<String>,
    /// Sessions that submit only, over all edges: 0 to 1000; 2 when nothing is said.
    transmitters: Option<u16>,
    /// Sessions that receive only: 0 to 1000; 2 when nothing is said.
    receivers: Option<u16>,
    /// Sessions that do both: 0 to 1000; 2 when nothing is said.
    transceivers: Option<u16>,
    /// Where it may come from: addresses or networks such as `192.0.2.0/24`; empty (default): anywhere.
    addresses: Option<Vec<String>>,
    /// Segments per second over all its sessions; 0 (default): no limit of its own.
    segments_per_second: Option<u32>,
    /// Segments at once: 1 to 1000000; 100 when nothing is said.
    burst: Option<u32>,
    /// Unanswered requests per session, each way: 1 to 10000; 100 when nothing is said.
    window: Option<u16>,
    /// Sender IDs it may use, of those of the account; empty (default): all of them.
    senders: Option<Vec<String>>,
    /// Used where a submit names no source; an empty string takes it away.
    default_sender: Option<String>,
    /// What `data_coding` 0 means: `gsm7` (default), `gsm7_packed`, `latin1`, `ascii` or `ucs2`.
    default_alphabet: Option<String>,
    /// The PDU that carries receipts: `deliver_sm` (default) or `data_sm`.
    receipt_pdu: Option<String>,
    /// The text of receipts, with `{id}`, `{sub}`, `{dlvrd}`, `{submit_date}`, `{done_date}`, `{stat}`, `{err}` and
    /// `{text}` in it; an empty string: the form of SMPP 3.4 appendix B.
    #[schema(example = "id:{id} stat:{stat} err:{err}")]
    receipt_template: Option<String>,
    /// How message ids are written, in answers and receipts alike: `text` (default: what follows `msg_` elsewhere),
    /// `hex`, `decimal` or `uuid`.
    id_form: Option<String>,
    /// Long messages from handsets: in `parts` with user data headers (default), or in one `payload`.
    inbound: Option<String>,
    /// From `service_type` to a class of traffic of yours.
    #[schema(value_type = Option<Object>, additional_properties)]
    service_types: Option<BTreeMap<String, Value>>,
    /// May bind; true when nothing is said.
    enabled: Option<bool>,
}

/// A system with its defaults, but without a name and a password.
pub fn blank(id: SmppSystemId, account_id: AccountId) -> SystemSettings {
    SystemSettings {
        id,
        account_id,
        system_id: String::new(),
        password_hash: Octets::default(),
        binds: BindCounts { transmitters: 2, receivers: 2, transceivers: 2 },
        addresses: Vec::new(),
        segments_per_second: 0,
        burst: 100,
        window: 100,
        senders: Vec::new(),
        default_sender: None,
        default_alphabet: Alphabet::Gsm7,
        receipts: ReceiptStyle::default(),
        inbound: InboundStyle::Parts,
        service_types: BTreeMap::new(),
        enabled: true,
    }
}

impl SystemForm {
    /// Puts what is given on top of `settings`, and notes all that is wrong.
    pub(super) fn apply(self, check: &mut Check, settings: &mut SystemSettings) {
        if let Some(name) = self.system_id {
            let graphic = name.bytes().all(|byte| byte.is_ascii_graphic()) && !name.starts_with('~');
            let good = (1..=SYSTEM_ID_MAX).contains(&name.len()) && graphic;
            check.that(good, "/system_id", "expected 1 to 15 characters of ASCII without spaces, not beginning with ~");
            settings.system_id = name;
        }
        let binds = &mut settings.binds;
        binds.transmitters = self.transmitters.unwrap_or(binds.transmitters);
        binds.receivers = self.receivers.unwrap_or(binds.receivers);
        binds.transceivers = self.transceivers.unwrap_or(binds.transceivers);
        settings.segments_per_second = self.segments_per_second.unwrap_or(settings.segments_per_second);
        settings.burst = self.burst.unwrap_or(settings.burst);
        settings.window = self.window.unwrap_or(settings.window);
        settings.enabled = self.enabled.unwrap_or(settings.enabled);
        ranges(check, settings);
        if let Some(given) = self.addresses {
            settings.addresses = addresses(check, given);
        }
        if let Some(given) = self.senders {
            settings.senders = senders(check, &given);
        }
        if let Some(given) = self.default_sender.as_deref() {
            let read = |given| check.value("/default_sender", Code::InvalidSender, Sender::parse(given));
            settings.default_sender =
                Some(given).filter(|given| !given.is_empty()).and_then(read).map(|s| s.to_string());
        }
        if let Some(given) = self.default_alphabet.as_deref() {
            let read = Alphabet::parse(given).filter(|alphabet| *alphabet != Alphabet::Binary);
            let read = read.ok_or("expected gsm7, gsm7_packed, latin1, ascii or ucs2");
            settings.default_alphabet =
                check.value("/default_alphabet", Code::InvalidRequest, read).unwrap_or_default();
        }
        if let Some(template) = self.receipt_template {
            check.that(good_template(&template), "/receipt_template", TEMPLATE_HELP);
            settings.receipts.template = Some(template).filter(|template| !template.is_empty());
        }
        if let Some(pdu) = named::<ReceiptPdu>(check, "/receipt_pdu", self.receipt_pdu) {
            settings.receipts.pdu = pdu;
        }
        if let Some(form) = named::<IdForm>(check, "/id_form", self.id_form) {
            settings.receipts.id_form = form;
        }
        if let Some(inbound) = named::<InboundStyle>(check, "/inbound", self.inbound) {
            settings.inbound = inbound;
        }
        if let Some(given) = self.service_types {
            settings.service_types = service_types(check, given);
        }
    }
}

const TEMPLATE_HELP: &str = "expected up to 160 characters of ASCII with {id} and {stat} in it, and of {sub}, {dlvrd}, \
    {submit_date}, {done_date}, {err} and {text} what you like";

fn ranges(check: &mut Check, settings: &SystemSettings) {
    let BindCounts { transmitters, receivers, transceivers } = settings.binds;
    for (pointer, count) in
        [("/transmitters", transmitters), ("/receivers", receivers), ("/transceivers", transceivers)]
    {
        check.that(count <= BINDS_MAX, pointer, "expected 0 to 1000");
    }
    let any = transmitters > 0 || receivers > 0 || transceivers > 0;
    check.that(any, "/transceivers", "a system without any session cannot bind; switch it off by enabled");
    check.that(settings.segments_per_second <= 1_000_000, "/segments_per_second", "expected 0 to 1000000");
    check.that((1..=1_000_000).contains(&settings.burst), "/burst", "expected 1 to 1000000");
    check.that((1..=10_000).contains(&settings.window), "/window", "expected 1 to 10000");
}

fn addresses(check: &mut Check, given: Vec<String>) -> Vec<String> {
    check.that(given.len() <= LIST_MAX, "/addresses", "expected at most 1000 entries");
    for (at, text) in given.iter().enumerate() {
        let help = "expected an address, or a network such as 192.0.2.0/24";
        check.that(is_network(text), &format!("/addresses/{at}"), help);
    }
    given
}

fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let max = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= max))
}

fn senders(check: &mut Check, given: &[String]) -> Vec<String> {
    check.that(given.len() <= LIST_MAX, "/senders", "expected at most 1000 entries");
    let mut read = Vec::with_capacity(given.len());
    for (at, text) in given.iter().enumerate() {
        let sender = check.value(&format!("/senders/{at}"), Code::InvalidSender, Sender::parse(text));
        read.extend(sender.map(|sender| sender.to_string()));
    }
    read
}

/// A template knows its placeholders, and says which message it is about and what became of it.
fn good_template(template: &str) -> bool {
    if template.is_empty() {
        return true;
    }
    let graphic = template.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let mut named = Vec::new();
    for behind in template.split('{').skip(1) {
        match behind.split_once('}') {
            Some((name, _)) if PLACEHOLDERS.contains(&name) => named.push(name),
            _ => return false,
        }
    }
    graphic && template.len() <= TEMPLATE_MAX && named.contains(&"id") && named.contains(&"stat")
}

/// Reads one of the names of an enumeration.
fn named<T: DeserializeOwned>(check: &mut Check, pointer: &str, given: Option<String>) -> Option<T> {
    let read = serde_json::from_value(Value::String(given?)).map_err(|_| "expected one of the documented names");
    check.value(pointer, Code::InvalidRequest, read)
}

fn service_types(check: &mut Check, given: BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let good = |(service, class): (&String, &Value)| {
        let class = class.as_str().unwrap_or_default();
        service.len() <= SERVICE_TYPE_MAX && service.is_ascii() && class.parse::<domain::TrafficClass>().is_ok()
    };
    let all = given.len() <= LIST_MAX && given.iter().all(good);
    check.that(all, "/service_types", "expected keys of up to 5 characters of ASCII, and traffic classes such as otp");
    given.into_iter().filter_map(|(service, class)| Some((service, class.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(form: &Value) -> Vec<String> {
        let form: SystemForm = serde_json::from_value(form.clone()).unwrap();
        let (mut check, mut settings) = (Check::default(), blank(SmppSystemId::generate(), AccountId::generate()));
        form.apply(&mut check, &mut settings);
        check.into_errors().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let many = |n: usize| "x".repeat(n);
        let rows = [
            (json!({"system_id": "shop"}), vec![]),
            (json!({"system_id": ""}), vec!["/system_id"]),
            (json!({"system_id": many(16)}), vec!["/system_id"]),
            (json!({"system_id": "a b"}), vec!["/system_id"]),
            (json!({"system_id": "~gone"}), vec!["/system_id"]),
            (json!({"transmitters": 1001}), vec!["/transmitters"]),
            (json!({"transmitters": 0, "receivers": 0, "transceivers": 0}), vec!["/transceivers"]),
            (json!({"addresses": ["192.0.2.0/24", "192.0.2.1", "2001:db8::/32"]}), vec![]),
            (
                json!({"addresses": ["192.0.2.0/33", "x", "2001:db8::/129"]}),
                vec!["/addresses/0", "/addresses/1", "/addresses/2"],
            ),
            (
                json!({"segments_per_second": 1_000_001, "burst": 0, "window": 0}),
                vec!["/segments_per_second", "/burst", "/window"],
            ),
            (json!({"senders": ["Shop", "Ш"], "default_sender": "Ш"}), vec!["/senders/1", "/default_sender"]),
            (json!({"default_sender": ""}), vec![]),
            (json!({"default_alphabet": "binary"}), vec!["/default_alphabet"]),
            (json!({"default_alphabet": "ascii"}), vec![]),
            (json!({"receipt_template": "id:{id} stat:{stat}"}), vec![]),
            (json!({"receipt_template": "id:{id}"}), vec!["/receipt_template"]),
            (json!({"receipt_template": "{id} {stat} {what}"}), vec!["/receipt_template"]),
            (json!({"receipt_template": "{id} {stat"}), vec!["/receipt_template"]),
            (json!({"receipt_template": format!("{{id}}{{stat}}{}", many(160))}), vec!["/receipt_template"]),
            (json!({"receipt_pdu": "data_sm", "id_form": "hex", "inbound": "payload"}), vec![]),
            (json!({"receipt_pdu": "x", "id_form": "x", "inbound": "x"}), vec!["/receipt_pdu", "/id_form", "/inbound"]),
            (json!({"service_types": {"OTP": "otp"}}), vec![]),
            (json!({"service_types": {"TOOLONG": "otp"}}), vec!["/service_types"]),
            (json!({"service_types": {"OTP": 1}}), vec!["/service_types"]),
        ];
        for (form, expected) in rows {
            assert_eq!(wrong(&form), expected, "{form}");
        }
    }
}
