-- Spend caps by UTC day, of wallets and of API keys; and thresholds of balances.
ALTER TABLE account_balances ADD COLUMN spend_cap_micros bigint CHECK (spend_cap_micros >= 0);
ALTER TABLE account_balances ADD COLUMN spend_day date;
ALTER TABLE account_balances ADD COLUMN spent_micros bigint NOT NULL DEFAULT 0;
ALTER TABLE account_balances ADD COLUMN excused_micros bigint NOT NULL DEFAULT 0;
-- Invariant: what is accepted on a day never costs a capped wallet more than its cap.
ALTER TABLE account_balances ADD CONSTRAINT wallet_spends_within_cap
  CHECK (spend_cap_micros IS NULL OR spent_micros <= greatest(spend_cap_micros, excused_micros));
COMMENT ON COLUMN account_balances.spend_cap_micros IS 'What messages accepted on one UTC day may cost it. Null: any; then nothing is counted.';
COMMENT ON COLUMN account_balances.spend_day IS 'The day that spent_micros is of.';
COMMENT ON COLUMN account_balances.spent_micros IS 'Held for messages accepted on that day, whatever became of them.';
COMMENT ON COLUMN account_balances.excused_micros IS 'Spent on that day before a lower cap was set: not refused after the fact.';

CREATE TABLE api_key_caps (
  key_id uuid PRIMARY KEY REFERENCES api_keys,
  account_id uuid NOT NULL,
  cap_micros bigint NOT NULL CHECK (cap_micros >= 0),
  spend_day date,
  spent_micros bigint NOT NULL DEFAULT 0,
  excused_micros bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT key_spends_within_cap CHECK (spent_micros <= greatest(cap_micros, excused_micros))
) WITH (fillfactor = 20); -- a few hot rows, updated in place
COMMENT ON TABLE api_key_caps IS 'What messages sent with a key may cost its account on one UTC day. Counted from when the cap was set.';

CREATE TABLE balance_thresholds (
  id uuid PRIMARY KEY,               -- UUID v7
  account_id uuid NOT NULL REFERENCES accounts,
  amount_micros bigint NOT NULL,     -- in the wallet's currency
  url text,                          -- where the event goes; null: only to who listens
  is_low boolean NOT NULL DEFAULT false, -- what can be spent is below it, and that was told
  crossed_at timestamptz,            -- when is_low changed last
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT balance_thresholds_once UNIQUE (account_id, amount_micros)
);
