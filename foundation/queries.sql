-- name: look_at_readings -- whether there is anything to apply, without lock or write; no row: this follower is new
SELECT EXISTS (SELECT FROM journal.reading r WHERE r.position > c.position AND r.recorded_at >= c.recorded_at - $2::interval) AS behind,
       (SELECT count(*) FROM journal.stuck s WHERE s.follower = c.follower) AS stuck
  FROM journal.cursor c WHERE c.follower = $1;

-- name: look_at_facts
SELECT EXISTS (SELECT FROM journal.fact f WHERE f.position > c.position AND f.recorded_at >= c.recorded_at - $2::interval) AS behind,
       (SELECT count(*) FROM journal.stuck s WHERE s.follower = c.follower) AS stuck
  FROM journal.cursor c WHERE c.follower = $1;

-- name: make_cursor -- a follower's first look begins at the beginning
INSERT INTO journal.cursor (follower) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: lock_cursor -- one run of a follower at a time: whoever comes second sees no row
SELECT position, recorded_at FROM journal.cursor WHERE follower = $1 FOR UPDATE SKIP LOCKED;

-- name: hold_cursor -- for a retry, which may not run beside its follower: wait for it
SELECT position FROM journal.cursor WHERE follower = $1 FOR UPDATE;

-- name: move_cursor
UPDATE journal.cursor SET position = $2, recorded_at = $3 WHERE follower = $1;

-- name: read_readings
SELECT position, recorded_at, at, kind, key, body FROM journal.reading
 WHERE position > $1 AND recorded_at >= $2 ORDER BY position LIMIT $3;

-- name: read_facts
SELECT position, recorded_at, at, kind, key, body FROM journal.fact
 WHERE position > $1 AND recorded_at >= $2 ORDER BY position LIMIT $3;

-- name: newest_reading
SELECT position, recorded_at FROM journal.reading WHERE recorded_at >= $1 ORDER BY position DESC LIMIT 1;

-- name: newest_fact
SELECT position, recorded_at FROM journal.fact WHERE recorded_at >= $1 ORDER BY position DESC LIMIT 1;

-- name: stuck_keys
SELECT DISTINCT key FROM journal.stuck WHERE follower = $1;

-- name: put_aside
INSERT INTO journal.stuck (follower, position, key, kind, at, body, error) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING;

-- name: list_stuck
SELECT follower, position, key, kind, at, error, since FROM journal.stuck ORDER BY follower, position;

-- name: take_stuck
DELETE FROM journal.stuck WHERE follower = $1 AND key = $2 RETURNING position, since, at, kind, key, body;

-- name: drop_stuck
DELETE FROM journal.stuck WHERE follower = $1 AND position = $2 RETURNING position;

-- name: make_partitions
SELECT journal.make_partitions($1, $2, $3);

-- name: drop_old_partitions
SELECT journal.drop_old_partitions($1, $2, $3, $4);

-- name: longest_append -- seconds that the oldest transaction has been open which holds a lock on positions
SELECT journal.longest_append();

-- name: append_facts
SELECT journal.append_facts($1, $2, $3, $4);

-- name: take_reading_positions
SELECT first, at FROM journal.take_reading_positions($1);

-- name: append_readings -- in the order given; answers how many were new
SELECT stored, last FROM journal.append_readings($1, $2, $3, $4, $5, $6);

-- name: lock_answer -- whoever asks the same at the same time waits for the first to be answered
SELECT pg_advisory_xact_lock(71010, hashtext($1));

-- name: first_answer -- what was answered when this key was first used
SELECT digest, status, answer FROM journal.idempotency WHERE caller = $1 AND route = $2 AND key = $3;

-- name: keep_answer
INSERT INTO journal.idempotency (caller, route, key, digest, status, answer) VALUES ($1, $2, $3, $4, $5, $6);

-- name: found_city -- the first start decides
INSERT INTO journal.city (name, speed, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: load_city
SELECT name, speed, since FROM journal.city;

-- name: applied_migrations
SELECT package, number FROM journal.migration;
