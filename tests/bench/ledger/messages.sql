SET synchronous_commit = off;
CREATE TEMP TABLE made AS
  SELECT i, i % 100 AS client, id_ago($5 + ($3 - i) * $4, 1, i) AS message, id_ago($5 + ($3 - i) * $4, 2, i) AS hold,
    id_ago($5 + ($3 - i) * $4 - 400, 3, i) AS capture, now() - ($5 + ($3 - i) * $4) * interval '1 millisecond' AS at
  FROM generate_series($1::bigint, $2::bigint - 1) i;
INSERT INTO messages (id, account_id, recipient, sender, body, encoding, segments, mcc_mnc, chain_id, unit_price_micros,
    charge_on, currency, expires_at, due_at, created_at, state, state_rank, hop, operator_id, unit_cost_micros, cost_currency,
    accepted_segments, captured_micros, submit_entry_id, final_entry_id, updated_at)
  SELECT message, tree_id(3, client), 998901000000 + i, 'Brand', 'hello', 'gsm7', 1, '43405', tree_id(4, client), 5000,
    'submit', 'EUR', at, at, at, 'delivered', 8, 0, tree_id(5, i % 3), 3000, 'EUR', 1, 5000, capture, capture, at
  FROM made;
INSERT INTO sms_cdr (message_id, account_id, recipient, sender, mcc_mnc, encoding, segments, accepted_segments, state,
    operator_id, hop, chain_id, unit_price_micros, price_micros, currency, cost_micros, cost_currency, capture_entry_id,
    accepted_at, ended_at)
  SELECT message, tree_id(3, client), 998901000000 + i, 'Brand', '43405', 'gsm7', 1, 1, 'delivered', tree_id(5, i % 3), 0,
    tree_id(4, client), 5000, 5000, 'EUR', 3000, 'EUR', capture, at, at
  FROM made;
INSERT INTO balance_ledger (entry_id, line, at, operation, ledger, account_id, operator_id, currency, posted_micros,
    held_micros, posted_after_micros, held_after_micros, messages)
  SELECT CASE WHEN l.line <= 2 AND l.operation = 'hold' THEN m.hold ELSE m.capture END, l.line, m.at, l.operation, l.ledger,
    CASE l.who WHEN 'client' THEN tree_id(3, m.client) WHEN 'reseller' THEN tree_id(2, m.client / 10) ELSE tree_id(1, 0) END,
    CASE WHEN l.line >= 5 THEN tree_id(5, m.i % 3) END, 'EUR', l.posted, l.held, l.after, l.after, 1
  FROM made m, (VALUES
    (1, 'hold', 'wallet', 'client', 0, 5000, 1000000000), (2, 'hold', 'wallet', 'reseller', 0, 4000, 1000000000),
    (1, 'capture', 'wallet', 'client', -5000, -5000, 1000000000), (2, 'capture', 'revenue', 'reseller', 5000, 0, NULL),
    (3, 'capture', 'wallet', 'reseller', -4000, -4000, 1000000000), (4, 'capture', 'revenue', 'house', 4000, 0, NULL),
    (5, 'supplier_cost', 'supplier_cost', 'house', -3000, 0, NULL), (6, 'supplier_cost', 'supplier', 'house', 3000, 0, NULL)
  ) AS l (line, operation, ledger, who, posted, held, after);
DROP TABLE made;
