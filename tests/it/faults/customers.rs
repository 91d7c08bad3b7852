//! Many customers at once, each with its own mix of messages, some of them with bad manners: everybody gets what is
//! their own, and nothing of anybody else's.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::BytesMut;
use contract::IdForm;
use domain::MessageId;
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use smpp::receipt::State;
use smpp::text::{self, Concat, Encoding};
use smpp::tlv::{self, Tag};
use smpp::udh::{self, Reference};
use smpp::{Status, Tlvs, pdu::Sm};
use smsc::{Outcome, Profile, Receipts, Rule};
use testkit::eventually;

use super::END;
use crate::chappe::{Chappe, Company, Customer, Esme, Leftovers, Manners, ON_SUBMIT, OperatorIs, sm, smsc};
use crate::journey::{balance, micros};

/// Customers, and the sessions of each.
const CUSTOMERS: usize = 200;
const BINDS: usize = 2;
/// What is set up at once.
const AT_ONCE: usize = 16;
/// What each begins with, and what one has who can pay for nothing.
const MONEY: &str = "1000000";
const NO_MONEY: &str = "1";
/// Segments that the kinds of one session are charged for.
const CHARGED: i64 = 10;
/// SMPP `ESME_RINVDSTADR`.
const BAD_NUMBER: u32 = 0x0B;
/// How long somebody waits for answers who reads too slowly to get them.
const SOME_TIME: Duration = Duration::from_secs(5);
/// What the platform may grow by, in KiB.
const GROWTH_KIB: u64 = 384 * 1024;

/// How a customer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Good,
    /// Has no credit.
    Broke,
    /// Leaves its receipts without an answer.
    Ignores,
    /// Reads an octet in a second.
    Crawls,
    /// Its connections break while receipts come, again and again.
    Breaks,
}

impl Sort {
    const fn of(number: usize) -> Self {
        match number {
            0 => Self::Broke,
            1 => Self::Ignores,
            2 => Self::Crawls,
            3..20 => Self::Breaks,
            _ => Self::Good,
        }
    }

    fn manners(self) -> Manners {
        let octet_every = (self == Self::Crawls).then_some(Duration::from_secs(1));
        Manners { ignores: self == Self::Ignores, octet_every }
    }
}

/// What a customer sends: a text, the end of its number, and what follows.
struct Kind {
    text: &'static str,
    times: usize,
    carrier: Carrier,
    registered: u8,
    suffix: &'static str,
    status: Status,
    told: Option<State>,
}

/// How the text travels.
#[derive(Clone, Copy)]
enum Carrier {
    Short,
    Parts,
    Payload,
}

/// One session's messages; what is said last of each kind is what its receipt says, if there is one.
fn kinds() -> Vec<Kind> {
    use Carrier::{Parts, Payload, Short};
    const OK: Status = Status::ROK;
    const ARRIVES: Option<State> = Some(State::Delivered);
    const FAILS: Option<State> = Some(State::Undeliverable);
    let kind = |(text, times, carrier), registered, suffix, status, told| Kind {
        text,
        times,
        carrier,
        registered,
        suffix,
        status,
        told,
    };
    let hello = ("Hello @£$ {€}", 1, Short);
    vec![
        kind(hello, 1, "01", OK, ARRIVES),
        kind(("Салом, дунё! 🙂", 1, Short), 1, "01", OK, ARRIVES),
        kind(("In parts by a header. ", 10, Parts), 1, "01", OK, ARRIVES),
        kind(("In one by a parameter. ", 10, Payload), 1, "01", OK, ARRIVES),
        kind(hello, 0, "01", OK, None),
        kind(hello, 1, "", Status::RINVDSTADR, None),
        kind(hello, 1, "02", OK, FAILS),
        kind(hello, 1, "03", OK, FAILS),
        kind(hello, 2, "01", OK, None),
        kind(hello, 2, "02", OK, FAILS),
    ]
}

fn rules() -> Vec<Rule> {
    let rule = |suffix: &str, status, outcome| Rule { suffix: suffix.to_owned(), status, outcome, reply: None };
    vec![rule("02", None, Some(Outcome::Undelivered)), rule("03", Some(BAD_NUMBER), None)]
}

/// A customer at work: what it was answered as accepted, and what it must be told of it.
struct Client {
    number: usize,
    sort: Sort,
    customer: Customer,
    sessions: Vec<Esme>,
    expected: BTreeMap<String, Option<State>>,
}

