-- Seals over the journal: each covers a batch of entries in the order of their ids and names the seal before it,
-- so that nobody alters, removes or slips in an entry without breaking the chain. Made some seconds behind the
-- writers (`store::ledger::seal`), who pay nothing for them.
--
-- A digest is taken over the text of the whole row, without the nulls at its end: a column that is added to
-- balance_ledger must be nullable and without a default, and none may be dropped, or the seals of older lines break.
CREATE TABLE journal_seals (
  shard smallint NOT NULL,        -- the journal of one database is one shard: 0
  sequence bigint NOT NULL CHECK (sequence > 0),
  kind text NOT NULL CHECK (kind IN ('range', 'late')), -- late: entries whose ids lie in ranges that were sealed before
  after_entry_id uuid NOT NULL,   -- range: covers every id behind this one, up to the last
  first_entry_id uuid NOT NULL,
  last_entry_id uuid NOT NULL,
  entries integer NOT NULL CHECK (entries > 0),
  lines integer NOT NULL CHECK (lines >= entries),
  leaves bytea NOT NULL CHECK (length(leaves) = 24 * entries), -- id and first 8 bytes of the digest, of each entry: says which one differs
  digest bytea NOT NULL,          -- SHA-256 over id and digest of each entry
  previous_hash bytea NOT NULL,   -- of the seal before; zeros for the first
  hash bytea NOT NULL,            -- SHA-256 over everything above but the leaves
  sealed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (shard, sequence)
);
ALTER TABLE journal_seals ALTER COLUMN leaves SET STORAGE EXTERNAL; -- digests do not shrink
CREATE INDEX journal_seals_late ON journal_seals (shard, sequence) WHERE kind = 'late';
CREATE INDEX journal_seals_ranges ON journal_seals (shard, last_entry_id) WHERE kind = 'range';
CREATE INDEX journal_seals_time ON journal_seals (sealed_at);

-- How far the books were found right. An incremental check goes on from here.
CREATE TABLE ledger_checks (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  sequence bigint NOT NULL,       -- the last seal that was checked
  hash bytea NOT NULL,            -- and its hash as it was then
  entry_id uuid NOT NULL,         -- the checkpoints are sums of lines up to here
  message_id uuid NOT NULL,       -- messages before this one have ended for good and are summed
  at timestamptz NOT NULL,
  full_at timestamptz             -- when everything was last checked
);

-- Sums of each wallet at that point.
CREATE TABLE ledger_checkpoints (
  account_id uuid PRIMARY KEY,
  posted_micros numeric NOT NULL,
  held_micros numeric NOT NULL,
  captured_micros numeric NOT NULL, -- by lines of the journal
  due_micros numeric NOT NULL       -- by messages
);
