//! Before messages are priced: whose numbers are looked up, within bounds of time and number, and who pays.
//!
//! A look-up is charged when it was answered, in the transaction that keeps the answer: nobody pays for nothing. Whether
//! the wallets have enough, and may spend it today, is looked at before; where somebody empties one or reaches its cap
//! meanwhile, the house absorbs it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use domain::lookup::{Charge, Policy, Provider as Settings};
use domain::{AccountId, Currency, KeyId, Micros, Network, Number};
use egress::Reach;
use futures_util::{StreamExt as _, stream};
use store::ledger::{self, Lookups as Answered, caps};
use store::lookups::{self, Answer};
use tokio::sync::Semaphore;

use super::policy;
use super::provider::{Http, Provider as _};
use crate::Api;
use crate::problem::{Code, Problem};

/// Look-ups under way in one process.
const UNDER_WAY_MAX: usize = 256;
/// Look-ups under way for one request.
const AT_ONCE_MAX: usize = 64;
/// How long one request waits for all its look-ups; what has no answer by then is priced by its prefix.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// So many failures one after the other …
const FAILURES_MAX: u32 = 5;
/// … and the provider is left alone for so long.
const REST: Duration = Duration::from_secs(10);
/// The longest answer that any settings allow.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What was looked up for the messages of one request.
#[derive(Debug, Clone, Default)]
pub struct LookedUp(HashMap<(AccountId, Number), Network>);

impl LookedUp {
    /// Where a number is, as far as it was looked up for this account.
    pub(crate) fn network(&self, account: AccountId, number: Number) -> Option<Network> {
        self.0.get(&(account, number)).copied()
    }
}

/// What a process needs to ask providers.
#[derive(Debug)]
pub(crate) struct Lookups {
    /// `None`: the TLS library could not be set up, so nobody is asked.
    client: Option<reqwest::Client>,
    reach: Reach,
    under_way: Semaphore,
    rest: RwLock<Rest>,
}

/// Whether a provider that fails is left alone.
#[derive(Debug, Default)]
struct Rest {
    failures: u32,
    until: Option<Instant>,
}

/// What one request asks for one account.
struct Wanted {
    account: AccountId,
    /// The key that asks, where what may be spent with it is bounded.
    key: Option<KeyId>,
    numbers: Vec<Number>,
    charges: Vec<Charge>,
    currency: Currency,
}

impl Lookups {
    pub(crate) fn new(private_allowed: bool) -> Self {
        let reach = if private_allowed { Reach::Anywhere } else { Reach::Public };
        let client = egress::client(reach, ANSWER_LIMIT);
        let client =
            client.inspect_err(|error| tracing::error!(error = format!("{error:#}"), "no look-ups: no HTTP client"));
        Self { client: client.ok(), reach, under_way: Semaphore::new(UNDER_WAY_MAX), rest: RwLock::default() }
    }

    /// Looks up what the policies of the accounts ask for. Never fails: what is not known here is priced by its prefix.
    /// `key` is the one that asks, where what may be spent with it is bounded.
    pub(crate) async fn before_pricing(
        &self,
        api: &Api,
        key: Option<KeyId>,
        messages: &[(AccountId, Number)],
    ) -> LookedUp {
        let mut wanted: HashMap<(AccountId, Number), Policy> = HashMap::new();
        {
            let catalogue = api.catalogue.get();
            let mut policies: HashMap<AccountId, Policy> = HashMap::new();
            for (account, number) in messages {
                let policy = *policies.entry(*account).or_insert_with(|| catalogue.lookup_policy(*account));
                if policy != Policy::Never && catalogue.overrides.get(number.value()).is_none() {
                    wanted.insert((*account, *number), policy);
                }
            }
        }
        if wanted.is_empty() {
            return LookedUp::default();
        }
        let numbers: Vec<Number> =
            wanted.keys().map(|(_, number)| *number).collect::<HashSet<_>>().into_iter().collect();
        let mut known = self.cached(api, &numbers).await;
        let mut missing: BTreeMap<AccountId, Vec<Number>> = BTreeMap::new();
        let mut asked = HashSet::new();
        for ((account, number), policy) in &wanted {
            // A number that several accounts want is asked for one of them.
            if *policy == Policy::Always && !known.contains_key(number) && asked.insert(*number) {
                missing.entry(*account).or_default().push(*number);
            }
        }
        for (account, numbers) in missing {
            if let Ok(answers) = self.ask(api, (account, key), numbers).await {
                known.extend(answers.into_iter().map(|(number, answer)| (number, answer.network)));
            }
        }
        LookedUp(wanted.into_keys().filter_map(|key| Some((key, *known.get(&key.1)?))).collect())
    }

