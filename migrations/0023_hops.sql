-- Messages that go to another operator after one had them. The customer's state stays where it is (it only goes up);
-- what grows is `hop`, and what every hop that was left did and cost is kept here.
ALTER TABLE messages
  ADD COLUMN hops_max smallint,       -- operators that may have it in all; null: a receipt sends it nowhere else
  ADD COLUMN hop_accepted smallint,   -- segments that the operator of this hop accepted; null while nobody knows
  ADD COLUMN hop_entry_id uuid,       -- the journal entry that booked what this hop costs
  ADD COLUMN accepted_before smallint, -- the most segments that an operator of an earlier hop accepted
  ADD COLUMN late_costs smallint NOT NULL DEFAULT 0; -- how often a hop cost something after the message had ended

ALTER TABLE sms_cdr ADD COLUMN hops jsonb; -- the hops before the last, in their order; null where there was one

CREATE TABLE message_hops (
  message_id uuid NOT NULL,
  hop smallint NOT NULL,
  operator_id uuid NOT NULL,
  rate_id uuid,
  decision_id uuid,
  unit_cost_micros bigint,
  cost_currency char(3),
  accepted_segments smallint,  -- null: nobody knows of any
  entry_id uuid,               -- the journal entry that booked what it cost
  left_at timestamptz NOT NULL,
  PRIMARY KEY (message_id, hop)
);
COMMENT ON TABLE message_hops IS 'Operators that a message was with before the one in its own row. Few messages have any.';

-- When a message that may be routed again is looked at for want of a receipt. A row goes when it was looked at.
CREATE TABLE receipt_timers (
  message_id uuid NOT NULL,
  hop smallint NOT NULL,
  wait_seconds integer NOT NULL CHECK (wait_seconds > 0),
  look_at timestamptz NOT NULL,
  PRIMARY KEY (message_id, hop)
);
CREATE INDEX receipt_timers_look ON receipt_timers (look_at);

ALTER TABLE accounts
  ADD COLUMN reroute jsonb; -- domain::reroute::Policy; null: as the account above it
COMMENT ON COLUMN accounts.reroute IS 'Whether messages go to another operator after a receipt or for want of one';

-- What the hops of a message before its last cost, in one currency, and what they came to: for its record.
CREATE FUNCTION hops_cost(message uuid, last_hop smallint, currency char(3)) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(h.unit_cost_micros * h.accepted_segments), 0)::bigint FROM message_hops h
  WHERE h.message_id = message AND h.hop < last_hop AND h.cost_currency = currency
$$;

CREATE FUNCTION hops_record(message uuid, last_hop smallint) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_agg(jsonb_build_object('hop', h.hop, 'operator_id', h.operator_id, 'rate_id', h.rate_id,
      'accepted_segments', coalesce(h.accepted_segments, 0), 'unit_cost_micros', h.unit_cost_micros,
      'cost_currency', h.cost_currency, 'state', (
        SELECT string_agg(DISTINCT p.state, ',') FROM message_parts p
        WHERE p.message_id = h.message_id AND p.hop = h.hop)) ORDER BY h.hop)
  FROM message_hops h WHERE h.message_id = message AND h.hop < last_hop
$$;
