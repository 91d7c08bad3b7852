// node-smpp as an operator. Options: system_id, password, and for TLS: key and cert (PEM), ca (PEM of those whose
// clients' certificates are asked for). Tells {event: "listening", port}, "bound", "submit", "delivered", "linked",
// "closed". A message to a number that ends with 9 is not delivered.
'use strict';

const smpp = require('smpp');
const { options, event, serve, told } = require('./lines');

const bound = new Set();
let last = 0;

function bind(session, pdu) {
  const status =
    pdu.system_id !== options.system_id ? smpp.ESME_RINVSYSID
      : pdu.password !== options.password ? smpp.ESME_RINVPASWD
        : smpp.ESME_ROK;
  session.send(pdu.response({ command_status: status, system_id: 'node', sc_interface_version: 0x34 }));
  event('bound', { status, type: pdu.command, interface_version: pdu.interface_version });
  if (status === smpp.ESME_ROK) {
    bound.add(session);
    session.enquire_link((answer) => event('linked', { status: answer.command_status }));
  }
}

function receipt(session, pdu, id) {
  const failed = pdu.destination_addr.endsWith('9');
  const state = failed ? 'UNDELIV' : 'DELIVRD';
  const date = new Date().toISOString().replace(/\D/g, '').slice(2, 12);
  const text = `id:${id} sub:001 dlvrd:${failed ? '000' : '001'} submit date:${date} done date:${date} ` +
    `stat:${state} err:${failed ? '005' : '000'} text:`;
  const said = {
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    short_message: Buffer.from(text, 'ascii'),
    data_coding: 0,
    receipted_message_id: id,
    message_state: failed ? smpp.MESSAGE_STATE.UNDELIVERABLE : smpp.MESSAGE_STATE.DELIVERED,
  };
  session.deliver_sm(said, (answer) => event('delivered', { id, status: answer.command_status }));
}

function submit(session, pdu) {
  const id = `node-${++last}`;
  event('submit', { id, ...told(pdu) });
  session.send(pdu.response({ message_id: id }));
  if (pdu.registered_delivery & 1) receipt(session, pdu, id);
}

const secure = options.key ? { key: options.key, cert: options.cert } : {};
if (options.ca) Object.assign(secure, { ca: options.ca, requestCert: true, rejectUnauthorized: true });

const server = smpp.createServer(secure, (session) => {
  for (const command of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(command, (pdu) => bind(session, pdu));
  }
  session.on('submit_sm', (pdu) => submit(session, pdu));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
  session.on('error', () => {});
  session.on('close', () => {
    bound.delete(session);
    event('closed');
  });
});
server.on('tlsClientError', (error) => event('refused', { why: error.message }));
server.listen(0, '127.0.0.1', () => event('listening', { port: server.address().port }));

serve({
  // A message from a handset, to any bound session.
  deliver({ from, to, text }) {
    const [session] = bound;
    const message = { source_addr: from, source_addr_ton: 1, source_addr_npi: 1, destination_addr: to, short_message: text };
    return new Promise((done) => session.deliver_sm(message, (answer) => done({ status: answer.command_status })));
  },
  // Closes every connection without a word.
  drop() {
    for (const session of bound) session.destroy();
    return {};
  },
});
