-- What exchanges add to the counters of traffic.
--
-- A counter's cost is in the currency of the operator that had the message last. The house wants its margin in the
-- currency of the price: `exchanged_micros` is what all operators cost there, exchanges and all, less what `cost_micros`
-- says already where both are one currency. Most messages add nothing to it.

ALTER TABLE traffic_counters
  ADD COLUMN exchanged_micros bigint NOT NULL DEFAULT 0,
  ADD COLUMN unconverted bigint NOT NULL DEFAULT 0; -- messages whose cost nobody can convert
ALTER TABLE money_deltas
  ADD COLUMN exchanged_micros bigint NOT NULL DEFAULT 0,
  ADD COLUMN unconverted bigint NOT NULL DEFAULT 0;

-- Each CDR that says more than its cost does, as the house sees it.
CREATE VIEW exchange_counts AS
SELECT c.message_id, c.correction, v.viewer_id, (c.accepted_at AT TIME ZONE 'UTC')::date AS day, c.account_id, c.mcc_mnc,
  c.operator_id, c.sender, v.currency, coalesce(c.cost_currency, v.currency) AS cost_currency,
  coalesce(k.micros - CASE WHEN coalesce(c.cost_currency, v.currency) = v.currency THEN c.cost_micros ELSE 0 END, 0)
    AS exchanged_micros,
  CASE WHEN k.micros IS NULL THEN 1 ELSE 0 END AS unconverted
FROM sms_cdr c JOIN charge_levels v ON v.chain_id = c.chain_id AND v.is_house
  CROSS JOIN LATERAL (SELECT cdr_converted(c.converted_micros, c.cost_micros, c.cost_currency, c.currency, c.hops)
    AS micros) AS k
WHERE c.message_id >= (SELECT message_id FROM traffic_start);

CREATE FUNCTION exchange_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM added WHERE cost_currency <> currency OR hops IS NOT NULL) THEN
    RETURN NULL;
  END IF;
  INSERT INTO money_deltas (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency,
    exchanged_micros, unconverted)
  SELECT n.viewer_id, n.day, n.account_id, n.mcc_mnc, n.operator_id, n.sender, n.currency, n.cost_currency,
    sum(s.sign * n.exchanged_micros), sum(s.sign * n.unconverted)
  FROM added a CROSS JOIN (VALUES (0, 1), (1, -1)) AS s (back, sign)
    JOIN exchange_counts n ON n.message_id = a.message_id AND n.correction = a.correction - s.back
  WHERE n.exchanged_micros <> 0 OR n.unconverted <> 0
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
  RETURN NULL;
END $$;
CREATE TRIGGER sms_cdr_exchanges_counted AFTER INSERT ON sms_cdr
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION exchange_counted();

-- What was counted before there were exchange rates.
INSERT INTO money_deltas (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency, unconverted)
SELECT viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency, sum(unconverted)
FROM exchange_counts n
WHERE unconverted > 0 AND correction = (SELECT max(c.correction) FROM sms_cdr c WHERE c.message_id = n.message_id)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;

-- A record behind the first is not free of charge by itself: a cost that came late says nothing of what customers pay.
-- Every CDR that is written is counted by the same statement; one that corrects another takes that back first.
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
        receipt_buckets()) FROM message_parts p WHERE p.message_id = c.message_id AND p.hop = c.hop), -1) END AS bucket,
      -- What was delivered after it was given up is free of charge; what cost something later is not.
      c.state = 'delivered' AND (c.correction = 0 OR EXISTS (SELECT FROM sms_cdr f
        WHERE f.message_id = c.message_id AND f.correction = 0 AND f.state = 'delivered')) AS is_billable
    FROM changed c WHERE c.message_id >= (SELECT message_id FROM traffic_start)
  ), priced AS (
    SELECT c.*, v.viewer_id, v.is_house, v.currency AS chain_currency,
      CASE v.level WHEN 0 THEN 0 WHEN 1 THEN c.price_micros ELSE v.paid_micros * CASE
        WHEN v.paid_on = 'submit' OR c.is_billable THEN c.accepted_segments ELSE 0 END
      END AS revenue,
      CASE WHEN v.is_house THEN c.cost_micros WHEN v.level = 0 THEN c.price_micros ELSE v.pays_micros * CASE
        WHEN v.pays_on = 'submit' OR c.is_billable THEN c.accepted_segments ELSE 0 END
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
