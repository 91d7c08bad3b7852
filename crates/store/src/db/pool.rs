//! Connections, and what a pooler in between does to them.
//!
//! Statements of ours join a short list of ids with large tables. The planner cannot know the length of a list that is
//! a parameter; the settings of [`PLANS`] keep it to index look-ups, and keep it from planning each call anew.
//! Statements give a lower bound on the id, so that old partitions are left out; never both bounds, for a short range
//! would look cheaper to it than the list.
//!
//! On a connection of one's own these settings are parameters of its start. Behind a pooler in transaction mode
//! ([`Session::Transaction`]) there is no such start, and a prepared statement is gone, or somebody else's, with the
//! next transaction. So there every statement runs inside a transaction, which begins, in one message, by forgetting
//! the statements that others prepared on this connection and by setting what it needs for itself. sqlx numbers its
//! statements per client and prepares each before it runs it: two clients would meet at the same name.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;

use futures_util::{Stream, TryStreamExt as _, stream};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr, Transaction};

use super::Renew;

/// How plans are chosen: see the head of this file.
const PLANS: [(&str, &str); 5] = [
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_seqscan", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];

/// What follows the beginning of a transaction behind a pooler. The same as [`PLANS`]; a test holds that.
macro_rules! forget_and_set {
    ($begin:literal) => {
        concat!(
            $begin,
            "; DEALLOCATE ALL; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
             SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off"
        )
    };
}

const BEGIN: &str = "BEGIN";
const BEGIN_PICTURE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
const POOLED_BEGIN: &str = forget_and_set!("BEGIN");
const POOLED_BEGIN_PICTURE: &str = forget_and_set!("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");

/// What outlives a transaction on the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    /// Everything: the connection is ours.
    Direct,
    /// Nothing.
    Transaction,
}

impl Session {
    /// What a new connection says of itself.
    pub(super) fn dress(self, options: PgConnectOptions) -> PgConnectOptions {
        let options = options.application_name("chappe");
        match self {
            Self::Direct => options.options(PLANS),
            Self::Transaction => options.extra_float_digits(None).statement_cache_capacity(0),
        }
    }
}

/// A cheap handle of all connections.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: PgPool,
    session: Session,
    renew: Option<Renew>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("inner", &self.inner).field("session", &self.session).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(inner: PgPool, session: Session, renew: Option<Renew>) -> Self {
        Self { inner, session, renew }
    }

    /// Over connections that somebody else opened.
    pub(super) fn direct(inner: PgPool) -> Self {
        Self::new(inner, Session::Direct, None)
    }

    pub(super) fn inner(&self) -> &PgPool {
        &self.inner
    }

    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, Error> {
        self.begin_with(if self.session == Session::Direct { BEGIN } else { POOLED_BEGIN }).await
    }

    /// A transaction that reads one picture of everything, and writes nothing.
    pub(crate) async fn begin_picture(&self) -> Result<Transaction<'static, Postgres>, Error> {
        self.begin_with(if self.session == Session::Direct { BEGIN_PICTURE } else { POOLED_BEGIN_PICTURE }).await
    }

    /// Goes on to its end when the caller gives up meanwhile, and rolls back then. Otherwise the connection would go back to
    /// the pool inside of a transaction that nobody knows of (sqlx 0.9 forgets a `BEGIN` that is not awaited to its end), and
    /// what the next caller writes without a transaction of its own would be lost with it.
    async fn begin_with(&self, begin: &'static str) -> Result<Transaction<'static, Postgres>, Error> {
        let pool = self.clone();
        let task = tokio::spawn(async move { pool.renewing(|| pool.inner.begin_with(begin)).await });
        task.await.unwrap_or(Err(Error::WorkerCrashed))
    }

    /// A connection for one statement of a function that otherwise works in its caller's transaction.
    pub(crate) async fn lend(&self) -> Result<Lent, Error> {
        Ok(match self.session {
            Session::Direct => Lent::Connection(self.renewing(|| self.inner.acquire()).await?),
            Session::Transaction => Lent::Transaction(self.begin().await?),
        })
    }

    /// Tries once more when the server refused the credentials and there are newer ones.
    async fn renewing<T, F: Future<Output = Result<T, Error>>>(&self, connect: impl Fn() -> F) -> Result<T, Error> {
        let refused = match connect().await {
            Err(error) if is_refusal(&error) => error,
            other => return other,
        };
        let Some(url) = self.renewed_url().await else { return Err(refused) };
        tracing::info!("the database refused the credentials, going on with newer ones");
        self.inner.set_connect_options(self.session.dress(url.parse()?));
        connect().await
    }

    async fn renewed_url(&self) -> Option<String> {
        self.renew.as_ref()?().await
    }

    /// Runs one statement and gathers what it answers.
    async fn run<'q, E: 'q + Execute<'q, Postgres>>(&self, query: E) -> Result<Vec<Answer>, Error> {
        let mut lent = self.lend().await?;
        let answers = (&mut *lent).fetch_many(query).try_collect().await?;
        lent.done().await?;
        Ok(answers)
    }
}

/// A connection for one statement; see [`Pool::lend`]. What was written is durable behind [`Lent::done`].
#[derive(Debug)]
pub(crate) enum Lent {
    Connection(PoolConnection<Postgres>),
    Transaction(Transaction<'static, Postgres>),
}

impl Lent {
    pub(crate) async fn done(self) -> Result<(), Error> {
        match self {
            Self::Connection(_) => Ok(()),
            Self::Transaction(tx) => tx.commit().await,
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Connection(connection) => connection,
            Self::Transaction(tx) => tx,
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Connection(connection) => connection,
            Self::Transaction(tx) => tx,
        }
    }
}

/// What comes back of a statement: a row, or its end.
type Answer = Either<PgQueryResult, PgRow>;
type Answers<'e> = Pin<Box<dyn Stream<Item = Result<Answer, Error>> + Send + 'e>>;
type Later<'e, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'e>>;

impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Answers<'e>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let answers = async move { Ok::<_, Error>(stream::iter(self.run(query).await?.into_iter().map(Ok))) };
        Box::pin(stream::once(answers).try_flatten())
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Later<'e, Option<PgRow>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move { Ok(self.run(query).await?.into_iter().find_map(Either::right)) })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> Later<'e, PgStatement>
    where
        'p: 'e,
    {
        self.inner.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> Later<'e, Describe<Postgres>>
    where
        'p: 'e,
    {
        self.inner.describe(sql)
    }
}

/// The server knows no such user or password: `invalid_password`, `invalid_authorization_specification`
/// (PostgreSQL, appendix A, class 28).
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Database(told) if matches!(told.code().as_deref(), Some("28P01" | "28000")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sessions_choose_plans_alike() {
        for begin in [POOLED_BEGIN, POOLED_BEGIN_PICTURE] {
            for (setting, value) in PLANS {
                assert!(begin.contains(&format!("SET LOCAL {setting} = {value}")), "{setting} in {begin}");
            }
            assert_eq!(begin.matches("SET LOCAL").count(), PLANS.len());
        }
    }
}
