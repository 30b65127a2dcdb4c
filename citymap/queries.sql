-- name: save_sites -- all that a file says of them; answers only those that are new or another than before
INSERT INTO citymap.site AS s (id, name, type, operator, counted_by, capacity, tariff, zone, lon, lat, max_height_cm, max_stay_s, opening_hours, entrances)
SELECT n.id, n.name::jsonb, n.type, n.operator, n.counted_by, n.capacity, n.tariff, n.zone, n.lon, n.lat,
       n.max_height_cm, n.max_stay_s, n.opening_hours, n.entrances::jsonb
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[], $9::float8[], $10::float8[],
              $11::int[], $12::int[], $13::text[], $14::text[])
       AS n(id, name, type, operator, counted_by, capacity, tariff, zone, lon, lat, max_height_cm, max_stay_s, opening_hours, entrances)
 ORDER BY n.id
ON CONFLICT (id) DO UPDATE
   SET name = excluded.name, type = excluded.type, operator = excluded.operator, counted_by = excluded.counted_by,
       capacity = excluded.capacity, tariff = excluded.tariff, zone = excluded.zone, lon = excluded.lon, lat = excluded.lat,
       max_height_cm = excluded.max_height_cm, max_stay_s = excluded.max_stay_s, opening_hours = excluded.opening_hours,
       entrances = excluded.entrances
 WHERE (s.name, s.type, s.operator, s.counted_by, s.capacity, s.tariff, s.zone, s.lon, s.lat,
        s.max_height_cm, s.max_stay_s, s.opening_hours, s.entrances)
       IS DISTINCT FROM
       (excluded.name, excluded.type, excluded.operator, excluded.counted_by, excluded.capacity, excluded.tariff, excluded.zone,
        excluded.lon, excluded.lat, excluded.max_height_cm, excluded.max_stay_s, excluded.opening_hours, excluded.entrances)
RETURNING id, xmax = 0 AS created;

-- name: save_spots -- answers, by site and by the site that spots left for it, how many are new and which are another than before
WITH given AS (
  SELECT g.id, s.number AS site, g.site AS site_id, g.class, g.lon, g.lat
    FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::float8[]) AS g(id, site, class, lon, lat)
    JOIN citymap.site s ON s.id = g.site),
before AS (
  SELECT p.id, s.id AS site_id FROM citymap.spot p JOIN given g ON g.id = p.id JOIN citymap.site s ON s.number = p.site),
saved AS (
  INSERT INTO citymap.spot AS s (id, site, class, lon, lat)
  SELECT g.id, g.site, g.class, g.lon, g.lat FROM given g ORDER BY g.id
  ON CONFLICT (id) DO UPDATE SET site = excluded.site, class = excluded.class, lon = excluded.lon, lat = excluded.lat
   WHERE (s.site, s.class, s.lon, s.lat) IS DISTINCT FROM (excluded.site, excluded.class, excluded.lon, excluded.lat)
  RETURNING id, xmax = 0 AS created)
SELECT g.site_id, b.site_id AS former, count(*) FILTER (WHERE saved.created) AS created,
       array_agg(saved.id ORDER BY saved.id) FILTER (WHERE NOT saved.created) AS changed
  FROM saved JOIN given g ON g.id = saved.id LEFT JOIN before b ON b.id = saved.id
 GROUP BY g.site_id, b.site_id;

-- name: known_sites -- the registered sites among these, and whether each has spots
SELECT s.id, EXISTS (SELECT FROM citymap.spot p WHERE p.site = s.number) AS has_spots FROM citymap.site s;

-- name: named_sites -- by which bays find the site they belong to
SELECT id, name, lon, lat FROM citymap.site;

-- name: save_source -- one more file of it; answers which
INSERT INTO citymap.source AS s (name, file, listed_at, listed) VALUES ($1, 1, $2, $3)
ON CONFLICT (name) DO UPDATE SET file = s.file + 1, listed_at = $2, listed = $3 RETURNING file;

-- name: confirm_sites
INSERT INTO citymap.listing (source, site, file, confirmed_at) SELECT $1, unnest($2::text[]), $3, $4
ON CONFLICT (source, site) DO UPDATE SET file = $3, confirmed_at = $4;

