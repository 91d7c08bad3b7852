-- A balance that moves around a threshold is told of once: not again before it has clearly risen above it, nor within an hour.
ALTER TABLE balance_thresholds ADD COLUMN told_at timestamptz;
COMMENT ON COLUMN balance_thresholds.told_at IS 'When it was told last that the balance is below it.';
UPDATE balance_thresholds SET told_at = crossed_at WHERE is_low;
