-- Prices and rates by class of traffic, and prices that hold wherever a plan has no other.
ALTER TABLE tariffs
  ADD COLUMN traffic_class text CHECK (traffic_class ~ '^[a-z][a-z0-9_-]{0,39}$'), -- null: every class
  ALTER COLUMN mcc DROP NOT NULL,                                                  -- null: the default of the plan
  ADD CONSTRAINT tariffs_mnc_has_mcc CHECK (mnc IS NULL OR mcc IS NOT NULL),
  DROP CONSTRAINT tariffs_do_not_overlap,
  ADD CONSTRAINT tariffs_do_not_overlap EXCLUDE USING gist (
    plan_id WITH =, (coalesce(mcc, '')) WITH =, (coalesce(mnc, '')) WITH =, (coalesce(traffic_class, '')) WITH =,
    tstzrange(effective_from, effective_to) WITH &&);

ALTER TABLE operator_rates
  ADD COLUMN traffic_class text CHECK (traffic_class ~ '^[a-z][a-z0-9_-]{0,39}$'), -- null: every class
  DROP CONSTRAINT operator_rates_do_not_overlap,
  ADD CONSTRAINT operator_rates_do_not_overlap EXCLUDE USING gist (
    operator_id WITH =, mcc WITH =, (coalesce(mnc, '')) WITH =, (coalesce(traffic_class, '')) WITH =,
    tstzrange(effective_from, effective_to) WITH &&);

COMMENT ON COLUMN tariffs.traffic_class IS
  'The price that names most of a message holds: network and class, network, country and class, country, plan and class, plan.';
COMMENT ON COLUMN operator_rates.traffic_class IS
  'The rate that names most of a message holds: network and class, network, country and class, country.';
