-- Suppliers' rate sheets: how each supplier writes them, what came, what it changes, and what was done with it.

-- How sheets are read and under which terms they are taken. One row per operator; the row without an operator is the
-- platform's own, for operators that have none.
CREATE TABLE rate_sheet_rules (
  id uuid PRIMARY KEY,
  operator_id uuid UNIQUE NULLS NOT DISTINCT REFERENCES operators,
  mapping jsonb NOT NULL DEFAULT '{}',      -- which column is which, and how numbers and dates are written
  notice_days smallint NOT NULL DEFAULT 0 CHECK (notice_days BETWEEN 0 AND 365), -- before an increase, after receipt
  on_short_notice text NOT NULL DEFAULT 'move' CHECK (on_short_notice IN ('move', 'refuse')),
  second_person boolean NOT NULL DEFAULT false, -- who uploads a sheet may not approve it
  is_whole boolean NOT NULL DEFAULT false,      -- sheets list everything: what is missing is closed
  made_by text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- draft -> approved -> applied -> undone; draft or approved -> rejected. Terms are copied: a sheet is judged by those that
-- held when it came.
CREATE TABLE rate_sheets (
  id uuid PRIMARY KEY,
  operator_id uuid NOT NULL REFERENCES operators,
  state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'approved', 'applied', 'undone', 'rejected')),
  name text NOT NULL,                 -- of the file
  format text NOT NULL CHECK (format IN ('csv', 'xlsx')),
  sha256 bytea NOT NULL,
  file_bytes integer NOT NULL,
  rules jsonb NOT NULL,               -- mapping and terms it was read by
  received_at timestamptz NOT NULL,
  default_from timestamptz NOT NULL,  -- from when rows hold that say nothing
  second_person boolean NOT NULL,
  rows_read integer NOT NULL,
  summary jsonb NOT NULL,             -- lines by change, faults, margins of last week's traffic
  uploaded_by text NOT NULL,
  approved_by text,
  approved_at timestamptz,
  applied_by text,
  applied_at timestamptz,
  ended_by text,                      -- who undid or rejected it
  ended_at timestamptz,
  reason text NOT NULL DEFAULT '',    -- why it was undone or rejected
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rate_sheets_operator ON rate_sheets (operator_id, id);

-- What each row changes, or what is wrong with it: the dry run, as a person approved it.
CREATE TABLE rate_sheet_lines (
  sheet_id uuid NOT NULL REFERENCES rate_sheets,
  position integer NOT NULL,          -- in order of the rows, closings last
  row_number integer,                 -- null: the sheet does not list the network
  kind text NOT NULL CHECK (kind IN ('new', 'up', 'down', 'currency', 'unchanged', 'closed', 'refused', 'broken', 'skipped')),
  body jsonb NOT NULL,                -- the line, as it is shown
  PRIMARY KEY (sheet_id, position)
);
CREATE INDEX rate_sheet_lines_kind ON rate_sheet_lines (sheet_id, kind, position);

-- Which sheet and row a rate came from.
ALTER TABLE operator_rates ADD COLUMN sheet_id uuid REFERENCES rate_sheets;
ALTER TABLE operator_rates ADD COLUMN sheet_row integer;
CREATE INDEX operator_rates_sheet ON operator_rates (sheet_id) WHERE sheet_id IS NOT NULL;

-- What applying a sheet did to rates, so that undoing restores them exactly and sees whether anybody came in between.
CREATE TABLE rate_sheet_ends (
  sheet_id uuid NOT NULL REFERENCES rate_sheets,
  rate_id uuid NOT NULL,
  is_new boolean NOT NULL,            -- the sheet published it
  was_to timestamptz,                 -- its end before
  is_to timestamptz,                  -- the end that the sheet gave it
  PRIMARY KEY (sheet_id, rate_id)
);
