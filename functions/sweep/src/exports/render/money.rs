//! What the viewer was paid and paid, and what was given back. Each record says what it adds to the books.

use domain::cdr::{Share, Shares, shares};
use domain::settlement::{Ended, Outcome};
use domain::{ChainId, Micros};
use serde_json::{Value, json};
use store::cdr::{Cdr, Page, Refund};
use uuid::Uuid;

use super::{Row, Viewer, time};

impl Viewer {
    /// Its own price, and what it earned from right below; see [`domain::cdr`].
    pub(super) fn money(self, row: &mut Row, cdr: &Cdr, page: &Page) {
        let chain = page.chains.get(&ChainId::from_uuid(cdr.chain_id));
        let seen = |ended| chain.map(|chain| shares(chain, self.account, ended)).unwrap_or_default();
        let (now, before) = ends(cdr);
        let Shares { mut price, mut cost } = seen(now);
        if let Some(before) = before.map(seen) {
            less(&mut price, before.price);
            less(&mut cost, before.cost);
        }
        if let Some(price) = price.as_mut().filter(|_| self.is_sender(cdr)) {
            // What was captured is stored with the record itself.
            price.total = Micros::new(cdr.price_micros);
        }
        let of = |share: Option<Share>, field: fn(Share) -> String| json!(share.map(field));
        let mut put = |column: &str, value: Value| drop(row.insert(column.to_owned(), value));
        put("charge_on", of(price, |share| share.charge_on.name().to_owned()));
        put("unit_price", of(price, |share| share.unit.to_string()));
        put("price", of(price, |share| share.total.to_string()));
        put("tariff_id", of(price, |share| share.tariff.to_string()));
        put("cost", of(cost, |share| share.total.to_string()));
        put("cost_tariff_id", of(cost, |share| share.tariff.to_string()));
        put("currency", json!(cdr.currency));
        put("capture_entry_id", json!(cdr.capture_entry_id));
        put("submit_entry_id", json!(cdr.submit_entry_id));
        put("final_entry_id", json!(cdr.final_entry_id));
    }

    /// What was given back of `price` and of `cost`. It is told once, with the first record of a message.
    pub(super) fn refunds(self, row: &mut Row, cdr: &Cdr, page: &Page) {
        let all = page.refunds.get(&cdr.message_id).filter(|_| cdr.correction == 0).map(Vec::as_slice);
        let all = all.unwrap_or_default();
        let is_price = |refund: &&Refund| (refund.account_id == self.account.uuid()) == self.is_sender(cdr);
        let (price, cost): (Vec<&Refund>, Vec<&Refund>) = all.iter().partition(is_price);
        let total = |refunds: &[&Refund]| {
            let sum = refunds.iter().map(|refund| refund.amount_micros).sum();
            (!refunds.is_empty()).then(|| Micros::new(sum).to_string())
        };
        let segments: i64 = price.iter().map(|refund| i64::from(refund.segments)).sum();
        let told = entries(all).into_iter().map(|entry| told(entry, &price, &cost)).collect();
        let mut put = |column: &str, value: Value| drop(row.insert(column.to_owned(), value));
        put("refunded_segments", json!((!price.is_empty()).then_some(segments)));
        put("refunded", json!(total(&price)));
        put("cost_refunded", json!(total(&cost)));
        put("refunds", Value::Array(told));
    }

    fn is_sender(self, cdr: &Cdr) -> bool {
        cdr.account_id == self.account.uuid()
    }
}

/// What the record says of money, and what the one before it said.
fn ends(cdr: &Cdr) -> (Ended, Option<Ended>) {
    let segments = |count: i16| u16::try_from(count).unwrap_or(0);
    let ended = |accepted, outcome: &str| Ended { accepted, outcome: Outcome::parse(outcome).unwrap_or(Outcome::Free) };
    let before = cdr.outcome_before.as_deref();
    let accepted_before = cdr.accepted_segments.saturating_sub(cdr.added_segments);
    (
        ended(segments(cdr.accepted_segments), &cdr.outcome),
        before.map(|outcome| ended(segments(accepted_before), outcome)),
    )
}

fn less(share: &mut Option<Share>, before: Option<Share>) {
    if let (Some(share), Some(before)) = (share, before) {
        share.total = Micros::new(share.total.get().saturating_sub(before.total.get()));
    }
}

/// The journal entries of refunds, in their order.
fn entries(refunds: &[Refund]) -> Vec<Uuid> {
    let mut entries: Vec<Uuid> = refunds.iter().map(|refund| refund.entry_id).collect();
    entries.dedup();
    entries
}

/// A refund in the eyes of the viewer: what it gave or got by its price, and what it got back of its cost.
fn told(entry: Uuid, price: &[&Refund], cost: &[&Refund]) -> Value {
    let of =
        |refunds: &[&Refund]| refunds.iter().find(|refund| refund.entry_id == entry).map(|refund| (*refund).clone());
    let (price, cost) = (of(price), of(cost));
    let amount = |refund: Option<&Refund>| refund.map(|refund| Micros::new(refund.amount_micros).to_string());
    let any = price.as_ref().or(cost.as_ref());
    json!({
        "entry_id": entry,
        "at": any.map(|refund| time(refund.at)),
        "reason": any.and_then(|refund| refund.reason.as_deref()),
        "segments": any.map(|refund| refund.segments),
        "amount": amount(price.as_ref()),
        "cost_amount": amount(cost.as_ref()),
    })
}
