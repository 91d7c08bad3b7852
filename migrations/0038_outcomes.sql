-- When money is taken that depends on the outcome.
--
-- An operator may bill what it delivers, and not what it accepts: its rates say so, like tariffs. And how a message ended
-- for those that pay on delivery is a word of its own, beside the state: an error may be charged like a delivery, and what
-- was never receipted is charged or not as each tariff of the chain says, until a late receipt corrects it.
ALTER TABLE operator_rates
  ADD COLUMN charge_on text NOT NULL DEFAULT 'submit' CHECK (charge_on IN ('submit', 'delivered'));
COMMENT ON COLUMN operator_rates.charge_on IS 'When the operator takes its money: for what it accepts, or for what it delivers.';
ALTER TABLE tariffs
  ADD COLUMN on_unconfirmed text NOT NULL DEFAULT 'release' CHECK (on_unconfirmed IN ('release', 'capture'));
COMMENT ON COLUMN tariffs.on_unconfirmed IS
  'What becomes of the hold where the tariff charges on delivery and no receipt came in validity and grace.';

ALTER TABLE messages
  ADD COLUMN cost_charge_on text NOT NULL DEFAULT 'submit', -- the rate's: submit or delivered
  ADD COLUMN outcome text,                                  -- free, billable or unconfirmed; null while it is under way
  ADD COLUMN late_entry_id uuid;                            -- the entry of the receipt that corrected `unconfirmed`
COMMENT ON COLUMN messages.hop_accepted IS
  'Segments that the operator of this hop is paid for: what it accepted, or delivered, as its rate says. Null: nothing yet.';
ALTER TABLE message_hops ADD COLUMN cost_charge_on text NOT NULL DEFAULT 'submit';
COMMENT ON COLUMN message_hops.accepted_segments IS 'Segments that the operator is paid for; null: none yet.';
ALTER TABLE sms_cdr
  ADD COLUMN outcome text NOT NULL DEFAULT 'free',
  ADD COLUMN late_entry_id uuid;

-- Until now a delivery in time was charged, and nothing else.
UPDATE messages SET outcome = CASE WHEN state = 'delivered' AND corrections = 0 THEN 'billable'
  WHEN state = 'unconfirmed' THEN 'unconfirmed' ELSE 'free' END WHERE state_rank >= 8;
UPDATE sms_cdr c SET outcome = CASE WHEN state = 'delivered' THEN 'billable' ELSE 'unconfirmed' END
WHERE state = 'unconfirmed' OR state = 'delivered' AND (correction = 0 OR EXISTS (SELECT FROM sms_cdr f
  WHERE f.message_id = c.message_id AND f.correction = 0 AND f.state = 'delivered'));

ALTER TABLE charge_levels
  ADD COLUMN paid_unconfirmed boolean NOT NULL DEFAULT false, -- what is paid to it takes money without a receipt
  ADD COLUMN pays_unconfirmed boolean NOT NULL DEFAULT false; -- what it pays
CREATE OR REPLACE FUNCTION charge_levels_of(chain_id uuid, chain jsonb) RETURNS SETOF charge_levels
LANGUAGE sql STABLE AS $$
  WITH links AS (
    SELECT (place - 1)::smallint AS level, l, lag(l) OVER (ORDER BY place) AS below
    FROM jsonb_array_elements(chain -> 'links') WITH ORDINALITY AS i (l, place)
  )
  SELECT chain_id, level, account_of(l ->> 'account'), false, chain ->> 'currency',
    coalesce((below ->> 'price_micros')::bigint, 0), below ->> 'charge_on', (l ->> 'price_micros')::bigint, l ->> 'charge_on',
    coalesce(below ->> 'on_unconfirmed' = 'capture', false), coalesce(l ->> 'on_unconfirmed' = 'capture', false)
  FROM links WHERE l ->> 'account' <> l ->> 'seller'
  UNION ALL
  -- What the house sends itself earns nothing: it stands at level 0.
  (SELECT chain_id, CASE WHEN l ->> 'account' = l ->> 'seller' THEN 0 ELSE level + 1 END::smallint, account_of(l ->> 'seller'), true, chain ->> 'currency',
    (l ->> 'price_micros')::bigint, l ->> 'charge_on', 0, NULL, coalesce(l ->> 'on_unconfirmed' = 'capture', false), false
  FROM links ORDER BY level DESC LIMIT 1)
$$;

-- Whether a link of a chain takes its money on delivery for this outcome.
CREATE FUNCTION charges(link jsonb, outcome text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(outcome = 'billable' OR outcome = 'unconfirmed' AND link ->> 'on_unconfirmed' = 'capture', false)
$$;
-- The same of what the sender of a chain pays.
CREATE FUNCTION sender_charges(chain_id uuid, outcome text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE outcome WHEN 'billable' THEN true
    WHEN 'unconfirmed' THEN coalesce((SELECT charges(c.chain #> '{links,0}', outcome) FROM charge_chains c WHERE c.id = chain_id), false)
    ELSE false END
$$;

CREATE OR REPLACE FUNCTION cdr_counted() RETURNS trigger LANGUAGE plpgsql AS $$
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
  ), alike AS (
    SELECT chain_id, (accepted_at AT TIME ZONE 'UTC')::date AS day, account_id, mcc_mnc, operator_id, sender,
      cost_currency, bucket, sum(sign) AS messages, sum(sign * segments) AS segments,
      sum(sign * accepted_segments) AS accepted,
      coalesce(sum(sign * accepted_segments) FILTER (WHERE outcome = 'billable'), 0) AS billable,
      coalesce(sum(sign * accepted_segments) FILTER (WHERE outcome = 'unconfirmed'), 0) AS unsure,
      coalesce(sum(sign) FILTER (WHERE state = 'delivered'), 0) AS delivered,
      coalesce(sum(sign) FILTER (WHERE state = 'unconfirmed'), 0) AS unconfirmed,
      sum(sign * price_micros) AS price, sum(sign * cost_micros) AS cost
    FROM timed GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
  )
  SELECT v.viewer_id, c.day, c.account_id, c.mcc_mnc, CASE WHEN v.is_house THEN c.operator_id END, c.sender, v.currency,
    CASE WHEN v.is_house THEN coalesce(c.cost_currency, v.currency) ELSE v.currency END, c.bucket,
    sum(c.messages), sum(c.segments), sum(c.accepted), sum(c.delivered), sum(c.unconfirmed),
    sum(CASE v.level WHEN 0 THEN 0 WHEN 1 THEN c.price
      ELSE v.paid_micros * CASE WHEN v.paid_on = 'submit' THEN c.accepted
        ELSE c.billable + CASE WHEN v.paid_unconfirmed THEN c.unsure ELSE 0 END END END),
    sum(CASE WHEN v.is_house THEN c.cost WHEN v.level = 0 THEN c.price
      ELSE v.pays_micros * CASE WHEN v.pays_on = 'submit' THEN c.accepted
        ELSE c.billable + CASE WHEN v.pays_unconfirmed THEN c.unsure ELSE 0 END END END)
  FROM alike c JOIN charge_levels v ON v.chain_id = c.chain_id
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
  RETURN NULL;
END $$;

ALTER TABLE rate_sheet_rules
  ADD COLUMN charge_on text NOT NULL DEFAULT 'submit' CHECK (charge_on IN ('submit', 'delivered'));
COMMENT ON COLUMN rate_sheet_rules.charge_on IS 'When rates of sheets are taken, for networks that had none before.';
