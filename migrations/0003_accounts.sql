-- Accounts: the tree of house (admin), resellers and clients; who may act for them, and how.
CREATE TABLE tariff_plans (
  id uuid PRIMARY KEY,
  owner_account_id uuid NOT NULL, -- who sells by it
  name text NOT NULL,
  currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (owner_account_id, name)
);

CREATE TABLE accounts (
  id uuid PRIMARY KEY,
  parent_id uuid REFERENCES accounts, -- null: the house
  path uuid[] NOT NULL,               -- ids from the house down to itself: a subtree is one array test
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  role text NOT NULL CHECK (role IN ('admin', 'reseller', 'client')),
  plan_id uuid REFERENCES tariff_plans, -- the prices that it pays
  currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  segments_per_second integer CHECK (segments_per_second > 0),
  any_sender boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (path[array_length(path, 1)] = id),
  CHECK (array_length(path, 1) <= 16),
  CHECK ((role = 'admin') = (parent_id IS NULL))
);
CREATE UNIQUE INDEX accounts_one_house ON accounts ((true)) WHERE parent_id IS NULL;
CREATE INDEX accounts_path ON accounts USING gin (path);
ALTER TABLE tariff_plans ADD FOREIGN KEY (owner_account_id) REFERENCES accounts DEFERRABLE INITIALLY DEFERRED;

-- People who log in.
CREATE TABLE account_credentials (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts,
  email text NOT NULL,
  password_hash text NOT NULL, -- argon2id, PHC string
  failed_logins integer NOT NULL DEFAULT 0,
  locked_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX account_credentials_email ON account_credentials (lower(email));
CREATE INDEX account_credentials_account ON account_credentials (account_id);

-- Rotating: a token is used once; using it again means that it was stolen and ends its whole family.
CREATE TABLE refresh_tokens (
  token_hash bytea PRIMARY KEY, -- HMAC-SHA-256 with the platform's key
  family_id uuid NOT NULL,
  user_id uuid NOT NULL REFERENCES account_credentials ON DELETE CASCADE,
  issued_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);

CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts,
  name text NOT NULL,
  secret_hash bytea NOT NULL, -- HMAC-SHA-256 with the platform's key
  scopes text[] NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_keys_account ON api_keys (account_id);

-- Who changed what. Append-only.
CREATE TABLE audit_logs (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL,      -- whose thing was changed
  actor_account_id uuid NOT NULL,
  actor text NOT NULL,           -- usr_… or key_… or 'system'
  action text NOT NULL,          -- for example 'operator.update'
  subject text NOT NULL,         -- id of what was changed
  detail jsonb NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_logs_account ON audit_logs (account_id, id);

CREATE TRIGGER accounts_changed AFTER INSERT OR UPDATE OR DELETE ON accounts
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
