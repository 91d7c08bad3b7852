//! Operators that break in every way that is known, all at once on one platform, next to one that is well: what its
//! customers were told is accepted comes to an end for everybody, and the healthy one's messages do not wait.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use smpp::Status;
use smpp::receipt::State;
use smsc::{Account, Answers, Config, Fault, FaultKind, IdForm, Link, Profile, Receipts, Refusal, Smsc};
use testkit::eventually;

use super::{END, MOMENT};
use crate::chappe::{
    Chappe, Company, Customer, Esme, Leftovers, Network, OperatorIs, PASSWORD, SYSTEM_ID, on_every_backend, sm, smsc,
};
use crate::journey::{balance, micros};

/// Messages to each operator in trouble, and to the healthy one.
const MESSAGES: u64 = 60;
const TO_HEALTHY: u64 = 200;
/// Unanswered submits of a customer.
const WINDOW: usize = 20;
/// What the platform may grow by, in KiB: a few hundred bytes for each message would be a few hundred KiB.
const GROWTH_KIB: u64 = 256 * 1024;
/// SMPP `ESME_RTHROTTLED`.
const THROTTLED: u32 = 0x58;
/// What each client begins with, and pays for a message that arrives.
const MONEY: &str = "1000000";
const PRICE: &str = "90";

/// What must become of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All arrive.
    Arrive,
    /// Those whose submit was answered arrive; of the others nobody knows.
    ArriveIfAnswered,
    /// No submit is ever answered, so that no receipt finds its message.
    Unconfirmed,
    /// Receipts name one of two messages: at least half arrive.
    HalfArrive,
}

/// When the trouble begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Before the first session, for ever.
    Always,
    /// When the sessions are up, until the healthy one is done.
    OnceBound,
    /// The operator is gone until the healthy one is done.
    Dead,
}

struct Row {
    what: &'static str,
    profile: Profile,
    trouble: Trouble,
    end: End,
}

fn rows() -> Vec<Row> {
    use End::{Arrive, ArriveIfAnswered, HalfArrive, Unconfirmed};
    let good = || Profile { latency_ms: 20, ..Profile::default() };
    let row = |what, profile, end| Row { what, profile, trouble: Trouble::Always, end };
    let answers = |answers| Profile { answers, ..good() };
    let breaks = |after_submits, kind| Profile { fault: Some(Fault { after_submits, kind }), ..good() };
    let ids = |ids| Profile { ids, ..good() };
    let early = Receipts { before_answer: true, ..Receipts::default() };
    let refusals = vec![Refusal { status: THROTTLED, per_mille: 200 }];
    let crawl = Link { bytes_per_second_max: Some(1), ..Link::default() };
    vec![
        row("closes in mid-window", breaks(15, FaultKind::Close), ArriveIfAnswered),
        row("closes in the middle of an answer", breaks(15, FaultKind::Cut), ArriveIfAnswered),
        row("unbinds in mid-window", breaks(15, FaultKind::Unbind), ArriveIfAnswered),
        row("is half open", breaks(20, FaultKind::Stall), ArriveIfAnswered),
        row("says garbage", breaks(15, FaultKind::Garbage), ArriveIfAnswered),
        row("never reads", breaks(20, FaultKind::NeverRead), ArriveIfAnswered),
        row("answers in reverse", Profile { jitter_ms: 30, ..answers(Answers::Reversed) }, Arrive),
        row("answers twice", answers(Answers::Twice), Arrive),
        row("answers what nobody asked", answers(Answers::Stray), Arrive),
        row("answers under wrong numbers", answers(Answers::Misnumbered), Unconfirmed),
        row("answers too late", Profile { latency_ms: 4_000, ..good() }, Unconfirmed),
        row("never answers", answers(Answers::Never), Unconfirmed),
        row("receipts come first", Profile { receipts: early, ..good() }, Arrive),
        row("gives each id twice", ids(IdForm::Repeated), HalfArrive),
        row("throttles a fifth", Profile { refusals, ..good() }, Arrive),
        Row { trouble: Trouble::OnceBound, ..row("crawls", Profile { link: crawl, ..good() }, ArriveIfAnswered) },
        Row { trouble: Trouble::Dead, ..row("is dead", good(), Arrive) },
    ]
}

