-- name: add_case
INSERT INTO services.case_file (id, person, matter, version, agency, state, sealed, created_at) VALUES ($1, $2, $3, $4, $5, 'draft', $6, $7);

-- name: count_drafts
SELECT count(*) FROM services.case_file WHERE person = $1 AND state = 'draft';

-- name: lock_drafts -- of a person, one at a time
SELECT pg_advisory_xact_lock(6401, $1);

-- name: load_case
SELECT id, person, matter, version, agency, state, revision, sealed, created_at, submitted_at, due_at, paused_at, decided_at, staff_waits, clerk
  FROM services.case_file WHERE id = $1;

-- name: lock_case
SELECT id, person, matter, version, agency, state, revision, sealed, created_at, submitted_at, due_at, paused_at, decided_at, staff_waits, clerk
  FROM services.case_file WHERE id = $1 FOR UPDATE;

-- name: save_case
UPDATE services.case_file
   SET state = $2, revision = revision + 1, sealed = $3, submitted_at = $4, due_at = $5, paused_at = $6, decided_at = $7, staff_waits = $8
 WHERE id = $1;

-- name: hand_in -- with its timers
WITH saved AS (
  UPDATE services.case_file SET state = $2, revision = revision + 1, sealed = $3, submitted_at = $4, due_at = $5 WHERE id = $1 RETURNING id
)
INSERT INTO services.case_timer (case_id, kind, due_at)
SELECT saved.id, timer.kind, timer.due_at FROM saved, unnest($6::text[], $7::timestamptz[]) AS timer (kind, due_at)
ON CONFLICT (case_id, kind, task) DO UPDATE SET due_at = excluded.due_at, tries = 0;

-- name: cases_of -- a person's own, the newest first
SELECT id, person, matter, version, agency, state, revision, sealed, created_at, submitted_at, due_at, paused_at, decided_at, staff_waits, clerk
  FROM services.case_file WHERE person = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;

-- name: inbox_of -- agencies' cases that wait for staff, the one first whose promise ends first
SELECT id, person, matter, version, agency, state, revision, sealed, created_at, submitted_at, due_at, paused_at, decided_at, staff_waits, clerk
  FROM services.case_file
 WHERE agency = ANY ($1) AND staff_waits AND ($2::timestamptz IS NULL OR (due_at, id) > ($2, $3::uuid)) ORDER BY due_at, id LIMIT $4;

-- name: decided_of -- agencies' cases, the one first that was decided last
SELECT id, person, matter, version, agency, state, revision, sealed, created_at, submitted_at, due_at, paused_at, decided_at, staff_waits, clerk
  FROM services.case_file
 WHERE agency = ANY ($1) AND decided_at IS NOT NULL AND ($2::timestamptz IS NULL OR (decided_at, id) < ($2, $3::uuid))
 ORDER BY decided_at DESC, id DESC LIMIT $4;

-- name: set_clerk
UPDATE services.case_file SET clerk = $2 WHERE id = $1;

-- name: steps_of
SELECT number, task, word, made_by, actor, reason, at FROM services.case_step WHERE case_id = $1 ORDER BY number;

-- name: add_step
INSERT INTO services.case_step (case_id, number, task, word, made_by, actor, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: rechecks_of
SELECT number, since, due_at, closed_at, kept, made_by, reason FROM services.case_recheck WHERE case_id = $1 ORDER BY number;

-- name: open_recheck
INSERT INTO services.case_recheck (case_id, number, since, due_at) VALUES ($1, $2, $3, $4);

-- name: put_before_staff
UPDATE services.case_file SET staff_waits = true, due_at = $2 WHERE id = $1;

-- name: close_recheck
UPDATE services.case_recheck SET closed_at = $3, kept = $4, made_by = $5, actor = $6, reason = $7 WHERE case_id = $1 AND number = $2;

-- name: set_timer
INSERT INTO services.case_timer (case_id, kind, task, due_at, tries) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (case_id, kind, task) DO UPDATE SET due_at = excluded.due_at, tries = excluded.tries;

-- name: timer_tasks
SELECT task FROM services.case_timer WHERE case_id = $1 AND kind = 'flow';

-- name: end_timer
DELETE FROM services.case_timer WHERE case_id = $1 AND kind = $2 AND task = $3;

-- name: end_timers
DELETE FROM services.case_timer WHERE case_id = $1;

-- name: end_timers_but_pledges -- what was approved on a pledge is checked all the same
DELETE FROM services.case_timer WHERE case_id = $1 AND kind <> 'pledge';

-- name: due_timers
SELECT case_id, kind, task, tries FROM services.case_timer WHERE due_at <= $1 ORDER BY due_at LIMIT $2;

-- name: lock_timer -- somebody else may have done what it asks
SELECT tries FROM services.case_timer WHERE case_id = $1 AND kind = $2 AND task = $3 AND due_at <= $4 FOR UPDATE SKIP LOCKED;

-- name: add_letter
INSERT INTO services.letter (id, case_id, kind, sealed, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING;

-- name: letters_of
SELECT id, kind, sealed, at FROM services.letter WHERE case_id = $1 ORDER BY at, id;

-- name: forget_drafts -- what was begun and left lying
DELETE FROM services.case_file WHERE state = 'draft' AND created_at < $1;
