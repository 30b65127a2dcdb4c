-- The two journals, who may write them, and what following them leaves behind.
CREATE SCHEMA IF NOT EXISTS journal;

CREATE SEQUENCE journal.reading_position;
CREATE SEQUENCE journal.fact_position;

-- What devices said. `at` is the corrected instant, `key` is what waits when a reading gets stuck.
CREATE TABLE journal.reading (
  position    bigint      NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  at          timestamptz NOT NULL,
  kind        text        NOT NULL,
  key         text        NOT NULL,
  body        json        NOT NULL,
  PRIMARY KEY (position, recorded_at)
) PARTITION BY RANGE (recorded_at);

-- What became true because of us; appended in the transaction that makes it true, so it is the outbox too.
CREATE TABLE journal.fact (
  position    bigint      NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  at          timestamptz NOT NULL,
  kind        text        NOT NULL,
  key         text        NOT NULL,
  body        json        NOT NULL,
  PRIMARY KEY (position, recorded_at)
) PARTITION BY RANGE (recorded_at);

-- Once only: the day is that of the device's own clock; clocks that were never set share one day.
CREATE TABLE journal.reading_seen (
  day date  NOT NULL,
  key bytea NOT NULL,
  PRIMARY KEY (day, key)
) PARTITION BY RANGE (day);
CREATE TABLE journal.reading_seen_odd (
  recorded_on date NOT NULL DEFAULT current_date,
  day date NOT NULL,
  key bytea NOT NULL,
  PRIMARY KEY (day, key)
);

CREATE TABLE journal.cursor (
  follower    text        PRIMARY KEY,
  position    bigint      NOT NULL DEFAULT 0,
  recorded_at timestamptz NOT NULL DEFAULT '-infinity'
);

-- What a follower could not apply. Later entries of the same key wait behind it (error is then empty).
CREATE TABLE journal.stuck (
  follower text        NOT NULL,
  position bigint      NOT NULL,
  key      text        NOT NULL,
  kind     text        NOT NULL,
  at       timestamptz NOT NULL,
  body     json        NOT NULL,
  error    text        NOT NULL,
  since    timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (follower, position)
);
CREATE INDEX stuck_key ON journal.stuck (follower, key);

-- The first answer of every write that took an Idempotency-Key, kept for ever in the transaction of its effect.
CREATE TABLE journal.idempotency (
  caller text        NOT NULL,
  route  text        NOT NULL,
  key    text        NOT NULL,
  digest bytea       NOT NULL,
  status int         NOT NULL,
  answer json        NOT NULL,
  at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (caller, route, key)
);

-- Order of position is order of commit: the lock is taken as the last act before COMMIT and held through it.
CREATE FUNCTION journal.append_facts(p_at timestamptz[], p_kind text[], p_key text[], p_body text[])
RETURNS bigint LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE last bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(71001);
  WITH written AS (
    INSERT INTO journal.fact (position, at, kind, key, body)
    SELECT nextval('journal.fact_position'), f.at, f.kind, f.key, f.body::json
      FROM unnest(p_at, p_kind, p_key, p_body) WITH ORDINALITY AS f(at, kind, key, body, n) ORDER BY n
    RETURNING position)
  SELECT max(position) INTO last FROM written;
  RETURN last;
END $$;

-- Readings that nobody has told before are appended in the order given; the others are seen already. Keys are sorted, or two doors deadlock.
CREATE FUNCTION journal.append_readings(p_day date[], p_seen bytea[], p_at timestamptz[], p_kind text[], p_key text[], p_body text[])
RETURNS TABLE (stored bigint, last bigint) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE fresh bigint[]; whole boolean;
BEGIN
  WITH told AS (
    SELECT DISTINCT ON (s.day, s.key) s.day, s.key, s.n FROM unnest(p_day, p_seen) WITH ORDINALITY AS s(day, key, n) ORDER BY s.day, s.key, s.n),
  usual AS (
    INSERT INTO journal.reading_seen (day, key) SELECT t.day, t.key FROM told t WHERE t.day >= '2020-01-01' ORDER BY t.day, t.key
    ON CONFLICT DO NOTHING RETURNING day, key),
  odd AS (
    INSERT INTO journal.reading_seen_odd (day, key) SELECT t.day, t.key FROM told t WHERE t.day < '2020-01-01' ORDER BY t.day, t.key
    ON CONFLICT DO NOTHING RETURNING day, key)
  SELECT array_agg(t.n) INTO fresh FROM told t JOIN (SELECT * FROM usual UNION ALL SELECT * FROM odd) f USING (day, key);
  IF fresh IS NULL THEN
    RETURN QUERY SELECT 0::bigint, NULL::bigint;
    RETURN;
  END IF;
  whole := cardinality(fresh) = cardinality(p_seen);
  PERFORM pg_advisory_xact_lock(71002);
  RETURN QUERY WITH written AS (
    INSERT INTO journal.reading (position, at, kind, key, body)
    SELECT nextval('journal.reading_position'), r.at, r.kind, r.key, r.body::json
      FROM unnest(p_at, p_kind, p_key, p_body) WITH ORDINALITY AS r(at, kind, key, body, n)
     WHERE whole OR r.n = ANY (fresh) ORDER BY n
    RETURNING position)
  SELECT count(*), max(position) FROM written;