/// The number that this kind goes to: nobody else sends there. A kind without a suffix has no good number.
fn number_of(client: usize, session: usize, at: usize, kind: &Kind) -> String {
    if kind.suffix.is_empty() {
        "12".to_owned()
    } else {
        format!("{}{client:03}{session}{at}{}", ON_SUBMIT.prefix, kind.suffix)
    }
}

impl Client {
    async fn set_up(chappe: &Chappe, company: &Company, number: usize) -> Self {
        let sort = Sort::of(number);
        let account = company.one_more(if sort == Sort::Broke { NO_MONEY } else { MONEY }).await;
        let mut customer = Customer::of(chappe, company, account, &format!("customer{number}")).await;
        // Each from an address of its own, as in life: binds are counted by address.
        customer.from = Ipv4Addr::new(127, 1, 0, u8::try_from(number).unwrap() + 1);
        Self { number, sort, customer, sessions: Vec::new(), expected: BTreeMap::new() }
    }

    async fn bind(&mut self) {
        let (customer, manners) = (&self.customer, self.sort.manners());
        self.sessions = join_all((0..BINDS).map(|_| customer.bound_with(manners))).await;
    }

    /// Sends everything over every session; its connections may break as soon as it has its answers.
    async fn send(&mut self) {
        if self.sort == Sort::Crawls {
            // Its answers come in some minutes: nobody waits for them, and for the platform it is all the same.
            let client = &*self;
            let sends = kinds().into_iter().enumerate().map(|(at, kind)| async move {
                client.send_one(&client.sessions[0], &number_of(client.number, 0, at, &kind), &kind).await
            });
            let _ = tokio::time::timeout(SOME_TIME, join_all(sends)).await;
            return;
        }
        let all = join_all((0..BINDS).map(|session| self.send_all(session))).await;
        self.expected = all.into_iter().flatten().collect();
        while self.sort == Sort::Breaks && self.customer.inbox.ends().len() < self.to_be_told().len() {
            self.sessions.clear();
            let before = self.customer.inbox.told().len();
            self.sessions.push(self.customer.bound().await);
            // A connection that is never up for a receipt would see nothing of them.
            eventually(END, async || self.customer.inbox.told().len() > before).await;
        }
    }

    async fn send_all(&self, session: usize) -> Vec<(String, Option<State>)> {
        let mut accepted = Vec::new();
        for (at, kind) in kinds().iter().enumerate() {
            let to = number_of(self.number, session, at, kind);
            for (id, status) in self.send_one(&self.sessions[session], &to, kind).await {
                let broke = self.sort == Sort::Broke && kind.status == Status::ROK;
                let expected = if broke { Status::RSUBMITFAIL } else { kind.status };
                assert_eq!(status, expected, "{} kind {at}", self.customer.name);
                accepted.extend((status == Status::ROK).then_some((id, kind.told)));
            }
        }
        accepted
    }

    async fn send_one(&self, esme: &Esme, to: &str, kind: &Kind) -> Vec<(String, Status)> {
        let text = kind.text.repeat(kind.times);
        let encoding = text::choose(&text);
        let octets = text::encode(&text, encoding).unwrap();
        let plain = Sm { registered_delivery: kind.registered, data_coding: encoding.data_coding(), ..sm(to, &octets) };
        let mut answers = Vec::new();
        match kind.carrier {
            Carrier::Short => answers.push(esme.submit(plain).await),
            Carrier::Payload => {
                let mut tlvs = BytesMut::new();
                tlv::put(&mut tlvs, Tag::MESSAGE_PAYLOAD, &octets).unwrap();
                answers.push(esme.submit(Sm { short_message: &[], tlvs: Tlvs::new(&tlvs), ..plain }).await);
            }
            Carrier::Parts => {
                let parts = text::split(&text, Encoding::Gsm7, Concat::Udh8).unwrap();
                let total = u8::try_from(parts.len()).unwrap();
                for (part, body) in (1..).zip(&parts) {
                    let header = udh::Concat { reference: Reference::Bits8(7), total, part };
                    let octets = header.prefix(body);
                    answers.push(esme.submit(Sm { esm_class: 0x40, short_message: &octets, ..plain }).await);
                }
            }
        }
        answers.into_iter().map(|answer| answer.expect("the session goes on")).map(|a| (a.id, a.status)).collect()
    }

