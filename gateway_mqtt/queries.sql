-- name: load_devices
SELECT id, site, kind, lanes, spots, secret_hash FROM gateway.device WHERE removed_at IS NULL;

-- name: load_spots
SELECT id, site FROM gateway.spot;

-- name: sites_cursor -- how far the tables above know the facts
SELECT position, recorded_at FROM journal.cursor WHERE follower = 'gateway.sites';

-- name: add_device
INSERT INTO gateway.device (id, site, kind, lanes, spots, secret_hash, added_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET site = $2, kind = $3, lanes = $4, spots = $5, secret_hash = $6, added_at = $7, removed_at = NULL;

-- name: add_devices -- many at once: lists are told as JSON, since PostgreSQL has no arrays of arrays of different lengths
INSERT INTO gateway.device (id, site, kind, lanes, spots, secret_hash, added_at)
SELECT n.id, n.site, n.kind, ARRAY(SELECT json_array_elements_text(n.lanes::json)),
       CASE WHEN n.spots IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(n.spots::json)) END, n.secret_hash, $7
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[]) AS n(id, site, kind, lanes, spots, secret_hash)
ON CONFLICT (id) DO UPDATE SET site = excluded.site, kind = excluded.kind, lanes = excluded.lanes, spots = excluded.spots,
  secret_hash = excluded.secret_hash, added_at = excluded.added_at, removed_at = NULL;

-- name: forget_unknowns
DELETE FROM gateway.unknown_device WHERE username = ANY ($1);

-- name: lock_sites -- those of them that there are
SELECT id FROM gateway.site WHERE id = ANY ($1) ORDER BY id FOR UPDATE;

-- name: spots_of_sites
SELECT id, site FROM gateway.spot WHERE site = ANY ($1);

-- name: load_some_devices
SELECT id, site, kind, lanes, spots, secret_hash FROM gateway.device WHERE id = ANY ($1) AND removed_at IS NULL;

-- name: device_exists
SELECT EXISTS (SELECT 1 FROM gateway.device WHERE id = $1 AND removed_at IS NULL);

-- name: count_devices
SELECT count(*) FROM gateway.device WHERE site = $1 AND kind = $2;

-- name: spots_of_site
SELECT id FROM gateway.spot WHERE site = $1;

-- name: site_exists
SELECT EXISTS (SELECT 1 FROM gateway.site WHERE id = $1);

-- name: lock_site -- nothing when there is none; whoever adds a device holds it, or two would choose the same free name
SELECT id FROM gateway.site WHERE id = $1 FOR UPDATE;

-- name: save_sites -- each once
INSERT INTO gateway.site AS s (id, operator) SELECT n.id, n.operator FROM unnest($1::text[], $2::text[]) AS n(id, operator) ORDER BY n.id
ON CONFLICT (id) DO UPDATE SET operator = excluded.operator WHERE s.operator <> excluded.operator;

-- name: save_spots -- of many sites at once, each spot once; what stands there already is left alone
INSERT INTO gateway.spot AS s (id, site) SELECT n.id, n.site FROM unnest($1::text[], $2::text[]) AS n(id, site) ORDER BY n.id
ON CONFLICT (id) DO UPDATE SET site = excluded.site WHERE s.site <> excluded.site;

-- name: refuse
INSERT INTO gateway.refused (received_at, device, site, topic, reason, detail, payload)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[]);

-- name: list_refused -- newest first; the operator sees its own sites
SELECT r.id, r.received_at, r.device, r.site, r.topic, r.reason, r.detail, r.payload FROM gateway.refused r
 WHERE ($1::text[] IS NULL OR r.site IN (SELECT s.id FROM gateway.site s WHERE s.operator = ANY ($1)))
   AND ($2::bigint IS NULL OR r.id < $2)
 ORDER BY r.id DESC LIMIT $3;

-- name: forget_refused
DELETE FROM gateway.refused WHERE received_at < $1;

-- name: note_unknown
INSERT INTO gateway.unknown_device (username, address, reason, first_at, last_at) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (username, address) DO UPDATE SET reason = $3, last_at = $4, tries = gateway.unknown_device.tries + 1;

-- name: list_unknown
SELECT username, address, reason, first_at, last_at, tries FROM gateway.unknown_device ORDER BY last_at DESC LIMIT $1;

-- name: list_unknown_of -- newest first; an operator sees those that carry the name of one of its sites or devices
SELECT u.username, u.address, u.reason, u.first_at, u.last_at, u.tries FROM gateway.unknown_device u
 WHERE ($1::text[] IS NULL
        OR EXISTS (SELECT FROM gateway.site s WHERE s.operator = ANY ($1) AND (u.username = s.id OR starts_with(u.username, s.id || '-')))
        OR EXISTS (SELECT FROM gateway.device d JOIN gateway.site s ON s.id = d.site WHERE d.id = u.username AND s.operator = ANY ($1)))
   AND ($2::timestamptz IS NULL OR (u.last_at, u.username, u.address) < ($2, $3::text, $4::text))
 ORDER BY u.last_at DESC, u.username DESC, u.address DESC LIMIT $5;

-- name: forget_unknown
DELETE FROM gateway.unknown_device WHERE username = $1;

-- name: trim_unknown -- strangers may not fill the disk: the newest thousand stay
DELETE FROM gateway.unknown_device WHERE (username, address) IN (
  SELECT username, address FROM gateway.unknown_device ORDER BY last_at DESC OFFSET 1000);

