//! Messages from handsets, from the queue to the customer: whole once, whoever handles what and how often.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    Alphabet, CustomerEvent, Deliver, Envelope, InboundPart, Octets, PartOf, What, WireAddress, queues, seal,
};
use domain::inbound::Rule;
use domain::{AccountId, InboundRuleId, Number, OperatorId, Private, SmppSystemId};
use futures_util::future::join_all;
use host::{Clock, Verdict, process};
use inbound::Inbound;
use queue::{Settle, Take};
use serde::de::DeserializeOwned;
use store::inbound::{Filter, InboundMessage};
use store::page::Page;
use sweep::Sweep;
use uuid::Uuid;

use crate::world::World;

const HANDSET: &str = "998901234567";
const CODE: &str = "4400";

#[derive(Debug)]
struct At(DateTime<Utc>);

impl Clock for At {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

struct Rig {
    world: World,
    handler: Inbound,
    system: SmppSystemId,
}

impl Rig {
    async fn new() -> Self {
        let world = World::with_balance(1_000_000_000).await;
        let handler = Inbound::new(world.db.clone(), Arc::new(host::clock::System));
        let system = SmppSystemId::generate();
        sqlx::query("INSERT INTO smpp_systems (id, account_id, system_id, password_hash) VALUES ($1, $2, 'esme', '')")
            .bind(system.uuid())
            .bind(world.client.uuid())
            .execute(world.pool())
            .await
            .unwrap();
        Self { world, handler, system }
    }

    async fn rule(&self, account: AccountId, operator: Option<OperatorId>, keyword: Option<&str>) -> Rule {
        let rule = Rule {
            id: InboundRuleId::generate(),
            account,
            number: CODE.to_owned(),
            operator,
            keyword: keyword.map(str::to_owned),
            system: Some(self.system).filter(|_| account == self.world.client),
            url: Some("https://example.com/inbound".to_owned()),
            stop_words: vec!["STOP".to_owned(), "СТОП".to_owned()],
            start_words: vec!["START".to_owned()],
        };
        let mut tx = self.world.db.begin().await.unwrap();
        assert!(store::inbound_rules::create(&mut tx, account, &rule).await.unwrap());
        tx.commit().await.unwrap();
        rule
    }

