-- What a wallet holds stays far enough from the end of a bigint that no sum of it, a limit and a hold can pass that end.
--
-- What is there already is not looked at: nobody has so much, and if somebody had, taking from it must still work.
ALTER TABLE account_balances ADD CONSTRAINT wallet_is_countable CHECK (
  posted_micros <= 4000000000000000000 AND credit_limit_micros <= 4000000000000000000) NOT VALID;
