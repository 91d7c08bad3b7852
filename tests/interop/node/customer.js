// node-smpp as a customer. Options: port, and for TLS: ca (PEM). Tells "deliver" of every deliver_sm and "closed".
'use strict';

const smpp = require('smpp');
const { options, event, serve, told } = require('./lines');

// What one GSM 7-bit or UCS-2 segment holds behind a concatenation header.
const PART_CHARACTERS = { gsm: 153, ucs2: 67 };
const CODING = { gsm: 0, ucs2: 8 };

let session;
let reference = 0;

const answered = (send) => new Promise((done) => {
  if (!send(done)) done({ command_status: -1 });
});

function connect() {
  const secure = options.ca ? { tls: true, ca: options.ca, servername: 'localhost' } : {};
  session = smpp.connect({ host: '127.0.0.1', port: options.port, ...secure });
  session.on('deliver_sm', (pdu) => {
    event('deliver', told(pdu));
    session.send(pdu.response());
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => session.send(pdu.response()));
  session.on('close', () => event('closed'));
  session.on('error', (error) => event('error', { why: String(error) }));
  return new Promise((done) => session.on(options.ca ? 'secureConnect' : 'connect', done));
}

function message(question) {
  return {
    source_addr: question.from,
    source_addr_ton: 5,
    source_addr_npi: 0,
    destination_addr: question.to,
    dest_addr_ton: 1,
    dest_addr_npi: 1,
    registered_delivery: question.receipt ? 1 : 0,
    data_coding: CODING[question.coding || 'gsm'],
    ...(question.more || {}),
  };
}

function parts({ text, coding }) {
  const size = PART_CHARACTERS[coding || 'gsm'];
  if (text.length <= size) return [text];
  const total = Math.ceil(text.length / size);
  reference = (reference + 1) & 255;
  return Array.from({ length: total }, (_, part) => ({
    udh: Buffer.from([5, 0, 3, reference, total, part + 1]),
    message: text.slice(part * size, (part + 1) * size),
  }));
}

serve({
  async bind({ type, system_id, password }) {
    await connect();
    const said = { system_id, password, interface_version: 0x34 };
    const answer = await answered((done) => session[`bind_${type || 'transceiver'}`](said, done));
    return { status: answer.command_status, system_id: answer.system_id, version: answer.sc_interface_version };
  },
  // One message, in as many parts as it needs, all under way at once.
  async submit(question) {
    const sent = parts(question).map((short_message) =>
      answered((done) => session.submit_sm({ ...message(question), short_message }, done)));
    const answers = await Promise.all(sent);
    return { statuses: answers.map((one) => one.command_status), ids: answers.map((one) => one.message_id || '') };
  },
  // `count` messages at once, whatever the window.
  async flood(question) {
    const sent = Array.from({ length: question.count }, () =>
      answered((done) => session.submit_sm({ ...message(question), short_message: question.text }, done)));
    const answers = await Promise.all(sent);
    return { statuses: answers.map((one) => one.command_status), ids: answers.map((one) => one.message_id || '') };
  },
  async submit_multi(question) {
    const { destination_addr, dest_addr_ton, dest_addr_npi, ...rest } = message(question);
    const dest_address = question.tos.map((addr) => ({ destination_addr: addr, dest_addr_ton: 1, dest_addr_npi: 1 }));
    const said = { ...rest, dest_address, short_message: question.text };
    const answer = await answered((done) => session.submit_multi(said, done));
    const refused = (answer.unsuccess_sme || []).map((one) => [one.destination_addr, one.error_status_code]);
    return { status: answer.command_status, id: answer.message_id, refused };
  },
  async data(question) {
    const said = { ...message(question), message_payload: question.text };
    const answer = await answered((done) => session.data_sm(said, done));
    return { status: answer.command_status, id: answer.message_id };
  },
  async query({ id, from }) {
    const said = { message_id: id, source_addr: from, source_addr_ton: 5, source_addr_npi: 0 };
    const answer = await answered((done) => session.query_sm(said, done));
    return { status: answer.command_status, id: answer.message_id, state: answer.message_state };
  },
  async cancel({ id, from, to }) {
    const said = {
      message_id: id, source_addr: from, source_addr_ton: 5, source_addr_npi: 0,
      destination_addr: to, dest_addr_ton: 1, dest_addr_npi: 1,
    };
    const answer = await answered((done) => session.cancel_sm(said, done));
    return { status: answer.command_status };
  },
  async replace({ id, from, text }) {
    const said = { message_id: id, source_addr: from, source_addr_ton: 5, source_addr_npi: 0, short_message: text };
    const answer = await answered((done) => session.replace_sm(said, done));
    return { status: answer.command_status };
  },
  async link() {
    const answer = await answered((done) => session.enquire_link(done));
    return { status: answer.command_status };
  },
  async unbind() {
    const answer = await answered((done) => session.unbind(done));
    session.close();
    return { status: answer.command_status };
  },
});
