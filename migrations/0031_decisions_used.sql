-- Decisions are kept as long as messages may name them: each says when a message last did, to the day.
ALTER TABLE routing_decisions ADD COLUMN used_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX routing_decisions_used ON routing_decisions (used_at);
