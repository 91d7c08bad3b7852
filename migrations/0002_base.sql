-- Helpers that the tables lean on.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- The smallest UUID v7 of a moment (RFC 9562 section 5.7): the first 48 bits are Unix milliseconds.
-- Large tables are partitioned by id, and an id carries its time, so one key serves look-up and retention.
CREATE FUNCTION uuid_at(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT rpad(lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- One row: the version of everything that pricing and routing keep in memory.
CREATE TABLE catalogue_version (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version bigint NOT NULL
);
INSERT INTO catalogue_version (version) VALUES (1);

CREATE FUNCTION catalogue_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE catalogue_version SET version = version + 1;
  PERFORM pg_notify('catalogue', '');
  RETURN NULL;
END $$;

-- The outside form of an account's id (`acc_` and Crockford base32), as stored price chains carry it.
CREATE FUNCTION account_text(id uuid) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  bits bit varying := ('x' || replace(id::text, '-', ''))::bit(128);
  text_form text := '';
BEGIN
  bits := B'00' || bits; -- 130 bits: 26 groups of five
  FOR place IN 0 .. 25 LOOP
    text_form := text_form || substr('0123456789abcdefghjkmnpqrstvwxyz', substring(bits FROM place * 5 + 1 FOR 5)::bit(5)::integer + 1, 1);
  END LOOP;
  RETURN 'acc_' || text_form;
END $$;
