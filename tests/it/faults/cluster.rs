//! A cluster as it is run: `RabbitMQ`, Redis, every function in a process of its own, two edges. Each part of it dies
//! under load.

use std::time::Duration;

use smsc::Smsc;
use testkit::{RabbitMq, Redis, eventually};
use tokio::time::Instant;

use super::{MOMENT, assert_right, profile};
use crate::chappe::{
    Chappe, Company, Edge, INTAKE, Load, ON_SUBMIT, OperatorIs, Queues, SYSTEM_ID, Worker, on_every_backend, smsc_of,
};

/// Shared by two edges.
const SHARED: OperatorIs =
    OperatorIs { binds: 4, window: 10, tps: 300, ..OperatorIs::simple("Ucell", ON_SUBMIT, "50") };
/// The functions, each a process of its own.
const FUNCTIONS: [&str; 6] = ["route", "bill", "dlr", "inbound", "callback", "sweep"];
/// How long the broker or Redis is away.
const AWAY: Duration = Duration::from_secs(5);

/// Everything.
struct Cluster {
    chappe: Chappe,
    workers: Vec<Worker>,
    edges: Vec<Edge>,
    company: Company,
    carrier: Smsc,
    redis: Redis,
}

impl Cluster {
    async fn start(queues: Queues) -> Self {
        let (chappe, redis) = (Chappe::apart(queues, INTAKE).await, Redis::start().await);
        let workers = FUNCTIONS.iter().map(|function| chappe.start_worker(&[function])).collect();
        let company = Company::found(&chappe).await;
        let edges = ["one", "two"].map(|name| chappe.start_edge(name, &redis.url())).into();
        let carrier = smsc_of(profile(), SHARED.binds.into()).await;
        company.operator(&carrier, SHARED).await;
        let cluster = Self { chappe, workers, edges, company, carrier, redis };
        eventually(MOMENT, async || cluster.carrier.bound(SYSTEM_ID) == usize::from(SHARED.binds)).await;
        cluster
    }

    /// Waits until the operator has taken so many.
    async fn until_taken(&self, count: u64) {
        eventually(MOMENT, async || self.carrier.counters().accepted >= count).await;
    }

    async fn assert_right(&self, load: &Load, repeated_max: u64) {
        assert_right(&self.chappe, load, &self.carrier, repeated_max).await;
        assert_eq!(self.carrier.counters().binds_refused, 0, "the operator saw more binds than it allows");
    }
}

/// Waits, with the carrier's sessions looked at all the time: none may end.
async fn while_away(carrier: &Smsc) {
    let back = Instant::now() + AWAY;
    eventually(MOMENT, async || {
        assert_eq!(carrier.bound(SYSTEM_ID), usize::from(SHARED.binds), "a session ended");
        Instant::now() >= back
    })
    .await;
}

on_every_backend! {
    /// The functions first, one after the other; then the API; then an edge.
    async fn each_process_dies_in_its_turn_and_nothing_is_lost(backend) {
        let mut cluster = Cluster::start(backend.queues().await).await;
        let load = Load::new(4_000);
        let sender = cluster.company.sender.clone();
        tokio::join!(load.run(&sender), async {
            for turn in 0..FUNCTIONS.len() {
                cluster.until_taken(300 * (u64::try_from(turn).unwrap() + 1)).await;
                cluster.workers[turn].kill_and_restart(&cluster.chappe);
            }
            cluster.until_taken(2_200).await;
            cluster.chappe.kill();
            cluster.chappe.restart().await;
            cluster.until_taken(2_800).await;
            cluster.edges[0].kill();
            cluster.edges[0] = cluster.chappe.start_edge("three", &cluster.redis.url());
        });
        cluster.assert_right(&load, SHARED.windows() / 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_and_redis_go_away_in_every_way_and_come_back() {
    let mut broker = RabbitMq::start().await;
    let mut cluster = Cluster::start(Queues::At(broker.url())).await;
    let load = Load::new(5_000);
    let sender = cluster.company.sender.clone();
    tokio::join!(load.run(&sender), async {
        cluster.until_taken(400).await;
        broker.close_connections().await;
        cluster.until_taken(1_000).await;
        broker.stop_app().await;
        while_away(&cluster.carrier).await;
        broker.start_app().await;
        cluster.until_taken(1_800).await;
        broker.kill();
        while_away(&cluster.carrier).await;
        broker.restart().await;
        cluster.until_taken(2_600).await;
        cluster.redis.kill();
        while_away(&cluster.carrier).await;
        cluster.redis.restart().await;
    });
    // What an edge had in hand when the broker went comes again, maybe to the other edge, which cannot know of outcomes
    // that were not published yet: at most the windows, each time.
    cluster.assert_right(&load, 3 * SHARED.windows()).await;
}
