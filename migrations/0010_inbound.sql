-- Messages from handsets: whose they are, their parts until they are whole, and who wants no more.
CREATE TABLE inbound_rules (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts,
  number text NOT NULL CHECK (length(number) BETWEEN 1 AND 20), -- number or short code, digits or letters
  operator_id uuid,                          -- null: at any operator
  keyword text,                              -- first word, upper case; null: every message that no keyword claims
  smpp_system_id uuid REFERENCES smpp_systems,
  url text,
  stop_words text[] NOT NULL DEFAULT '{STOP,STOPALL,UNSUBSCRIBE,CANCEL,END,QUIT}', -- upper case
  start_words text[] NOT NULL DEFAULT '{START,UNSTOP}',
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (smpp_system_id IS NOT NULL OR url IS NOT NULL)
);
CREATE UNIQUE INDEX inbound_rules_once
  ON inbound_rules (number, coalesce(operator_id, '00000000-0000-0000-0000-000000000000'), coalesce(keyword, ''));
CREATE INDEX inbound_rules_account ON inbound_rules (account_id, id);

CREATE TABLE inbound_parts (
  id uuid PRIMARY KEY,                       -- made by the edge: the same part twice is stored once
  operator_id uuid NOT NULL,
  sender text NOT NULL,
  recipient text NOT NULL,
  reference integer NOT NULL,
  total smallint NOT NULL,
  part smallint NOT NULL,
  item jsonb NOT NULL,                       -- contract::inbound::InboundPart
  received_at timestamptz NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(), -- the others are waited for from here on: it may have lain in a queue
  message_id uuid                            -- the message that it went into; null: it waits
);
CREATE INDEX inbound_parts_key ON inbound_parts (operator_id, sender, recipient, reference, total);
CREATE INDEX inbound_parts_received ON inbound_parts (received_at);
CREATE INDEX inbound_parts_waiting ON inbound_parts (stored_at) WHERE message_id IS NULL;
COMMENT ON TABLE inbound_parts IS 'Parts of long messages: they wait for the others, and stay for a while, so that one that comes again is known.';

CREATE TABLE inbound_messages (
  id uuid PRIMARY KEY,                       -- UUID v7
  account_id uuid,                           -- null: no rule claims it
  rule_id uuid,
  operator_id uuid NOT NULL,
  sender text NOT NULL,                      -- the handset
  recipient text NOT NULL,
  body text NOT NULL,
  encoding text NOT NULL,
  parts smallint NOT NULL,
  partial boolean NOT NULL DEFAULT false,
  action text CHECK (action IN ('opt_out', 'opt_in')), -- what it did besides being delivered
  received_at timestamptz NOT NULL
);
CREATE INDEX inbound_messages_account ON inbound_messages (account_id, id);

CREATE TABLE opt_outs (
  account_id uuid NOT NULL REFERENCES accounts,
  recipient bigint NOT NULL,                 -- E.164 digits
  sender text NOT NULL DEFAULT '',           -- lower case; empty: of every sender
  id uuid NOT NULL UNIQUE,                   -- UUID v7: the order of lists
  source text NOT NULL,                      -- 'inbound' with the message's id, or who stored it by the API
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, recipient, sender)
);
COMMENT ON TABLE opt_outs IS 'Who wants no more messages of an account: refused at the intake.';
