-- A score is kept when too little is known to judge again, and regains traffic little by little. Who reads it: domain::routing::health::Basis.
ALTER TABLE operator_standings
  ADD COLUMN basis text NOT NULL DEFAULT 'measured' CHECK (basis IN ('unknown', 'measured', 'kept', 'regaining')),
  ADD COLUMN floor_permille smallint NOT NULL DEFAULT 1000 CHECK (floor_permille BETWEEN 1 AND 1000),
  ADD COLUMN regained_permille smallint NOT NULL DEFAULT 1000 CHECK (regained_permille BETWEEN 0 AND 1000);
COMMENT ON COLUMN operator_standings.basis IS
  'unknown: nothing was judged here; measured: of late; kept: as it was judged last; regaining: measured, and worse before';
COMMENT ON COLUMN operator_standings.floor_permille IS 'Of a regaining one: how it did when it was judged worse';
COMMENT ON COLUMN operator_standings.regained_permille IS
  'Of a thousand messages so many no longer go by how it did then; reckoned for the time in `at`';
