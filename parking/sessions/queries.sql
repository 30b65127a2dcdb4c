-- name: lock_house -- stays are changed by one transaction at a time: what another writes is not seen before it commits
SELECT pg_advisory_xact_lock(hashtextextended('parking.stays', 0));

-- name: save_observations
INSERT INTO parking.observation (unit, at, id, seq, device, lane, what, plate_token, plate_sealed, plate_colour, vehicle_type, confidence, evidence,
                                 raw_at, no_clock, early, late)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::bytea[],
                     $10::text[], $11::text[], $12::real[], $13::text[], $14::timestamptz[], $15::boolean[], $16::interval[], $17::interval[])
ON CONFLICT DO NOTHING;

-- name: corrected_units -- other plates that the same gates have said of the same passages
SELECT o.unit, min(o.at) AS at FROM parking.observation o
  JOIN unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) AS n(device, lane, at, what) USING (device, lane, at, what)
 WHERE o.lane <> '' GROUP BY o.unit;

-- name: anchors -- per unit the last moment before what is new at which nothing was under way: what lies on its two sides is told apart
SELECT u.unit, coalesce((
    SELECT o.at FROM parking.observation o
     WHERE o.unit = u.unit AND o.at < u.at - $3::interval AND o.device <> 'operator' -- a person's word may be refuted by what comes later
       AND (o.what = 'free' AND NOT EXISTS (
              SELECT 1 FROM parking.observation n
               WHERE n.unit = o.unit AND n.at >= o.at AND n.at <= o.at + $4::interval AND n.what = 'occupied')
         OR o.what = 'out' AND NOT EXISTS (
              SELECT 1 FROM parking.observation n
               WHERE n.unit = o.unit AND n.at >= o.at - $5::interval AND n.at <= o.at + $5::interval AND n.id <> o.id)
            AND NOT EXISTS (
              SELECT 1 FROM parking.observation n
               WHERE n.device = o.device AND n.at = o.at AND n.lane = o.lane AND n.what = o.what AND (n.seq, n.id) > (o.seq, o.id) AND n.lane <> ''))
     ORDER BY o.at DESC LIMIT 1), '1970-01-01T00:00Z') AS anchor
  FROM unnest($1::text[], $2::timestamptz[]) AS u(unit, at) ORDER BY u.unit;

-- name: sessions_of_units -- those whose evidence lies after their anchors, void ones too, since evidence may bring them back
SELECT s.* FROM parking.session s JOIN unnest($1::text[], $2::timestamptz[]) AS u(unit, anchor) ON s.unit = u.unit AND s.entered_at > u.anchor
 WHERE EXISTS (SELECT 1 FROM parking.observation o WHERE o.unit = s.unit AND o.at > u.anchor AND o.id = s.opened_by)
 ORDER BY s.id;

-- name: sessions_touching -- of each plate: not over before the time, or without an end and nothing begun before the time that gives them one, or the last whose exit nobody saw
SELECT s.* FROM parking.session s JOIN unnest($1::bytea[], $2::timestamptz[]) AS p(token, since)
    ON s.plate_token = p.token AND (coalesce(s.seen_left_at, 'infinity') >= p.since
       OR 'exit_missing' = ANY (s.seen_why) AND NOT EXISTS (
          SELECT 1 FROM parking.session n
           WHERE n.plate_token = s.plate_token AND n.state <> 'void' AND n.entered_at > s.entered_at AND n.entered_at < p.since))
 WHERE s.state <> 'void'
   AND (s.seen_left_at IS NOT NULL OR s.entered_at >= p.since OR s.proven_at + $3::interval > p.since
        OR NOT EXISTS (SELECT 1 FROM parking.session n
                        WHERE n.plate_token = s.plate_token AND n.state <> 'void' AND n.entered_at >= s.proven_at + $3::interval AND n.entered_at < p.since))
 ORDER BY s.id;

-- name: unmatched_exits -- at gates, since a time
SELECT s.* FROM parking.session s JOIN unnest($1::text[], $2::timestamptz[]) AS p(site, since) ON s.site = p.site AND s.entered_at >= p.since
 WHERE 'entry_missing' = ANY (s.why) AND s.spot = '' AND s.state <> 'void' ORDER BY s.id;

-- name: sessions_inside -- the gates of a site say that they were inside at some time of a span
SELECT s.* FROM parking.session s
 WHERE s.site = $1 AND s.spot = '' AND s.state <> 'void' AND s.plate_token IS NOT NULL AND s.entered_at <= $3
   AND coalesce(s.seen_left_at, 'infinity') > $2 AND (s.seen_left_at IS NOT NULL OR coalesce(s.left_at, 'infinity') > $2);

-- name: session_with_operator
SELECT s.*, p.operator FROM parking.session s JOIN parking.site p ON p.id = s.site WHERE s.id = $1;

-- name: session_of_operators
SELECT s.*, b.id AS bill, b.total, p.zone FROM parking.session s JOIN parking.site p ON p.id = s.site LEFT JOIN parking.bill b ON b.session = s.id
 WHERE s.id = $1;

-- name: sessions_by_id
SELECT * FROM parking.session WHERE id = ANY ($1) ORDER BY id;

-- name: due_sessions -- open ones whose end may be believed now
SELECT id FROM parking.session WHERE settles_at <= $1 ORDER BY settles_at LIMIT $2;

