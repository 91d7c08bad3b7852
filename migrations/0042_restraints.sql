-- Who suspended an account, and who capped it: each account above has a word of its own, and takes back only its own and
-- those of accounts below it. What is in force (accounts.status, account_balances.spend_cap_micros) is the strictest.
CREATE TABLE account_suspensions (
  account_id uuid NOT NULL REFERENCES accounts,
  set_by uuid NOT NULL REFERENCES accounts, -- the account, or one above it
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, set_by)
);
COMMENT ON TABLE account_suspensions IS 'An account is suspended as long as anybody above it says so.';

CREATE TABLE account_spend_caps (
  account_id uuid NOT NULL REFERENCES accounts,
  set_by uuid NOT NULL REFERENCES accounts, -- the account, or one above it
  cap_micros bigint NOT NULL CHECK (cap_micros >= 0),
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, set_by)
);
COMMENT ON TABLE account_spend_caps IS 'What an account may spend on a day is the lowest of these.';

-- What is in force already is the word of who set it last, as the trail says; without one, of the account right above.
INSERT INTO account_suspensions (account_id, set_by)
SELECT a.id, coalesce((
    SELECT l.actor_account_id FROM audit_logs l
    WHERE l.account_id = a.id AND l.action = 'account.update' AND l.detail ->> 'status' = 'suspended'
      AND l.actor_account_id = ANY (a.path) ORDER BY l.id DESC LIMIT 1), a.parent_id, a.id)
FROM accounts a WHERE a.status = 'suspended';

INSERT INTO account_spend_caps (account_id, set_by, cap_micros)
SELECT a.id, coalesce((
    SELECT l.actor_account_id FROM audit_logs l
    WHERE l.account_id = a.id AND l.action = 'account.cap' AND l.actor_account_id = ANY (a.path)
    ORDER BY l.id DESC LIMIT 1), a.parent_id, a.id), b.spend_cap_micros
FROM accounts a JOIN account_balances b ON b.account_id = a.id WHERE b.spend_cap_micros IS NOT NULL;