-- name: sum_listings -- what a source ever listed, and what of it its last file left out
SELECT count(*) AS known, count(*) FILTER (WHERE l.file < s.file) AS missing, min(l.confirmed_at) FILTER (WHERE l.file < s.file) AS since,
       coalesce((array_agg(l.site ORDER BY l.site) FILTER (WHERE l.file < s.file))[1:10], '{}') AS some
  FROM citymap.listing l JOIN citymap.source s ON s.name = l.source WHERE l.source = $1;

-- name: sources_that_list_less
SELECT s.name, s.listed, s.listed_at, count(*) AS known FROM citymap.source s JOIN citymap.listing l ON l.source = s.name
 GROUP BY s.name, s.listed, s.listed_at HAVING count(*) > s.listed ORDER BY s.name;

-- name: fetch_sites -- all, in the order of a board
SELECT number, id, name, type, operator, counted_by, capacity, tariff, zone, lon, lat, max_height_cm, max_stay_s, opening_hours, entrances
  FROM citymap.site ORDER BY id;

-- name: fetch_some_sites
SELECT id, name, type, operator, counted_by, capacity, tariff, zone, lon, lat, max_height_cm, max_stay_s, opening_hours, entrances
  FROM citymap.site WHERE id = ANY ($1::text[]) ORDER BY id;

-- name: fetch_spots_of -- of some sites, a row for each site that has any: columns come many times faster than rows
SELECT s.id AS site, array_agg(p.id ORDER BY p.id) AS ids, array_agg(p.class ORDER BY p.id) AS classes,
       array_agg(p.lon ORDER BY p.id) AS lons, array_agg(p.lat ORDER BY p.id) AS lats
  FROM citymap.spot p JOIN citymap.site s ON s.number = p.site WHERE s.id = ANY ($1::text[]) GROUP BY s.id;

-- name: copy_spots -- fixed width for a binary COPY, in the order of an index: sorting them costs more than reading them
SELECT p.site, array_position('{standard,electric,accessible,family,loading,motorcycle}', p.class)::smallint,
       p.lon, p.lat, p.last_state, coalesce(p.last_at, '-infinity'), p.last_seq, coalesce(p.last_device, 0), p.last_id
  FROM citymap.spot p ORDER BY p.site, p.id;

-- name: copy_spot_ids -- in the same order
SELECT p.id FROM citymap.spot p ORDER BY p.site, p.id;

-- name: fetch_devices
SELECT number, id, site, heard_at, connections FROM citymap.device ORDER BY number;

-- name: fetch_counts -- the last counts of those sites that had one
SELECT id AS site, count_at, count_seq, count_device, count_id, count_occupied, count_capacity FROM citymap.site WHERE count_at IS NOT NULL;

-- name: fetch_passages
SELECT site, id, at, change, vehicle FROM citymap.passage;

-- name: persisted_until -- how far the rows above have followed the readings
SELECT position, recorded_at FROM journal.cursor WHERE follower = $1;

-- name: has_reading -- whether a position is still the entry that a snapshot followed last
SELECT count(*) > 0 FROM journal.reading WHERE position = $1 AND recorded_at = $2;

-- name: has_fact
SELECT count(*) > 0 FROM journal.fact WHERE position = $1 AND recorded_at = $2;

-- name: changed_sites
SELECT DISTINCT key FROM journal.fact WHERE position > $1 AND recorded_at >= $2 AND position <= $3 AND kind = 'site_changed';

-- name: save_devices -- who was heard, last and where
INSERT INTO citymap.device AS d (id, site, heard_at)
SELECT n.id, n.site, n.heard_at FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS n(id, site, heard_at) ORDER BY n.id
ON CONFLICT (id) DO UPDATE
   SET site = excluded.site, heard_at = excluded.heard_at
 WHERE (excluded.heard_at, excluded.site COLLATE "C") > (d.heard_at, d.site COLLATE "C");

-- name: lock_connections
SELECT id, connections FROM citymap.device WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE;

-- name: save_connections
UPDATE citymap.device d SET connections = n.connections::jsonb
  FROM unnest($1::text[], $2::text[]) AS n(id, connections) WHERE d.id = n.id;

