// How a script talks with the test that runs it: JSON lines. In come questions, {ask, do, ...}; out go their answers,
// {answer, ...} with the same number, and events, {event, ...}. When the test is gone, so is the script.
'use strict';

const readline = require('readline');

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

exports.options = JSON.parse(process.argv[2] || '{}');
exports.event = (event, more) => say({ event, ...more });

// `verbs` answer a question each: by name, with what the question says; the result may be a promise.
exports.serve = (verbs) => {
  const input = readline.createInterface({ input: process.stdin });
  input.on('line', async (line) => {
    const question = JSON.parse(line);
    try {
      say({ answer: question.ask, ...(await verbs[question.do](question)) });
    } catch (error) {
      say({ answer: question.ask, failed: String(error.stack || error) });
    }
  });
  input.on('close', () => process.exit(0));
};

// What a deliver_sm or submit_sm says, in plain values. `octets` is what the library made of short_message.
exports.told = (pdu) => {
  const content = pdu.short_message.message && pdu.short_message.message.length ? pdu.short_message : pdu.message_payload;
  const message = (content || pdu.short_message).message;
  return {
    from: pdu.source_addr,
    to: pdu.destination_addr,
    esm_class: pdu.esm_class,
    data_coding: pdu.data_coding,
    registered_delivery: pdu.registered_delivery,
    udh: (pdu.short_message.udh || []).map((element) => element.toString('hex')),
    text: Buffer.isBuffer(message) ? '' : message,
    receipted_message_id: pdu.receipted_message_id,
    message_state: pdu.message_state,
  };
};
