-- Statements that open down to single messages, and accounts with suppliers.

-- One row for each entry of the journal that covers messages. Written with the entry, kept with the journal: an index
-- on the messages' own columns would cost every step of every message.
CREATE TABLE entry_messages (
  entry_id uuid NOT NULL,
  account_id uuid,               -- who sent them; null: a batch that was accepted, of several senders
  message_ids uuid[] NOT NULL,
  PRIMARY KEY (entry_id)
) PARTITION BY RANGE (entry_id);
ALTER TABLE entry_messages ALTER COLUMN message_ids SET STORAGE EXTERNAL;
CREATE TABLE entry_messages_rest PARTITION OF entry_messages DEFAULT;

-- Every table that is partitioned by the week of its UUID v7, whatever it is called.
CREATE OR REPLACE FUNCTION partitions_ensure(since timestamptz, weeks integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  week timestamptz;
  name text;
  options text;
  made integer := 0;
BEGIN
  FOR parent IN
    SELECT c.relname FROM pg_class c JOIN pg_partitioned_table p ON p.partrelid = c.oid
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
    WHERE p.partstrat = 'r' AND p.partnatts = 1 AND a.atttypid = 'uuid'::regtype
      AND c.relnamespace = current_schema()::regnamespace ORDER BY 1
  LOOP
    options := CASE parent
      WHEN 'messages' THEN 'WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.1)'
      WHEN 'message_parts' THEN 'WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.1)'
      ELSE '' END;
    FOR step IN 0 .. weeks - 1 LOOP
      week := date_trunc('week', since AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + step * interval '7 days';
      name := parent || '_' || to_char(week AT TIME ZONE 'UTC', 'IYYY"w"IW');
      IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L) %s',
          name, parent, uuid_at(week), uuid_at(week + interval '7 days'), options);
        made := made + 1;
      END IF;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;
SELECT partitions_ensure(now() - interval '7 days', 4);

-- What was paid to a supplier and what its messages cost, up to a moment; the journal's lines behind it are added.
CREATE TABLE supplier_accounts (
  operator_id uuid NOT NULL REFERENCES operators,
  currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  paid_micros bigint NOT NULL DEFAULT 0,
  cost_micros bigint NOT NULL DEFAULT 0,
  alarm_below_micros bigint,         -- null: no alarm
  is_low boolean NOT NULL DEFAULT false, -- the balance is below it, and that was told
  PRIMARY KEY (operator_id, currency)
);
COMMENT ON TABLE supplier_accounts IS 'Folded up to the cursor ''suppliers'' in sweep_cursors, which lies behind every entry that can still come.';
CREATE INDEX balance_ledger_supplier ON balance_ledger (operator_id, entry_id) WHERE ledger = 'supplier';
