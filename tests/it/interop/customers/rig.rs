//! A platform with a customer's SMPP system, a number of its own, and an operator behind.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use smsc::{Outcome, Profile, Receipts, Rule, Smsc};
use testkit::eventually;

use super::super::capture::Tap;
use crate::chappe::{Chappe, Company, Leftovers, ON_SUBMIT, OperatorIs, PASSWORD, SYSTEM_ID, smsc};
use crate::journey::{BALANCE, JOURNEY, balance};

/// What a segment costs the customer, in micros.
pub(in crate::interop) const PRICE: i64 = 80_000_000;
/// The customer's number, which handsets write to.
pub(in crate::interop) const SERVICE: &str = "4400";
/// Who writes to it.
pub(in crate::interop) const HANDSET: &str = "998931112233";
/// The customer's name at the bind.
pub(in crate::interop) const CUSTOMER: &str = "customer";

pub(in crate::interop) struct Rig {
    pub(in crate::interop) chappe: Chappe,
    pub(in crate::interop) company: Company,
    pub(in crate::interop) smsc: Smsc,
    /// Between the customer and us.
    pub(in crate::interop) tap: Tap,
    /// The id of the customer's system.
    pub(in crate::interop) system: String,
}

impl Rig {
    /// The customer's system is set up so; numbers that end with 9 are not delivered to.
    pub(in crate::interop) async fn start(system: &Value) -> Self {
        Self::over(Chappe::start().await, system).await
    }

    /// The same over this platform.
    pub(in crate::interop) async fn over(chappe: Chappe, system: &Value) -> Self {
        let company = Company::found(&chappe).await;
        let undelivered = Rule { suffix: "9".to_owned(), outcome: Some(Outcome::Undelivered), ..Rule::default() };
        let receipts = Receipts { delay_ms: 200, ..Receipts::default() };
        let smsc = smsc(Profile { rules: vec![undelivered], receipts, ..Profile::default() }).await;
        let mut form = json!({"account_id": company.client, "system_id": CUSTOMER, "password": PASSWORD_OF_CUSTOMER});
        form.as_object_mut().unwrap().extend(system.as_object().unwrap().clone());
        let system = company.admin.make("/v1/smpp/systems", form).await;
        // An edge that has bound to the operator has read the system too.
        company.operator(&smsc, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
        let tap = Tap::to(chappe.smpp().port()).await;
        Self { chappe, company, smsc, tap, system }
    }

    /// What handsets write to the customer's number goes to its system.
    pub(in crate::interop) async fn claim_number(&self) {
        let rule = json!({"account_id": self.company.client, "number": SERVICE, "smpp_system_id": self.system});
        self.company.admin.make("/v1/inbound-rules", rule).await;
    }

    /// A message from the handset to the customer's number.
    pub(in crate::interop) fn write(&self, text: &str) {
        self.smsc.deliver(SYSTEM_ID, HANDSET, SERVICE, text).unwrap();
    }

    /// How many sessions of the customer the platform knows of.
    pub(in crate::interop) async fn until_sessions(&self, count: usize) {
        let sessions = async || self.company.admin.get("/v1/smpp/sessions").await["data"].as_array().unwrap().len();
        eventually(JOURNEY, async || sessions().await == count).await;
    }

    /// The customer's only session, as the platform tells of it.
    pub(in crate::interop) async fn until_session(&self) -> Value {
        self.until_sessions(1).await;
        self.company.admin.get("/v1/smpp/sessions").await["data"][0].clone()
    }

    /// Everything has ended, nothing is left over, so many segments are paid, and every PDU was well-formed. Answers
    /// how many there were of each command.
    pub(in crate::interop) async fn assert_done(self, segments: i64) -> BTreeMap<String, usize> {
        self.chappe.assert_settled(JOURNEY, Leftovers::default()).await;
        assert_eq!(balance(&self.company, self.company.client).await, (BALANCE - segments * PRICE, 0));
        assert_eq!(self.smsc.counters().accepted, u64::try_from(segments).unwrap(), "what is paid is what was sent");
        let seen = self.tap.assert_well_formed().await;
        assert!(seen.contains_key("deliver_sm"), "{seen:?}");
        for command in ["bind_transceiver", "submit_sm", "submit_multi", "data_sm", "deliver_sm", "enquire_link"] {
            assert_eq!(seen.get(command), seen.get(&format!("{command}_resp")), "every {command} is answered");
        }
        seen
    }
}

/// As long as SMPP 3.4 allows.
pub(in crate::interop) const PASSWORD_OF_CUSTOMER: &str = "secret77";
const _: () = assert!(PASSWORD.len() < PASSWORD_OF_CUSTOMER.len());
