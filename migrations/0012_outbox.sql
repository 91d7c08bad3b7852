-- The outbox lives like a queue: every row dies soon. Vacuum by the number of the dead, without pauses, and keep the
-- file's tail; a body is written once and read rarely, so compressing it costs more than it saves.
ALTER TABLE outbox SET (
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_threshold = -1,
  autovacuum_analyze_threshold = 1000000,
  vacuum_truncate = off,
  toast.autovacuum_vacuum_scale_factor = 0,
  toast.autovacuum_vacuum_threshold = 20000,
  toast.autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_insert_threshold = -1,
  toast.vacuum_truncate = off
);
ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE outbox IS 'Used where the queues are not this database: written with the change, handed over and published after the commit, then deleted. Rows older than some seconds were left behind by a crash; the sweep publishes them.';
COMMENT ON COLUMN outbox.id IS 'The envelope''s id (UUID v7), by which consumers drop repetitions.';
COMMENT ON COLUMN outbox.queue IS 'The queue that it goes to, or !news for the world outside.';
