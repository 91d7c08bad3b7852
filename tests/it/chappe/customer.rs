//! A customer of the company that binds over SMPP.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::AccountId;
use serde_json::json;
use smpp::Status;
use testkit::{eventually, until_some};

use super::{Chappe, Company, Esme, Inbox, Manners};

/// The edge hears of a new system within a second or two.
const BIND_LIMIT: Duration = Duration::from_mins(1);

/// A system, and what it was told over all its sessions.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) account: AccountId,
    pub(crate) name: String,
    /// The system's id.
    pub(crate) id: String,
    pub(crate) inbox: Arc<Inbox>,
    /// The address of this machine that it comes from.
    pub(crate) from: Ipv4Addr,
    addr: SocketAddr,
}

impl Customer {
    /// The password of every customer.
    pub(crate) const PASSWORD: &str = "a longer password";

    /// A system of `account` under this name.
    pub(crate) async fn of(chappe: &Chappe, company: &Company, account: AccountId, name: &str) -> Self {
        let system = json!({
            "system_id": name, "account_id": account.to_string(), "password": Self::PASSWORD, "transceivers": 10,
            "window": 50,
        });
        let id = company.admin.make("/v1/smpp/systems", system).await;
        Self {
            account,
            name: name.to_owned(),
            id,
            inbox: Arc::default(),
            from: Ipv4Addr::LOCALHOST,
            addr: chappe.smpp(),
        }
    }

    /// A session, as soon as it may bind.
    pub(crate) async fn bound(&self) -> Esme {
        self.bound_with(Manners::default()).await
    }

    /// The same with these manners.
    pub(crate) async fn bound_with(&self, manners: Manners) -> Esme {
        until_some(BIND_LIMIT, async || self.bind(Self::PASSWORD, manners).await.ok()).await
    }

    /// One try to bind.
    pub(crate) async fn bind(&self, password: &str, manners: Manners) -> Result<Esme, Option<Status>> {
        Esme::bind((self.from, self.addr), (&self.name, password), manners, Arc::clone(&self.inbox)).await
    }

    /// Waits until each of these messages has its end told; each is told once and nothing else is.
    pub(crate) async fn assert_told(&self, accepted: &[String], limit: Duration) {
        eventually(limit, async || self.inbox.ends().len() >= accepted.len()).await;
        let expected: BTreeMap<String, usize> = accepted.iter().map(|id| (id.clone(), 1)).collect();
        assert_eq!(self.inbox.ends(), expected, "what {} was told", self.name);
    }
}
