-- Money that people move: adjustments that need a second person, refunds and corrections that name their original.

-- Kinds and operations grow in several migrations: each adds to what is there.
DO $$
DECLARE
  widened record;
  definition text;
BEGIN
  FOR widened IN SELECT * FROM (VALUES
    ('transactions', 'transactions_kind_check', '''refund''::text', '''refund''::text, ''correction''::text, ''supplier_payment''::text'),
    ('balance_ledger', 'balance_ledger_operation_check', '''refund''::text', '''refund''::text, ''correction''::text, ''supplier_payment''::text')
  ) AS v (relation, name, anchor, grown) LOOP
    SELECT pg_get_constraintdef(oid) INTO STRICT definition FROM pg_constraint
      WHERE conrelid = widened.relation::regclass AND conname = widened.name;
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', widened.relation, widened.name);
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', widened.relation, widened.name,
      replace(definition, widened.anchor, widened.grown));
  END LOOP;
END $$;

ALTER TABLE transactions ADD COLUMN message_id uuid;
ALTER TABLE transactions ADD COLUMN original_id uuid REFERENCES transactions;
ALTER TABLE transactions ADD COLUMN operator_id uuid REFERENCES operators;
ALTER TABLE transactions ADD COLUMN corrected_micros bigint NOT NULL DEFAULT 0;
-- Invariant: corrections never take back more than the original moved.
ALTER TABLE transactions ADD CONSTRAINT transactions_corrected_within CHECK (corrected_micros BETWEEN 0 AND abs(amount_micros));
CREATE INDEX transactions_entry ON transactions (entry_id);
CREATE INDEX transactions_original ON transactions (original_id) WHERE original_id IS NOT NULL;
COMMENT ON COLUMN transactions.message_id IS 'A refund: of which message.';
COMMENT ON COLUMN transactions.original_id IS 'A correction: of which transaction.';
COMMENT ON COLUMN transactions.operator_id IS 'A payment to a supplier: to whom. The account is the house.';
COMMENT ON COLUMN transactions.corrected_micros IS 'How much of it corrections have taken back, without its sign.';

CREATE TABLE adjustments (
  id uuid PRIMARY KEY,               -- UUID v7
  account_id uuid NOT NULL REFERENCES accounts,
  amount_micros bigint NOT NULL CHECK (amount_micros <> 0), -- below zero: taken from the wallet
  currency char(3) NOT NULL,
  reason text NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'done', 'rejected')),
  requested_by text NOT NULL,        -- usr_… or key_…
  decided_by text,                   -- null: it was small enough to be done at once
  decision text,                     -- why it was approved or rejected
  decided_at timestamptz,
  entry_id uuid,                     -- the journal entry that posted it
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((status = 'done') = (entry_id IS NOT NULL)),
  -- Invariant: nobody approves what they asked for themselves.
  CONSTRAINT adjustments_need_two_people CHECK (status <> 'done' OR decided_by IS DISTINCT FROM requested_by)
);
CREATE INDEX adjustments_account ON adjustments (account_id, id);
CREATE INDEX adjustments_pending ON adjustments (id) WHERE status = 'pending';

CREATE TABLE adjustment_limits (
  currency char(3) PRIMARY KEY CHECK (currency ~ '^[A-Z]{3}$'),
  limit_micros bigint NOT NULL CHECK (limit_micros >= 0),
  set_by text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE adjustment_limits IS 'Up to this amount one person adjusts a wallet alone; above it another one approves. No row: always.';

-- Money given back for a message: a row for each payer of its chain.
CREATE TABLE message_refunds (
  message_id uuid NOT NULL,
  account_id uuid NOT NULL,          -- the payer who gets it back
  seller_id uuid NOT NULL,           -- whose revenue it was
  before_segments smallint NOT NULL CHECK (before_segments >= 0), -- given back before
  segments smallint NOT NULL CHECK (segments > 0),                -- given back now
  captured_segments smallint NOT NULL,                            -- taken for the message
  unit_price_micros bigint NOT NULL,
  amount_micros bigint NOT NULL,
  currency char(3) NOT NULL,
  entry_id uuid NOT NULL,            -- the journal entry that gave it back
  at timestamptz NOT NULL DEFAULT now(),
  -- Two refunds cannot begin at the same place, whatever happens at the same time.
  PRIMARY KEY (message_id, account_id, before_segments),
  CONSTRAINT message_refunds_within_capture CHECK (before_segments + segments <= captured_segments),
  CHECK (amount_micros = unit_price_micros * segments)
);
CREATE INDEX message_refunds_entry ON message_refunds (entry_id);
