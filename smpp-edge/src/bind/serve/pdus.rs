//! What is done about each PDU that arrives.

use bytes::Buf;
use smpp::frame::Header;
use smpp::pdu::Sm;
use smpp::{Body, CommandId, Frame, Framer, Policy, Role, Status, decode, encode};

use super::super::flow::Answered;
use super::super::{End, inbound};
use super::{Cause, Now, Phase, RECEIPTS_MAX, Session};
use crate::publish::Arrived;

impl Session<'_> {
    /// Handles every whole PDU received so far.
    pub(super) fn receive(&mut self) -> Result<(), End> {
        let framer = Framer::new(smpp::frame::PDU_BYTES_MAX);
        let mut input = std::mem::take(&mut self.input);
        let now = self.now();
        let mut handled = Ok(());
        while handled.is_ok() {
            handled = match framer.peek(&input) {
                Ok(Some(octets)) => {
                    self.last_received = now.instant;
                    let handled = decode(&input[..octets], Policy::Lenient).map_or(Ok(()), |pdu| self.pdu(&pdu, now));
                    input.advance(octets);
                    handled
                }
                Ok(None) => break,
                Err(error) => {
                    self.refuse(Body::GenericNack.command_id(), Status::RINVCMDLEN, 0);
                    Err(error.into())
                }
            };
        }
        self.input = input;
        handled
    }

    fn pdu(&mut self, pdu: &Frame<'_>, now: Now) -> Result<(), End> {
        let Frame { header, body } = pdu;
        if header.command_id.is_response() {
            return self.response(header, body.ok().as_ref(), now);
        }
        let number = header.sequence_number;
        if let Err(status) = self.state.permits(Role::Smsc, header.command_id) {
            let request = if status == Status::RINVCMDID { CommandId::GENERIC_NACK } else { header.command_id };
            self.refuse(request, status, number);
            return Ok(());
        }
        match body {
            Ok(Body::DeliverSm(sm)) => self.deliver(sm, number, now),
            Ok(Body::EnquireLink) => encode(&mut self.wire.output, Status::ROK, number, &Body::EnquireLinkResp)?,
            Ok(Body::Unbind) => {
                encode(&mut self.wire.output, Status::ROK, number, &Body::UnbindResp)?;
                self.drain(Cause::Unbound);
            }
            // A handset is reachable again: this has no answer and no meaning for us.
            Ok(Body::AlertNotification(_)) => {}
            // Messages of handsets have no consumer in this edge.
            Ok(Body::DataSm(_)) => {
                self.bind.meters.inbound_refused.increment(1);
                self.refuse(header.command_id, Status::RX_P_APPN, number);
            }
            Ok(_) => self.refuse(header.command_id, Status::RINVCMDID, number),
            Err(error) => {
                tracing::warn!(operator.id = %self.operator.id, "{:?} of an operator: {error}", header.command_id);
                self.refuse(header.command_id, error.status, number);
            }
        }
        Ok(())
    }

    fn response(&mut self, header: &Header, body: Option<&Body<'_>>, now: Now) -> Result<(), End> {
        let number = header.sequence_number;
        let is = |wanted: Option<u32>| wanted == Some(number);
        if is(self.enquiry.map(|(number, _)| number)) {
            // Any answer will do, also a refusal: it is alive.
            self.enquiry = None;
            return Ok(());
        }
        if self.phase != Phase::Open && is(self.unbind) {
            return Err(self.end());
        }
        if header.command_id == CommandId::GENERIC_NACK && number == 0 {
            return Err(End::Nack);
        }
        let status = match header.command_status {
            // A nack is a refusal, whatever it says.
            Status::ROK if header.command_id == CommandId::GENERIC_NACK => Status::RUNKNOWNERR,
            status => status,
        };
        let id = match body {
            Some(Body::SubmitSmResp(response)) => response.message_id,
            _ => &[],
        };
        let (flow, mut ctx) = self.flow(now);
        match flow.answer(number, status, id, &mut ctx) {
            Answered::SessionLost => Err(End::Lost(status)),
            Answered::Fine | Answered::Unmatched => Ok(()),
        }
    }

    /// A receipt is passed on, and answered once it is safe. A message of a handset is refused for good: nobody
    /// here would read it.
    fn deliver(&mut self, sm: &Sm<'_>, number: u32, now: Now) {
        if !sm.is_receipt() && !sm.is_intermediate() {
            self.bind.meters.inbound_refused.increment(1);
            self.refuse(CommandId::DELIVER_SM, Status::RX_P_APPN, number);
            return;
        }
        if self.receipts_open >= RECEIPTS_MAX {
            self.bind.meters.receipts_refused.increment(1);
            self.refuse(CommandId::DELIVER_SM, Status::RX_T_APPN, number);
            return;
        }
        self.bind.meters.receipts.increment(1);
        self.receipts_open += 1;
        let receipt = inbound::receipt(self.operator.id, sm, now.utc);
        self.arrived.push(Arrived { receipt, sequence_number: number, answer: self.answer.clone() });
    }
}
