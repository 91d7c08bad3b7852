//! Which binds of which operators are this edge's.
//!
//! An operator allows so many binds, and any number of edges share them: each bind is a seat of the session directory
//! under `operator:<id>`, and its number is the seat's. Edges that live are seats under `edges`. Every
//! [`Config::seats_every`] an edge renews what it holds for [`Config::seats_lease`], and takes or gives back seats until
//! it has its share: the binds over the edges that live, the remainder to some of them, other ones for each operator.
//!
//! - **An edge comes**: the others see it at their next look, and drain and unbind what is beyond their share. A seat is
//!   freed when its session has ended, and only then taken by another.
//! - **An edge stops**: the same with all its seats, at once.
//! - **An edge dies**: its leases end, and at their next look the others take its seats: 11 s at most with the defaults.
//! - **A seat is somebody else's**, because this edge was away for a lease: its session unbinds at once.
//! - **The directory is away**: every session stays, and no seat is taken until a lease after it came back: who held a
//!   seat renews it first, even when the directory has forgotten everything. An edge that cannot reach a directory that
//!   others reach keeps its sessions too, while the others take its seats: for that time there can be more than allowed.
//!
//! **Invariant:** of the edges that reach the directory, no two have a session on the same seat.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use domain::OperatorId;
use limits::{Directory, Seat, Unavailable};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// The key of the edges that live.
const EDGES: &str = "edges";
/// Edges that share operators, at most.
const EDGES_MAX: u16 = 1_000;

/// How many binds each operator allows.
pub(crate) type Wanted = BTreeMap<OperatorId, u16>;

/// The seats of each operator that are this edge's to use, by number.
pub(crate) type Given = BTreeMap<OperatorId, BTreeMap<u16, Arc<Seated>>>;

/// A seat of this edge. Whoever uses it holds it; the seat is freed when the last one has let go.
#[derive(Debug)]
pub(crate) struct Seated {
    operator: OperatorId,
    number: u16,
    /// Held by the bind that uses it: one after the other, also where an operator is switched off and on.
    pub(crate) turn: Mutex<()>,
    /// The seat is somebody else's: end the session at once.
    pub(crate) lost: CancellationToken,
    left: mpsc::UnboundedSender<(OperatorId, u16)>,
}

impl Drop for Seated {
    fn drop(&mut self) {
        // Nobody listens once the edge has ended; then the lease ends by itself.
        let _ = self.left.send((self.operator, self.number));
    }
}

/// Starts to share the binds that are wanted. The task ends when `wanted` is closed and every seat was let go.
pub(crate) fn start(
    directory: Arc<dyn Directory>,
    edge: &str,
    config: Arc<Config>,
    wanted: watch::Receiver<Wanted>,
) -> (watch::Receiver<Given>, JoinHandle<()>) {
    let (given, receiver) = watch::channel(Given::new());
    let (left, lefts) = mpsc::unbounded_channel();
    let seats = Seats {
        directory,
        // A name can be given twice, and an edge that starts again is another one than before.
        holder: format!("{edge}/{:08x}", rand::random::<u32>()),
        config,
        edge: None,
        seen_at: None,
        taking_from: None,
        wanted: Wanted::new(),
        held: BTreeMap::new(),
        given,
        left,
    };
    (receiver, tokio::spawn(seats.run(wanted, lefts)))
}

/// What this edge does with a seat.
#[derive(Debug)]
enum Use {
    /// A bind may use it.
    Open(Arc<Seated>),
    /// Its bind was told to end, and may still hold it.
    Closing(Weak<Seated>),
}

impl Use {
    fn seated(&self) -> Option<Arc<Seated>> {
        match self {
            Self::Open(seated) => Some(Arc::clone(seated)),
            Self::Closing(seated) => seated.upgrade(),
        }
    }
}

#[derive(Debug)]
struct Seats {
    directory: Arc<dyn Directory>,
    holder: String,
    config: Arc<Config>,
    /// This edge's own seat among the edges.
    edge: Option<u16>,
    /// When that was last renewed.
    seen_at: Option<Instant>,
    /// Nothing is taken before, because the directory was away.
    taking_from: Option<Instant>,
    wanted: Wanted,
    held: BTreeMap<OperatorId, BTreeMap<u16, Use>>,
    given: watch::Sender<Given>,
    left: mpsc::UnboundedSender<(OperatorId, u16)>,
}