    fn part(&self, text: &str) -> InboundPart {
        let address = |addr: &str| WireAddress { ton: 1, npi: 1, addr: Private::new(addr) };
        InboundPart {
            id: Uuid::now_v7(),
            operator_id: self.world.operators[0],
            from: address(HANDSET),
            to: address(CODE),
            alphabet: Alphabet::Ucs2,
            octets: Octets(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            header_bytes: 0,
            part_of: None,
            data_coding: 8,
            tlvs: Octets::default(),
            received_at: Utc::now(),
        }
    }

    /// A message cut in as many parts as it has pieces.
    fn parts(&self, reference: u16, pieces: &[&str]) -> Vec<InboundPart> {
        let total = u8::try_from(pieces.len()).unwrap();
        let part_of = |part| Some(PartOf { reference, wide: false, total, part });
        (1..).zip(pieces).map(|(place, text)| InboundPart { part_of: part_of(place), ..self.part(text) }).collect()
    }

    /// Handles an envelope of `items` twice, one after the other.
    async fn handle(&self, items: &[InboundPart]) {
        for sealed in seal(items, Utc::now()).unwrap() {
            for _ in 0..2 {
                self.once(&sealed.body).await;
            }
        }
    }

    /// Like a consumer: what lost against another transaction comes again.
    async fn once(&self, body: &[u8]) {
        let told =
            host::Delivery { queue: queues::INBOUND.to_owned(), id: String::new(), received: 1, enqueued_at: None };
        for _ in 0..10 {
            match process(&self.handler, body, &told).await {
                Verdict::Ack => return,
                verdict => assert!(matches!(verdict, Verdict::Retry(_)), "{verdict:?}"),
            }
        }
        panic!("an envelope was never handled");
    }

    async fn sweep(&self, after: TimeDelta) -> u64 {
        let clock = Arc::new(At(Utc::now() + after));
        let sweep =
            Sweep::new(self.world.db.clone(), self.world.queue.clone(), clock, store::sweep::Retention::default());
        sweep.parts().await.unwrap()
    }

    async fn stored(&self) -> Vec<InboundMessage> {
        let filter = Filter { unclaimed: true, ..Filter::default() };
        let mut rows =
            store::inbound::list(&self.world.db, self.world.house, &filter, Page::new(None, 1000)).await.unwrap();
        rows.reverse();
        rows
    }

    async fn texts(&self) -> Vec<String> {
        self.stored().await.iter().map(|message| message.text.expose().to_owned()).collect()
    }

    async fn taken<T: DeserializeOwned>(&self, queue: &str) -> Vec<T>
    where
        Envelope<T>: DeserializeOwned,
    {
        let mut items = Vec::new();
        loop {
            let take = Take { max: 10, wait: Duration::ZERO, lease: Duration::from_secs(30) };
            let received = self.world.queue.receive(queue, take).await.unwrap();
            if received.is_empty() {
                return items;
            }
            for delivery in received {
                let envelope: Envelope<T> = serde_json::from_slice(&delivery.body).unwrap();
                items.extend(envelope.items);
                self.world.queue.settle(queue, vec![(delivery.lease, Settle::Ack)]).await;
            }
        }
    }

    /// What the customer's SMPP system and webhook were told, in order of time.
    async fn told(&self) -> (Vec<String>, Vec<String>) {
        let delivered = self.taken::<Deliver>(&queues::deliver(self.system)).await.into_iter().map(|d| match d.what {
            What::Inbound(message) => message.text.into_exposed(),
            What::Receipt(_) => panic!("there are no receipts"),
        });
        let posted = self.taken::<CustomerEvent>(queues::CALLBACK).await.into_iter().map(|event| match event {
            CustomerEvent::Inbound(event) => event.text.into_exposed(),
            CustomerEvent::Message(_) | CustomerEvent::Balance(_) => panic!("there are no messages"),
        });
        (delivered.collect(), posted.collect())
    }

    async fn is_opted_out(&self, account: AccountId) -> bool {
        let pair = (account, Number::parse(HANDSET).unwrap());
        let mut connection = self.world.db.begin().await.unwrap();
        store::opt_outs::opted_out(&mut connection, &[pair]).await.unwrap().contains(&pair)
    }
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_any_order_and_any_envelopes_make_the_message_once() {
    let rig = Rig::new().await;
    rig.rule(rig.world.client, None, None).await;
    let mut expected = Vec::new();
    for (reference, order) in (0..).zip(ORDERS) {
        let text = format!("{reference} one two three");
        let parts = rig.parts(reference, &[&text[..5], &text[5..9], &text[9..]]);
        for at in order {
            rig.handle(std::slice::from_ref(&parts[at])).await;
        }
        // In one envelope, in an order of its own, together with other things.
        let text = format!("{reference} together");
        let parts = rig.parts(reference + 100, &[&text[..3], &text[3..5], &text[5..]]);
        let single = rig.part(&format!("{reference} single"));
        let envelope: Vec<InboundPart> = order.iter().map(|at| parts[*at].clone()).chain([single.clone()]).collect();
        rig.handle(&envelope).await;
        // The same parts in another envelope: an edge that died has published them twice.
        rig.handle(&[parts[0].clone(), single]).await;
        expected.extend([
            format!("{reference} one two three"),
            format!("{reference} together"),
            format!("{reference} single"),
        ]);
    }
    expected.sort();
    let (mut delivered, mut posted) = rig.told().await;
    delivered.sort();
    posted.sort();
    let mut texts = rig.texts().await;
    texts.sort();
    assert_eq!((&texts, &delivered, &posted), (&expected, &expected, &expected));
    assert_eq!(rig.sweep(TimeDelta::days(2)).await, 0, "nothing waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_parts_in_envelopes_at_the_same_time_complete_a_message_once() {
    let rig = Arc::new(Rig::new().await);
    rig.rule(rig.world.client, None, None).await;
    let messages = 40;
    let mut tasks = Vec::new();
    for reference in 0..messages {
        for part in rig.parts(reference, &["a", "b", "c", "d"]) {
            let sealed = seal(&[part], Utc::now()).unwrap().remove(0);
            // Two processes have the same envelope, and all others, at once.
            for _ in 0..2 {
                let (rig, body) = (rig.clone(), sealed.body.clone());
                tasks.push(tokio::spawn(async move { rig.once(&body).await }));
            }
        }
    }
    for done in join_all(tasks).await {
        done.unwrap();
    }
    let expected = vec!["abcd".to_owned(); usize::from(messages)];
    assert_eq!(rig.texts().await, expected);
    assert_eq!(rig.told().await, (expected.clone(), expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handsets_with_one_reference_and_a_part_sent_again_do_not_mix() {
    let rig = Rig::new().await;
    rig.rule(rig.world.client, None, None).await;
    let ours = rig.parts(7, &["a", "b", "c"]);
    let mut theirs = rig.parts(7, &["x", "y", "z"]);
    for part in &mut theirs {
        part.from.addr = Private::new("+998907654321");
    }
    rig.handle(&[ours[0].clone(), theirs[1].clone()]).await;
    rig.handle(&[ours[1].clone(), theirs[2].clone()]).await;
    // The operator did not see our answer and sends a part again: another id, the same octets.
    rig.handle(&[InboundPart { id: Uuid::now_v7(), ..ours[1].clone() }]).await;
    assert_eq!(rig.texts().await, Vec::<String>::new());
    rig.handle(&[theirs[0].clone()]).await;
    assert_eq!(rig.texts().await, ["xyz"]);
    rig.handle(&[ours[2].clone()]).await;
    rig.handle(&[InboundPart { id: Uuid::now_v7(), ..ours[2].clone() }]).await;
    let mut texts = rig.texts().await;
    texts.sort();
    assert_eq!(texts, ["abc", "xyz"]);
    assert_eq!(rig.sweep(TimeDelta::days(2)).await, 0, "a repeated part is no message");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_after_the_wait_is_shown_and_a_late_part_comes_alone() {
    let rig = Rig::new().await;
    rig.rule(rig.world.client, None, None).await;
    let parts = rig.parts(7, &["Hello ", "big ", "world"]);
    rig.handle(&[parts[0].clone(), parts[2].clone()]).await;
    assert_eq!(rig.sweep(TimeDelta::minutes(9)).await, 0, "ten minutes are not over");
    assert_eq!(rig.sweep(TimeDelta::minutes(11)).await, 1);
    assert_eq!(rig.sweep(TimeDelta::minutes(11)).await, 0, "once");
    let stored = rig.stored().await;
    assert_eq!((stored.len(), stored[0].partial, stored[0].parts), (1, true, 2));
    let told = vec!["Hello [...]world".to_owned()];
    assert_eq!(rig.told().await, (told.clone(), told));
    rig.handle(&[parts[1].clone()]).await;
    assert_eq!(rig.told().await.0, Vec::<String>::new());
    assert_eq!(rig.sweep(TimeDelta::minutes(11)).await, 1);
    assert_eq!(rig.told().await.0, ["[...]big [...]"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_finds_its_account_and_one_without_is_kept_for_the_house() {
    let rig = Rig::new().await;
    let other_operator = rig.world.operators[1];
    rig.handle(&[rig.part("early")]).await;
    let default = rig.rule(rig.world.client, None, None).await;
    let news = rig.rule(rig.world.reseller, None, Some("NEWS")).await;
    let special = rig.rule(rig.world.client, Some(other_operator), Some("NEWS")).await;
    let elsewhere = |mut part: InboundPart| {
        part.to.addr = Private::new("5500");
        part
    };
    let by_other = |part: InboundPart| InboundPart { operator_id: other_operator, ..part };
    rig.handle(&[rig.part("hello"), rig.part("news!"), by_other(rig.part("News today")), elsewhere(rig.part("lost"))])
        .await;
    let found: Vec<(String, Option<InboundRuleId>)> =
        rig.stored().await.into_iter().map(|message| (message.text.into_exposed(), message.rule)).collect();
    let expected = [
        ("early", None),
        ("hello", Some(default.id)),
        ("news!", Some(news.id)),
        ("News today", Some(special.id)),
        ("lost", None),
    ];
    assert_eq!(found, expected.map(|(text, rule)| (text.to_owned(), rule)));
    let seen = async |tenant, unclaimed| {
        let filter = Filter { unclaimed, ..Filter::default() };
        store::inbound::list(&rig.world.db, tenant, &filter, Page::new(None, 100)).await.unwrap().len()
    };
    assert_eq!(seen(rig.world.client, false).await, 2);
    assert_eq!(seen(rig.world.reseller, false).await, 3, "its own, and those below");
    assert_eq!(seen(rig.world.house, true).await, 5);
    let (delivered, posted) = rig.told().await;
    assert_eq!(delivered, ["hello", "News today"]);
    assert_eq!(posted, ["hello", "news!", "News today"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_and_start_count_in_order_of_time_and_once() {
    let rig = Rig::new().await;
    rig.rule(rig.world.client, None, None).await;
    let (client, reseller) = (rig.world.client, rig.world.reseller);
    let later =
        |part: InboundPart, seconds| InboundPart { received_at: Utc::now() + TimeDelta::seconds(seconds), ..part };
    let stop = [later(rig.part("Стоп!"), 0)];
    rig.handle(&stop).await;
    assert_eq!((rig.is_opted_out(client).await, rig.is_opted_out(reseller).await), (true, false));
    rig.handle(&[later(rig.part("start"), 1)]).await;
    assert!(!rig.is_opted_out(client).await);
    // The same part in another envelope is old news.
    rig.handle(&stop).await;
    assert!(!rig.is_opted_out(client).await);
    // In one envelope the last word counts, in whatever order it stands there.
    rig.handle(&[later(rig.part("START"), 4), later(rig.part("stop"), 3)]).await;
    assert!(!rig.is_opted_out(client).await);
    rig.handle(&[later(rig.part("stop"), 6), later(rig.part("start"), 5), later(rig.part("stop it, please"), 7)]).await;
    assert!(rig.is_opted_out(client).await);
    // A START that was sent before the STOP takes nothing back.
    rig.handle(&[later(rig.part("start"), 5)]).await;
    assert!(rig.is_opted_out(client).await);
    let actions: Vec<_> = rig.stored().await.iter().filter_map(|message| message.action).collect();
    assert_eq!(actions.len(), 7, "a sentence does nothing: {actions:?}");
}
