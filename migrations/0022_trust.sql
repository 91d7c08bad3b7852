-- What receipts are held against: numbers of which the truth is known, and what recipients did.

-- Numbers to test operators with.
CREATE TABLE test_numbers (
  number bigint PRIMARY KEY CHECK (number BETWEEN 1000000 AND 999999999999999),
  kind text NOT NULL CHECK (kind IN ('dead', 'truthful')), -- nobody can reach it; or somebody tells what arrived there
  note text NOT NULL DEFAULT '',
  made_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- What really arrived at truthful numbers.
CREATE TABLE test_results (
  message_id uuid PRIMARY KEY,
  number bigint NOT NULL,
  arrived boolean NOT NULL,
  made_by text NOT NULL,
  reported_at timestamptz NOT NULL
);
CREATE INDEX test_results_reported ON test_results (reported_at);

-- What an account says became of its messages: one opinion for each, which is final.
CREATE TABLE message_feedback (
  message_id uuid PRIMARY KEY,
  account_id uuid NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('converted', 'not_received')),
  at timestamptz NOT NULL
);

-- Accounts that gave feedback: only their messages are compared. What others send says nothing.
CREATE TABLE feedback_accounts (
  account_id uuid PRIMARY KEY,
  since timestamptz NOT NULL
);
