-- A scheduled message that was sent on its way keeps its state until it has an operator, so that states only go up.
ALTER TABLE messages ADD COLUMN released_at timestamptz; -- when a scheduled message was given to the route function
DROP INDEX messages_scheduled;
CREATE INDEX messages_scheduled ON messages (scheduled_at) WHERE state = 'scheduled' AND released_at IS NULL;