impl Seats {
    async fn run(mut self, mut wanted: watch::Receiver<Wanted>, mut lefts: mpsc::UnboundedReceiver<(OperatorId, u16)>) {
        let mut ticks = interval(self.config.seats_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = false;
        while !(stopping && self.held.is_empty()) {
            tokio::select! {
                changed = wanted.changed(), if !stopping => {
                    if changed.is_ok() {
                        self.wanted = wanted.borrow_and_update().clone();
                        self.look().await;
                    } else {
                        stopping = true;
                        self.leave().await;
                    }
                }
                Some((operator, number)) = lefts.recv() => self.free(operator, number).await,
                _ = ticks.tick() => self.look().await,
            }
        }
    }

    /// Renews, gives back and takes. Without the directory everything stays as it is.
    async fn look(&mut self) {
        let was_away = self.taking_from.is_some();
        if let Err(error) = self.share().await {
            if !was_away {
                tracing::warn!(error = %error, "binds stay where they are, and none is taken");
            }
            self.taking_from = Some(Instant::now() + self.config.seats_lease);
        }
        self.give();
    }

    async fn share(&mut self) -> Result<(), Unavailable> {
        let edges = if self.wanted.is_empty() { Edges::NONE } else { self.join().await? };
        self.renew().await?;
        let wanted = self.wanted.clone();
        let ended: Vec<OperatorId> = self.held.keys().filter(|id| !wanted.contains_key(id)).copied().collect();
        for id in ended {
            self.release(id, 0, 0);
        }
        for (id, binds) in wanted {
            let share = edges.share(id, binds);
            self.release(id, binds, share);
            self.take(id, binds, share).await?;
        }
        Ok(())
    }

    /// Takes or renews this edge's seat among the edges; gives how many live.
    async fn join(&mut self) -> Result<Edges, Unavailable> {
        let lease = self.config.seats_lease;
        let mut live = self.directory.holders(EDGES).await?;
        let is_among = |edge: u16| live.iter().any(|(number, holder)| *number == edge && *holder == self.holder);
        if let (Some(edge), Some(seen_at)) = (self.edge, self.seen_at)
            && !is_among(edge)
            && seen_at.elapsed() < lease
        {
            tracing::warn!("the session directory has forgotten this edge, and so others: none is taken for {lease:?}");
            self.taking_from = Some(Instant::now() + lease);
        }
        if let Some(number) = self.edge {
            let seat = Seat { key: EDGES.to_owned(), number };
            let renewed = self.directory.renew(&[seat], &self.holder, lease).await?;
            self.edge = self.edge.filter(|_| renewed.first() == Some(&true));
        }
        if self.edge.is_none() {
            self.edge = self.directory.take(EDGES, EDGES_MAX, &self.holder, lease).await?;
        }
        self.seen_at = Some(Instant::now());
        if let Some(edge) = self.edge {
            live.retain(|(number, _)| *number != edge);
            live.push((edge, self.holder.clone()));
        }
        let before = live.iter().filter(|(number, _)| Some(*number) < self.edge).count();
        Ok(Edges { live: live.len(), before })
    }

    /// Renews every seat; ends the sessions of those that are somebody else's now.
    async fn renew(&mut self) -> Result<(), Unavailable> {
        let mut held = Vec::new();
        for (id, seats) in &self.held {
            held.extend(seats.keys().map(|number| (*id, seat(*id, *number))));
        }
        if held.is_empty() {
            return Ok(());
        }
        let seats: Vec<Seat> = held.iter().map(|(_, seat)| seat.clone()).collect();
        let renewed = self.directory.renew(&seats, &self.holder, self.config.seats_lease).await?;
        for ((id, Seat { number, .. }), _) in held.into_iter().zip(renewed).filter(|(_, is_ours)| !is_ours) {
            let bind = number;
            tracing::warn!(operator.id = %id, bind, "bind {bind} of operator {id} is another edge's now");
            let lost = self.held.get_mut(&id).and_then(|seats| seats.remove(&number));
            if let Some(seated) = lost.and_then(|usage| usage.seated()) {
                seated.lost.cancel();
            }
        }
        self.held.retain(|_, seats| !seats.is_empty());
        Ok(())
    }

    /// Ends the binds that the operator no longer allows, and those beyond the share: the last ones first.
    fn release(&mut self, id: OperatorId, binds: u16, share: u16) {
        let Some(seats) = self.held.get_mut(&id) else { return };
        let mut open = seats.values().filter(|usage| matches!(usage, Use::Open(_))).count();
        for (number, usage) in seats.iter_mut().rev() {
            if let Use::Open(seated) = usage
                && (open > usize::from(share) || *number >= binds)
            {
                *usage = Use::Closing(Arc::downgrade(seated));
                open -= 1;
            }
        }
    }

    /// Takes free seats up to the share. What still drains counts: its session is there.
    async fn take(&mut self, id: OperatorId, binds: u16, share: u16) -> Result<(), Unavailable> {
        if self.taking_from.is_some_and(|from| from > Instant::now()) {
            return Ok(());
        }
        self.taking_from = None;
        let held = self.held.get(&id).map_or(0, BTreeMap::len);
        for _ in held..usize::from(share) {
            let taken = self.directory.take(&key(id), binds, &self.holder, self.config.seats_lease).await?;
            let Some(number) = taken else { break };
            let seated = Seated {
                operator: id,
                number,
                turn: Mutex::new(()),
                lost: CancellationToken::new(),
                left: self.left.clone(),
            };
            self.held.entry(id).or_default().insert(number, Use::Open(Arc::new(seated)));
        }
        Ok(())
    }

    /// Tells which seats may be used now.
    fn give(&self) {
        let open = |(number, usage): (&u16, &Use)| match usage {
            Use::Open(seated) => Some((*number, Arc::clone(seated))),
            Use::Closing(_) => None,
        };
        let given: Given = self.held.iter().map(|(id, seats)| (*id, seats.iter().filter_map(open).collect())).collect();
        self.given.send_replace(given);
    }

    /// A seat was let go: it is another edge's to take.
    async fn free(&mut self, id: OperatorId, number: u16) {
        let Some(seats) = self.held.get_mut(&id) else { return };
        // One that was lost and taken again can be in use again; what ended just now is its old session.
        if seats.get(&number).is_none_or(|usage| usage.seated().is_some()) {
            return;
        }
        seats.remove(&number);
        if seats.is_empty() {
            self.held.remove(&id);
        }
        if let Err(error) = self.directory.free(&seat(id, number), &self.holder).await {
            let bind = number;
            tracing::warn!(error = %error, "bind {bind} of operator {id} is free when its lease ends");
        }
    }

    /// This edge takes nothing any more, and its share is the others'.
    async fn leave(&mut self) {
        self.wanted.clear();
        let held: Vec<OperatorId> = self.held.keys().copied().collect();
        for id in held {
            self.release(id, 0, 0);
        }
        self.give();
        if let Some(number) = self.edge.take() {
            let seat = Seat { key: EDGES.to_owned(), number };
            if let Err(error) = self.directory.free(&seat, &self.holder).await {
                tracing::warn!(error = %error, "this edge counts as alive until its lease ends");
            }
        }
    }
}

fn key(id: OperatorId) -> String {
    format!("operator:{id}")
}

fn seat(id: OperatorId, number: u16) -> Seat {
    Seat { key: key(id), number }
}

/// The edges that live, and how many of them sit before this one.
#[derive(Clone, Copy, Debug)]
struct Edges {
    live: usize,
    before: usize,
}

impl Edges {
    const NONE: Self = Self { live: 0, before: 0 };

