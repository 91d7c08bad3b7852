-- What makes handlers idempotent and publishing certain, and what goes out to customers.
CREATE TABLE inbox (
  envelope_id uuid NOT NULL,
  consumer text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (envelope_id, consumer)
) PARTITION BY RANGE (envelope_id);

-- Used where the queue is not this database: written with the change, published after commit, then deleted.
CREATE TABLE outbox (
  id uuid PRIMARY KEY,
  queue text NOT NULL,
  body bytea NOT NULL,
  delay_ms integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE idempotency_keys (
  account_id uuid NOT NULL,
  key text NOT NULL,
  fingerprint bytea NOT NULL,        -- SHA-256 of method, path and body
  status smallint NOT NULL,
  response bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

CREATE TABLE webhook_endpoints (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts,
  url text NOT NULL,
  events text[] NOT NULL DEFAULT '{}', -- empty: every event
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_endpoints_account ON webhook_endpoints (account_id);

-- One row for each event that goes to a URL: pending, delivered, or parked after the last try.
CREATE TABLE webhook_deliveries (
  id uuid PRIMARY KEY,               -- the event's id: webhook-id
  account_id uuid NOT NULL,
  message_id uuid NOT NULL,
  url text NOT NULL,
  event jsonb NOT NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'parked')),
  attempts smallint NOT NULL DEFAULT 0,
  next_attempt_at timestamptz,
  last_status integer,               -- HTTP status of the last try
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz
);
CREATE INDEX webhook_deliveries_account ON webhook_deliveries (account_id, id);
CREATE INDEX webhook_deliveries_message ON webhook_deliveries (message_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE status = 'pending';

-- How far a sweep has come.
CREATE TABLE sweep_cursors (
  name text PRIMARY KEY,
  at timestamptz NOT NULL
);
