//! Faults with real processes: what customers were told is accepted reaches the operator and a final state,
//! whatever dies in between.

mod cluster;
mod customers;
mod database;
mod edges;
mod exports;
mod hostile;
mod operators;
mod process;
mod sessions;

use std::time::Duration;

use smsc::{Profile, Receipts, Smsc};

use crate::chappe::{Chappe, Company, Leftovers, Load, ON_SUBMIT, OperatorIs, smsc};

/// Everything has ended within this time, leases of the dead (a minute) included.
const END: Duration = Duration::from_mins(5);
/// How long a moment of the load is waited for.
const MOMENT: Duration = Duration::from_secs(90);

/// An operator like many: some milliseconds away, receipts within a second.
fn profile() -> Profile {
    let receipts = Receipts { delay_ms: 200, jitter_ms: 500, ..Receipts::default() };
    Profile { latency_ms: 5, jitter_ms: 10, receipts, ..Profile::default() }
}

/// Such an operator, which is the company's.
async fn carrier(company: &Company, is: OperatorIs) -> Smsc {
    let carrier = smsc(profile()).await;
    company.operator(&carrier, is).await;
    carrier
}

/// Everything has ended, nothing was lost, the money is right, and at most so much came twice.
async fn assert_right(chappe: &Chappe, load: &Load, carrier: &Smsc, repeated_max: u64) {
    chappe.until_ended(END).await;
    let repeated = load.assert_all_came(chappe, carrier).await;
    eprintln!("{repeated} repetitions");
    assert!(repeated <= repeated_max, "{repeated} repetitions");
    // What came twice is receipted twice, and the platform knows one of the two.
    chappe.assert_settled(END, Leftovers { receipts: repeated > 0 }).await;
}

/// Two sessions and a rate that keeps a backlog in the queue while the load runs.
const CARRIER: OperatorIs =
    OperatorIs { binds: 2, window: 20, tps: 400, ..OperatorIs::simple("Ucell", ON_SUBMIT, "50") };
