-- What sellers earned goes out: into their own wallets, or paid to them outside.
DO $$
DECLARE
  widened record;
  definition text;
BEGIN
  FOR widened IN SELECT * FROM (VALUES
    ('transactions', 'transactions_kind_check'),
    ('balance_ledger', 'balance_ledger_operation_check')
  ) AS v (relation, name) LOOP
    SELECT pg_get_constraintdef(oid) INTO STRICT definition FROM pg_constraint
      WHERE conrelid = widened.relation::regclass AND conname = widened.name;
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', widened.relation, widened.name);
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', widened.relation, widened.name,
      replace(definition, '''refund''::text', '''refund''::text, ''revenue_credit''::text, ''payout''::text'));
  END LOOP;
END $$;

-- What a seller earned, and what of it went out, as far as the sweep has folded the journal: see sweep_cursors, 'sellers'.
CREATE TABLE seller_accounts (
  account_id uuid NOT NULL REFERENCES accounts,
  currency char(3) NOT NULL,
  earned_micros bigint NOT NULL DEFAULT 0,   -- paid by its children, less refunds
  paid_out_micros bigint NOT NULL DEFAULT 0, -- into its wallet, or outside
  PRIMARY KEY (account_id, currency)
) WITH (fillfactor = 50);
