-- What is spent with a key is counted on when its cap is taken away, so that a cap that is set again on the same day knows
-- of it.
ALTER TABLE api_key_caps ALTER COLUMN cap_micros DROP NOT NULL;
ALTER TABLE api_key_caps DROP CONSTRAINT key_spends_within_cap;
ALTER TABLE api_key_caps ADD CONSTRAINT key_spends_within_cap
  CHECK (cap_micros IS NULL OR spent_micros <= greatest(cap_micros, excused_micros));
COMMENT ON TABLE api_key_caps IS
  'What messages sent with a key may cost its account on one UTC day. Counted from when its first cap was set; without a cap on.';
