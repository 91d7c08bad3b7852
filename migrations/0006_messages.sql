-- Messages and what happened to them. Partitioned by id, which carries its time; made ahead, dropped by
-- retention. A message's row is updated three or four times in its life: free space on the page keeps those
-- updates in place (HOT), and no index covers a column that changes.

-- The price chain of a message, from sender to house. Many messages share one; the id is a hash of content.
CREATE TABLE charge_chains (
  id uuid PRIMARY KEY,
  chain jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Ranked candidates and why. Many messages share one; the id is a hash of content.
CREATE TABLE routing_decisions (
  id uuid PRIMARY KEY,
  decision jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE messages (
  id uuid NOT NULL,
  account_id uuid NOT NULL,
  recipient bigint NOT NULL,        -- E.164 digits
  sender text NOT NULL,
  body text NOT NULL,
  encoding text NOT NULL,
  segments smallint NOT NULL CHECK (segments BETWEEN 1 AND 255),
  mcc_mnc text NOT NULL,
  chain_id uuid NOT NULL,
  unit_price_micros bigint NOT NULL, -- the sender's own price of a segment
  charge_on text NOT NULL,           -- the sender's own: submit or delivered
  currency char(3) NOT NULL,
  client_reference text,
  status_url text,
  metadata jsonb,
  expires_at timestamptz NOT NULL,   -- not submitted after this
  due_at timestamptz NOT NULL,       -- final by then: validity and grace
  created_at timestamptz NOT NULL,
  -- what changes:
  state text NOT NULL DEFAULT 'accepted',
  state_rank smallint NOT NULL DEFAULT 0, -- domain::State::rank; 8 and above is final
  code text,                         -- why it ended so
  hop smallint NOT NULL DEFAULT 0,
  operator_id uuid,
  decision_id uuid,
  rate_id uuid,
  unit_cost_micros bigint,
  cost_currency char(3),
  accepted_segments smallint,        -- null until the submit is settled
  captured_micros bigint NOT NULL DEFAULT 0, -- from the sender's wallet
  submit_entry_id uuid,              -- the journal entry that settled the submit
  final_entry_id uuid,               -- the journal entry that settled the end
  corrections smallint NOT NULL DEFAULT 0, -- late receipts that corrected 'unconfirmed'
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX messages_account ON messages (account_id, id);
CREATE INDEX messages_recipient ON messages (account_id, recipient, id);
CREATE INDEX messages_reference ON messages (account_id, client_reference) WHERE client_reference IS NOT NULL;
CREATE INDEX messages_due ON messages (due_at);

CREATE TABLE message_parts (
  message_id uuid NOT NULL,
  hop smallint NOT NULL,
  segment smallint NOT NULL,
  segments smallint NOT NULL,        -- how many the message has
  account_id uuid NOT NULL,
  operator_id uuid NOT NULL,
  smpp_message_id text,
  submit_status bigint,              -- SMPP command_status; null: never answered
  submitted_at timestamptz NOT NULL,
  -- what changes:
  state text NOT NULL,               -- sent, buffered, delivered, undelivered, expired, rejected, failed
  error text,
  receipt text,                      -- as it came
  receipt_at timestamptz,
  PRIMARY KEY (message_id, hop, segment)
) PARTITION BY RANGE (message_id);
CREATE INDEX message_parts_receipt ON message_parts (operator_id, smpp_message_id);

-- Append-only. The event 'accepted' is the message's own row.
CREATE TABLE message_events (
  message_id uuid NOT NULL,
  at timestamptz NOT NULL,
  state text NOT NULL,
  source text NOT NULL,              -- route, bill, dlr, sweep, api
  code text,
  segment smallint,
  operator_id uuid
) PARTITION BY RANGE (message_id);
CREATE INDEX message_events_message ON message_events (message_id);

-- One row for each message that ended; a late receipt that corrects 'unconfirmed' adds a second one.
CREATE TABLE sms_cdr (
  message_id uuid NOT NULL,
  correction smallint NOT NULL DEFAULT 0,
  account_id uuid NOT NULL,
  recipient bigint NOT NULL,
  sender text NOT NULL,
  mcc_mnc text NOT NULL,
  encoding text NOT NULL,
  segments smallint NOT NULL,
  accepted_segments smallint NOT NULL,
  state text NOT NULL,
  code text,
  operator_id uuid,
  hop smallint NOT NULL,
  chain_id uuid NOT NULL,
  rate_id uuid,
  decision_id uuid,
  unit_price_micros bigint NOT NULL,
  price_micros bigint NOT NULL,      -- captured from the sender's wallet
  currency char(3) NOT NULL,
  cost_micros bigint NOT NULL,
  cost_currency char(3),
  capture_entry_id uuid,             -- null: nothing was captured
  client_reference text,
  accepted_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  PRIMARY KEY (message_id, correction)
) PARTITION BY RANGE (message_id);
CREATE INDEX sms_cdr_account ON sms_cdr (account_id, message_id);

-- Receipts that no message was found for, after every look-up. Kept for people.
CREATE TABLE unmatched_receipts (
  id uuid PRIMARY KEY,
  operator_id uuid NOT NULL,
  smpp_message_id text NOT NULL,
  state text NOT NULL,
  error text NOT NULL,
  receipt text NOT NULL,
  received_at timestamptz NOT NULL
);
CREATE INDEX unmatched_receipts_operator ON unmatched_receipts (operator_id, received_at);
