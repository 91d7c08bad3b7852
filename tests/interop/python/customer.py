"""smpplib as a customer. Options: port, and for TLS: ca (PEM). Tells "deliver" of every deliver_sm.

Talks with the test in JSON lines: in come questions, {ask, do, ...}; out go their answers, {answer, ...} with the same
number, and events, {event, ...}. When the test is gone, so is the script.
"""

import json
import logging
import os
import select
import ssl
import sys

from smpplib import consts, exceptions, gsm
from smpplib.client import Client

CODING = {"gsm": consts.SMPP_ENCODING_DEFAULT, "ucs2": consts.SMPP_ENCODING_ISO10646}


def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def text_of(octets, data_coding):
    """smpplib decodes nothing itself; its GSM table does for what stands in no extension table."""
    if data_coding == 8:
        return octets.decode("utf-16-be")
    return "".join(gsm.GSM_CHARACTER_TABLE[octet] for octet in octets)


class Customer:
    def __init__(self, options):
        self.options = options
        self.client = None
        self.answers = {}

    # What smpplib calls.

    def keep(self, pdu):
        self.answers[pdu.sequence] = pdu

    def deliver(self, pdu):
        octets = pdu.short_message or getattr(pdu, "message_payload", None) or b""
        esm_class = pdu.esm_class or 0
        udh = b""
        if esm_class & 0x40:
            udh, octets = octets[1 : octets[0] + 1], octets[octets[0] + 1 :]
        receipted = getattr(pdu, "receipted_message_id", None)
        state = getattr(pdu, "message_state", None)
        say(
            event="deliver",
            **{"from": (pdu.source_addr or b"").decode(), "to": (pdu.destination_addr or b"").decode()},
            esm_class=esm_class,
            data_coding=pdu.data_coding or 0,
            udh=[udh.hex()] if udh else [],
            text=text_of(octets, pdu.data_coding or 0),
            receipted_message_id=receipted.rstrip(b"\0").decode() if receipted else None,
            message_state=state,
        )

    def until_answered(self, sequences):
        while not all(sequence in self.answers for sequence in sequences):
            self.client.read_once(auto_send_enquire_link=False)
        return [self.answers.pop(sequence) for sequence in sequences]

    # What the test asks for.

    def bind(self, question):
        secure = None
        if "ca" in self.options:
            # smpplib gives no name to compare, and sends none.
            secure = ssl.create_default_context(cadata=self.options["ca"])
            secure.check_hostname = False
        port = self.options["port"]
        self.client = Client("127.0.0.1", port, timeout=30, ssl_context=secure, allow_unknown_opt_params=True)
        self.client.set_message_sent_handler(self.keep)
        self.client.set_query_resp_handler(self.keep)
        self.client.set_error_pdu_handler(self.keep)
        self.client.set_message_received_handler(self.deliver)
        self.client.connect()
        bind = getattr(self.client, "bind_" + question.get("type", "transceiver"))
        try:
            answer = bind(system_id=question["system_id"], password=question["password"])
        except exceptions.PDUError as refused:
            self.client.disconnect()
            return {"status": refused.args[1]}
        name = (answer.system_id or b"").decode()
        return {"status": answer.status, "system_id": name, "version": answer.sc_interface_version}

    def send(self, question, parts, coding, esm_class):
        sent = [
            self.client.send_message(
                source_addr_ton=consts.SMPP_TON_ALNUM,
                source_addr_npi=consts.SMPP_NPI_UNK,
                source_addr=question["from"],
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr=question["to"],
                short_message=part,
                data_coding=coding,
                esm_class=esm_class,
                registered_delivery=bool(question.get("receipt")),
                **question.get("more", {}),
            ).sequence
            for part in parts
        ]
        answers = self.until_answered(sent)
        ids = [(getattr(answer, "message_id", None) or b"").decode() for answer in answers]
        return {"statuses": [answer.status for answer in answers], "ids": ids}

    def submit(self, question):
        return self.send(question, *gsm.make_parts(question["text"], CODING[question.get("coding", "gsm")]))

    def flood(self, question):
        parts, coding, esm_class = gsm.make_parts(question["text"])
        return self.send(question, parts * question["count"], coding, esm_class)

    def query(self, question):
        sent = self.client.query_message(
            message_id=question["id"],
            source_addr_ton=consts.SMPP_TON_ALNUM,
            source_addr_npi=consts.SMPP_NPI_UNK,
            source_addr=question["from"],
        )
        [answer] = self.until_answered([sent.sequence])
        if answer.is_error():
            return {"status": answer.status}
        return {"status": 0, "id": answer.message_id.decode(), "state": answer.message_state}

    def unbind(self, _):
        answer = self.client.unbind()
        self.client.disconnect()
        self.client = None
        return {"status": answer.status}

    # Both at once: what the operator says, and what the test says.

    def run(self):
        pending = b""
        while True:
            socket = self.client._socket if self.client else None
            # What TLS has read already, `select` does not see.
            is_buffered = isinstance(socket, ssl.SSLSocket) and socket.pending() > 0
            sources = [0] + ([socket] if socket else [])
            ready, _, _ = select.select(sources, [], [], 0 if is_buffered else None)
            if 0 not in ready:
                try:
                    self.client.read_once(auto_send_enquire_link=False)
                except exceptions.ConnectionError:
                    self.client.disconnect()
                    say(event="closed")
                continue
            read = os.read(0, 65536)
            if not read:
                return
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                question = json.loads(line)
                try:
                    say(answer=question["ask"], **getattr(self, question["do"])(question))
                except Exception as error:  # the test decides what that means
                    say(answer=question["ask"], failed=repr(error))


logging.disable(logging.CRITICAL)
Customer(json.loads(sys.argv[1])).run()
