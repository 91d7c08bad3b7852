-- What a dispute needs of a segment that was one of several: how it was numbered on the wire.
ALTER TABLE message_parts
  ADD COLUMN udh_reference integer,        -- of the concatenation header, or sar_msg_ref_num; null: it stood alone
  ADD COLUMN udh_part smallint,
  ADD COLUMN udh_total smallint;

-- Files that are made in the background, page by page: each page is one transaction that adds a chunk and moves the cursor,
-- so that who takes over from a dead worker goes on where it stopped and nothing comes twice.
CREATE TABLE exports (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts, -- who asked: the file holds what is its own and of all below it
  kind text NOT NULL CHECK (kind IN ('cdr')),
  format text NOT NULL CHECK (format IN ('csv', 'ndjson')),
  gzip boolean NOT NULL,
  accepted_from timestamptz NOT NULL,
  accepted_to timestamptz NOT NULL CHECK (accepted_to > accepted_from),
  filter jsonb NOT NULL,
  actor text NOT NULL,
  created_at timestamptz NOT NULL,         -- what ended later is not in it
  expires_at timestamptz NOT NULL,         -- dropped then, with its chunks
  -- what changes:
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'canceled')),
  rows_done bigint NOT NULL DEFAULT 0,
  rows_estimated bigint NOT NULL DEFAULT 0, -- of the whole
  bytes bigint NOT NULL DEFAULT 0,
  chunks integer NOT NULL DEFAULT 0,
  after_message uuid,                      -- the cursor: the last CDR that was looked at
  after_correction smallint,
  attempts smallint NOT NULL DEFAULT 0,    -- failures one after the other
  error text,
  touched_at timestamptz NOT NULL,         -- whose turn it is: the longest untouched
  ended_at timestamptz
) WITH (fillfactor = 50);
CREATE INDEX exports_account ON exports (account_id, id);
CREATE INDEX exports_open ON exports (touched_at) WHERE state IN ('queued', 'running');
CREATE INDEX exports_expires ON exports (expires_at);

CREATE TABLE export_chunks (
  export_id uuid NOT NULL REFERENCES exports ON DELETE CASCADE,
  number integer NOT NULL,                 -- from 0; one after the other they are the file
  body bytea NOT NULL,
  PRIMARY KEY (export_id, number)
);
ALTER TABLE export_chunks ALTER COLUMN body SET STORAGE EXTERNAL;
