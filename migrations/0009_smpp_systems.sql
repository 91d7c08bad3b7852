-- Customers over SMPP: who may bind, who is bound, and what their submits say beyond a message of the API.
CREATE TABLE smpp_systems (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts,
  system_id text NOT NULL UNIQUE CHECK (length(system_id) BETWEEN 1 AND 15),
  password_hash bytea NOT NULL, -- HMAC-SHA-256 with the platform's key
  transmitters integer NOT NULL DEFAULT 2 CHECK (transmitters BETWEEN 0 AND 1000),
  receivers integer NOT NULL DEFAULT 2 CHECK (receivers BETWEEN 0 AND 1000),
  transceivers integer NOT NULL DEFAULT 2 CHECK (transceivers BETWEEN 0 AND 1000),
  addresses text[] NOT NULL DEFAULT '{}',        -- networks it may come from; empty: any
  segments_per_second integer NOT NULL DEFAULT 0 CHECK (segments_per_second >= 0), -- 0: no limit of its own
  burst integer NOT NULL DEFAULT 100 CHECK (burst BETWEEN 1 AND 1000000),
  window_size integer NOT NULL DEFAULT 100 CHECK (window_size BETWEEN 1 AND 10000),
  senders text[] NOT NULL DEFAULT '{}',          -- of those of the account; empty: all of them
  default_sender text,
  default_alphabet text NOT NULL DEFAULT 'gsm7',
  receipts jsonb NOT NULL DEFAULT '{}',          -- contract::system::ReceiptStyle
  inbound text NOT NULL DEFAULT 'parts' CHECK (inbound IN ('parts', 'payload')),
  service_types jsonb NOT NULL DEFAULT '{}',     -- service_type to traffic class
  enabled boolean NOT NULL DEFAULT true,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX smpp_systems_account ON smpp_systems (account_id, id);
COMMENT ON TABLE smpp_systems IS 'How customers may bind over SMPP. A deleted one keeps its row and frees its name.';
CREATE TRIGGER smpp_systems_changed AFTER INSERT OR UPDATE OR DELETE ON smpp_systems
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();

CREATE TABLE smpp_sessions (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL,
  smpp_system_id uuid NOT NULL,
  edge_id text NOT NULL,
  status jsonb NOT NULL,      -- contract::system::SessionStatus, as its edge reported it last
  cut_at timestamptz,         -- somebody wants it closed; told to its edge in answer to its report
  at timestamptz NOT NULL
) WITH (fillfactor = 20);
CREATE INDEX smpp_sessions_account ON smpp_sessions (account_id, id);
CREATE INDEX smpp_sessions_edge ON smpp_sessions (edge_id);
COMMENT ON TABLE smpp_sessions IS 'Live sessions of customers; what an edge no longer reports is gone.';

ALTER TABLE operators
  ADD COLUMN profile jsonb NOT NULL DEFAULT '{}', -- contract::profile::Profile
  ADD COLUMN tls_key_sealed bytea;                -- the key of our certificate there, AES-256-GCM

ALTER TABLE messages
  ADD COLUMN smpp_system_id uuid,          -- submitted by this system, which gets the receipts
  ADD COLUMN registered_delivery smallint, -- as the customer asked (SMPP 3.4 section 5.2.17)
  ADD COLUMN receipt_id uuid,              -- the id that the customer was told, where it is not this one
  ADD COLUMN smpp jsonb,                   -- contract::fields::SmppFields: passed on to the operator
  ADD COLUMN scheduled_at timestamptz,     -- not submitted before this
  ADD COLUMN traffic_class text,
  ADD COLUMN long_head uuid,               -- the customer cut a message: the part that stands for the whole
  ADD COLUMN long_part smallint,
  ADD COLUMN long_total smallint;
CREATE INDEX messages_long ON messages (long_head) WHERE long_head IS NOT NULL;
CREATE INDEX messages_scheduled ON messages (scheduled_at) WHERE state = 'scheduled';