-- name: observations_of_units -- a passage that the gate has said again otherwise is left out
SELECT o.* FROM parking.observation o JOIN unnest($1::text[], $2::timestamptz[]) AS u(unit, anchor) ON o.unit = u.unit AND o.at > u.anchor
 WHERE o.lane = '' OR NOT EXISTS (
       SELECT 1 FROM parking.observation n
        WHERE n.device = o.device AND n.at = o.at AND n.lane = o.lane AND n.what = o.what AND (n.seq, n.id) > (o.seq, o.id) AND n.lane <> '')
 ORDER BY o.unit, o.at, o.seq, o.device, o.id;

-- name: save_sessions -- in the given order: a unit has one open session at any moment
INSERT INTO parking.session (id, unit, site, spot, opened_by, entered_at, proven_at, plate_token, plate_sealed, plate_colour, vehicle_type,
  closed_by, seen_left_at, left_at, state, certainty, seen_why, why, gaps, person, version, believed_at, settles_at, candidate, collect)
SELECT id, unit, site, spot, opened_by, entered_at, proven_at, plate_token, plate_sealed, plate_colour, vehicle_type, closed_by,
       seen_left_at, left_at, state, certainty, string_to_array(seen_why, ','), string_to_array(why, ','), gaps::json, person, version,
       believed_at, settles_at, candidate, collect
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::timestamptz[], $8::bytea[], $9::bytea[],
              $10::text[], $11::text[], $12::bytea[], $13::timestamptz[], $14::timestamptz[], $15::text[], $16::text[], $17::text[],
              $18::text[], $19::text[], $20::uuid[], $21::int[], $22::timestamptz[], $23::timestamptz[], $24::uuid[], $25::boolean[])
    AS s(id, unit, site, spot, opened_by, entered_at, proven_at, plate_token, plate_sealed, plate_colour, vehicle_type, closed_by,
         seen_left_at, left_at, state, certainty, seen_why, why, gaps, person, version, believed_at, settles_at, candidate, collect)
ON CONFLICT (id) DO UPDATE SET unit = excluded.unit, site = excluded.site, spot = excluded.spot, opened_by = excluded.opened_by,
  entered_at = excluded.entered_at, proven_at = excluded.proven_at, plate_token = excluded.plate_token,
  plate_sealed = excluded.plate_sealed, plate_colour = excluded.plate_colour, vehicle_type = excluded.vehicle_type,
  closed_by = excluded.closed_by, seen_left_at = excluded.seen_left_at, left_at = excluded.left_at, state = excluded.state,
  certainty = excluded.certainty, seen_why = excluded.seen_why, why = excluded.why, gaps = excluded.gaps, person = excluded.person,
  version = excluded.version, believed_at = excluded.believed_at, settles_at = excluded.settles_at, candidate = excluded.candidate,
  collect = excluded.collect;

-- name: holders -- who held these plates, and when
SELECT plate_token, person, since, until, auto_pay FROM parking.holder WHERE plate_token = ANY ($1) ORDER BY plate_token, since;

-- name: end_holders -- whoever still holds a plate does so no longer
UPDATE parking.holder SET until = $2 WHERE plate_token = $1 AND until IS NULL AND person <> $3;

-- name: end_holding -- one person's
UPDATE parking.holder SET until = $3 WHERE plate_token = $1 AND person = $2 AND until IS NULL;

-- name: add_holder
INSERT INTO parking.holder (plate_token, person, since, auto_pay) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: sessions_of_plate_since
SELECT id FROM parking.session WHERE plate_token = $1 AND entered_at >= $2 AND state <> 'void' ORDER BY id;

-- name: sessions_of_plate_after -- not over at the time
SELECT id FROM parking.session WHERE plate_token = $1 AND coalesce(left_at, 'infinity') > $2 AND state <> 'void' ORDER BY id;

-- name: unpriced_sessions -- closed while no tariff was in force at their site: of a tariff, or of one site
SELECT s.id FROM parking.session s JOIN parking.site p ON p.id = s.site
 WHERE (p.tariff = $1 OR p.id = $2) AND 'no_tariff' = ANY (s.why) AND s.id > $3 ORDER BY s.id LIMIT $4;

-- name: sessions_of_person -- newest first
SELECT s.*, b.id AS bill, b.total, p.zone FROM parking.session s LEFT JOIN parking.bill b ON b.session = s.id LEFT JOIN parking.site p ON p.id = s.site
 WHERE s.person = $1 AND s.state <> 'void' AND ($2::text IS NULL OR s.state = $2)
   AND ($3::timestamptz IS NULL OR (s.entered_at, s.id) < ($3, $4::uuid))
 ORDER BY s.entered_at DESC, s.id DESC LIMIT $5;

-- name: sessions_of_operators -- newest first, of all their sites or of one
SELECT s.*, b.id AS bill, b.total, p.zone FROM parking.session s JOIN parking.site p ON p.id = s.site LEFT JOIN parking.bill b ON b.session = s.id
 WHERE ($1::text[] IS NULL OR p.operator = ANY ($1)) AND ($2::text IS NULL OR s.state = $2) AND ($6::text IS NULL OR s.certainty = $6)
   AND ($7::text IS NULL OR s.site = $7)
   AND ($3::timestamptz IS NULL OR (s.entered_at, s.id) < ($3, $4::uuid))
 ORDER BY s.entered_at DESC, s.id DESC LIMIT $5;

-- name: forget_observations -- older than the time, unless the stay that they tell of reaches past it; so many at once
DELETE FROM parking.observation WHERE (unit, at, id) IN (
  SELECT o.unit, o.at, o.id FROM parking.observation o
   WHERE o.at < $1 AND NOT EXISTS (
         SELECT 1 FROM parking.session s WHERE s.unit = o.unit AND s.entered_at <= o.at AND s.state <> 'void' AND coalesce(s.left_at, 'infinity') >= $1)
   LIMIT $2);
