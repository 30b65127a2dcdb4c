-- name: add_topup -- written before anybody is called; due at once
INSERT INTO parking.topup (id, person, amount, provider, number, state, cause, created_at, changed_at, next_poll_at)
VALUES ($1, $2, $3, $4, $5, 'created', 'person', $6, $6, $7);

-- name: count_pending -- open top-ups of one person
SELECT count(*) FROM parking.topup WHERE person = $1 AND state NOT IN ('paid', 'failed');

-- name: fetch_topup -- one of this person
SELECT id, person, amount, provider, number, state, created_at, polls, pay_url FROM parking.topup WHERE id = $1 AND person = $2;

-- name: lock_topup -- news about one number are taken one after the other
SELECT id, person, amount, provider, number, state, created_at, polls, pay_url FROM parking.topup
 WHERE number = $1 AND provider = $2 FOR NO KEY UPDATE;

-- name: move_topup -- one step; the trigger writes it down and refuses what is no edge
UPDATE parking.topup
   SET state        = $2,
       cause        = $3,
       changed_at   = $4,
       provider_ref = coalesce($5, provider_ref),
       pay_url      = coalesce($6, pay_url),
       next_poll_at = CASE WHEN $2 = 'paid' THEN NULL ELSE next_poll_at END
 WHERE id = $1;

-- name: lease_due -- up to $5 due ones whose lease is nobody's or has ended, for run $2 until $4 (wall times, now is $3)
UPDATE parking.topup t
   SET lease_run = $2, lease_until = $4, polls = t.polls + 1
  FROM (SELECT id FROM parking.topup
         WHERE provider = $1 AND next_poll_at <= $3 AND (lease_until IS NULL OR lease_until <= $3)
         ORDER BY next_poll_at LIMIT $5 FOR NO KEY UPDATE SKIP LOCKED) due
 WHERE t.id = due.id
RETURNING t.id, t.person, t.amount, t.provider, t.number, t.state, t.created_at, t.polls, t.pay_url;

-- name: end_lease -- only by the run that holds it; $3 is the next look
UPDATE parking.topup
   SET lease_run = NULL, lease_until = NULL, next_poll_at = CASE WHEN state = 'paid' THEN NULL ELSE $3::timestamptz END
 WHERE id = $1 AND lease_run = $2;

-- name: list_overdue -- should have been looked at before $2 and were not
SELECT number, state, next_poll_at FROM parking.topup WHERE provider = $1 AND next_poll_at < $2 ORDER BY next_poll_at LIMIT 100;

-- name: list_steps
SELECT was, state, cause, at FROM parking.topup_step WHERE topup = $1 ORDER BY position;

-- name: keep_notify -- once, with how often it came
INSERT INTO parking.payment_notify (provider, notify_id, digest, number, key_id, verdict, first_at, last_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (provider, notify_id, digest)
DO UPDATE SET times = payment_notify.times + 1, last_at = EXCLUDED.last_at, verdict = EXCLUDED.verdict;
