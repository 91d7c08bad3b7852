//! Money: what people move (transfers, adjustments, refunds, corrections, payments to suppliers, payouts to sellers), what
//! bounds it (caps, thresholds), and what tells of it (statements, revenue shares).
//!
//! Every act can be repeated with its `Idempotency-Key`, names its journal entry, and stands in the audit log.

mod adjustments;
pub(crate) mod caps;
pub(crate) mod once;
mod payouts;
mod refunds;
mod revenue;
mod statement;
mod suppliers;
mod thresholds;
mod transactions;
mod transfers;

use std::sync::Arc;

use domain::Micros;
use utoipa_axum::router::OpenApiRouter;

use crate::Api;
use crate::check::Check;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .merge(transfers::routes())
        .merge(adjustments::routes())
        .merge(refunds::routes())
        .merge(transactions::routes())
        .merge(caps::routes())
        .merge(thresholds::routes())
        .merge(statement::routes())
        .merge(revenue::routes())
        .merge(payouts::routes())
        .merge(suppliers::routes())
}

/// An amount above zero.
fn amount(check: &mut Check, text: &str) -> Option<Micros> {
    let amount: Micros = check.parse("/amount", text)?;
    let good = amount > Micros::ZERO && amount <= Micros::AMOUNT_MAX;
    check.that(good, "/amount", "expected an amount above zero, up to 1000000000");
    Some(amount).filter(|_| good)
}

/// Why money moves.
fn reason(check: &mut Check, text: &str) {
    check.label("/reason", text, 500);
}
