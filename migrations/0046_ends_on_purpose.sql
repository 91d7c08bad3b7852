-- Prices, rates and rules that end on purpose remember that end: one of later that is taken back does not revive them.
-- effective_to is the earlier of this end and of where the next one begins.
ALTER TABLE tariffs ADD COLUMN ended_at timestamptz;
ALTER TABLE operator_rates ADD COLUMN ended_at timestamptz;
ALTER TABLE exchange_rates ADD COLUMN ended_at timestamptz;
ALTER TABLE routing_rules ADD COLUMN ended_at timestamptz;
COMMENT ON COLUMN tariffs.ended_at IS 'Where somebody ended it on purpose; null: it goes on until another one begins.';
COMMENT ON COLUMN operator_rates.ended_at IS 'Where somebody ended it on purpose; null: it goes on until another one begins.';
COMMENT ON COLUMN exchange_rates.ended_at IS 'Where somebody ended it on purpose; null: it goes on until another one begins.';
COMMENT ON COLUMN routing_rules.ended_at IS 'Where somebody ended it on purpose; null: it goes on until another one begins.';

-- Small tables: an end where nothing begins was on purpose.
UPDATE tariffs t SET ended_at = effective_to WHERE effective_to IS NOT NULL AND NOT EXISTS (
  SELECT FROM tariffs n WHERE n.plan_id = t.plan_id AND coalesce(n.mcc, '') = coalesce(t.mcc, '')
    AND coalesce(n.mnc, '') = coalesce(t.mnc, '') AND coalesce(n.traffic_class, '') = coalesce(t.traffic_class, '')
    AND n.effective_from = t.effective_to);
UPDATE operator_rates r SET ended_at = effective_to WHERE effective_to IS NOT NULL AND NOT EXISTS (
  SELECT FROM operator_rates n WHERE n.operator_id = r.operator_id AND n.mcc = r.mcc
    AND coalesce(n.mnc, '') = coalesce(r.mnc, '') AND coalesce(n.traffic_class, '') = coalesce(r.traffic_class, '')
    AND n.effective_from = r.effective_to);
UPDATE exchange_rates r SET ended_at = effective_to WHERE effective_to IS NOT NULL AND NOT EXISTS (
  SELECT FROM exchange_rates n WHERE n.from_currency = r.from_currency AND n.to_currency = r.to_currency
    AND n.effective_from = r.effective_to);
UPDATE routing_rules r SET ended_at = effective_to WHERE effective_to IS NOT NULL AND NOT EXISTS (
  SELECT FROM routing_rules n WHERE n.rule_id = r.rule_id AND n.effective_from = r.effective_to);

-- The last number that a version of a rule had: one that was taken back does not give its number to another.
CREATE TABLE routing_rule_numbers (
  rule_id uuid PRIMARY KEY,
  last_version integer NOT NULL
);
INSERT INTO routing_rule_numbers (rule_id, last_version) SELECT rule_id, max(version) FROM routing_rules GROUP BY 1;

-- What a sheet did to rates: the end on purpose that one had before, and rates of later that it took away.
ALTER TABLE rate_sheet_ends ADD COLUMN was_ended timestamptz;
COMMENT ON COLUMN rate_sheet_ends.was_ended IS 'Where it was ended on purpose before the sheet came.';
CREATE TABLE rate_sheet_withdrawn (
  sheet_id uuid NOT NULL REFERENCES rate_sheets,
  rate_id uuid NOT NULL,
  rate jsonb NOT NULL,                -- its row of operator_rates, so that undoing brings it back as it was
  PRIMARY KEY (sheet_id, rate_id)
);
