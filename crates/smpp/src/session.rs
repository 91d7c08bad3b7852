//! A session without its socket: which state it is in, and who may send what there (SMPP 3.4 §2.2 and §2.3).

mod sequence;
mod window;

pub use sequence::{SEQUENCE_MAX, Sequence};
pub use window::{Answered, Window, WindowError};

use crate::pdu::CommandId;
use crate::status::Status;

/// Who sends a PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The client: it binds and submits.
    Esme,
    /// The message centre: it is bound to and delivers.
    Smsc,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Connected, not bound.
    #[default]
    Open,
    /// The ESME may submit.
    BoundTx,
    /// The ESME may receive.
    BoundRx,
    /// The ESME may do both.
    BoundTrx,
    /// An unbind was answered: no new request, what is in flight may finish.
    Unbound,
    /// The connection is gone.
    Closed,
}

impl State {
    /// The state that an accepted bind leads to; `None` for an id that is no bind (request or response).
    pub const fn bound_by(bind: CommandId) -> Option<Self> {
        match bind {
            CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSMITTER_RESP => Some(Self::BoundTx),
            CommandId::BIND_RECEIVER | CommandId::BIND_RECEIVER_RESP => Some(Self::BoundRx),
            CommandId::BIND_TRANSCEIVER | CommandId::BIND_TRANSCEIVER_RESP => Some(Self::BoundTrx),
            _ => None,
        }
    }

    /// Whether a bind was accepted and not given up.
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::BoundTx | Self::BoundRx | Self::BoundTrx)
    }

    /// Whether the ESME may submit here.
    pub const fn can_submit(self) -> bool {
        matches!(self, Self::BoundTx | Self::BoundTrx)
    }

    /// Whether the SMSC may deliver here.
    pub const fn can_deliver(self) -> bool {
        matches!(self, Self::BoundRx | Self::BoundTrx)
    }

    /// Whether `sender` may send the request `command` in this state, and if not, the status to answer with.
    /// Responses are always let through: the window decides what they belong to.
    pub fn permits(self, sender: Role, command: CommandId) -> Result<(), Status> {
        if command.is_response() {
            return Ok(());
        }
        let allowed = match command {
            _ if command.is_bind() => return self.permits_bind(sender),
            CommandId::OUTBIND => sender == Role::Smsc && self == Self::Open,
            CommandId::SUBMIT_SM
            | CommandId::SUBMIT_MULTI
            | CommandId::QUERY_SM
            | CommandId::CANCEL_SM
            | CommandId::REPLACE_SM => sender == Role::Esme && self.can_submit(),
            CommandId::DELIVER_SM | CommandId::ALERT_NOTIFICATION => sender == Role::Smsc && self.can_deliver(),
            CommandId::DATA_SM => match sender {
                Role::Esme => self.can_submit(),
                Role::Smsc => self.can_deliver(),
            },
            CommandId::ENQUIRE_LINK => self.is_bound() || self == Self::Open,
            CommandId::UNBIND => self.is_bound(),
            _ => return Err(Status::RINVCMDID),
        };
        if allowed { Ok(()) } else { Err(Status::RINVBNDSTS) }
    }

    fn permits_bind(self, sender: Role) -> Result<(), Status> {
        match (sender, self) {
            (Role::Esme, Self::Open) => Ok(()),
            (Role::Esme, state) if state.is_bound() => Err(Status::RALYBND),
            _ => Err(Status::RINVBNDSTS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_send_what() {
        use Role::{Esme, Smsc};
        use State::{BoundRx, BoundTrx, BoundTx, Closed, Open, Unbound};
        let all = [Open, BoundTx, BoundRx, BoundTrx, Unbound, Closed];
        for (sender, command, allowed) in [
            (Esme, CommandId::BIND_TRANSMITTER, &[Open][..]),
            (Esme, CommandId::BIND_RECEIVER, &[Open]),
            (Esme, CommandId::BIND_TRANSCEIVER, &[Open]),
            (Smsc, CommandId::BIND_TRANSCEIVER, &[]),
            (Smsc, CommandId::OUTBIND, &[Open]),
            (Esme, CommandId::OUTBIND, &[]),
            (Esme, CommandId::SUBMIT_SM, &[BoundTx, BoundTrx]),
            (Smsc, CommandId::SUBMIT_SM, &[]),
            (Esme, CommandId::SUBMIT_MULTI, &[BoundTx, BoundTrx]),
            (Esme, CommandId::QUERY_SM, &[BoundTx, BoundTrx]),
            (Esme, CommandId::CANCEL_SM, &[BoundTx, BoundTrx]),
            (Esme, CommandId::REPLACE_SM, &[BoundTx, BoundTrx]),
            (Esme, CommandId::DATA_SM, &[BoundTx, BoundTrx]),
            (Smsc, CommandId::DATA_SM, &[BoundRx, BoundTrx]),
            (Smsc, CommandId::DELIVER_SM, &[BoundRx, BoundTrx]),
            (Esme, CommandId::DELIVER_SM, &[]),
            (Smsc, CommandId::ALERT_NOTIFICATION, &[BoundRx, BoundTrx]),
            (Esme, CommandId::ENQUIRE_LINK, &[Open, BoundTx, BoundRx, BoundTrx]),
            (Smsc, CommandId::ENQUIRE_LINK, &[Open, BoundTx, BoundRx, BoundTrx]),
            (Esme, CommandId::UNBIND, &[BoundTx, BoundRx, BoundTrx]),
            (Smsc, CommandId::UNBIND, &[BoundTx, BoundRx, BoundTrx]),
            (Esme, CommandId::SUBMIT_SM_RESP, &all),
            (Smsc, CommandId::GENERIC_NACK, &all),
            (Esme, CommandId(0x0000_0111), &[]),
        ] {
            for state in all {
                let permitted = state.permits(sender, command).is_ok();
                assert_eq!(permitted, allowed.contains(&state), "{sender:?} {command:?} in {state:?}");
            }
        }
    }

    #[test]
    fn refusals_carry_their_status() {
        for (state, command, status) in [
            (State::Open, CommandId::SUBMIT_SM, Status::RINVBNDSTS),
            (State::BoundRx, CommandId::SUBMIT_SM, Status::RINVBNDSTS),
            (State::BoundTx, CommandId::BIND_RECEIVER, Status::RALYBND),
            (State::Unbound, CommandId::BIND_RECEIVER, Status::RINVBNDSTS),
            (State::BoundTrx, CommandId(0x0000_0112), Status::RINVCMDID),
        ] {
            assert_eq!(state.permits(Role::Esme, command), Err(status), "{command:?} in {state:?}");
        }
    }
}
