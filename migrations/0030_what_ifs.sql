-- Replays of traffic against changed settings, and what came of them. The house's; no tenant sees them.
CREATE TABLE what_ifs (
  id uuid PRIMARY KEY,
  request jsonb NOT NULL,          -- the traffic and the drafts, as they were asked for
  made_by text NOT NULL,
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
  messages bigint NOT NULL DEFAULT 0, -- replayed by now
  result jsonb,                    -- when done
  error text,                      -- when failed
  created_at timestamptz NOT NULL DEFAULT now(),
  -- While it runs, its process says so every few seconds; one that stopped saying so has died.
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE INDEX what_ifs_made ON what_ifs (created_at);
