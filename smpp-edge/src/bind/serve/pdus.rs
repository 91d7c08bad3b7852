//! What is done about each PDU that arrives.

use bytes::Buf;
use smpp::frame::Header;
use smpp::pdu::{DataSm, Sm};
use smpp::{Body, CommandId, Frame, Framer, Policy, Role, Status, decode, encode};

use super::super::flow::Answered;
use super::super::{End, inbound};
use super::{ARRIVALS_MAX, Cause, Now, Phase, Session};
use crate::publish::{Arrived, Request, What};

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
                    self.partial_since = None;
                    self.tap.received(&input[..octets]);
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
        self.partial_since = if input.is_empty() { None } else { self.partial_since.or(Some(now.instant)) };
        self.input = input;
        handled
    }

    fn pdu(&mut self, pdu: &Frame<'_>, now: Now) -> Result<(), End> {
        let Frame { header, body } = pdu;
        if header.command_id.is_response() {
            return self.response(header, body.ok().as_ref(), now);
        }
        let number = header.sequence_number;
        if header.command_id == CommandId::OUTBIND {
            // It asks us to bind and has no answer; we bind unasked.
            return Ok(());
        }
        if let Err(status) = self.state.permits(Role::Smsc, header.command_id) {
            let request = if status == Status::RINVCMDID { CommandId::GENERIC_NACK } else { header.command_id };
            self.refuse(request, status, number);
            return Ok(());
        }
        match body {
            Ok(Body::DeliverSm(sm)) => self.deliver(header, sm, now),
            Ok(Body::DataSm(data)) => self.deliver(header, &as_sm(data), now),
            Ok(Body::EnquireLink) => encode(&mut self.wire.output, Status::ROK, number, &Body::EnquireLinkResp)?,
            Ok(Body::Unbind) => {
                encode(&mut self.wire.output, Status::ROK, number, &Body::UnbindResp)?;
                self.drain(Cause::Unbound);
            }
            // A handset is reachable again: this has no answer and no meaning for us.
            Ok(Body::AlertNotification(_)) => {}
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
            Answered::Fine => {
                self.last_message = now.instant;
                Ok(())
            }
            Answered::Unmatched => Ok(()),
        }
    }

    /// A receipt or a message from a handset is passed on, and answered once it is safe.
    fn deliver(&mut self, header: &Header, sm: &Sm<'_>, now: Now) {
        let Header { command_id, sequence_number, .. } = *header;
        if self.arrivals_open >= ARRIVALS_MAX {
            self.bind.meters.arrivals_refused.increment(1);
            self.refuse(command_id, Status::RX_T_APPN, sequence_number);
            return;
        }
        let what = if inbound::is_receipt(sm, &self.operator.profile) {
            let receipt = inbound::receipt(&self.operator, sm, now.utc);
            self.bind.meters.receipt(receipt.state);
            What::Receipt(receipt)
        } else {
            self.bind.meters.inbound.increment(1);
            What::Inbound(inbound::part(&self.operator, sm, now.utc))
        };
        self.last_message = now.instant;
        self.arrivals_open += 1;
        let request = Request { command_id, sequence_number };
        self.arrived.push(Arrived { what, request, answer: self.answer.clone() });
    }
}

/// `data_sm` says the same in another layout; its text is in `message_payload`.
fn as_sm<'a>(data: &DataSm<'a>) -> Sm<'a> {
    Sm {
        service_type: data.service_type,
        source: data.source,
        destination: data.destination,
        esm_class: data.esm_class,
        registered_delivery: data.registered_delivery,
        data_coding: data.data_coding,
        tlvs: data.tlvs,
        ..Sm::default()
    }
}
