-- What the database does for a message made less.
--
-- PostgreSQL writes a new version of a row beside the old one and leaves the indexes alone (HOT), unless a column changes
-- that an index reads, be it in its condition only. `messages_scheduled` read the state, so each step of each message wrote
-- into every index of its table. This one reads columns that change for scheduled messages alone: whatever ends one of
-- them says in `released_at` that it is not to be released any more.
DROP INDEX messages_scheduled;
CREATE INDEX messages_scheduled ON messages (scheduled_at) WHERE scheduled_at IS NOT NULL AND released_at IS NULL;
COMMENT ON COLUMN messages.released_at IS
  'When a scheduled message was given to the route function, or ended before; never to be released after.';

-- Messages that are alike are added up first, and told to each level of their chain then: what was reckoned, sorted and
-- grouped for each message and level is so for each message once, and a level costs next to nothing.
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
  ), alike AS (
    SELECT chain_id, (accepted_at AT TIME ZONE 'UTC')::date AS day, account_id, mcc_mnc, operator_id, sender,
      cost_currency, bucket, sum(sign) AS messages, sum(sign * segments) AS segments,
      sum(sign * accepted_segments) AS accepted,
      coalesce(sum(sign * accepted_segments) FILTER (WHERE is_billable), 0) AS billable,
      coalesce(sum(sign) FILTER (WHERE state = 'delivered'), 0) AS delivered,
      coalesce(sum(sign) FILTER (WHERE state = 'unconfirmed'), 0) AS unconfirmed,
      sum(sign * price_micros) AS price, sum(sign * cost_micros) AS cost
    FROM timed GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
  )
  SELECT v.viewer_id, c.day, c.account_id, c.mcc_mnc, CASE WHEN v.is_house THEN c.operator_id END, c.sender, v.currency,
    CASE WHEN v.is_house THEN coalesce(c.cost_currency, v.currency) ELSE v.currency END, c.bucket,
    sum(c.messages), sum(c.segments), sum(c.accepted), sum(c.delivered), sum(c.unconfirmed),
    sum(CASE v.level WHEN 0 THEN 0 WHEN 1 THEN c.price
      ELSE v.paid_micros * CASE WHEN v.paid_on = 'submit' THEN c.accepted ELSE c.billable END END),
    sum(CASE WHEN v.is_house THEN c.cost WHEN v.level = 0 THEN c.price
      ELSE v.pays_micros * CASE WHEN v.pays_on = 'submit' THEN c.accepted ELSE c.billable END END)
  FROM alike c JOIN charge_levels v ON v.chain_id = c.chain_id
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
  RETURN NULL;
END $$;
