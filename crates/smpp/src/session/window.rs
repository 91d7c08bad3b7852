//! The window: requests that were sent and not answered yet, never more than its size.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Requests in flight, by sequence number. Answers may come in any order; time is the caller's.
///
/// **Invariant:** holds at most `size` requests, and remembers at most twice as many numbers.
#[derive(Debug)]
pub struct Window<T> {
    size: usize,
    timeout: Duration,
    in_flight: HashMap<u32, Sent<T>>,
    /// Numbers in the order sent; those answered out of turn stay until they come to the front or get compacted.
    order: VecDeque<(u32, Instant)>,
}

#[derive(Debug)]
struct Sent<T> {
    at: Instant,
    request: T,
}

/// A request that left the window.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered<T> {
    /// What was put in.
    pub request: T,
    /// When it was sent.
    pub sent_at: Instant,
}

/// Why a request cannot enter; it is handed back.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError<T> {
    /// `size` requests are unanswered.
    #[error("window is full")]
    Full(T),
    /// This sequence number is in flight already.
    #[error("sequence number is in flight")]
    Duplicate(T),
}

impl<T> Window<T> {
    /// A window of `size` requests (at least 1), each of which has `timeout` to be answered.
    pub fn new(size: usize, timeout: Duration) -> Self {
        Self { size: size.max(1), timeout, in_flight: HashMap::new(), order: VecDeque::new() }
    }

    /// Requests in flight.
    pub fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// How many more requests may be sent now.
    pub fn room(&self) -> usize {
        self.size.saturating_sub(self.in_flight.len())
    }

    /// Changes the size (at least 1). What is in flight over a smaller size stays until answered.
    pub fn resize(&mut self, size: usize) {
        self.size = size.max(1);
    }

    /// Notes that `request` was sent at `now` under `sequence_number`.
    pub fn insert(&mut self, sequence_number: u32, request: T, now: Instant) -> Result<(), WindowError<T>> {
        if self.room() == 0 {
            return Err(WindowError::Full(request));
        }
        if self.in_flight.contains_key(&sequence_number) {
            return Err(WindowError::Duplicate(request));
        }
        self.in_flight.insert(sequence_number, Sent { at: now, request });
        self.order.push_back((sequence_number, now));
        self.compact();
        Ok(())
    }

    /// Takes the request that this answer belongs to; `None` if there is none (late, repeated or made up).
    pub fn answer(&mut self, sequence_number: u32) -> Option<Answered<T>> {
        let sent = self.in_flight.remove(&sequence_number)?;
        self.drop_answered_front();
        Some(Answered { request: sent.request, sent_at: sent.at })
    }

    /// When the oldest request in flight times out.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.order.front().and_then(|(_, at)| at.checked_add(self.timeout))
    }

    /// Takes one request that was not answered in time, the oldest first; call until `None`.
    pub fn expire(&mut self, now: Instant) -> Option<Answered<T>> {
        let &(sequence_number, at) = self.order.front()?;
        if now.saturating_duration_since(at) < self.timeout {
            return None;
        }
        self.answer(sequence_number)
    }

    /// Takes everything in flight, oldest first: the connection is gone.
    pub fn drain(&mut self) -> Vec<Answered<T>> {
        let mut drained = Vec::with_capacity(self.in_flight.len());
        while let Some(&(sequence_number, _)) = self.order.front() {
            drained.extend(self.answer(sequence_number));
        }
        drained
    }

    fn drop_answered_front(&mut self) {
        while self.order.front().is_some_and(|entry| !self.is_current(*entry)) {
            self.order.pop_front();
        }
    }

    /// One request that is never answered must not let the list of numbers grow behind it.
    fn compact(&mut self) {
        if self.order.len() > self.size.saturating_mul(2).max(16) {
            let in_flight = &self.in_flight;
            self.order.retain(|(number, at)| in_flight.get(number).is_some_and(|sent| sent.at == *at));
        }
    }

    fn is_current(&self, (sequence_number, at): (u32, Instant)) -> bool {
        self.in_flight.get(&sequence_number).is_some_and(|sent| sent.at == at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn is_bounded_and_takes_answers_in_any_order() {
        let now = Instant::now();
        let mut window = Window::new(2, TIMEOUT);
        window.insert(1, 'a', now).unwrap();
        assert_eq!(window.insert(1, 'x', now), Err(WindowError::Duplicate('x')));
        window.insert(2, 'b', now).unwrap();
        assert_eq!(window.insert(3, 'c', now), Err(WindowError::Full('c')));
        assert_eq!(window.answer(2).unwrap().request, 'b');
        assert_eq!(window.answer(2), None, "a repeated answer belongs to nothing");
        assert_eq!(window.answer(77), None);
        window.insert(3, 'c', now).unwrap();
        assert_eq!(window.answer(1).unwrap().request, 'a');
        assert_eq!((window.len(), window.room()), (1, 1));
    }

    #[test]
    fn times_out_the_oldest_first() {
        let start = Instant::now();
        let mut window = Window::new(8, TIMEOUT);
        for number in 1..=3 {
            window.insert(number, number, start + Duration::from_secs(number.into())).unwrap();
        }
        window.answer(2);
        assert_eq!(window.next_deadline(), Some(start + Duration::from_secs(11)));
        let late = start + Duration::from_secs(13);
        assert_eq!(window.expire(start + Duration::from_secs(10)), None);
        assert_eq!(window.expire(late).unwrap().request, 1);
        assert_eq!(window.expire(late).unwrap().request, 3);
        assert_eq!((window.expire(late), window.next_deadline()), (None, None));
    }

    #[test]
    fn an_unanswered_request_lets_nothing_grow() {
        let now = Instant::now();
        let mut window = Window::new(4, TIMEOUT);
        window.insert(1, (), now).unwrap();
        for number in 2..10_000 {
            window.insert(number, (), now).unwrap();
            window.answer(number);
            assert!(window.order.len() <= 17);
        }
        assert_eq!(window.drain().len(), 1);
    }
}
