//! What can go wrong in the store, as far as a caller branches on it.

/// Why a call to the store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not answer: try again later.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// Two transactions were in each other's way: try again at once.
    #[error("the transaction lost against another one")]
    Conflict(#[source] sqlx::Error),
    /// A constraint refused the row; the name says which.
    #[error("constraint {name} refused the row")]
    Constraint {
        /// The constraint's name in the schema.
        name: String,
        /// What PostgreSQL said.
        #[source]
        source: sqlx::Error,
    },
    /// A stored value that our types refuse.
    #[error("a stored value is not valid: {0}")]
    Corrupt(String),
    /// An amount beyond the range of the type.
    #[error("an amount is out of range")]
    Range,
    /// A value could not be written as JSON.
    #[error("a value could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A migration failed.
    #[error("the schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Any other failure of a statement.
    #[error("a statement failed")]
    Sql(#[source] sqlx::Error),
}

impl Error {
    /// The world may change: the same call can succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Conflict(_))
    }

    /// The constraint that refused the row, where one did.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::PoolTimedOut | E::PoolClosed | E::Tls(_) | E::WorkerCrashed => Self::Unavailable(error),
            E::Database(database) => match database.code().as_deref() {
                // serialization_failure, deadlock_detected
                Some("40001" | "40P01") => Self::Conflict(error),
                // connection failures, shutdown, crash recovery, too many connections
                Some(code) if code.starts_with("08") || code.starts_with("57P") || code == "53300" => {
                    Self::Unavailable(error)
                }
                Some(code) if code.starts_with("23") => {
                    let name = database.constraint().unwrap_or_default().to_owned();
                    Self::Constraint { name, source: error }
                }
                _ => Self::Sql(error),
            },
            _ => Self::Sql(error),
        }
    }
}
