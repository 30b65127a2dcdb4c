-- name: save_observations
INSERT INTO parking.observation (unit, at, id, seq, device, what, plate_token, plate_sealed, plate_colour, vehicle_type, confidence, evidence, raw_at, no_clock)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::bytea[], $9::text[], $10::text[],
                     $11::real[], $12::text[], $13::timestamptz[], $14::boolean[])
ON CONFLICT DO NOTHING;

-- name: anchors -- per unit the end of its last stay that what is new cannot touch
SELECT u.unit, coalesce(max(s.seen_left_at), '1970-01-01T00:00Z') AS anchor
  FROM unnest($1::text[], $2::timestamptz[]) AS u(unit, at)
  LEFT JOIN parking.session s ON s.unit = u.unit AND s.state = 'closed' AND s.seen_left_at < u.at - interval '2 minutes'
 GROUP BY u.unit ORDER BY u.unit;

-- name: lock_sessions_of_units -- after their anchors, void ones too, since evidence may bring them back
SELECT s.* FROM parking.session s JOIN unnest($1::text[], $2::timestamptz[]) AS u(unit, anchor) ON s.unit = u.unit AND s.entered_at > u.anchor
 ORDER BY s.id FOR UPDATE OF s;

-- name: lock_sessions_of_plates -- those that may overlap with what begins at or after the given time
SELECT s.* FROM parking.session s JOIN unnest($1::bytea[], $2::timestamptz[]) AS p(token, since) ON s.plate_token = p.token
 WHERE s.state <> 'void' AND (s.seen_left_at IS NULL OR s.seen_left_at >= p.since) ORDER BY s.id FOR UPDATE OF s;

-- name: lock_sessions
SELECT * FROM parking.session WHERE id = ANY ($1) ORDER BY id FOR UPDATE;

-- name: due_sessions -- open ones whose end may be believed now
SELECT id FROM parking.session WHERE settles_at <= $1 ORDER BY settles_at LIMIT $2;

-- name: observations_of_units
SELECT o.* FROM parking.observation o JOIN unnest($1::text[], $2::timestamptz[]) AS u(unit, anchor) ON o.unit = u.unit AND o.at > u.anchor
 ORDER BY o.unit, o.at, o.seq, o.device, o.id;

-- name: save_session
INSERT INTO parking.session (id, unit, site, spot, opened_by, entered_at, proven_at, plate_token, plate_sealed, plate_colour, vehicle_type, closed_by,
                             seen_left_at, left_at, state, certainty, seen_why, why, gaps, person, version, believed_at, settles_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
ON CONFLICT (id) DO UPDATE SET unit = $2, site = $3, spot = $4, opened_by = $5, entered_at = $6, proven_at = $7, plate_token = $8, plate_sealed = $9,
  plate_colour = $10, vehicle_type = $11, closed_by = $12, seen_left_at = $13, left_at = $14, state = $15, certainty = $16, seen_why = $17, why = $18,
  gaps = $19, person = $20, version = $21, believed_at = $22, settles_at = $23;

-- name: holders -- who held these plates, and when
SELECT plate_token, person, since, until, auto_pay FROM parking.holder WHERE plate_token = ANY ($1) ORDER BY plate_token, since;

-- name: end_holders -- whoever still holds a plate does so no longer
UPDATE parking.holder SET until = $2 WHERE plate_token = $1 AND until IS NULL AND person <> $3;

-- name: end_holding -- one person's
UPDATE parking.holder SET until = $3 WHERE plate_token = $1 AND person = $2 AND until IS NULL;

-- name: add_holder
INSERT INTO parking.holder (plate_token, person, since, auto_pay) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: sessions_of_plate_since
SELECT * FROM parking.session WHERE plate_token = $1 AND entered_at >= $2 AND state <> 'void' ORDER BY id FOR UPDATE;

-- name: unpriced_sessions -- closed while no tariff was in force at their site
SELECT s.id FROM parking.session s JOIN parking.site p ON p.id = s.site WHERE p.tariff = $1 AND 'no_tariff' = ANY (s.why) LIMIT 10000;

-- name: sessions_of_person -- newest first
SELECT s.*, b.id AS bill, b.total FROM parking.session s LEFT JOIN parking.bill b ON b.session = s.id
 WHERE s.person = $1 AND s.state <> 'void' AND ($2::text IS NULL OR s.state = $2)
   AND ($3::timestamptz IS NULL OR (s.entered_at, s.id) < ($3, $4::uuid))
 ORDER BY s.entered_at DESC, s.id DESC LIMIT $5;

-- name: sessions_of_operators -- newest first
SELECT s.*, b.id AS bill, b.total FROM parking.session s JOIN parking.site p ON p.id = s.site LEFT JOIN parking.bill b ON b.session = s.id
 WHERE ($1::text[] IS NULL OR p.operator = ANY ($1)) AND ($2::text IS NULL OR s.state = $2) AND ($6::text IS NULL OR s.certainty = $6)
   AND ($3::timestamptz IS NULL OR (s.entered_at, s.id) < ($3, $4::uuid))
 ORDER BY s.entered_at DESC, s.id DESC LIMIT $5;

-- name: forget_observations -- but for those of a stay that goes on: its beginning is evidence still
DELETE FROM parking.observation o WHERE o.at < $1
   AND NOT EXISTS (SELECT 1 FROM parking.session s WHERE s.unit = o.unit AND s.state = 'open' AND s.entered_at <= o.at);
