-- Sums of each account with an operator where the last check of the books ended, beside those of the wallets.
CREATE TABLE ledger_supplier_checkpoints (
  operator_id uuid NOT NULL,
  currency char(3) NOT NULL,
  posted_micros numeric NOT NULL, -- all lines of the journal: costs less payments
  owed_micros numeric NOT NULL,   -- costs alone
  due_micros numeric NOT NULL,    -- by messages
  PRIMARY KEY (operator_id, currency)
);

-- The check that they belong to; null or another one than `sequence`: a process of the release before went on without them.
ALTER TABLE ledger_checks ADD COLUMN suppliers_sequence bigint;