END $$;

-- Positions for readings that are copied in: n of them under the same lock, the last act before COMMIT here, too.
CREATE FUNCTION journal.take_reading_positions(p_n int)
RETURNS TABLE (first bigint, at timestamptz) LANGUAGE plpgsql SECURITY DEFINER SET search_path = journal, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(71002);
  RETURN QUERY SELECT setval('journal.reading_position', nextval('journal.reading_position') + p_n - 1) - p_n + 1, clock_timestamp();
END $$;

-- How long the oldest open transaction that appended has been open, in seconds. As the owner: the application may not see when
-- transactions of another role began.
CREATE FUNCTION journal.longest_append() RETURNS float8 LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(max(extract(epoch FROM clock_timestamp() - a.xact_start)), 0)::float8
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
   WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid IN (71001, 71002) AND l.objsubid = 1
$$;

-- Partitions are made ahead, outside of transactions that append. What was recorded lies under the wall's day, what devices
-- said under the city's. They are attached and not made in place: that would wait for every reader and hold up every writer.
CREATE FUNCTION journal.make_partitions(p_today date, p_city_today date, p_days int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = journal, pg_temp AS $$
DECLARE d date;
BEGIN
  PERFORM pg_advisory_xact_lock(71003);
  FOR d IN SELECT generate_series(p_city_today - 5, p_city_today + p_days, interval '1 day')::date LOOP
    PERFORM journal.make_partition('reading_seen', to_char(d, 'YYYYMMDD'), d::text, (d + 1)::text);
  END LOOP;
  FOR d IN SELECT generate_series(p_today - 1, p_today + p_days, interval '1 day')::date LOOP
    PERFORM journal.make_partition('reading', to_char(d, 'YYYYMMDD'), d || ' 00:00Z', d + 1 || ' 00:00Z');
  END LOOP;
  FOR d IN SELECT generate_series(date_trunc('month', p_today - 1), date_trunc('month', p_today + p_days), interval '1 month')::date LOOP
    PERFORM journal.make_partition('fact', to_char(d, 'YYYYMM'), d || ' 00:00Z', (d + interval '1 month')::date || ' 00:00Z');
  END LOOP;
END $$;

CREATE FUNCTION journal.make_partition(p_parent text, p_part text, p_from text, p_to text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text := p_parent || '_' || p_part;
BEGIN
  IF to_regclass('journal.' || name) IS NULL THEN
    EXECUTE format('CREATE TABLE journal.%I (LIKE journal.%I INCLUDING ALL)', name, p_parent);
    EXECUTE format('ALTER TABLE journal.%I ATTACH PARTITION journal.%I FOR VALUES FROM (%L) TO (%L)', p_parent, name, p_from, p_to);
  END IF;
END $$;

-- Dropping waits for whoever reads, and everybody waits behind it: so it gives up soon and is tried again at the next round.
CREATE FUNCTION journal.drop_old_partitions(p_today date, p_city_today date, p_reading_days int, p_seen_days int)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = journal, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE t record; dropped int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(71003);
  FOR t IN SELECT c.relname name FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
            WHERE s.nspname = 'journal' AND c.relkind = 'r' AND c.relispartition
              AND ((c.relname ~ '^reading_\d{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') < p_today - p_reading_days)
                OR (c.relname ~ '^reading_seen_\d{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') < p_city_today - p_seen_days)) LOOP
    EXECUTE format('DROP TABLE journal.%I', t.name);
    dropped := dropped + 1;
  END LOOP;
  DELETE FROM journal.reading_seen_odd WHERE recorded_on < p_today - p_seen_days;
  RETURN dropped;
END $$;

-- The one city of this database, and how its time runs: chosen once, when it is first started.
CREATE TABLE journal.city (
  one   boolean          PRIMARY KEY DEFAULT true CHECK (one),
  name  text             NOT NULL,
  speed double precision NOT NULL CHECK (speed > 0),
  since timestamptz      NOT NULL
);
