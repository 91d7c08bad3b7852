-- Money: integers in millionths of a currency's major unit (micros). Never a float.
CREATE TABLE account_balances (
  account_id uuid PRIMARY KEY REFERENCES accounts,
  currency char(3) NOT NULL,
  posted_micros bigint NOT NULL DEFAULT 0,
  held_micros bigint NOT NULL DEFAULT 0 CHECK (held_micros >= 0),
  credit_limit_micros bigint NOT NULL DEFAULT 0 CHECK (credit_limit_micros >= 0),
  updated_at timestamptz NOT NULL DEFAULT now(),
  -- Invariant: what is held can always be captured.
  CONSTRAINT balance_covers_holds CHECK (posted_micros + credit_limit_micros - held_micros >= 0)
) WITH (fillfactor = 20); -- a few hot rows, updated in place

-- The journal: double entry, append-only. The lines of one entry sum to zero per currency in posted_micros;
-- held_micros is a memo on wallet lines: what is set aside, not yet moved.
CREATE TABLE balance_ledger (
  entry_id uuid NOT NULL,          -- UUID v7; every CDR names the entry that took its money
  line smallint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  operation text NOT NULL CHECK (operation IN
    ('hold', 'capture', 'release', 'refund', 'top_up', 'transfer', 'adjustment', 'supplier_cost')),
  ledger text NOT NULL CHECK (ledger IN
    ('wallet', 'revenue', 'supplier_cost', 'supplier', 'cash', 'adjustment')),
  account_id uuid NOT NULL,        -- the wallet's owner, the seller, or the house
  operator_id uuid,                -- for supplier lines
  currency char(3) NOT NULL,
  posted_micros bigint NOT NULL DEFAULT 0,
  held_micros bigint NOT NULL DEFAULT 0,
  posted_after_micros bigint,      -- wallet lines: the balance behind this line
  held_after_micros bigint,
  messages integer NOT NULL DEFAULT 0, -- how many messages the line covers
  reason text,
  PRIMARY KEY (entry_id, line)
) PARTITION BY RANGE (entry_id);
CREATE INDEX balance_ledger_account ON balance_ledger (account_id, entry_id);

-- Top-ups, transfers and adjustments that people make; each names its journal entry.
CREATE TABLE transactions (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts,
  kind text NOT NULL CHECK (kind IN ('top_up', 'transfer', 'adjustment', 'refund')),
  amount_micros bigint NOT NULL,
  currency char(3) NOT NULL,
  reason text NOT NULL,
  entry_id uuid NOT NULL,
  actor text NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX transactions_account ON transactions (account_id, id);