-- name: save_spot_states -- last writer wins by (at, seq, device, id), so that saying it again or in another order changes nothing
UPDATE citymap.spot p
   SET last_state = n.state, last_at = n.at, last_seq = n.seq, last_device = d.number, last_id = n.id
  FROM unnest($1::text[], $2::smallint[], $3::timestamptz[], $4::bigint[], $5::text[], $6::bytea[]) AS n(spot, state, at, seq, device, id)
  JOIN citymap.device d ON d.id = n.device
 WHERE p.id = n.spot
   AND (p.last_at IS NULL
        OR (n.at, n.seq, n.device COLLATE "C", n.id)
           > (p.last_at, p.last_seq, (SELECT o.id FROM citymap.device o WHERE o.number = p.last_device), p.last_id));

-- name: save_counts -- the same for counts, one for each site
UPDATE citymap.site s
   SET count_at = n.at, count_seq = n.seq, count_device = n.device, count_id = n.id, count_occupied = n.occupied, count_capacity = n.capacity
  FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::text[], $5::bytea[], $6::int[], $7::int[])
       AS n(site, at, seq, device, id, occupied, capacity)
 WHERE s.id = n.site
   AND (s.count_at IS NULL OR (n.at, n.seq, n.device COLLATE "C", n.id) > (s.count_at, s.count_seq, s.count_device, s.count_id));

-- name: save_passages -- those after the last count of a site that counts by its gates
INSERT INTO citymap.passage (site, id, at, change, vehicle)
SELECT n.site, n.id, n.at, n.change, n.vehicle
  FROM unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::smallint[], $5::bytea[]) AS n(site, id, at, change, vehicle)
  JOIN citymap.site s ON s.id = n.site AND s.counted_by = 'gates'
 WHERE s.count_at IS NULL OR n.at > s.count_at
 ORDER BY n.site, n.id
ON CONFLICT DO NOTHING;

-- name: drop_counted_passages -- what the last count of these sites has taken in
DELETE FROM citymap.passage p USING citymap.site s WHERE s.id = ANY ($1::text[]) AND p.site = s.id AND p.at <= s.count_at;

-- name: sites_to_fold -- those with passages from before a time
SELECT DISTINCT site FROM citymap.passage WHERE at < $1 LIMIT 20;

-- name: fetch_count_of
SELECT count_at, count_seq, count_device, count_id, count_occupied, count_capacity FROM citymap.site WHERE id = $1 FOR UPDATE;

-- name: fetch_passages_of
SELECT id, at, change, vehicle FROM citymap.passage WHERE site = $1;

-- name: drop_passages_until
DELETE FROM citymap.passage WHERE site = $1 AND at <= $2;

-- name: save_moments -- who comes second with the same five minutes says nothing new
INSERT INTO citymap.moment (site, at, free, occupied, capacity)
SELECT s.number, $1, n.free, n.occupied, n.capacity
  FROM unnest($2::text[], $3::int[], $4::int[], $5::int[]) AS n(site, free, occupied, capacity) JOIN citymap.site s ON s.id = n.site
 ORDER BY s.number
ON CONFLICT DO NOTHING;

-- name: fetch_moments -- of some sites, in [from, to)
SELECT s.id AS site, array_agg(m.at ORDER BY m.at) AS at, array_agg(m.free ORDER BY m.at) AS free
  FROM citymap.moment m JOIN citymap.site s ON s.number = m.site
 WHERE s.id = ANY ($1::text[]) AND m.at >= $2 AND m.at < $3 GROUP BY s.id;

-- name: fetch_heat -- by zone and hour in [from, to): places free and places there, summed over sites and moments
SELECT s.zone, date_trunc('hour', m.at) AS hour, sum(m.free) AS free, sum(m.capacity) AS capacity
  FROM citymap.moment m JOIN citymap.site s ON s.number = m.site
 WHERE m.at >= $1 AND m.at < $2 GROUP BY s.zone, hour ORDER BY s.zone, hour;

-- name: forget_moments -- so many at once
DELETE FROM citymap.moment WHERE (site, at) IN (SELECT site, at FROM citymap.moment WHERE at < $1 LIMIT $2);
