-- Numbers that moved are kept in memory by every process, hundreds of thousands of them. Each row says in which version of
-- the catalogue it changed, so that a process reads only what is new to it; what is forgotten stays as a tombstone until
-- the sweep drops it.
ALTER TABLE number_overrides ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE number_overrides ADD COLUMN deleted_at timestamptz;
CREATE INDEX number_overrides_version ON number_overrides (version, number);
CREATE INDEX number_overrides_expires ON number_overrides (expires_at) WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX number_overrides_deleted ON number_overrides (deleted_at) WHERE deleted_at IS NOT NULL;
COMMENT ON COLUMN number_overrides.version IS 'The version of the catalogue in which the row changed; set by a trigger.';
COMMENT ON COLUMN number_overrides.deleted_at IS 'Forgotten or expired: of no effect, kept so that every process hears of it, then dropped by the sweep.';

-- The greatest version of a tombstone that was dropped: who has read less than that reads everything anew.
ALTER TABLE catalogue_version ADD COLUMN overrides_dropped bigint NOT NULL DEFAULT 0;

-- The version is taken before the rows are written, not after: its row is the lock by which writers commit in the order of
-- their versions, so that who has read up to one has missed nothing below it.
DROP TRIGGER number_overrides_changed ON number_overrides;
CREATE TRIGGER number_overrides_changed BEFORE INSERT OR UPDATE ON number_overrides
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();

CREATE FUNCTION number_override_versioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := (SELECT version FROM catalogue_version);
  RETURN NEW;
END $$;
CREATE TRIGGER number_overrides_versioned BEFORE INSERT OR UPDATE ON number_overrides
  FOR EACH ROW EXECUTE FUNCTION number_override_versioned();

-- A row in force is not deleted but forgotten, whoever deletes it.
CREATE FUNCTION number_override_forgotten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.deleted_at IS NULL THEN
    UPDATE number_overrides SET deleted_at = now() WHERE number = OLD.number;
    RETURN NULL;
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER number_overrides_forgotten BEFORE DELETE ON number_overrides
  FOR EACH ROW EXECUTE FUNCTION number_override_forgotten();
