//! The whole way of messages over the programs of Lambda, as `infra/terraform` deploys them: queues on SQS and an event
//! source mapping for each, an edge and the intake beside them, a simulated operator, and the customer's webhook.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use smsc::{Profile, Smsc};
use sqs_emulator::Mapping;
use testkit::Redis;
use tokio::time::interval;

use super::api::post;
use super::emulator::Function;
use super::{LIMIT, settings_of};
use crate::chappe::{Backend, Chappe, Company, Edge, Hook, INTAKE, Leftovers, ON_SUBMIT, OperatorIs, SENDER, smsc};

/// Records of an invocation at most, without a wait for more: what the mappings of `infra/terraform` say.
const BATCH: usize = 10;
/// Messages of each way to send.
const MESSAGES: u64 = 100;
/// How often the functions may run for so many messages that came in one request: envelopes hold many of them. Five
/// queues that gathered nothing would make five hundred.
const BATCHED_MAX: u64 = 60;
/// The same for messages that came one by one: once in the API and behind each queue, three times for webhooks.
const SINGLE_MAX: u64 = 7 * MESSAGES;

/// Between two ticks of the timer of webhooks; on AWS it is a minute.
const TICK: Duration = Duration::from_secs(1);

/// Invocations so far, by function.
type Invocations = BTreeMap<&'static str, u64>;

struct Pipeline {
    chappe: Chappe,
    company: Company,
    carrier: Smsc,
    hook: Hook,
    api: Function,
    callback: Arc<Function>,
    asked: AtomicU64,
    mappings: Vec<(&'static str, Mapping)>,
    _edge: Edge,
    _redis: Redis,
}

impl Pipeline {
    async fn start() -> Self {
        let (chappe, redis) = (Chappe::apart(Backend::Sqs.queues().await, INTAKE).await, Redis::start().await);
        let company = Company::found(&chappe).await;
        let edge = chappe.start_edge("one", &redis.url());
        let carrier = smsc(Profile::default()).await;
        company.operator(&carrier, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
        let mut settings = settings_of(&chappe.database_url());
        settings.push(("QUEUE_URL".to_owned(), chappe.queue_url()));
        let mut mappings = Vec::new();
        let callback = Arc::new(Function::start("callback", &settings).await);
        for name in ["route", "bill", "dlr", "callback"] {
            let function = match name {
                "callback" => Arc::clone(&callback),
                name => Arc::new(Function::start(name, &settings).await),
            };
            let mapping = chappe.sqs().mapping(&format!("it-{name}"), BATCH, move |event| {
                let function = Arc::clone(&function);
                async move { function.invoke(event).await.map_err(|error| anyhow::anyhow!("{error}")) }
            });
            mappings.push((name, mapping));
        }
        let (api, asked) = (Function::start("api", &settings).await, AtomicU64::new(0));
        let hook = Hook::start().await;
        Self { chappe, company, carrier, hook, api, callback, asked, mappings, _edge: edge, _redis: redis }
    }

    fn message(&self, number: u64) -> Value {
        let to = format!("+{}{number:07}", ON_SUBMIT.prefix);
        json!({ "to": to, "from": SENDER, "text": "Hello", "status_url": self.hook.url("127.0.0.1") })
    }

    async fn ask(&self, path: &str, body: &Value, expected: u16) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.api.answer(post(path, self.company.sender.key(), &body.to_string())).await;
        assert_eq!(answer["statusCode"], expected, "{answer}\n{}", self.api.errors());
    }

    async fn send_together(&self, numbers: Range<u64>) {
        let messages: Vec<Value> = numbers.map(|number| self.message(number)).collect();
        self.ask("/v1/messages/batch", &json!({ "messages": messages }), 202).await;
    }

    async fn send_one_by_one(&self, numbers: Range<u64>) {
        for number in numbers {
            self.ask("/v1/messages", &self.message(number), 201).await;
        }
    }

    fn invocations(&self) -> Invocations {
        let mut invocations: Invocations =
            self.mappings.iter().map(|(name, mapping)| (*name, mapping.invocations())).collect();
        invocations.insert("api", self.asked.load(Ordering::Relaxed));
        invocations
    }

    /// The timer of webhooks, which finds what an invocation had no time for.
    async fn tick(&self) -> Infallible {
        let mut tick = interval(TICK);
        loop {
            tick.tick().await;
            self.callback.answer(json!({ "looks": ["due"] })).await;
        }
    }

    /// Waits until everything that was sent is delivered and told, once. Answers the invocations since `before`.
    async fn settle(&self, sent: u64, before: &Invocations) -> Invocations {
        tokio::select! {
            () = self.chappe.assert_settled(LIMIT, Leftovers::default()) => {}
            never = self.tick() => match never {},
        }
        let delivered = self.chappe.count("SELECT count(*) FROM messages WHERE state = 'delivered'").await;
        assert_eq!(u64::try_from(delivered), Ok(sent));
        assert_eq!(self.carrier.repeats().repeated, 0, "segments that the operator got again");
        let told = self.hook.received().iter().filter(|request| request.told().1 == "delivered").count();
        assert_eq!(u64::try_from(told), Ok(sent), "webhooks that say so");
        self.invocations().into_iter().map(|(name, count)| (name, count - before[name])).collect()
    }
}

/// Prints them for a thousand messages, for functions/LAMBDA.md, and answers their sum.
fn per_thousand(way: &str, invocations: &Invocations) -> u64 {
    let scaled: Invocations = invocations.iter().map(|(name, count)| (*name, count * 1_000 / MESSAGES)).collect();
    eprintln!("invocations per 1,000 messages that came {way}: {} {scaled:?}", scaled.values().sum::<u64>());
    invocations.values().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_ends_delivered_and_envelopes_save_invocations() {
    let pipeline = Pipeline::start().await;
    let before = pipeline.invocations();
    pipeline.send_together(0..MESSAGES).await;
    let together = pipeline.settle(MESSAGES, &before).await;
    let before = pipeline.invocations();
    pipeline.send_one_by_one(MESSAGES..2 * MESSAGES).await;
    let one_by_one = pipeline.settle(2 * MESSAGES, &before).await;
    let together = per_thousand("a hundred at a time", &together);
    assert!(together <= BATCHED_MAX, "{together} invocations");
    let one_by_one = per_thousand("one by one", &one_by_one);
    assert!(one_by_one <= SINGLE_MAX, "{one_by_one} invocations");
}
