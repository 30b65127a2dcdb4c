-- name: add_licence -- answers its id when it is new
INSERT INTO services.licence (id, case_id, person, class_code, name_zh, name_en, agency, issued_at, valid_from, valid_to, claims_sealed,
                              plate_token, zone, permit_kind, permit)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (id) DO NOTHING RETURNING id;

-- name: licence
SELECT * FROM services.licence WHERE id = $1;

-- name: lock_licence
SELECT * FROM services.licence WHERE id = $1 FOR UPDATE;

-- name: amend_licence
UPDATE services.licence
   SET version = $2, followed = $3, claims_sealed = $4, plate_token = $5, zone = $6, permit_kind = $7, permit = $8, suspended_at = $9
 WHERE id = $1;

-- name: revoke_licence
UPDATE services.licence SET revoked_for = $2, revoked_at = $3 WHERE id = $1 AND revoked_at IS NULL;

-- name: licences_of -- newest first
SELECT * FROM services.licence WHERE person = $1 AND ($2::timestamptz IS NULL OR (issued_at, id) < ($2, $3::uuid))
 ORDER BY issued_at DESC, id DESC LIMIT $4;

-- name: licences_of_plate -- issued until then and not revoked
SELECT * FROM services.licence WHERE plate_token = $1 AND issued_at <= $2 AND revoked_at IS NULL ORDER BY id;

-- name: held_by -- not revoked
SELECT * FROM services.licence WHERE person = $1 AND revoked_at IS NULL ORDER BY id;

-- name: count_shown -- that still open something
SELECT count(*) FROM services.licence_shown WHERE licence = $1 AND expires_at > $2;

-- name: keep_shown
INSERT INTO services.licence_shown (number, licence, expires_at, version) VALUES ($1, $2, $3, $4);

-- name: licence_shown
SELECT l.*, s.version AS shown_version FROM services.licence_shown s JOIN services.licence l ON l.id = s.licence WHERE s.number = $1;

-- name: forget_shown
DELETE FROM services.licence_shown WHERE expires_at < $1;
