//! Whose a message is, what it does, and where it goes.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{CustomerEvent, CustomerInbound, Deliver, InboundEvent, InboundPart, What};
use domain::inbound::{Action, Rule, address, find, words};
use domain::{AccountId, Number, Private};
use store::inbound::InboundMessage;
use store::opt_outs::OptOut;
use store::{Db, Tx, inbound, inbound_rules, opt_outs};
use uuid::Uuid;

use crate::assemble::Whole;
use crate::decode;

/// How long a message waits for a session of its SMPP system.
const KEPT: TimeDelta = TimeDelta::days(3);

/// A message, and where it goes.
#[derive(Debug)]
struct Told {
    message: InboundMessage,
    delivery: Option<Deliver>,
    event: Option<InboundEvent>,
}

/// Stores messages, does what their words say and publishes them to their customers. Answers which are new; nothing
/// is done for the others.
pub(crate) async fn hand_over(
    tx: &mut Tx,
    db: &Db,
    wholes: &[Whole],
    now: DateTime<Utc>,
) -> Result<Vec<InboundMessage>, store::Error> {
    let firsts: Vec<(&Whole, &InboundPart)> = wholes.iter().filter_map(|whole| Some((whole, whole.first()?))).collect();
    let mut numbers: Vec<String> = firsts.iter().map(|(_, first)| address(first.to.addr.expose())).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let rules = if numbers.is_empty() { Vec::new() } else { inbound_rules::of_numbers(tx, &numbers).await? };
    let mut told: Vec<Told> = firsts.into_iter().map(|(whole, first)| tell(whole, first, &rules, now)).collect();
    let rows: Vec<InboundMessage> = told.iter().map(|told| told.message.clone()).collect();
    let new = inbound::store(tx, &rows).await?;
    told.retain(|told| new.contains(&told.message.id));
    act(tx, &told).await?;
    let deliveries: Vec<Deliver> = told.iter().filter_map(|told| told.delivery.clone()).collect();
    let events: Vec<CustomerEvent> =
        told.iter().filter_map(|told| told.event.clone().map(CustomerEvent::Inbound)).collect();
    inbound::deliver(tx, db, &deliveries, &events, now).await?;
    Ok(told.into_iter().map(|told| told.message).collect())
}

/// Finds the rule and renders the message for it.
fn tell(whole: &Whole, first: &InboundPart, rules: &[Rule], now: DateTime<Utc>) -> Told {
    let (text, encoding) = decode::read(&whole.parts);
    let text = Private::new(text);
    let (from, to) = (address(first.from.addr.expose()), address(first.to.addr.expose()));
    // Without its beginning nobody knows the first word.
    let begins = whole.parts.first().is_some_and(Option::is_some) && encoding != contract::Encoding::Binary;
    let words = if begins { words(text.expose()) } else { Vec::new() };
    let rule = find(rules, &to, first.operator_id, &words);
    let does = !whole.is_partial() && Number::parse(&from).is_ok();
    let message = InboundMessage {
        id: whole.id,
        account: rule.map(|rule| rule.account),
        rule: rule.map(|rule| rule.id),
        operator: first.operator_id,
        from: Private::new(from),
        to,
        text,
        encoding,
        parts: u8::try_from(whole.parts.iter().flatten().count()).unwrap_or(u8::MAX),
        partial: whole.is_partial(),
        action: rule.filter(|_| does).and_then(|rule| rule.action(&words)),
        received_at: first.received_at,
    };
    let delivery = rule.and_then(|rule| deliver(&message, first, rule, now));
    let event = rule.map(|rule| event(&message, rule));
    Told { message, delivery, event }
}

fn deliver(message: &InboundMessage, first: &InboundPart, rule: &Rule, now: DateTime<Utc>) -> Option<Deliver> {
    let what = CustomerInbound {
        inbound_id: message.id,
        from: first.from.clone(),
        to: first.to.clone(),
        text: message.text.clone(),
        encoding: message.encoding,
        partial: message.partial,
        received_at: message.received_at,
    };
    Some(Deliver {
        id: Uuid::now_v7(),
        system_id: rule.system?,
        account_id: rule.account,
        expires_at: now + KEPT,
        what: What::Inbound(what),
    })
}

fn event(message: &InboundMessage, rule: &Rule) -> InboundEvent {
    let from = match Number::parse(message.from.expose()) {
        Ok(number) => Private::new(number.e164()),
        Err(_) => message.from.clone(),
    };
    InboundEvent {
        id: Uuid::now_v7(),
        account_id: rule.account,
        inbound_id: message.id,
        url: rule.url.clone().unwrap_or_default(),
        from,
        to: message.to.clone(),
        text: message.text.clone(),
        encoding: message.encoding,
        parts: message.parts,
        partial: message.partial,
        received_at: message.received_at,
        keyword: rule.keyword.clone(),
        action: message.action,
    }
}

/// The last word of each handset counts.
async fn act(tx: &mut Tx, told: &[Told]) -> Result<(), store::Error> {
    let mut last: BTreeMap<(AccountId, Number), &InboundMessage> = BTreeMap::new();
    for Told { message, .. } in told.iter().filter(|told| told.message.action.is_some()) {
        if let (Some(account), Ok(number)) = (message.account, Number::parse(message.from.expose())) {
            let slot = last.entry((account, number)).or_insert(message);
            if (message.received_at, message.id) > (slot.received_at, slot.id) {
                *slot = message;
            }
        }
    }
    let (mut out, mut back) = (Vec::new(), Vec::new());
    for ((account, number), message) in last {
        let at = message.received_at;
        if message.action == Some(Action::OptIn) {
            back.push((account, number, at));
        } else {
            let source = format!("inbound {}", message.id);
            out.push(OptOut { id: Uuid::now_v7(), account, number, source, at });
        }
    }
    opt_outs::add(tx, &out).await?;
    opt_outs::take_back(tx, &back).await?;
    Ok(())
}
