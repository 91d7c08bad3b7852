//! The names of our queues. One thing, one name: SQL, metrics and the console say the same.

use domain::{OperatorId, SmppSystemId};

/// Accepted messages, and messages that need another route.
pub const ROUTE: &str = "route";
/// Outcomes of submits.
pub const BILL: &str = "bill";
/// Receipts from operators.
pub const DLR: &str = "dlr";
/// What handsets send.
pub const INBOUND: &str = "inbound";
/// Events for customers' webhooks.
pub const CALLBACK: &str = "callback";
/// Events for customers that listen at this moment.
pub const REALTIME: &str = "realtime";

/// What waits for one operator: `submit.op_…`. Made when the operator is made, so that one slow operator
/// never blocks another.
pub fn submit(operator: OperatorId) -> String {
    format!("submit.{operator}")
}

/// Receipts and messages from handsets for one SMPP customer: `deliver.sys_…`. Made when the system is made.
pub fn deliver(system: SmppSystemId) -> String {
    format!("deliver.{system}")
}

/// The queues of every installation; those of operators come with the operators.
pub const ALWAYS: [&str; 6] = [ROUTE, BILL, DLR, INBOUND, CALLBACK, REALTIME];
