-- Segments that an operator may be given on one day (UTC), where somebody said so.
ALTER TABLE operators ADD COLUMN daily_cap bigint CHECK (daily_cap > 0);

-- Segments that were routed to operators with a cap. Counted in the transaction that routes.
CREATE TABLE operator_days (
  operator_id uuid NOT NULL REFERENCES operators,
  day date NOT NULL,
  segments bigint NOT NULL,
  PRIMARY KEY (operator_id, day)
) WITH (fillfactor = 20);