    /// This edge's part of an operator's binds. The parts of all edges make the whole; where they cannot be equal,
    /// the larger ones go around, so that not the same edge has them of every operator.
    fn share(self, id: OperatorId, binds: u16) -> u16 {
        let live = u128::try_from(self.live.max(1)).unwrap_or(1);
        let before = u128::try_from(self.before).unwrap_or(0);
        let place = (before + id.uuid().as_u128() % live) % live;
        let binds = u128::from(binds);
        let share = binds / live + u128::from(place < binds % live);
        u16::try_from(share).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_make_the_whole_and_differ_by_one() {
        for (live, binds, expected) in
            [(1, 4, [4, 4]), (2, 4, [2, 2]), (2, 5, [2, 3]), (3, 4, [1, 2]), (3, 2, [0, 1]), (7, 0, [0, 0])]
        {
            let id = OperatorId::generate();
            let shares: Vec<u16> = (0..live).map(|before| Edges { live, before }.share(id, binds)).collect();
            assert_eq!(shares.iter().sum::<u16>(), binds, "{shares:?}");
            let [least, most] = expected;
            assert!(shares.contains(&least) && shares.contains(&most), "{shares:?}");
            assert!(shares.iter().all(|share| (least..=most).contains(share)), "{shares:?}");
        }
    }
}