-- name: save_health
INSERT INTO gateway.device_health AS h (device, heard_at, offset_s, firmware, readings, plates_read, plates_due, refused, seq_gaps, no_clock)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::int[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
ON CONFLICT (device) DO UPDATE SET heard_at = greatest(h.heard_at, excluded.heard_at),
  offset_s = coalesce(excluded.offset_s, h.offset_s), firmware = coalesce(nullif(excluded.firmware, ''), h.firmware),
  readings = h.readings + excluded.readings, plates_read = h.plates_read + excluded.plates_read, plates_due = h.plates_due + excluded.plates_due,
  refused = h.refused + excluded.refused, seq_gaps = h.seq_gaps + excluded.seq_gaps, no_clock = h.no_clock + excluded.no_clock;

-- name: beat -- this run lives; how many others do
WITH mine AS (
  INSERT INTO gateway.run (id, beat_at) VALUES ($1, clock_timestamp()) ON CONFLICT (id) DO UPDATE SET beat_at = clock_timestamp())
SELECT count(*) AS others, clock_timestamp() AS now FROM gateway.run WHERE id <> $1 AND beat_at > clock_timestamp() - interval '10 seconds';

-- name: hold_devices -- the later connection holds; answers which of these do
INSERT INTO gateway.held AS h (device, run, connection, opened_at)
SELECT o.device, $1, o.connection, o.opened_at FROM unnest($2::text[], $3::uuid[], $4::timestamptz[]) AS o(device, connection, opened_at)
ON CONFLICT (device) DO UPDATE SET run = excluded.run, connection = excluded.connection, opened_at = excluded.opened_at, written_at = clock_timestamp()
 WHERE h.run = excluded.run OR h.opened_at <= excluded.opened_at OR NOT EXISTS (SELECT FROM gateway.online n WHERE n.device = h.device)
RETURNING device;

-- name: release_devices -- by connection: what came after it stays
DELETE FROM gateway.held WHERE device = ANY ($1::text[]) AND connection = ANY ($2::uuid[]);

-- name: held_elsewhere
SELECT device FROM gateway.held WHERE run <> $1 AND written_at >= $2;

-- name: release_run
DELETE FROM gateway.held WHERE run = $1;

-- name: end_run
DELETE FROM gateway.run WHERE id = $1;

-- name: bury_runs
WITH dead AS (DELETE FROM gateway.run WHERE beat_at < clock_timestamp() - interval '1 hour' RETURNING id)
DELETE FROM gateway.held WHERE run IN (SELECT id FROM dead);

-- name: list_devices -- by id; the operator sees its own sites
SELECT d.id, d.site, d.kind, d.lanes, o.device IS NOT NULL AS connected, h.heard_at, h.offset_s, h.firmware, h.readings, h.plates_read, h.plates_due, h.refused, h.seq_gaps, h.no_clock
  FROM gateway.device d JOIN gateway.site s ON s.id = d.site LEFT JOIN gateway.device_health h ON h.device = d.id
       LEFT JOIN gateway.online o ON o.device = d.id
 WHERE d.removed_at IS NULL AND ($1::text[] IS NULL OR s.operator = ANY ($1)) AND ($2::text IS NULL OR d.id > $2)
   AND ($4::text IS NULL OR d.site = $4)
   AND (NOT $5 OR o.device IS NULL OR h.heard_at < $6::timestamptz - interval '10 minutes' OR abs(h.offset_s) > 120 OR h.offset_s IS NULL
        OR h.plates_read < 0.95 * h.plates_due)
 ORDER BY d.id LIMIT $3;

-- name: operator_of_site
SELECT operator FROM gateway.site WHERE id = $1;

-- name: sum_devices_by_operator -- at $1, which is city time
SELECT s.operator, count(*) AS devices,
       count(*) FILTER (WHERE o.device IS NOT NULL AND h.heard_at > $1::timestamptz - interval '10 minutes') AS online,
       count(*) FILTER (WHERE h.heard_at > $1::timestamptz - interval '1 minute') AS heard,
       count(*) FILTER (WHERE abs(h.offset_s) <= 120) AS clocks,
       coalesce(sum(h.plates_read), 0)::bigint AS plates_read, coalesce(sum(h.plates_due), 0)::bigint AS plates_due
  FROM gateway.device d JOIN gateway.site s ON s.id = d.site LEFT JOIN gateway.device_health h ON h.device = d.id
       LEFT JOIN gateway.online o ON o.device = d.id
 WHERE d.removed_at IS NULL AND ($2::text[] IS NULL OR s.operator = ANY ($2)) GROUP BY s.operator ORDER BY s.operator;

-- name: operator_of_device
SELECT s.operator, d.lanes FROM gateway.device d JOIN gateway.site s ON s.id = d.site WHERE d.id = $1 AND d.removed_at IS NULL;

-- name: count_refused -- in the hour before $1, which is city time as all that devices say
SELECT count(*) FROM gateway.refused WHERE received_at > $1::timestamptz - interval '1 hour';

-- name: sum_devices -- at $1, which is city time
SELECT count(*) AS total, count(*) FILTER (WHERE o.device IS NOT NULL AND h.heard_at > $1::timestamptz - interval '10 minutes') AS online
  FROM gateway.device d LEFT JOIN gateway.device_health h ON h.device = d.id LEFT JOIN gateway.online o ON o.device = d.id
 WHERE d.removed_at IS NULL;
