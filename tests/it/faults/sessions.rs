//! The process dies in the middle of customers' submits over SMPP: what was answered is kept, and so are receipts for
//! who is not there.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use smpp::pdu::Bind;
use smpp::receipt::State;
use smpp::{Body, Status};
use smsc::{Profile, Receipts};
use testkit::{eventually, until_some};

use super::{CARRIER, END, MOMENT, carrier};
use crate::chappe::{Backend, Chappe, Company, Customer, Esme, Leftovers, Manners, ON_SUBMIT, OperatorIs, sm, smsc};

/// Sessions of the customer, and submits of each that are unanswered at one moment.
const SESSIONS: usize = 2;
const WINDOW: usize = 20;
/// Accepted messages between two kills.
const STEP: usize = 300;
const KILLS: usize = 3;

/// What the customer knows.
#[derive(Debug, Default)]
struct Known {
    next: AtomicUsize,
    accepted: Mutex<Vec<(String, String)>>,
    /// Submits whose answer never came.
    unanswered: AtomicUsize,
    is_over: AtomicBool,
}

impl Known {
    fn accepted(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }

    /// Submits over one session, and over the next one when it breaks, until told to end.
    async fn submit(&self, customer: &Customer) {
        while !self.is_over.load(Ordering::Relaxed) {
            let esme = customer.bound().await;
            join_all((0..WINDOW).map(|_| self.submit_over(&esme))).await;
        }
    }

    async fn submit_over(&self, esme: &Esme) {
        while !self.is_over.load(Ordering::Relaxed) && !esme.is_over() {
            let to = format!("{}{:07}", ON_SUBMIT.prefix, self.next.fetch_add(1, Ordering::Relaxed));
            match esme.submit(sm(&to, b"Hello")).await {
                Some(answer) if answer.status == Status::ROK => self.accepted.lock().unwrap().push((to, answer.id)),
                Some(answer) => assert_eq!(answer.status, Status::RSYSERR, "while it stops at worst"),
                None => {
                    self.unanswered.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_was_answered_outlives_every_kill() {
    let mut chappe = Chappe::private_on(Backend::Postgres).await;
    let company = Company::found(&chappe).await;
    let carrier = carrier(&company, CARRIER).await;
    let customer = Customer::of(&chappe, &company, company.client, "shop").await;
    let known = Known::default();
    tokio::join!(join_all((0..SESSIONS).map(|_| known.submit(&customer))), async {
        for kill in 1..=KILLS {
            eventually(MOMENT, async || known.accepted() >= kill * STEP).await;
            chappe.kill();
            chappe.restart().await;
        }
        let all = known.accepted() + STEP;
        eventually(MOMENT, async || known.accepted() >= all).await;
        known.is_over.store(true, Ordering::Relaxed);
    });
    let _receiving = customer.bound().await;
    chappe.until_ended(END).await;
    let (accepted, unanswered) = (known.accepted.lock().unwrap().clone(), known.unanswered.load(Ordering::Relaxed));
    eprintln!("{} accepted, {unanswered} unanswered", accepted.len());
    assert!(unanswered <= KILLS * SESSIONS * WINDOW, "{unanswered} unanswered");
    let lost: Vec<&String> =
        accepted.iter().map(|(to, _)| to).filter(|to| carrier.times_seen(to, "Hello") == 0).collect();
    assert!(lost.is_empty(), "{} were lost", lost.len());
    let told = || customer.inbox.ends().into_keys().collect::<BTreeSet<String>>();
    eventually(END, async || accepted.iter().all(|(_, id)| told().contains(id))).await;
    let stored = u64::try_from(chappe.count("SELECT count(*) FROM messages").await).unwrap();
    let (least, most) = (accepted.len(), accepted.len() + unanswered);
    assert!((least..=most).contains(&usize::try_from(stored).unwrap()), "{stored} stored, {least} accepted");
    let repeats = carrier.repeats();
    let kills = u64::try_from(KILLS).unwrap();
    assert!(repeats.repeated <= kills * CARRIER.windows(), "{} repetitions", repeats.repeated);
    chappe.assert_settled(END, Leftovers { receipts: repeats.repeated > 0 }).await;
}

/// Submits and does not receive.
async fn transmitter(chappe: &Chappe, customer: &Customer) -> Esme {
    let bind = Body::BindTransmitter(Bind::new(customer.name.as_bytes(), Customer::PASSWORD.as_bytes()));
    until_some(MOMENT, async || {
        Esme::bind_as((customer.from, chappe.smpp()), &bind, Manners::default(), customer.inbox.clone()).await.ok()
    })
    .await
}

/// Messages before and after the kill.
const EACH_SIDE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn receipts_wait_for_who_is_away_in_their_order_and_across_a_kill() {
    let mut chappe = Chappe::private_on(Backend::Postgres).await;
    let company = Company::found(&chappe).await;
    let receipts = Receipts { delay_ms: 20, ..Receipts::default() };
    let carrier = smsc(Profile { receipts, ..Profile::default() }).await;
    company.operator(&carrier, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    let customer = Customer::of(&chappe, &company, company.client, "shop").await;
    let mut ids = Vec::new();
    for side in 0..2 {
        let esme = transmitter(&chappe, &customer).await;
        for number in 0..EACH_SIDE {
            let to = format!("{}{side}{number:06}", ON_SUBMIT.prefix);
            ids.push(esme.submit(sm(&to, b"Hello")).await.unwrap().id);
            // One after the other, so that their order is known.
            let queued = format!("deliver.{}", customer.id);
            let receipts = u64::try_from(ids.len()).unwrap();
            eventually(MOMENT, async || chappe.depth(&queued).await == receipts).await;
        }
        if side == 0 {
            chappe.kill();
            chappe.restart().await;
        } else {
            esme.leave().await;
        }
    }
    assert!(customer.inbox.told().is_empty(), "a transmitter was told something");
    let _receiving = customer.bound().await;
    customer.assert_told(&ids, MOMENT).await;
    let told = customer.inbox.told();
    assert!(told.iter().all(|told| told.state == State::Delivered));
    let order: Vec<String> = told.into_iter().map(|told| told.id).collect();
    assert_eq!(order, ids, "the order of the receipts");
    chappe.assert_settled(END, Leftovers::default()).await;
}
