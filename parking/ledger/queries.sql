-- name: open_accounts -- ids in the order asked; what is missing is opened
SELECT ledger.open_accounts($1, $2);

-- name: lock_accounts -- in the one order, before a transaction makes several calls
SELECT ledger.lock_accounts($1);

-- name: settle -- what was booked now, by place in the arrays
SELECT place, paid FROM ledger.settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: correct -- what was booked now, by place in the arrays
SELECT place, paid FROM ledger.correct($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: pay_debt -- 0 paid, 1 too little, 2 not owed; what is missing was there already
SELECT place, status FROM ledger.pay_debt($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: refund -- what was given back, 0 when so much is not there, nothing when the id is taken
SELECT ledger.refund($1, $2, $3, $4, $5, $6, $7);

-- name: top_up -- false when the id is taken
SELECT ledger.top_up($1, $2, $3, $4, $5, $6);

-- name: pay_out -- how much, 0 when it is empty, nothing when the id is taken
SELECT ledger.pay_out($1, $2, $3, $4, $5);

-- name: move_debt -- 0 moved, 2 not owed, nothing when the id is taken
SELECT ledger.move_debt($1, $2, $3, $4, $5, $6, $7);

-- name: postings_by_id
SELECT id, seq, event_at, code, ref, digest, of, d0, c0, a0, d1, c1, a1, d2, c2, a2 FROM ledger.posting WHERE id = ANY ($1);

-- name: postings_of -- one session's, oldest first
SELECT id, seq, event_at, code, ref, digest, of, d0, c0, a0, d1, c1, a1, d2, c2, a2 FROM ledger.posting WHERE ref = $1 ORDER BY seq;

-- name: session_money -- one session's sums
SELECT paid, returned, fee, owed FROM ledger.session WHERE ref = $1;

-- name: balances_of -- credits less debits
SELECT account, credits - debits AS balance FROM ledger.balance WHERE account = ANY ($1);

-- name: entries -- newest first below $2; a place is looked at only where this kind of account can stand, each by its index
WITH found AS (
  (SELECT * FROM ledger.posting WHERE d0 = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3)
  UNION ALL
  (SELECT * FROM ledger.posting WHERE c0 = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3)
  UNION ALL
  (SELECT * FROM ledger.posting WHERE d1 = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3)
  UNION ALL
  (SELECT * FROM ledger.posting WHERE c1 = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3)
  UNION ALL
  (SELECT * FROM ledger.posting WHERE d2 = $1 AND d2 IS NOT NULL AND code <> 1 AND seq < $2 ORDER BY seq DESC LIMIT $3)
  UNION ALL
  (SELECT * FROM ledger.posting WHERE c2 = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3)),
newest AS (SELECT DISTINCT ON (seq) * FROM found ORDER BY seq DESC LIMIT $3)
SELECT seq, event_at, code, ref,
       (CASE $1 WHEN c0 THEN a0 WHEN d0 THEN -a0 ELSE 0 END
        + CASE $1 WHEN c1 THEN a1 WHEN d1 THEN -a1 ELSE 0 END
        + CASE $1 WHEN c2 THEN a2 WHEN d2 THEN -a2 ELSE 0 END) AS amount
  FROM newest ORDER BY seq DESC;

-- name: proof -- any row is an incident
SELECT account, debits, credits, debits_posted, credits_posted FROM ledger.proof;
