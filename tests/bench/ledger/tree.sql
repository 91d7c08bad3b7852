-- A house, ten resellers, ten clients under each. A client pays 5000 micros for a segment, a reseller 4000.
SELECT partitions_ensure(now() - interval '21 days', 6);
CREATE FUNCTION tree_id(kind integer, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex(kind), 8, '0') || '00007000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid
$$;
-- An id of a moment so many milliseconds ago.
CREATE FUNCTION id_ago(ms bigint, kind integer, n bigint) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT (left(replace(uuid_at(now() - ms * interval '1 millisecond')::text, '-', ''), 12) || '7' || lpad(to_hex(kind), 3, '0')
    || '8000' || lpad(to_hex(n), 12, '0'))::uuid
$$;
INSERT INTO accounts (id, parent_id, path, name, role, currency)
  SELECT tree_id(1, 0), NULL, ARRAY[tree_id(1, 0)], 'House', 'admin', 'EUR';
INSERT INTO accounts (id, parent_id, path, name, role, currency)
  SELECT tree_id(2, r), tree_id(1, 0), ARRAY[tree_id(1, 0), tree_id(2, r)], 'Reseller ' || r, 'reseller', 'EUR'
  FROM generate_series(0, 9) r;
INSERT INTO accounts (id, parent_id, path, name, role, currency)
  SELECT tree_id(3, c), tree_id(2, c / 10), ARRAY[tree_id(1, 0), tree_id(2, c / 10), tree_id(3, c)], 'Client ' || c, 'client', 'EUR'
  FROM generate_series(0, 99) c;
INSERT INTO account_balances (account_id, currency, credit_limit_micros)
  SELECT id, 'EUR', 1000000000000 FROM accounts;
INSERT INTO charge_chains (id, chain)
  SELECT tree_id(4, c), jsonb_build_object('currency', 'EUR', 'links', jsonb_build_array(
    jsonb_build_object('account', account_text(tree_id(3, c)), 'seller', account_text(tree_id(2, c / 10)),
      'tariff', 'tar_00000000000000000000000000', 'price_micros', 5000, 'charge_on', 'submit'),
    jsonb_build_object('account', account_text(tree_id(2, c / 10)), 'seller', account_text(tree_id(1, 0)),
      'tariff', 'tar_00000000000000000000000000', 'price_micros', 4000, 'charge_on', 'submit')))
  FROM generate_series(0, 99) c;
