//! Who may bind.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use contract::{BindType, SystemSettings};
use limits::{Rate, RetryAfter};
use smpp::{CommandId, Status};
use tokio::time::sleep;

use super::accept::Peer;
use super::seats::Held;
use super::{Shared, address};

/// Characters of a `system_id`, at most.
const SYSTEM_ID_MAX: usize = 15;
/// Octets of a password, at most: longer than the 8 of the specification.
const PASSWORD_MAX: usize = 128;
/// Credit for wrong passwords, per second and at once. One costs [`WRONG_COST`]: a burst of four, then one in five
/// seconds.
const WRONG_PER_SECOND: u32 = 1;
const WRONG_BURST: u32 = 20;
const WRONG_COST: u32 = 5;
/// Binds that one address may try per second and at once, right or wrong.
const BINDS_PER_SECOND: u32 = 20;
const BINDS_BURST: u32 = 200;
/// Compared with where there is no such system, so that it takes as long.
const NO_HASH: [u8; 32] = [0; 32];

/// A secret that does not show itself.
pub(super) struct Secret(Vec<u8>);

impl From<Vec<u8>> for Secret {
    fn from(octets: Vec<u8>) -> Self {
        Self(octets)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A bind as it came.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) command: CommandId,
    pub(super) sequence: u32,
    pub(super) system_id: String,
    pub(super) password: Secret,
    pub(super) version: u8,
}

impl Request {
    /// The name it binds by, fit for a log line.
    pub(super) fn name(&self) -> String {
        self.system_id.chars().filter(char::is_ascii_graphic).take(SYSTEM_ID_MAX).collect()
    }

    pub(super) const fn bind_type(&self) -> BindType {
        match self.command {
            CommandId::BIND_TRANSMITTER => BindType::Transmitter,
            CommandId::BIND_RECEIVER => BindType::Receiver,
            _ => BindType::Transceiver,
        }
    }
}

/// A bind that was granted.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) system: Arc<SystemSettings>,
    pub(super) seat: Held,
}

/// A bind that was not.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: Status,
    pub(super) why: &'static str,
}

const fn refused<T>(status: Status, why: &'static str) -> Result<T, Refused> {
    Err(Refused { status, why })
}

/// Whether and as whom `request` is bound. A refusal for a wrong password comes late; its reason is for our log only.
pub(super) async fn judge(request: &Request, peer: &Peer, shared: &Shared) -> Result<Admitted, Refused> {
    if request.system_id.is_empty() || request.system_id.len() > SYSTEM_ID_MAX {
        return refused(Status::RINVSYSID, "no name that a system can have");
    }
    let ip = peer.address.ip();
    if take(shared, &format!("smpp:bind:{ip}"), (BINDS_PER_SECOND, BINDS_BURST), 1).await.is_err() {
        return refused(Status::RBINDFAIL, "too many binds from this address");
    }
    let wrong = format!("smpp:wrong:{ip}");
    if let Err(RetryAfter(after)) = take(shared, &wrong, (WRONG_PER_SECOND, WRONG_BURST), 0).await {
        sleep(after.min(shared.bounds.refusal_delay)).await;
        return refused(Status::RBINDFAIL, "too many wrong passwords from this address");
    }
    let systems = Arc::clone(&shared.systems.borrow());
    let system = systems.named(&request.system_id);
    let hash = system.map_or(&NO_HASH[..], |system| &system.password_hash.0);
    let Secret(password) = &request.password;
    let matches = password.len() <= PASSWORD_MAX && shared.keys.matches(password, hash);
    match system {
        Some(system) if matches => admit(request, peer, shared, Arc::clone(system)).await,
        // One status for both: which names exist is nobody's business.
        _ => {
            let why = if system.is_some() { "wrong password" } else { "no such system" };
            let _counted = take(shared, &wrong, (WRONG_PER_SECOND, WRONG_BURST), WRONG_COST).await;
            let by_name = format!("smpp:wrong:{}", request.system_id);
            let slow = take(shared, &by_name, (WRONG_PER_SECOND, WRONG_BURST), WRONG_COST).await.err();
            sleep(slow.map_or(Duration::ZERO, |RetryAfter(after)| after).min(shared.bounds.refusal_delay)).await;
            refused(Status::RINVPASWD, why)
        }
    }
}

async fn admit(
    request: &Request,
    peer: &Peer,
    shared: &Shared,
    system: Arc<SystemSettings>,
) -> Result<Admitted, Refused> {
    if !system.enabled {
        return refused(Status::RBINDFAIL, "the system is switched off");
    }
    if !address::allows(&system.addresses, peer.address.ip()) {
        return refused(Status::RBINDFAIL, "not from this address");
    }
    let bind_type = request.bind_type();
    let seats = system.binds.of(bind_type);
    if seats == 0 {
        return refused(Status::RBINDFAIL, "no sessions of this kind");
    }
    let key = format!("smpp:{}:{}", system.id, bind_type.name());
    match shared.seats.take(&key, seats).await {
        Ok(Some(seat)) => Ok(Admitted { system, seat }),
        Ok(None) => refused(Status::RBINDFAIL, "all its sessions are bound"),
        Err(error) => {
            tracing::warn!(error = %error, "cannot seat a session");
            refused(Status::RSYSERR, "the session directory cannot be reached")
        }
    }
}

async fn take(shared: &Shared, key: &str, (per_second, burst): (u32, u32), cost: u32) -> Result<(), RetryAfter> {
    let Ok(rate) = Rate::new(per_second, burst) else { return Ok(()) };
    shared.limiter.take(key, rate, cost, shared.time_of_day()).await.map(|_| ())
}
