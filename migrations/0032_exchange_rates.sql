-- Exchange rates: dated, never edited: a new row closes the one before it. What suppliers take in one currency and
-- customers pay in another is compared, guarded and booked by the row in force.
CREATE TABLE exchange_rates (
  id uuid PRIMARY KEY,
  from_currency char(3) NOT NULL CHECK (from_currency ~ '^[A-Z]{3}$'),
  to_currency char(3) NOT NULL CHECK (to_currency ~ '^[A-Z]{3}$' AND to_currency <> from_currency),
  rate_nanos bigint NOT NULL CHECK (rate_nanos > 0), -- how much of to_currency one of from_currency is, in 10^-9
  spread_ppm integer NOT NULL DEFAULT 0 CHECK (spread_ppm BETWEEN 0 AND 500000), -- what an exchange costs on top
  reason text NOT NULL DEFAULT '',
  made_by text NOT NULL,
  effective_from timestamptz NOT NULL,
  effective_to timestamptz CHECK (effective_to > effective_from),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT exchange_rates_do_not_overlap EXCLUDE USING gist (
    from_currency WITH =, to_currency WITH =, tstzrange(effective_from, effective_to) WITH &&)
);
CREATE TRIGGER exchange_rates_changed AFTER INSERT OR UPDATE OR DELETE ON exchange_rates
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();

-- The cost of a segment in the message's own currency, fixed when it gets its operator: by this row, without the spread,
-- and the spread. Null: the cost is in that currency already, or no exchange rate was in force.
ALTER TABLE messages
  ADD COLUMN exchange_rate_id uuid,
  ADD COLUMN unit_exchanged_micros bigint,
  ADD COLUMN unit_spread_micros bigint;
ALTER TABLE message_hops
  ADD COLUMN exchange_rate_id uuid,
  ADD COLUMN unit_exchanged_micros bigint,
  ADD COLUMN unit_spread_micros bigint;
ALTER TABLE sms_cdr
  ADD COLUMN exchange_rate_id uuid,     -- of the last hop
  ADD COLUMN exchanged_micros bigint,   -- what hops in other currencies cost, by the rates, in the currency of the price
  ADD COLUMN spread_micros bigint,      -- what their exchanges cost on top
  ADD COLUMN converted_micros bigint;   -- what all hops cost in the currency of the price, exchanges and all; null: nobody
                                        -- can tell, or the record is older than this column (see cdr_converted)

-- What an operator takes for segments, in the currency of the price; null: nobody can tell.
CREATE FUNCTION converted(unit_cost bigint, cost_currency char(3), currency char(3), unit_exchanged bigint,
  unit_spread bigint, taken integer) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN unit_cost IS NULL OR taken = 0 THEN 0 WHEN cost_currency = currency THEN unit_cost * taken
    ELSE (unit_exchanged + unit_spread) * taken END
$$;

-- The same of a record: those from before there were exchange rates know it where there was one currency.
CREATE FUNCTION cdr_converted(converted bigint, cost bigint, cost_currency char(3), currency char(3), hops jsonb)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(converted,
    CASE WHEN coalesce(cost_currency, currency) = currency AND hops IS NULL OR cost = 0 AND hops IS NULL THEN cost END)
$$;

-- What the hops of a message before its last cost, in the currency of its price: by exchange rates, the spreads of these,
-- and all of it.
CREATE FUNCTION hops_exchanged(message uuid, last_hop smallint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(h.unit_exchanged_micros * h.accepted_segments), 0)::bigint FROM message_hops h
  WHERE h.message_id = message AND h.hop < last_hop
$$;
CREATE FUNCTION hops_spread(message uuid, last_hop smallint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(h.unit_spread_micros * h.accepted_segments), 0)::bigint FROM message_hops h
  WHERE h.message_id = message AND h.hop < last_hop
$$;
CREATE FUNCTION hops_converted(message uuid, last_hop smallint, currency char(3)) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN bool_or(own IS NULL) THEN NULL ELSE coalesce(sum(own), 0)::bigint END FROM (
    SELECT converted(h.unit_cost_micros, h.cost_currency, currency, h.unit_exchanged_micros, h.unit_spread_micros,
      coalesce(h.accepted_segments, 0)) AS own
    FROM message_hops h WHERE h.message_id = message AND h.hop < last_hop
  ) hops
$$;

CREATE OR REPLACE FUNCTION hops_record(message uuid, last_hop smallint) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_agg(jsonb_build_object('hop', h.hop, 'operator_id', h.operator_id, 'rate_id', h.rate_id,
      'accepted_segments', coalesce(h.accepted_segments, 0), 'unit_cost_micros', h.unit_cost_micros,
      'cost_currency', h.cost_currency, 'exchange_rate_id', h.exchange_rate_id,
      'unit_exchanged_micros', h.unit_exchanged_micros, 'unit_spread_micros', h.unit_spread_micros, 'state', (
        SELECT string_agg(DISTINCT p.state, ',') FROM message_parts p
        WHERE p.message_id = h.message_id AND p.hop = h.hop)) ORDER BY h.hop)
  FROM message_hops h WHERE h.message_id = message AND h.hop < last_hop
$$;

-- An exchange moves a supplier's cost from its currency into that of the price: `supplier_cost` and `fx` in each of the
-- two, and `fx_spread` for what the exchange itself costs. Operations and ledgers grow in several migrations: each adds to
-- what is there.
DO $$
DECLARE
  widened record;
  definition text;
BEGIN
  FOR widened IN SELECT * FROM (VALUES
    ('balance_ledger_operation_check', '''hold''::text', '''hold''::text, ''exchange''::text'),
    ('balance_ledger_ledger_check', '''wallet''::text', '''wallet''::text, ''fx''::text, ''fx_spread''::text')
  ) AS v (name, anchor, grown) LOOP
    SELECT pg_get_constraintdef(oid) INTO STRICT definition FROM pg_constraint
      WHERE conrelid = 'balance_ledger'::regclass AND conname = widened.name;
    EXECUTE format('ALTER TABLE balance_ledger DROP CONSTRAINT %I', widened.name);
    EXECUTE format('ALTER TABLE balance_ledger ADD CONSTRAINT %I %s', widened.name,
      replace(definition, widened.anchor, widened.grown));
  END LOOP;
END $$;
