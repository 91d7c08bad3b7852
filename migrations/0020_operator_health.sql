-- How operators do at each network: counted as messages flow, judged by the sweep, read by routing.

-- What handlers counted, a row for an envelope, an operator, a network and ten seconds. Only inserted, so that no
-- transaction waits for another; every two seconds the sweep adds them to the tables below and deletes them.
CREATE TABLE operator_count_deltas (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  operator_id uuid NOT NULL,
  mcc_mnc text NOT NULL,
  bucket timestamptz NOT NULL,           -- ten seconds; receipts count in that of their submit
  accepted bigint NOT NULL DEFAULT 0,    -- segments that were answered with success
  refused bigint NOT NULL DEFAULT 0,     -- refused for a reason of the operator's
  rejected bigint NOT NULL DEFAULT 0,    -- refused for one of the message's: bad number, bad sender
  unanswered bigint NOT NULL DEFAULT 0,
  delivered bigint NOT NULL DEFAULT 0,   -- final receipts
  failed bigint NOT NULL DEFAULT 0,      -- final receipts of every other kind
  latency bigint[] NOT NULL DEFAULT array_fill(0::bigint, ARRAY[12]), -- delivered, by domain::routing::health::EDGES_MS
  latency_ms bigint NOT NULL DEFAULT 0,  -- sum over those delivered, each ten minutes at most
  latency_sq bigint NOT NULL DEFAULT 0,  -- sum of squares of the same, in hundredths of a second
  -- what trust is judged by:
  watched bigint NOT NULL DEFAULT 0,     -- delivered messages of accounts that tell what became of theirs
  converted bigint NOT NULL DEFAULT 0,   -- feedback
  not_received bigint NOT NULL DEFAULT 0,
  dead bigint NOT NULL DEFAULT 0,        -- final receipts of messages to numbers that nobody can reach
  dead_delivered bigint NOT NULL DEFAULT 0
);

-- The same by ten seconds, for the windows of health and breakers. Kept for two hours.
CREATE TABLE operator_counts (
  operator_id uuid NOT NULL,
  mcc_mnc text NOT NULL,
  bucket timestamptz NOT NULL,
  accepted bigint NOT NULL,
  refused bigint NOT NULL,
  rejected bigint NOT NULL,
  unanswered bigint NOT NULL,
  delivered bigint NOT NULL,
  failed bigint NOT NULL,
  latency bigint[] NOT NULL,
  PRIMARY KEY (operator_id, mcc_mnc, bucket)
) WITH (fillfactor = 70);
CREATE INDEX operator_counts_bucket ON operator_counts (bucket);

-- The same by day (UTC), for trust. Kept as long as messages.
CREATE TABLE operator_count_days (
  operator_id uuid NOT NULL,
  mcc_mnc text NOT NULL,
  day date NOT NULL,
  accepted bigint NOT NULL,
  delivered bigint NOT NULL,
  failed bigint NOT NULL,
  latency bigint[] NOT NULL,
  latency_ms bigint NOT NULL,
  latency_sq bigint NOT NULL,
  watched bigint NOT NULL,
  converted bigint NOT NULL,
  not_received bigint NOT NULL,
  dead bigint NOT NULL,
  dead_delivered bigint NOT NULL,
  PRIMARY KEY (operator_id, mcc_mnc, day)
) WITH (fillfactor = 70);
CREATE INDEX operator_count_days_day ON operator_count_days (day);

-- What routing reads. Written only when a part changed enough to matter, since every decision stores it.
CREATE TABLE operator_standings (
  operator_id uuid NOT NULL REFERENCES operators,
  mcc_mnc text NOT NULL,                 -- empty: over all networks, for those where too little is known
  success_permille smallint NOT NULL CHECK (success_permille BETWEEN 0 AND 1000),
  delivery_permille smallint NOT NULL CHECK (delivery_permille BETWEEN 0 AND 1000),
  speed_permille smallint NOT NULL CHECK (speed_permille BETWEEN 0 AND 1000),
  trust_permille smallint NOT NULL CHECK (trust_permille BETWEEN 0 AND 1000),
  trust_reasons jsonb NOT NULL DEFAULT '[]',
  at timestamptz NOT NULL,
  PRIMARY KEY (operator_id, mcc_mnc)
) WITH (fillfactor = 70);

-- Circuit breakers that are not closed, or were not always. None: closed.
CREATE TABLE operator_breakers (
  operator_id uuid NOT NULL REFERENCES operators,
  mcc_mnc text NOT NULL,
  state text NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
  since timestamptz NOT NULL,
  until timestamptz,                     -- of an open one: when it lets probes through; null: when a person closes it
  openings smallint NOT NULL,            -- one after the other; each waits twice as long as the one before
  reason text NOT NULL,
  made_by text NOT NULL,                 -- `system`, or the key or user that turned it by hand
  probes_left smallint NOT NULL DEFAULT 0, -- of a half-open one: messages that may still go in these ten seconds
  probes_at timestamptz,                 -- when those began
  PRIMARY KEY (operator_id, mcc_mnc)
) WITH (fillfactor = 50);

-- One row: the version of standings, breakers and caps. They change every few seconds, the catalogue seldom.
CREATE TABLE standings_version (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version bigint NOT NULL
) WITH (fillfactor = 20);
INSERT INTO standings_version (version) VALUES (1);

-- Health no longer makes a new catalogue. The table is not written any more.
DROP TRIGGER operator_health_changed ON operator_health_metrics;
COMMENT ON TABLE operator_health_metrics IS 'Not written any more; see operator_standings.';
