-- Partitions by week: made ahead by the sweep, dropped by retention. What no partition takes (a clock that
-- jumped) lands in the default one instead of being refused.
CREATE FUNCTION partitions_ensure(since timestamptz, weeks integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  week timestamptz;
  name text;
  options text;
  made integer := 0;
BEGIN
  FOREACH parent IN ARRAY ARRAY['messages', 'message_parts', 'message_events', 'sms_cdr', 'balance_ledger', 'inbox'] LOOP
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

-- Drops the partitions of a table that end before a moment; answers how many.
CREATE FUNCTION partitions_drop(parent text, before timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  child record;
  dropped integer := 0;
BEGIN
  FOR child IN
    SELECT c.oid::regclass AS name, right(c.relname, 7) AS week
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = parent::regclass AND c.relname ~ '_[0-9]{4}w[0-9]{2}$'
  LOOP
    IF to_date(child.week, 'IYYY"w"IW') + 7 <= (before AT TIME ZONE 'UTC')::date THEN
      EXECUTE format('DROP TABLE %s', child.name);
      dropped := dropped + 1;
    END IF;
  END LOOP;
  RETURN dropped;
END $$;

CREATE TABLE messages_rest PARTITION OF messages DEFAULT;
CREATE TABLE message_parts_rest PARTITION OF message_parts DEFAULT;
CREATE TABLE message_events_rest PARTITION OF message_events DEFAULT;
CREATE TABLE sms_cdr_rest PARTITION OF sms_cdr DEFAULT;
CREATE TABLE balance_ledger_rest PARTITION OF balance_ledger DEFAULT;
CREATE TABLE inbox_rest PARTITION OF inbox DEFAULT;
SELECT partitions_ensure(now() - interval '7 days', 4);