    async fn cached(&self, api: &Api, numbers: &[Number]) -> HashMap<Number, Network> {
        match lookups::cached(&api.db, numbers, crate::time::now()).await {
            Ok(found) => {
                count("cache", found.len());
                found.into_iter().map(|(number, answer)| (number, answer.network)).collect()
            }
            Err(error) => {
                tracing::warn!(error = %error, "cannot read look-ups of before");
                HashMap::new()
            }
        }
    }

    /// One number, for `GET /v1/lookups`: the answer, who gave it, and what it cost the account. `None`: the prefix decides.
    pub(crate) async fn one(
        &self,
        api: &Api,
        (account, key): (AccountId, Option<KeyId>),
        number: Number,
    ) -> Result<Option<(Answer, &'static str, Micros)>, Problem> {
        let policy = policy(api, account);
        if policy == Policy::Never {
            return Ok(None);
        }
        if let Some(answer) = lookups::cached(&api.db, &[number], crate::time::now()).await?.remove(&number) {
            count("cache", 1);
            return Ok(Some((answer, "cache", Micros::ZERO)));
        }
        if policy != Policy::Always {
            return Ok(None);
        }
        let charges = api.catalogue.get().lookup_charges(account);
        let answers = self.ask(api, (account, key), vec![number]).await?;
        let price = charges.iter().find(|charge| charge.payer == account).map_or(Micros::ZERO, |charge| charge.price);
        Ok(answers.into_iter().next().map(|(_, answer)| (answer, "provider", price)))
    }

    /// Asks the provider about these numbers of one account, keeps what it answers and charges it.
    async fn ask(
        &self,
        api: &Api,
        (account, key): (AccountId, Option<KeyId>),
        numbers: Vec<Number>,
    ) -> Result<Vec<(Number, Answer)>, Problem> {
        let (provider, wanted) = {
            let catalogue = api.catalogue.get();
            let Some(provider) = catalogue.lookup_provider.clone() else { return Ok(Vec::new()) };
            let Some(own) = catalogue.accounts.get(&account) else { return Ok(Vec::new()) };
            let charges = catalogue.lookup_charges(account);
            (provider, Wanted { account, key, numbers, charges, currency: own.currency })
        };
        if self.rests() {
            count("resting", wanted.numbers.len());
            return Ok(Vec::new());
        }
        afford(api, &wanted).await?;
        let answers = self.gather(api, &provider, &wanted).await;
        if !answers.is_empty() {
            settle(api, &provider, &wanted, &answers).await?;
        }
        Ok(answers)
    }

    /// Asks about many numbers at once, each within its time and all within [`WAIT_MAX`].
    async fn gather(&self, api: &Api, settings: &Arc<Settings>, wanted: &Wanted) -> Vec<(Number, Answer)> {
        let Some(client) = &self.client else { return Vec::new() };
        let http = match Http::new(client, self.reach, settings, &api.keys) {
            Ok(http) => http,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "cannot ask the provider of look-ups");
                return Vec::new();
            }
        };
        let each: Vec<_> = wanted.numbers.iter().map(|number| self.ask_one(&http, *number)).collect();
        let mut asking = std::pin::pin!(stream::iter(each).buffer_unordered(AT_ONCE_MAX));
        let mut answers = Vec::with_capacity(wanted.numbers.len());
        let end = tokio::time::Instant::now() + WAIT_MAX;
        let mut unknown = 0;
        while let Ok(Some(found)) = tokio::time::timeout_at(end, asking.next()).await {
            match found {
                Some((number, Some(answer))) => answers.push((number, answer)),
                Some((_, None)) => unknown += 1,
                None => {}
            }
        }
        count("provider", answers.len());
        count("unknown", unknown);
        count("failed", wanted.numbers.len() - answers.len() - unknown);
        answers
    }

    /// What the provider knows of a number; `None`: nobody could be asked. That it knows nothing is an answer: numbers that
    /// nobody has, which a customer may send to by the thousand, switch look-ups off for nobody.
    async fn ask_one(&self, http: &Http<'_>, number: Number) -> Option<(Number, Option<Answer>)> {
        let _seat = self.under_way.acquire().await.ok()?;
        if self.rests() {
            return None;
        }
        let found = http.look_up(number, crate::time::now()).await;
        self.note(found.as_ref().err());
        Some((number, found.ok()?))
    }

    fn rests(&self) -> bool {
        let rest = self.rest.read().unwrap_or_else(PoisonError::into_inner);
        rest.until.is_some_and(|until| Instant::now() < until)
    }

    fn note(&self, error: Option<&anyhow::Error>) {
        let mut rest = self.rest.write().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = error else {
            *rest = Rest::default();
            return;
        };
        rest.failures += 1;
        if rest.failures >= FAILURES_MAX {
            tracing::warn!(error = format!("{error:#}"), "the provider of look-ups fails, it rests");
            *rest = Rest { failures: 0, until: Some(Instant::now() + REST) };
        }
    }
}