/// One operator, its network, and the customer who sends there.
struct Case {
    row: Row,
    prefix: &'static str,
    smsc: Option<Smsc>,
    port: u16,
    customer: Customer,
    esme: Esme,
    accepted: Vec<String>,
}

impl Case {
    async fn set_up(chappe: &Chappe, company: &Company, number: usize, row: Row) -> Self {
        let leak = |text: String| -> &'static str { text.leak() };
        let (mnc, prefix) = (leak(format!("{}", 20 + number)), leak(format!("998{}", 60 + number)));
        let network = Network { mnc, prefix, price: PRICE, charge_on: "delivered" };
        company.network(network).await;
        let is_bound_first = row.trouble != Trouble::Always;
        let carrier = smsc(if is_bound_first { Profile::default() } else { row.profile.clone() }).await;
        let port = carrier.addr().port();
        let is = OperatorIs { binds: 2, window: 10, ..OperatorIs::simple(row.what, network, "45") };
        let quick = json!({"profile": {"session": {"enquire_link_seconds": 1, "response_seconds": 2}}});
        company.operator_at(port, is, quick).await;
        let client = company.one_more(MONEY).await;
        let customer = Customer::of(chappe, company, client, &format!("customer{number}")).await;
        eventually(MOMENT, async || carrier.bound(SYSTEM_ID) == 2).await;
        let esme = customer.bound().await;
        let smsc = match row.trouble {
            Trouble::Always => Some(carrier),
            Trouble::OnceBound => {
                carrier.set_profile(row.profile.clone());
                Some(carrier)
            }
            Trouble::Dead => {
                carrier.stop().await;
                None
            }
        };
        Self { row, prefix, smsc, port, customer, esme, accepted: Vec::new() }
    }

    async fn send(&mut self, messages: u64) {
        let numbers = (0..messages).map(|number| (format!("{}{number:07}", self.prefix), format!("Number {number}")));
        let answers = stream::iter(numbers).map(|(to, text)| {
            let esme = &self.esme;
            async move { esme.submit(sm(&to, text.as_bytes())).await.unwrap() }
        });
        let answers: Vec<_> = answers.buffer_unordered(WINDOW).collect().await;
        for answer in answers {
            assert_eq!(answer.status, Status::ROK, "{}", self.row.what);
            self.accepted.push(answer.id);
        }
        let different: BTreeSet<&String> = self.accepted.iter().collect();
        assert_eq!(different.len(), self.accepted.len(), "an id was given twice");
    }

    /// The trouble is over, where it ends.
    async fn recover(&mut self) {
        match self.row.trouble {
            Trouble::Always => {}
            Trouble::OnceBound => self.carrier().set_profile(Profile::default()),
            Trouble::Dead => {
                let listen = ([127, 0, 0, 1], self.port).into();
                let accounts = vec![Account::new(SYSTEM_ID, PASSWORD)];
                self.smsc = Some(Smsc::start(Config { listen, accounts, ..Config::default() }).await.unwrap());
            }
        }
    }

    fn carrier(&self) -> &Smsc {
        self.smsc.as_ref().unwrap()
    }