    /// Messages of which a receipt must come, with its state.
    fn to_be_told(&self) -> BTreeMap<String, State> {
        self.expected.iter().filter_map(|(id, told)| Some((id.clone(), (*told)?))).collect()
    }

    /// Becomes polite, and learns from the platform what it did not read.
    async fn mend(&mut self, chappe: &Chappe) {
        if matches!(self.sort, Sort::Ignores | Sort::Crawls) {
            self.sessions.clear();
            self.sessions.push(self.customer.bound().await);
        }
        if self.sort != Sort::Crawls {
            return;
        }
        let rows: Vec<(uuid::Uuid, String, i16)> =
            sqlx::query_as("SELECT id, state, registered_delivery FROM messages WHERE account_id = $1")
                .bind(self.customer.account.uuid())
                .fetch_all(chappe.db().pool())
                .await
                .unwrap();
        assert!(!rows.is_empty(), "nothing of the one who reads slowly was taken");
        let told = |state: &str, registered| match (state, registered) {
            ("delivered", 1) => Some(State::Delivered),
            ("undelivered" | "failed", 1 | 2) => Some(State::Undeliverable),
            _ => None,
        };
        let expected = rows
            .into_iter()
            .map(|(id, state, asked)| (IdForm::Text.render(MessageId::from_uuid(id)), told(&state, asked)));
        self.expected = expected.collect();
    }

    /// Its own receipts, all of them, and once each where it answered them.
    async fn assert_told(&self) {
        let expected = self.to_be_told();
        let name = &self.customer.name;
        eventually(END, async || self.customer.inbox.ends().len() >= expected.len()).await;
        let told = self.customer.inbox.told();
        let own = format!("{}{:03}", ON_SUBMIT.prefix, self.number);
        assert!(told.iter().all(|told| told.to.starts_with(&own)), "{name} was told of others' messages");
        let found: BTreeMap<String, State> = told.iter().map(|told| (told.id.clone(), told.state)).collect();
        assert_eq!(found, expected, "{name}");
        if matches!(self.sort, Sort::Good | Sort::Broke) {
            assert_eq!(told.len(), expected.len(), "{name} was told something twice");
        }
    }

    async fn assert_money(&self, company: &Company) {
        let sessions = i64::try_from(BINDS).unwrap();
        let paid = match self.sort {
            Sort::Broke => micros(MONEY) - micros(NO_MONEY),
            Sort::Crawls => return,
            _ => sessions * CHARGED * micros(ON_SUBMIT.price),
        };
        assert_eq!(balance(company, self.customer.account).await, (micros(MONEY) - paid, 0), "{}", self.customer.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_customers_get_their_own_and_nothing_else() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let receipts = Receipts { delay_ms: 300, jitter_ms: 500, ..Receipts::default() };
    let carrier = smsc(Profile { latency_ms: 5, receipts, rules: rules(), ..Profile::default() }).await;
    company
        .operator(&carrier, OperatorIs { binds: 2, window: 100, ..OperatorIs::simple("Ucell", ON_SUBMIT, "50") })
        .await;
    let clients = stream::iter(0..CUSTOMERS).map(|number| Client::set_up(&chappe, &company, number));
    let mut clients: Vec<Client> = clients.buffered(AT_ONCE).collect().await;
    // Who binds before the edge knows him counts as one who guesses names, and is slowed.
    clients[CUSTOMERS - 1].customer.bound().await.leave().await;
    join_all(clients.iter_mut().map(Client::bind)).await;
    let before_kib = chappe.resident_kib();
    join_all(clients.iter_mut().map(Client::send)).await;
    for client in &mut clients {
        client.mend(&chappe).await;
    }
    for client in &clients {
        client.assert_told().await;
        client.assert_money(&company).await;
    }
    chappe.assert_settled(END, Leftovers::default()).await;
    let grown_kib = chappe.resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < GROWTH_KIB, "it grew by {grown_kib} KiB");
    assert_eq!(carrier.repeats().repeated, 0, "an operator got something twice");
    let good = clients.iter().filter(|client| client.sort == Sort::Good);
    for client in good {
        assert!(client.sessions.iter().all(|session| !session.is_over()), "{} lost a session", client.customer.name);
    }
}
