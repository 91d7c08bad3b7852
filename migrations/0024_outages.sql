-- Since when an operator has had no session that can submit, over all edges. Kept by the sweep; messages that wait for
-- such an operator go to another one after a while.
CREATE TABLE operator_outages (
  operator_id uuid PRIMARY KEY REFERENCES operators,
  since timestamptz NOT NULL
);
