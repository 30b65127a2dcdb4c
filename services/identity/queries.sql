-- name: lock_key -- one at a time for a number, an address or a plate; the class keeps them apart
SELECT pg_advisory_xact_lock($1, $2);

-- name: codes_of_phone
SELECT asked_at FROM services.one_time_code WHERE phone_token = $1 AND asked_at > $2 ORDER BY asked_at DESC LIMIT $3;

-- name: codes_of_address
SELECT asked_at FROM services.one_time_code WHERE address_token = $1 AND asked_at > $2 ORDER BY asked_at DESC LIMIT $3;

-- name: nth_newest_code -- when the code was asked for that is so many places behind the newest
SELECT asked_at FROM services.one_time_code WHERE asked_at > $1 ORDER BY asked_at DESC OFFSET $2 LIMIT 1;

-- name: keep_code
INSERT INTO services.one_time_code (id, phone_token, address_token, hash, asked_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: newest_code -- the only one of a number that may still open anything
SELECT id, hash, expires_at, tries, used_at FROM services.one_time_code
 WHERE phone_token = $1 ORDER BY asked_at DESC, id DESC LIMIT 1;

-- name: count_try
UPDATE services.one_time_code SET tries = tries + 1 WHERE id = $1;

-- name: use_code
UPDATE services.one_time_code SET used_at = $2 WHERE id = $1;

-- name: wrong_codes_of_address
SELECT at FROM services.wrong_code WHERE address_token = $1 AND at > $2 ORDER BY at DESC LIMIT $3;

-- name: keep_wrong_code
INSERT INTO services.wrong_code (address_token, at) VALUES ($1, $2);

-- name: make_person -- nothing happens when the number is known already
INSERT INTO services.person (id, phone_token, phone_sealed, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (phone_token) DO NOTHING;

-- name: person_by_phone
SELECT id, level, level_at, used_at, locked_at FROM services.person WHERE phone_token = $1;

-- name: person
SELECT id, phone_sealed, level FROM services.person WHERE id = $1;

-- name: lock_person -- what is counted for a person is counted one at a time
SELECT id FROM services.person WHERE id = $1 FOR NO KEY UPDATE;

-- name: free_number -- it passed to somebody else; the token that stands there now is nobody's number
UPDATE services.person SET phone_token = $2, phone_sealed = NULL WHERE id = $1;

-- name: was_erased
SELECT erased_at IS NOT NULL FROM services.person WHERE id = $1;

-- name: mark_erased -- once
UPDATE services.person SET erased_at = $3, locked_at = coalesce(locked_at, $3), phone_token = $2, phone_sealed = NULL
 WHERE id = $1 AND erased_at IS NULL RETURNING id;

-- name: use_person
UPDATE services.person SET used_at = $2 WHERE id = $1;

-- name: raise_level -- never down; proving the same again makes it young again
UPDATE services.person
   SET level_at = CASE WHEN $2 >= level THEN $4 ELSE level_at END, level_way = CASE WHEN $2 >= level THEN $3 ELSE level_way END,
       level = greatest(level, $2)
 WHERE id = $1 RETURNING level;

-- name: person_by_id -- whose identity number it is
SELECT id FROM services.person WHERE id_token = $1;

-- name: proved_of -- what a person proved of herself
SELECT id_token, id_sealed, name_sealed FROM services.person WHERE id = $1 AND id_token IS NOT NULL;

-- name: prove_person
UPDATE services.person SET id_token = $2, id_sealed = $3, name_sealed = $4 WHERE id = $1;

-- name: lose_identity -- somebody proved better whose it is
UPDATE services.person
   SET level = 'L1', level_at = NULL, level_way = NULL, id_token = NULL, id_sealed = NULL, name_sealed = NULL
 WHERE id = $1;

-- name: personal_key
SELECT wrapped FROM services.person_key WHERE person = $1;

-- name: make_personal_key -- nothing happens when there is one, dropped or not
INSERT INTO services.person_key (person, wrapped, made_at) VALUES ($1, $2, $3) ON CONFLICT (person) DO NOTHING;

-- name: drop_personal_key
INSERT INTO services.person_key (person, wrapped, made_at, dropped_at) VALUES ($1, NULL, $2, $2)
ON CONFLICT (person) DO UPDATE SET wrapped = NULL, dropped_at = coalesce(person_key.dropped_at, $2);

-- name: be_sure -- the log-in belongs to who the person says she is
UPDATE services.session SET unsure = false WHERE id = $1 AND person = $2;

-- name: be_sure_of_all
UPDATE services.session SET unsure = false WHERE person = $1 AND unsure;

-- name: block_person -- may not log in any more
UPDATE services.person SET locked_at = coalesce(locked_at, $2) WHERE id = $1 RETURNING id;

-- name: unblock_person
UPDATE services.person SET locked_at = NULL WHERE id = $1 RETURNING id;

-- name: grants_of -- all that were not revoked, past and future ones too
SELECT role, scope, valid_from, valid_to FROM services.role WHERE person = $1 AND revoked_at IS NULL ORDER BY role, scope;

-- name: grant_role -- the same right again gets the new dates
INSERT INTO services.role (person, role, scope, granted_at, valid_from, valid_to) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (person, role, scope) WHERE revoked_at IS NULL DO UPDATE SET valid_from = EXCLUDED.valid_from, valid_to = EXCLUDED.valid_to;

-- name: staff_of -- whose right holds now, with what her name is read from
SELECT r.person, r.scope, p.phone_sealed, p.name_sealed, k.wrapped
  FROM services.role r JOIN services.person p ON p.id = r.person LEFT JOIN services.person_key k ON k.person = r.person
 WHERE r.role = 'staff' AND r.scope = ANY ($1) AND r.revoked_at IS NULL AND r.valid_from <= $2 AND (r.valid_to IS NULL OR r.valid_to > $2)
   AND p.locked_at IS NULL
 ORDER BY r.person, r.scope LIMIT $3;

-- name: revoke_role
UPDATE services.role SET revoked_at = $4 WHERE person = $1 AND role = $2 AND scope = $3 AND revoked_at IS NULL RETURNING person;

-- name: revoke_roles -- all of a person
UPDATE services.role SET revoked_at = $2 WHERE person = $1 AND revoked_at IS NULL;

-- name: open_session
INSERT INTO services.session (id, person, token_hash, created_at, seen_at, expires_at, unsure, what, address)
VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8);

-- name: known_session -- with the person as she is now
SELECT s.id, s.person, s.created_at, s.seen_at, s.expires_at, s.ended_at IS NOT NULL OR p.locked_at IS NOT NULL AS ended, s.unsure, p.level, p.level_at,
       ARRAY(SELECT (r.role, r.scope, r.valid_from, r.valid_to) FROM services.role r
              WHERE r.person = s.person AND r.revoked_at IS NULL ORDER BY r.role, r.scope) AS grants
  FROM services.session s JOIN services.person p ON p.id = s.person
 WHERE s.token_hash = $1;

-- name: see_session -- to the minute
WITH seen AS (UPDATE services.session SET seen_at = $2 WHERE id = $1 AND seen_at < $2 RETURNING person)
UPDATE services.person p SET used_at = $2 FROM seen WHERE p.id = seen.person RETURNING p.id;

-- name: sessions_of -- those that still open something, the newest first
SELECT id, created_at, seen_at, what FROM services.session
 WHERE person = $1 AND ended_at IS NULL AND expires_at > $2 AND seen_at > $3 AND created_at > $6 AND ($4::uuid IS NULL OR id < $4)
 ORDER BY id DESC LIMIT $5;

-- name: end_session -- ending it again changes nothing
UPDATE services.session SET ended_at = coalesce(ended_at, $3) WHERE id = $1 AND person = $2 RETURNING id;

-- name: hand_session -- the log-in is another person's from now on, and surely hers
UPDATE services.session SET person = $2, unsure = false WHERE id = $1;

-- name: end_other_sessions
UPDATE services.session SET ended_at = $3 WHERE person = $1 AND id <> $2 AND ended_at IS NULL RETURNING id;

-- name: end_sessions_of
UPDATE services.session SET ended_at = $2 WHERE person = $1 AND ended_at IS NULL;

-- name: count_plates
SELECT count(*) FROM services.plate WHERE person = $1 AND removed_at IS NULL;

-- name: add_plate -- nothing happens when the person has it already
INSERT INTO services.plate (id, person, plate_token, plate_sealed, colour, nickname_sealed, added_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (person, plate_token) WHERE removed_at IS NULL DO NOTHING;

-- name: plate_by_token
SELECT id, plate_token, plate_sealed, colour, nickname_sealed, proved_at, auto_pay FROM services.plate
 WHERE person = $1 AND plate_token = $2 AND removed_at IS NULL;

-- name: plate
SELECT id, plate_token, plate_sealed, colour, nickname_sealed, proved_at, auto_pay FROM services.plate
 WHERE person = $1 AND id = $2 AND removed_at IS NULL;

-- name: lock_plate
SELECT id, plate_token, plate_sealed, colour, nickname_sealed, proved_at, auto_pay FROM services.plate
 WHERE person = $1 AND id = $2 AND removed_at IS NULL FOR UPDATE;

-- name: plates_of
SELECT id, plate_token, plate_sealed, colour, nickname_sealed, proved_at, auto_pay FROM services.plate
 WHERE person = $1 AND removed_at IS NULL AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3;

-- name: holder_of -- who proved to hold a plate now
SELECT person FROM services.plate WHERE plate_token = $1 AND proved_at IS NOT NULL AND removed_at IS NULL;

-- name: was_held -- whether anybody ever proved it
SELECT EXISTS (SELECT FROM services.plate WHERE plate_token = $1 AND proved_at IS NOT NULL);

-- name: take_plate -- from whoever holds it now
UPDATE services.plate SET removed_at = $2, taken = true, auto_pay = false
 WHERE plate_token = $1 AND proved_at IS NOT NULL AND removed_at IS NULL RETURNING person;

-- name: prove_plate
UPDATE services.plate SET proved_at = $2, auto_pay = true WHERE id = $1;

-- name: remove_plate
UPDATE services.plate SET removed_at = $2, auto_pay = false WHERE id = $1;

-- name: forget_plates -- what was typed and named is gone; answers those that she held
WITH held AS (SELECT plate_token FROM services.plate WHERE person = $1 AND proved_at IS NOT NULL AND removed_at IS NULL),
     gone AS (UPDATE services.plate SET removed_at = coalesce(removed_at, $2), auto_pay = false, plate_sealed = '', nickname_sealed = NULL
               WHERE person = $1)
SELECT plate_token FROM held;

-- name: count_proof_tries
SELECT count(*) FROM services.proof_try WHERE person = $1 AND what = $2 AND at >= $3;

-- name: keep_proof_try
INSERT INTO services.proof_try (id, person, what, at) VALUES ($1, $2, $3, $4);

-- name: drop_proof_try
DELETE FROM services.proof_try WHERE id = $1;

-- name: forget_codes
DELETE FROM services.one_time_code WHERE asked_at < $1;

-- name: forget_wrong_codes
DELETE FROM services.wrong_code WHERE at < $1;

-- name: forget_proof_tries
DELETE FROM services.proof_try WHERE at < $1;

-- name: forget_sessions
DELETE FROM services.session WHERE seen_at < $1;
