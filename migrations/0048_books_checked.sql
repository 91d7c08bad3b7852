-- What the check of the books needs to be trusted for longer than a process lives, and statements for longer than messages.

-- How the last check of the night ended, whatever it found: a process that starts tells of it at once.
CREATE TABLE ledger_nights (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  at timestamptz NOT NULL,            -- when it ended
  violations integer NOT NULL CHECK (violations >= 0)
);
COMMENT ON TABLE ledger_nights IS
  'The last check of the night that came to its end. Who checks holds a lease, ''books.lease'' in sweep_cursors.';

-- The entries that settled the submit and the end of a message: its statement lines open to it after the message itself has
-- gone by retention.
ALTER TABLE sms_cdr ADD COLUMN submit_entry_id uuid, ADD COLUMN final_entry_id uuid;
COMMENT ON COLUMN sms_cdr.submit_entry_id IS 'The journal entry that settled the submit; null: by then it was not.';
COMMENT ON COLUMN sms_cdr.final_entry_id IS 'The journal entry that settled the end.';
UPDATE sms_cdr c SET submit_entry_id = m.submit_entry_id, final_entry_id = m.final_entry_id
FROM messages m WHERE m.id = c.message_id;