    /// Messages of this customer: all, delivered, unconfirmed, never answered; and receipts that found theirs.
    async fn stand(&self, chappe: &Chappe) -> [u64; 5] {
        let numbers: (i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE state = 'delivered'),
                 count(*) FILTER (WHERE state = 'unconfirmed'),
                 count(*) FILTER (WHERE EXISTS (
                     SELECT FROM message_parts p WHERE p.message_id = m.id AND p.submit_status IS NULL)),
                 coalesce(sum((SELECT count(*) FROM message_events e WHERE e.message_id = m.id AND e.source = 'dlr')), 0)
                     ::bigint
             FROM messages m WHERE account_id = $1",
        )
        .bind(self.customer.account.uuid())
        .fetch_one(chappe.db().pool())
        .await
        .unwrap();
        [numbers.0, numbers.1, numbers.2, numbers.3, numbers.4].map(|number| number.try_into().unwrap())
    }

    /// Waits until nothing more will be heard of these messages but by the sweep.
    async fn until_still(&self, chappe: &Chappe) {
        let (mut last, sent) = ([0; 5], u64::try_from(self.accepted.len()).unwrap());
        eventually(END, async || {
            let now = self.stand(chappe).await;
            if std::mem::replace(&mut last, now) != now {
                eprintln!("{}: {now:?}", self.row.what);
            }
            now[3] + now[4] >= sent
        })
        .await;
    }

    async fn assert_right(&self, chappe: &Chappe, company: &Company) {
        let what = self.row.what;
        let [all, delivered, unconfirmed, unanswered, _] = self.stand(chappe).await;
        let sent = u64::try_from(self.accepted.len()).unwrap();
        assert_eq!((all, delivered + unconfirmed), (sent, sent), "{what}");
        match self.row.end {
            End::Arrive => assert_eq!((delivered, unanswered), (sent, 0), "{what}"),
            End::ArriveIfAnswered => assert_eq!(unconfirmed, unanswered, "{what}"),
            End::Unconfirmed => assert_eq!((unconfirmed, unanswered), (sent, sent), "{what}"),
            End::HalfArrive => assert!(delivered >= sent / 2, "{what}: {delivered}"),
        }
        self.customer.assert_told(&self.accepted, MOMENT).await;
        let told = |state| u64::try_from(self.customer.inbox.of_state(state)).unwrap();
        assert_eq!((told(State::Delivered), told(State::Unknown)), (delivered, unconfirmed), "{what}");
        let paid = i64::try_from(delivered).unwrap() * micros(PRICE);
        assert_eq!(balance(company, self.customer.account).await, (micros(MONEY) - paid, 0), "{what}");
        assert!(!self.esme.is_over(), "{what}: the customer's session ended");
        let seen = self.carrier().repeats();
        assert_eq!((seen.repeated, seen.untold), (0, 0), "{what}: sent twice");
    }
}

/// No operator's settings are made while another is: each change is told to the edge as one.
async fn set_up(chappe: &Chappe, company: &Company) -> (Case, Vec<Case>) {
    let healthy = Profile { latency_ms: 20, ..Profile::default() };
    let healthy = Row { what: "is well", profile: healthy, trouble: Trouble::Always, end: End::Arrive };
    let rows = std::iter::once(healthy).chain(rows()).enumerate();
    let mut cases = join_all(rows.map(|(number, row)| Case::set_up(chappe, company, number, row))).await;
    let healthy = cases.remove(0);
    (healthy, cases)
}

on_every_backend! {
    async fn every_trouble_at_once_loses_nothing_and_delays_nobody_else(backend) {
        let chappe = Chappe::on(backend).await;
        let company = Company::found(&chappe).await;
        let (mut healthy, mut cases) = set_up(&chappe, &company).await;
        let before_kib = chappe.resident_kib();
        let troubled = join_all(cases.iter_mut().map(|case| case.send(MESSAGES)));
        tokio::join!(troubled, healthy.send(TO_HEALTHY));
        eventually(END, async || healthy.stand(&chappe).await[1] == TO_HEALTHY).await;
        let waiting: Vec<&Case> = cases.iter().filter(|case| case.row.trouble == Trouble::Dead).collect();
        for case in waiting {
            assert_eq!(case.stand(&chappe).await[1], 0, "the dead operator took something");
        }
        join_all(cases.iter_mut().map(Case::recover)).await;
        for case in &cases {
            case.until_still(&chappe).await;
        }
        chappe.execute("UPDATE messages SET due_at = now() - interval '1 minute' WHERE state_rank < 8").await;
        chappe.assert_settled(END, Leftovers { receipts: true }).await;
        for case in std::iter::once(&healthy).chain(&cases) {
            case.assert_right(&chappe, &company).await;
        }
        let grown_kib = chappe.resident_kib().saturating_sub(before_kib);
        assert!(grown_kib < GROWTH_KIB, "it grew by {grown_kib} KiB");
    }
}
