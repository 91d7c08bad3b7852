-- Where two people are needed, two log-ins of one person are not enough; and what lets one person do it alone is raised by two.
ALTER TABLE account_credentials ADD COLUMN created_by uuid REFERENCES account_credentials;
COMMENT ON COLUMN account_credentials.created_by IS 'The log-in that made it. Null: the platform itself, or nobody knows.';

ALTER TABLE adjustment_limits ADD COLUMN asked_micros bigint;
ALTER TABLE adjustment_limits ADD COLUMN asked_by text;
ALTER TABLE adjustment_limits ADD COLUMN asked_at timestamptz;
ALTER TABLE adjustment_limits ADD CONSTRAINT adjustment_limits_ask_for_more CHECK (asked_micros > limit_micros);
COMMENT ON COLUMN adjustment_limits.asked_micros IS 'A higher limit that waits for the approval of another person.';

-- Who made a log-in before this stands in the trail.
UPDATE account_credentials u SET created_by = m.id
FROM audit_logs l, account_credentials m
WHERE l.account_id = u.account_id AND l.action = 'user.create'
  AND l.subject = 'usr_' || substr(account_text(u.id), 5) AND l.actor = 'usr_' || substr(account_text(m.id), 5) AND m.id <> u.id;
