-- name: keep_access
INSERT INTO services.access (id, person, at, agency, staff, purpose, case_id, fields) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: accesses_of -- the newest first
SELECT id, at, agency, staff IS NOT NULL AS by_staff, purpose, case_id, fields FROM services.access
 WHERE person = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;

-- name: forget_accesses
DELETE FROM services.access WHERE at < $1;
