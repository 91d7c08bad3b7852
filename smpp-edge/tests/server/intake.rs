//! The platform, as a customer's submit sees it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use contract::intake::{AboutMessage, Act, Answer, MessageReport, Refusal, Submission, Submissions, SubmitVerdict};
use domain::State;
use smpp_edge::Intake;
use tokio::sync::Semaphore;

/// Accepts everything, but for what it is told.
#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) taken: Mutex<Vec<Submission>>,
    pub(crate) asked: Mutex<Vec<AboutMessage>>,
    /// Whether each call said that it was repeated.
    pub(crate) calls: Mutex<Vec<bool>>,
    /// Calls that fail before one succeeds.
    pub(crate) failures: AtomicUsize,
    /// Destinations that are refused, with the status.
    pub(crate) refused: Mutex<VecDeque<(String, u32)>>,
    /// The answer about every message.
    pub(crate) about: Mutex<Answer>,
    /// Nothing is kept: for load.
    pub(crate) forgets: AtomicBool,
    /// Calls wait while this has no permit.
    pub(crate) gate: Semaphore,
}

impl Default for Stub {
    fn default() -> Self {
        let report = MessageReport { state: State::Queued, final_at: None, error: 0 };
        Self {
            taken: Mutex::default(),
            asked: Mutex::default(),
            calls: Mutex::default(),
            failures: AtomicUsize::default(),
            refused: Mutex::default(),
            about: Mutex::new(Answer::Report(report)),
            forgets: AtomicBool::default(),
            gate: Semaphore::new(1_000_000),
        }
    }
}

impl Stub {
    pub(crate) fn refuse(&self, to: &str, status: u32) {
        self.refused.lock().unwrap().push_back((to.to_owned(), status));
    }

    pub(crate) fn count(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> Submission {
        self.taken.lock().unwrap().last().unwrap().clone()
    }

    fn verdict(&self, submission: &Submission) -> SubmitVerdict {
        let refused = self.refused.lock().unwrap();
        let status = refused.iter().find(|(to, _)| to == submission.to.expose()).map(|(_, status)| *status);
        status.map_or(SubmitVerdict::Accepted, |status| {
            SubmitVerdict::Refused(Refusal { status, code: "stub".to_owned() })
        })
    }
}

#[async_trait]
impl Intake for Stub {
    async fn submit(&self, submissions: &Submissions) -> anyhow::Result<Vec<SubmitVerdict>> {
        let _permit = self.gate.acquire().await?;
        if self.forgets.load(Ordering::Relaxed) {
            return Ok(vec![SubmitVerdict::Accepted; submissions.submissions.len()]);
        }
        self.calls.lock().unwrap().push(submissions.repeated);
        let failing = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        anyhow::ensure!(failing.is_err(), "the stub fails");
        let verdicts: Vec<SubmitVerdict> = submissions.submissions.iter().map(|one| self.verdict(one)).collect();
        let accepted = submissions.submissions.iter().zip(&verdicts);
        let accepted = accepted.filter(|(_, verdict)| **verdict == SubmitVerdict::Accepted);
        self.taken.lock().unwrap().extend(accepted.map(|(one, _)| one.clone()));
        Ok(verdicts)
    }

    async fn about(&self, about: &AboutMessage) -> anyhow::Result<Answer> {
        self.asked.lock().unwrap().push(about.clone());
        if about.act == Act::Query || matches!(*self.about.lock().unwrap(), Answer::Refused(_)) {
            return Ok(self.about.lock().unwrap().clone());
        }
        Ok(Answer::Report(MessageReport { state: State::Canceled, final_at: None, error: 0 }))
    }
}
