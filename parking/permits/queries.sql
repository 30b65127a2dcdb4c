-- name: save_granted
INSERT INTO parking.permit (id, plate_token, zone, kind, name_zh, name_en, valid_from, valid_to, starts_at, ends_at, granted_position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING;

-- name: lock_permit
SELECT valid_to, ends_at FROM parking.permit WHERE id = $1 FOR UPDATE;

-- name: save_ended
UPDATE parking.permit SET ends_at = $2, ended_position = $3 WHERE id = $1;

-- name: permits_of -- in the order in which they begin
SELECT plate_token, zone, kind, name_zh, name_en, starts_at, ends_at FROM parking.permit
 WHERE plate_token = ANY ($1) AND starts_at < ends_at ORDER BY plate_token, starts_at, id;
