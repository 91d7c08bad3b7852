-- Look-ups as first-class money: what each entry looked up, and accounts with the providers that are paid for it.

-- One row for each entry of the journal that look-ups were charged with. `number_lookups` holds what is believed of a number
-- now; this holds what was paid for, as long as the journal.
CREATE TABLE entry_lookups (
  entry_id uuid NOT NULL,
  account_id uuid NOT NULL,         -- for whom it was asked
  provider_id uuid NOT NULL,        -- who answered
  at timestamptz NOT NULL DEFAULT now(),
  numbers bigint[] NOT NULL,        -- E.164 digits
  networks text[] NOT NULL,         -- where each of them is
  payers uuid[] NOT NULL,           -- whose wallets paid; none: the house absorbed it
  prices_micros bigint[] NOT NULL,  -- for one look-up, of each payer
  currency char(3) NOT NULL,        -- of the wallets
  cost_micros bigint NOT NULL,      -- of one look-up, to the house
  cost_currency char(3) NOT NULL,
  PRIMARY KEY (entry_id),
  CHECK (cardinality(numbers) > 0 AND cardinality(numbers) = cardinality(networks)),
  CHECK (cardinality(payers) = cardinality(prices_micros))
) PARTITION BY RANGE (entry_id);
CREATE TABLE entry_lookups_rest PARTITION OF entry_lookups DEFAULT;
SELECT partitions_ensure(now() - interval '7 days', 4);

-- Entries before this one have no such row: processes of the release before write none, and may do so for a while yet.
CREATE TABLE lookups_start (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  entry_id uuid NOT NULL
);
INSERT INTO lookups_start (entry_id)
SELECT CASE WHEN EXISTS (SELECT FROM lookup_providers) THEN uuid_at(now() + interval '1 day')
  ELSE '00000000-0000-0000-0000-000000000000' END;

-- A supplier is an operator or a provider of look-ups, here as in the journal. Providers have a cursor of their own in
-- sweep_cursors, 'suppliers.lookups', so that processes of the release before, which fold operators only, skip nothing.
ALTER TABLE supplier_accounts DROP CONSTRAINT supplier_accounts_operator_id_fkey;
COMMENT ON COLUMN supplier_accounts.operator_id IS 'The supplier: an operator, or a provider of look-ups.';
ALTER TABLE transactions ADD COLUMN provider_id uuid REFERENCES lookup_providers;
COMMENT ON COLUMN transactions.provider_id IS 'Payments to a provider of look-ups: to whom.';
