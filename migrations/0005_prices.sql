-- Sell prices, buy rates and numbering. Dated, never edited: a new row closes the one before it.
CREATE TABLE tariffs (
  id uuid PRIMARY KEY,
  plan_id uuid NOT NULL REFERENCES tariff_plans,
  mcc text NOT NULL CHECK (mcc ~ '^[0-9]{3}$'),
  mnc text CHECK (mnc ~ '^[0-9]{2,3}$'), -- null: the default of the country
  price_micros bigint NOT NULL CHECK (price_micros >= 0),
  charge_on text NOT NULL DEFAULT 'submit' CHECK (charge_on IN ('submit', 'delivered')),
  effective_from timestamptz NOT NULL,
  effective_to timestamptz CHECK (effective_to > effective_from),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT tariffs_do_not_overlap EXCLUDE USING gist (
    plan_id WITH =, mcc WITH =, (coalesce(mnc, '')) WITH =, tstzrange(effective_from, effective_to) WITH &&)
);

CREATE TABLE operators (
  id uuid PRIMARY KEY,
  name text NOT NULL UNIQUE,
  host text NOT NULL,
  port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
  system_id text NOT NULL,
  password_sealed bytea NOT NULL, -- AES-256-GCM with the platform's key
  system_type text NOT NULL DEFAULT '',
  bind_type text NOT NULL DEFAULT 'transceiver' CHECK (bind_type IN ('transceiver', 'transmitter', 'receiver')),
  binds integer NOT NULL DEFAULT 1 CHECK (binds BETWEEN 1 AND 100),
  window_size integer NOT NULL DEFAULT 10 CHECK (window_size BETWEEN 1 AND 10000),
  tps integer NOT NULL DEFAULT 0 CHECK (tps >= 0), -- segments per second over all binds; 0: no limit
  priority smallint NOT NULL DEFAULT 100,          -- among equal costs the smaller is chosen
  enabled boolean NOT NULL DEFAULT true,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE operator_rates (
  id uuid PRIMARY KEY,
  operator_id uuid NOT NULL REFERENCES operators,
  mcc text NOT NULL CHECK (mcc ~ '^[0-9]{3}$'),
  mnc text CHECK (mnc ~ '^[0-9]{2,3}$'),
  price_micros bigint NOT NULL CHECK (price_micros >= 0),
  currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  effective_from timestamptz NOT NULL,
  effective_to timestamptz CHECK (effective_to > effective_from),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT operator_rates_do_not_overlap EXCLUDE USING gist (
    operator_id WITH =, mcc WITH =, (coalesce(mnc, '')) WITH =, tstzrange(effective_from, effective_to) WITH &&)
);

-- What an edge last said of its sessions with an operator.
CREATE TABLE operator_binds (
  operator_id uuid NOT NULL,
  edge_id text NOT NULL,
  bound integer NOT NULL, -- sessions that can transmit
  binds jsonb NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (operator_id, edge_id)
) WITH (fillfactor = 20);

-- Submits and receipts of the recent past, by operator: the health that breaks ties.
CREATE TABLE operator_health_metrics (
  operator_id uuid PRIMARY KEY REFERENCES operators,
  submits integer NOT NULL,
  accepted integer NOT NULL,
  health_permille smallint NOT NULL CHECK (health_permille BETWEEN 0 AND 1000),
  at timestamptz NOT NULL
);

CREATE TABLE mcc_mnc_prefixes (
  id uuid PRIMARY KEY,
  prefix text NOT NULL UNIQUE CHECK (prefix ~ '^[1-9][0-9]{0,14}$'),
  mcc text NOT NULL CHECK (mcc ~ '^[0-9]{3}$'),
  mnc text CHECK (mnc ~ '^[0-9]{2,3}$'),
  operator_name text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Numbers that moved (portability) or were looked up: they go before the prefix.
CREATE TABLE number_overrides (
  number bigint PRIMARY KEY CHECK (number BETWEEN 1000000 AND 999999999999999),
  mcc text NOT NULL CHECK (mcc ~ '^[0-9]{3}$'),
  mnc text CHECK (mnc ~ '^[0-9]{2,3}$'),
  source text NOT NULL,
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Sender IDs that an account registered, and what came of it.
CREATE TABLE sender_ids (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts,
  sender text NOT NULL CHECK (length(sender) BETWEEN 1 AND 15),
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
  reason text,
  decided_by text,
  decided_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX sender_ids_once ON sender_ids (account_id, lower(sender));

CREATE TRIGGER tariffs_changed AFTER INSERT OR UPDATE OR DELETE ON tariffs
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER operators_changed AFTER INSERT OR UPDATE OR DELETE ON operators
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER operator_rates_changed AFTER INSERT OR UPDATE OR DELETE ON operator_rates
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER operator_health_changed AFTER INSERT OR UPDATE OR DELETE ON operator_health_metrics
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER mcc_mnc_prefixes_changed AFTER INSERT OR UPDATE OR DELETE ON mcc_mnc_prefixes
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER number_overrides_changed AFTER INSERT OR UPDATE OR DELETE ON number_overrides
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER sender_ids_changed AFTER INSERT OR UPDATE OR DELETE ON sender_ids
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
