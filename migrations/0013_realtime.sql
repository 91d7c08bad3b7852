-- Who listens to events at this moment, over WebSocket. Small: a row for each account and process that holds its
-- connections, or for each connection of API Gateway.
CREATE TABLE realtime_connections (
  id text PRIMARY KEY,                   -- API Gateway's, or the process's own with the account behind it
  account_id uuid NOT NULL,
  key_id uuid,                           -- the API key that opened it, where a gateway holds it; null: a person
  gateway boolean NOT NULL DEFAULT false, -- API Gateway holds the connection: events are posted to it
  events text[] NOT NULL DEFAULT '{}',   -- which events it wants, where a gateway holds it; empty: every event
  expires_at timestamptz NOT NULL        -- nobody listens after this, whatever became of who wrote it
);
CREATE INDEX realtime_connections_account ON realtime_connections (account_id);

-- One connection each, for browsers, which cannot send an Authorization header with a WebSocket.
CREATE TABLE realtime_tickets (
  ticket_hash bytea PRIMARY KEY, -- HMAC-SHA-256 with the platform's key
  account_id uuid NOT NULL,
  key_id uuid,                   -- the API key that asked for it; null: a person who is logged in
  expires_at timestamptz NOT NULL
);
