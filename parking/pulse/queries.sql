-- name: lock_counted -- what of these stays has been counted; nobody else counts, since a follower's cursor has one holder
SELECT session, operator, entered_at, left_at, billed FROM parking.pulse_of WHERE session = ANY ($1);

-- name: save_counted
INSERT INTO parking.pulse_of (session, operator, entered_at, left_at, billed)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
ON CONFLICT (session) DO UPDATE
   SET operator = excluded.operator, entered_at = excluded.entered_at, left_at = excluded.left_at, billed = excluded.billed;

-- name: add_pulses
INSERT INTO parking.pulse AS p (at, operator, arrivals, departures, billed)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::int[], $4::int[], $5::bigint[])
ON CONFLICT (at, operator) DO UPDATE
   SET arrivals = p.arrivals + excluded.arrivals, departures = p.departures + excluded.departures, billed = p.billed + excluded.billed;

-- name: operators_of_sites
SELECT id, operator FROM parking.site WHERE id = ANY ($1::text[]);

-- name: fetch_pulses -- summed over operators, in [from, to)
SELECT at, sum(arrivals)::int AS arrivals, sum(departures)::int AS departures, sum(billed)::bigint AS billed
  FROM parking.pulse WHERE at >= $1 AND at < $2 AND ($3::text[] IS NULL OR operator = ANY ($3)) GROUP BY at ORDER BY at;

-- name: fetch_operators -- each operator's sums in [from, to), and the spots of its sites
SELECT s.operator, s.capacity, coalesce(p.arrivals, 0)::int AS arrivals, coalesce(p.departures, 0)::int AS departures, coalesce(p.billed, 0)::bigint AS billed
  FROM (SELECT operator, sum(capacity)::int AS capacity FROM parking.site WHERE $3::text[] IS NULL OR operator = ANY ($3) GROUP BY operator) s
  LEFT JOIN (SELECT operator, sum(arrivals) AS arrivals, sum(departures) AS departures, sum(billed) AS billed
               FROM parking.pulse WHERE at >= $1 AND at < $2 GROUP BY operator) p USING (operator)
 ORDER BY s.operator;

-- name: forget_pulses
DELETE FROM parking.pulse WHERE at < $1;

-- name: forget_counted -- stays so long over that nothing is learnt of them any more; so many at once
DELETE FROM parking.pulse_of WHERE session IN (
  SELECT session FROM parking.pulse_of WHERE coalesce(left_at, entered_at) < $1 LIMIT $2);
