-- Reports of traffic, from counters that are kept as messages end.
--
-- A message counts on the day (UTC) on which it was accepted, once for each account of its price chain and once for the
-- house: each of them (the viewer) sees what it is paid by the account below it and what it pays itself, and nobody
-- sees more. Only the house sees operators and what they cost.

-- The links of a price chain by viewer. They never change.
CREATE TABLE charge_levels (
  chain_id uuid NOT NULL,
  level smallint NOT NULL,        -- 0: the sender
  viewer_id uuid NOT NULL,
  is_house boolean NOT NULL,
  currency char(3) NOT NULL,
  paid_micros bigint NOT NULL,    -- a segment, by the account below; 0 for the sender
  paid_on text,
  pays_micros bigint NOT NULL,    -- a segment, to the account above; 0 for the house, which pays operators
  pays_on text,
  PRIMARY KEY (chain_id, level)
);

-- The id behind the outside form of an account's id.
CREATE FUNCTION account_of(text_form text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  bits bit varying := B'';
  hex text := '';
BEGIN
  FOR place IN 5 .. 30 LOOP
    bits := bits || (strpos('0123456789abcdefghjkmnpqrstvwxyz', substr(text_form, place, 1)) - 1)::bit(5);
  END LOOP;
  FOR place IN 0 .. 31 LOOP
    hex := hex || to_hex(substring(bits FROM place * 4 + 3 FOR 4)::bit(4)::integer);
  END LOOP;
  RETURN hex::uuid;
END $$;

CREATE FUNCTION charge_levels_of(chain_id uuid, chain jsonb) RETURNS SETOF charge_levels
LANGUAGE sql STABLE AS $$
  WITH links AS (
    SELECT (place - 1)::smallint AS level, l, lag(l) OVER (ORDER BY place) AS below
    FROM jsonb_array_elements(chain -> 'links') WITH ORDINALITY AS i (l, place)
  )
  SELECT chain_id, level, account_of(l ->> 'account'), false, chain ->> 'currency',
    coalesce((below ->> 'price_micros')::bigint, 0), below ->> 'charge_on', (l ->> 'price_micros')::bigint, l ->> 'charge_on'
  FROM links WHERE l ->> 'account' <> l ->> 'seller'
  UNION ALL
  -- What the house sends itself earns nothing: it stands at level 0.
  (SELECT chain_id, CASE WHEN l ->> 'account' = l ->> 'seller' THEN 0 ELSE level + 1 END::smallint, account_of(l ->> 'seller'), true, chain ->> 'currency',
    (l ->> 'price_micros')::bigint, l ->> 'charge_on', 0, NULL
  FROM links ORDER BY level DESC LIMIT 1)
$$;

CREATE FUNCTION charge_chain_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO charge_levels SELECT * FROM charge_levels_of(NEW.id, NEW.chain) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER charge_chains_levels AFTER INSERT ON charge_chains FOR EACH ROW EXECUTE FUNCTION charge_chain_stored();
-- Chains are few: one for each price list, not for each message.
INSERT INTO charge_levels SELECT v.* FROM charge_chains c, charge_levels_of(c.id, c.chain) v;

-- Messages before this one are not counted: they ended before there were counters.
CREATE TABLE traffic_start (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  message_id uuid NOT NULL
);
INSERT INTO traffic_start (message_id)
SELECT CASE WHEN EXISTS (SELECT FROM sms_cdr) THEN uuid_at(now()) ELSE '00000000-0000-0000-0000-000000000000' END;

-- What one transaction adds: rows that nobody else waits for. The sweep folds them into the counters.
CREATE TABLE traffic_deltas (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  viewer_id uuid NOT NULL,
  day date NOT NULL,
  account_id uuid NOT NULL,       -- who sent
  mcc_mnc text NOT NULL,
  operator_id uuid,               -- the one that had it last; the house's rows only
  sender text NOT NULL,
  currency char(3) NOT NULL,      -- of revenue
  cost_currency char(3) NOT NULL,
  receipt_bucket smallint NOT NULL, -- of `receipt_buckets`; -1: no receipt
  messages bigint NOT NULL,
  segments bigint NOT NULL,
  accepted_segments bigint NOT NULL,
  delivered bigint NOT NULL,
  unconfirmed bigint NOT NULL,
  revenue_micros bigint NOT NULL, -- paid to the viewer
  cost_micros bigint NOT NULL     -- paid by the viewer
);

CREATE TABLE traffic_counters (
  viewer_id uuid NOT NULL,
  day date NOT NULL,
  account_id uuid NOT NULL,
  mcc_mnc text NOT NULL,
  operator_id uuid NOT NULL,      -- nil: none, or not the viewer's business
  sender text NOT NULL,           -- empty: one of those beyond the bound of senders
  currency char(3) NOT NULL,
  cost_currency char(3) NOT NULL,
  receipt_bucket smallint NOT NULL,
  messages bigint NOT NULL,
  segments bigint NOT NULL,
  accepted_segments bigint NOT NULL,
  delivered bigint NOT NULL,
  unconfirmed bigint NOT NULL,
  revenue_micros bigint NOT NULL,
  cost_micros bigint NOT NULL,
  PRIMARY KEY (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency, receipt_bucket)
) WITH (fillfactor = 60);

-- The senders of an account's day that are counted by name.
CREATE TABLE traffic_senders (
  day date NOT NULL,
  account_id uuid NOT NULL,
  sender text NOT NULL,
  PRIMARY KEY (day, account_id, sender)
);

-- Upper bounds of the times from submit to final receipt, in milliseconds; what takes longer is in the bucket behind.
CREATE FUNCTION receipt_buckets() RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY[100, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 4000, 5000, 7000, 10000, 15000, 20000, 30000, 45000,
    60000, 90000, 120000, 180000, 300000, 600000, 900000, 1800000, 3600000, 7200000, 14400000, 28800000, 43200000,
    86400000, 172800000]
$$;

-- Every CDR that is written is counted by the same statement; one that corrects another takes that back first.
CREATE FUNCTION cdr_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO traffic_deltas (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency,
    receipt_bucket, messages, segments, accepted_segments, delivered, unconfirmed, revenue_micros, cost_micros)
  WITH changed AS (
    SELECT 1 AS sign, c.* FROM added c
    UNION ALL
    SELECT -1, c.* FROM added a JOIN sms_cdr c ON c.message_id = a.message_id AND c.correction = a.correction - 1
    WHERE a.correction > 0
  ), timed AS (
    SELECT c.*, CASE WHEN c.state NOT IN ('delivered', 'undelivered') THEN -1 ELSE coalesce((
      SELECT width_bucket((extract(epoch FROM max(p.receipt_at) - min(p.submitted_at)) * 1000)::integer,
        receipt_buckets()) FROM message_parts p WHERE p.message_id = c.message_id AND p.hop = c.hop), -1) END AS bucket
    FROM changed c WHERE c.message_id >= (SELECT message_id FROM traffic_start)
  ), priced AS (
    SELECT c.*, v.viewer_id, v.is_house, v.currency AS chain_currency,
      CASE v.level WHEN 0 THEN 0 WHEN 1 THEN c.price_micros ELSE v.paid_micros * CASE
        WHEN v.paid_on = 'submit' OR c.state = 'delivered' AND c.correction = 0 THEN c.accepted_segments ELSE 0 END
      END AS revenue,
      CASE WHEN v.is_house THEN c.cost_micros WHEN v.level = 0 THEN c.price_micros ELSE v.pays_micros * CASE
        WHEN v.pays_on = 'submit' OR c.state = 'delivered' AND c.correction = 0 THEN c.accepted_segments ELSE 0 END
      END AS cost
    FROM timed c JOIN charge_levels v ON v.chain_id = c.chain_id
  )
  SELECT viewer_id, (accepted_at AT TIME ZONE 'UTC')::date, account_id, mcc_mnc,
    CASE WHEN is_house THEN operator_id END, sender, chain_currency,
    CASE WHEN is_house THEN coalesce(cost_currency, chain_currency) ELSE chain_currency END, bucket,
    sum(sign), sum(sign * segments), sum(sign * accepted_segments),
    coalesce(sum(sign) FILTER (WHERE state = 'delivered'), 0), coalesce(sum(sign) FILTER (WHERE state = 'unconfirmed'), 0),
    sum(sign * revenue), sum(sign * cost)
  FROM priced GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
  RETURN NULL;
END $$;
CREATE TRIGGER sms_cdr_counted AFTER INSERT ON sms_cdr
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION cdr_counted();
