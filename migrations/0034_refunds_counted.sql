-- Refunds in the counters of traffic.
--
-- A refund counts where its message counts: on the day on which that was accepted, under its network, operator and
-- sender. So what a report says was earned by the messages of a day, less what was given back for them, is what the
-- books hold of them, whenever the refund came. When money moved is the statement's business.

ALTER TABLE traffic_counters
  ADD COLUMN refunded_segments bigint NOT NULL DEFAULT 0,       -- given back to the account below; the sender's row: to it
  ADD COLUMN revenue_refunded_micros bigint NOT NULL DEFAULT 0, -- given back by the viewer
  ADD COLUMN cost_refunded_micros bigint NOT NULL DEFAULT 0;    -- given back to the viewer

-- What is added later or seldom, folded by the sweep. A table of its own: a process of the release before would fold
-- `traffic_deltas` without these columns.
CREATE TABLE money_deltas (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  viewer_id uuid NOT NULL,
  day date NOT NULL,
  account_id uuid NOT NULL,
  mcc_mnc text NOT NULL,
  operator_id uuid,
  sender text NOT NULL,
  currency char(3) NOT NULL,
  cost_currency char(3) NOT NULL,
  refunded_segments bigint NOT NULL DEFAULT 0,
  revenue_refunded_micros bigint NOT NULL DEFAULT 0,
  cost_refunded_micros bigint NOT NULL DEFAULT 0
);

-- Each refund as its two sides see it, once for each CDR of the message: the last one says where it counts.
CREATE VIEW refund_counts AS
SELECT r.message_id, r.account_id AS payer_id, r.before_segments, c.correction, v.viewer_id,
  (c.accepted_at AT TIME ZONE 'UTC')::date AS day, c.account_id, c.mcc_mnc,
  CASE WHEN v.is_house THEN c.operator_id END AS operator_id, c.sender, v.currency,
  CASE WHEN v.is_house THEN coalesce(c.cost_currency, v.currency) ELSE v.currency END AS cost_currency,
  CASE WHEN v.level = 0 OR v.viewer_id = r.seller_id THEN r.segments ELSE 0 END AS refunded_segments,
  CASE WHEN v.viewer_id = r.seller_id THEN r.amount_micros ELSE 0 END AS revenue_refunded_micros,
  CASE WHEN v.viewer_id = r.account_id THEN r.amount_micros ELSE 0 END AS cost_refunded_micros
FROM message_refunds r JOIN sms_cdr c ON c.message_id = r.message_id
  JOIN charge_levels v ON v.chain_id = c.chain_id AND v.viewer_id IN (r.account_id, r.seller_id)
WHERE r.message_id >= (SELECT message_id FROM traffic_start);

-- Every refund that is stored is counted by the same statement. Its message is locked by who gives back, so that its
-- last CDR stays the last.
CREATE FUNCTION refund_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO money_deltas (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency,
    refunded_segments, revenue_refunded_micros, cost_refunded_micros)
  SELECT n.viewer_id, n.day, n.account_id, n.mcc_mnc, n.operator_id, n.sender, n.currency, n.cost_currency,
    n.refunded_segments, n.revenue_refunded_micros, n.cost_refunded_micros
  FROM added a JOIN refund_counts n ON n.message_id = a.message_id AND n.payer_id = a.account_id
    AND n.before_segments = a.before_segments
  WHERE n.correction = (SELECT max(c.correction) FROM sms_cdr c WHERE c.message_id = a.message_id);
  RETURN NULL;
END $$;
CREATE TRIGGER message_refunds_counted AFTER INSERT ON message_refunds
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refund_counted();

-- A CDR that corrects another takes the refunds along to where the message counts then.
CREATE FUNCTION refunds_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM added WHERE correction > 0) THEN
    RETURN NULL;
  END IF;
  INSERT INTO money_deltas (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency,
    refunded_segments, revenue_refunded_micros, cost_refunded_micros)
  SELECT n.viewer_id, n.day, n.account_id, n.mcc_mnc, n.operator_id, n.sender, n.currency, n.cost_currency,
    s.sign * n.refunded_segments, s.sign * n.revenue_refunded_micros, s.sign * n.cost_refunded_micros
  FROM added a CROSS JOIN (VALUES (0, 1), (1, -1)) AS s (back, sign)
    JOIN refund_counts n ON n.message_id = a.message_id AND n.correction = a.correction - s.back
  WHERE a.correction > 0;
  RETURN NULL;
END $$;
CREATE TRIGGER sms_cdr_refunds_moved AFTER INSERT ON sms_cdr
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refunds_moved();

-- What was given back before this migration: people did that, one message after the other, so it is little.
INSERT INTO money_deltas (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency,
  refunded_segments, revenue_refunded_micros, cost_refunded_micros)
SELECT n.viewer_id, n.day, n.account_id, n.mcc_mnc, n.operator_id, n.sender, n.currency, n.cost_currency,
  n.refunded_segments, n.revenue_refunded_micros, n.cost_refunded_micros
FROM refund_counts n
WHERE n.correction = (SELECT max(c.correction) FROM sms_cdr c WHERE c.message_id = n.message_id);
