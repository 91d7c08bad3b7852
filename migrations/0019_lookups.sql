-- Look-ups of numbers (MNP, HLR): who is asked, what was answered, and for whom it is done.

-- Who is asked over HTTP. Of several that are in force the first by position is asked. The house's.
CREATE TABLE lookup_providers (
  id uuid PRIMARY KEY,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  position integer NOT NULL DEFAULT 100,
  url text NOT NULL CHECK (url LIKE '%{number}%'), -- the digits of the number take the place of {number}
  header text,                     -- the header that carries the secret, for example Authorization
  secret_sealed bytea,             -- AES-256-GCM with the platform's key
  fields jsonb NOT NULL,           -- JSON pointers into the answer: network, or mcc and mnc; ported; reachable
  timeout_ms integer NOT NULL DEFAULT 1000 CHECK (timeout_ms BETWEEN 50 AND 10000),
  lifetime_seconds integer NOT NULL DEFAULT 2592000 CHECK (lifetime_seconds BETWEEN 60 AND 31536000), -- of an answer
  cost_micros bigint NOT NULL DEFAULT 0 CHECK (cost_micros >= 0), -- of one look-up, to the house
  cost_currency char(3) NOT NULL CHECK (cost_currency ~ '^[A-Z]{3}$'),
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER lookup_providers_changed AFTER INSERT OR UPDATE OR DELETE ON lookup_providers
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();

-- What an account has looked up, and at what price. A row is written by the account's seller.
CREATE TABLE account_lookups (
  account_id uuid PRIMARY KEY REFERENCES accounts,
  policy text CHECK (policy IN ('never', 'cached', 'always')), -- null: that of the account above; of nobody: never
  price_micros bigint NOT NULL DEFAULT 0 CHECK (price_micros >= 0), -- the account's own, in its currency; 0: its seller absorbs it
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER account_lookups_changed AFTER INSERT OR UPDATE OR DELETE ON account_lookups
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();

-- What providers answered. Apart from number_overrides, which stand for everybody and in every process's memory: these are
-- read by statement, for accounts whose policy asks for them.
CREATE TABLE number_lookups (
  number bigint PRIMARY KEY CHECK (number BETWEEN 1000000 AND 999999999999999),
  mcc text NOT NULL CHECK (mcc ~ '^[0-9]{3}$'),
  mnc text CHECK (mnc ~ '^[0-9]{2,3}$'),
  ported boolean,
  reachable boolean,
  provider_id uuid NOT NULL,
  entry_id uuid,                   -- the journal entry that charged it; null: it cost nobody anything
  looked_up_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX number_lookups_expires ON number_lookups (expires_at);

-- A look-up is an operation of its own in the journal; its supplier is a provider, named where operators are. The list is
-- extended wherever it stands now: other migrations extend it, too.
DO $$
DECLARE
  definition text;
BEGIN
  SELECT pg_get_constraintdef(oid) INTO definition FROM pg_constraint
  WHERE conrelid = 'balance_ledger'::regclass AND conname = 'balance_ledger_operation_check';
  IF definition IS NOT NULL AND definition NOT LIKE '%''lookup''%' THEN
    ALTER TABLE balance_ledger DROP CONSTRAINT balance_ledger_operation_check;
    EXECUTE 'ALTER TABLE balance_ledger ADD CONSTRAINT balance_ledger_operation_check '
      || replace(definition, '''hold''::text', '''hold''::text, ''lookup''::text');
  END IF;
END $$;
