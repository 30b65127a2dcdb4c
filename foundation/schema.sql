-- The present schema of foundation, for reading: `make schema` writes it from the migrations, nothing runs it.

CREATE SCHEMA journal;

CREATE FUNCTION journal.append_facts(p_at timestamp with time zone[], p_kind text[], p_key text[], p_body text[]) RETURNS bigint
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

CREATE FUNCTION journal.append_readings(p_day date[], p_seen bytea[], p_at timestamp with time zone[], p_kind text[], p_key text[], p_body text[]) RETURNS TABLE(stored bigint, last bigint)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

CREATE FUNCTION journal.drop_old_partitions(p_today date, p_city_today date, p_reading_days integer, p_seen_days integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'journal', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $_$
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
END $_$;

CREATE FUNCTION journal.longest_append() RETURNS double precision
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT coalesce(max(extract(epoch FROM clock_timestamp() - a.xact_start)), 0)::float8
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
   WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid IN (71001, 71002) AND l.objsubid = 1
$$;

CREATE FUNCTION journal.make_partition(p_parent text, p_part text, p_from text, p_to text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE name text := p_parent || '_' || p_part;
BEGIN
  IF to_regclass('journal.' || name) IS NULL THEN
    EXECUTE format('CREATE TABLE journal.%I (LIKE journal.%I INCLUDING ALL)', name, p_parent);
    EXECUTE format('ALTER TABLE journal.%I ATTACH PARTITION journal.%I FOR VALUES FROM (%L) TO (%L)', p_parent, name, p_from, p_to);
  END IF;
END $$;

CREATE FUNCTION journal.make_partitions(p_today date, p_city_today date, p_days integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'journal', 'pg_temp'
    AS $$
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

CREATE FUNCTION journal.take_reading_positions(p_n integer) RETURNS TABLE(first bigint, at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'journal', 'pg_temp'
    AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(71002);
  RETURN QUERY SELECT setval('journal.reading_position', nextval('journal.reading_position') + p_n - 1) - p_n + 1, clock_timestamp();
END $$;

CREATE TABLE journal.city (
    one boolean DEFAULT true NOT NULL,
    name text NOT NULL,
    speed double precision NOT NULL,
    since timestamp with time zone NOT NULL,
    CONSTRAINT city_one_check CHECK (one),
    CONSTRAINT city_speed_check CHECK ((speed > (0)::double precision))
);

CREATE TABLE journal.cursor (
    follower text NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    recorded_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL
);

CREATE TABLE journal.fact (
    "position" bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    body json NOT NULL
)
PARTITION BY RANGE (recorded_at);

CREATE SEQUENCE journal.fact_position
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE journal.idempotency (
    caller text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    status integer NOT NULL,
    answer json NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE journal.migration (
    package text NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE journal.reading (
    "position" bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    body json NOT NULL
)
PARTITION BY RANGE (recorded_at);

CREATE SEQUENCE journal.reading_position
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE journal.reading_seen (
    day date NOT NULL,
    key bytea NOT NULL
)
PARTITION BY RANGE (day);

CREATE TABLE journal.reading_seen_odd (
    recorded_on date DEFAULT CURRENT_DATE NOT NULL,
    day date NOT NULL,
    key bytea NOT NULL
);

CREATE TABLE journal.stuck (
    follower text NOT NULL,
    "position" bigint NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    at timestamp with time zone NOT NULL,
    body json NOT NULL,
    error text NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE ONLY journal.city
    ADD CONSTRAINT city_pkey PRIMARY KEY (one);

ALTER TABLE ONLY journal.cursor
    ADD CONSTRAINT cursor_pkey PRIMARY KEY (follower);

ALTER TABLE ONLY journal.fact
    ADD CONSTRAINT fact_pkey PRIMARY KEY ("position", recorded_at);

ALTER TABLE ONLY journal.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (caller, route, key);

ALTER TABLE ONLY journal.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (package, number);

ALTER TABLE ONLY journal.reading
    ADD CONSTRAINT reading_pkey PRIMARY KEY ("position", recorded_at);

ALTER TABLE ONLY journal.reading_seen_odd
    ADD CONSTRAINT reading_seen_odd_pkey PRIMARY KEY (day, key);

ALTER TABLE ONLY journal.reading_seen
    ADD CONSTRAINT reading_seen_pkey PRIMARY KEY (day, key);

ALTER TABLE ONLY journal.stuck
    ADD CONSTRAINT stuck_pkey PRIMARY KEY (follower, "position");

CREATE INDEX stuck_key ON journal.stuck USING btree (follower, key);