fn count(source: &'static str, numbers: usize) {
    metrics::counter!("chappe_lookups_total", "source" => source).increment(u64::try_from(numbers).unwrap_or(u64::MAX));
}

/// Refuses where a wallet has not enough for all that is asked, or may not spend so much today.
async fn afford(api: &Api, wanted: &Wanted) -> Result<(), Problem> {
    let asked = u16::try_from(wanted.numbers.len()).unwrap_or(u16::MAX);
    for charge in &wanted.charges {
        let wallet = ledger::balance(&api.db, charge.payer).await?;
        let need = charge.price.times(asked);
        if wallet.zip(need).is_none_or(|(wallet, need)| wallet.available() < need) {
            count("no_credit", wanted.numbers.len());
            return Err(no_credit());
        }
        let left = caps::left(&api.db, charge.payer).await?;
        if left.zip(need).is_some_and(|(left, need)| left < need) {
            count("spend_cap", wanted.numbers.len());
            return Err(spend_cap());
        }
    }
    let own = wanted.charges.iter().find(|charge| charge.payer == wanted.account);
    if let (Some(key), Some(own)) = (wanted.key, own) {
        let left = caps::left_of_key(&api.db, key).await?;
        if left.zip(own.price.times(asked)).is_some_and(|(left, need)| left < need) {
            count("spend_cap", wanted.numbers.len());
            return Err(spend_cap());
        }
    }
    Ok(())
}

fn no_credit() -> Problem {
    Problem::new(Code::InsufficientCredit, "the balance, or that of an account above, does not cover the look-up")
}

fn spend_cap() -> Problem {
    let detail =
        "the spend cap of the account, of one above or of the key is reached for this UTC day; nobody was asked";
    Problem::new(Code::SpendCapReached, detail)
}

/// Keeps the answers and charges them, in one transaction.
async fn settle(
    api: &Api,
    provider: &Settings,
    wanted: &Wanted,
    answers: &[(Number, Answer)],
) -> Result<(), store::Error> {
    let charged = keep(api, provider, wanted, (answers, &wanted.charges)).await;
    match charged {
        // Somebody emptied a wallet or reached its cap meanwhile: the provider is paid all the same.
        Err(error) if caps::forbid(&error) => {
            tracing::warn!(account.id = %wanted.account, "the house absorbs look-ups of account {}", wanted.account);
            keep(api, provider, wanted, (answers, &[])).await
        }
        charged => charged,
    }
}

async fn keep(
    api: &Api,
    provider: &Settings,
    wanted: &Wanted,
    (answers, charges): (&[(Number, Answer)], &[Charge]),
) -> Result<(), store::Error> {
    let answered: Vec<(Number, Network)> = answers.iter().map(|(number, answer)| (*number, answer.network)).collect();
    let (account, currency, key) = (wanted.account, wanted.currency, wanted.key);
    let answered = Answered { provider, charges, currency, account, answered: &answered, key };
    let mut tx = api.db.begin().await?;
    let entry = ledger::look_ups(&mut tx, &answered).await?;
    lookups::keep(&mut tx, provider.id, answers, entry).await?;
    store::tx::commit(tx).await
}
