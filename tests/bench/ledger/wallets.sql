UPDATE account_balances b SET posted_micros = l.posted, held_micros = l.held FROM (
  SELECT account_id, sum(posted_micros) AS posted, sum(held_micros) AS held FROM balance_ledger
  WHERE ledger = 'wallet' GROUP BY 1) l WHERE l.account_id = b.account_id;
