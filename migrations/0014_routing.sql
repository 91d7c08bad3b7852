-- Routing rules and guards of the margin. Dated, never edited: a new row closes the one before it.

-- A row is one version of a rule. `body` says for which messages (`when`) and how their operators are ranked (`then`).
CREATE TABLE routing_rules (
  rule_id uuid NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  position integer NOT NULL, -- of several rules that fit, the one with the smallest holds
  body jsonb NOT NULL,
  reason text NOT NULL DEFAULT '',
  made_by text NOT NULL,
  effective_from timestamptz NOT NULL,
  effective_to timestamptz CHECK (effective_to > effective_from),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (rule_id, version),
  CONSTRAINT routing_rules_do_not_overlap EXCLUDE USING gist (
    rule_id WITH =, tstzrange(effective_from, effective_to) WITH &&)
);

-- What the house must earn for a segment: price less cost. Null means any.
CREATE TABLE margin_guards (
  id uuid PRIMARY KEY,
  account_id uuid REFERENCES accounts, -- and all below it
  operator_id uuid REFERENCES operators,
  mcc text CHECK (mcc ~ '^[0-9]{3}$'),
  mnc text CHECK (mnc IS NULL OR (mnc ~ '^[0-9]{2,3}$' AND mcc IS NOT NULL)),
  min_micros bigint NOT NULL DEFAULT 0, -- in the currency of the price; below zero: a loss that is allowed
  min_permille integer CHECK (min_permille BETWEEN -1000000 AND 1000), -- of the price
  on_breach text NOT NULL DEFAULT 'block' CHECK (on_breach IN ('block', 'alert', 'allow')),
  reason text NOT NULL DEFAULT '' CHECK (on_breach <> 'allow' OR reason <> ''),
  made_by text NOT NULL,
  effective_from timestamptz NOT NULL,
  effective_to timestamptz CHECK (effective_to > effective_from),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT margin_guards_do_not_overlap EXCLUDE USING gist (
    (coalesce(account_id, '00000000-0000-0000-0000-000000000000'::uuid)) WITH =,
    (coalesce(operator_id, '00000000-0000-0000-0000-000000000000'::uuid)) WITH =,
    (coalesce(mcc, '')) WITH =, (coalesce(mnc, '')) WITH =, tstzrange(effective_from, effective_to) WITH &&)
);

CREATE TRIGGER routing_rules_changed AFTER INSERT OR UPDATE OR DELETE ON routing_rules
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER margin_guards_changed AFTER INSERT OR UPDATE OR DELETE ON margin_guards
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
