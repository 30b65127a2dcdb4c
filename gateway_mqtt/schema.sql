-- The present schema of gateway_mqtt, for reading: `make schema` writes it from the migrations, nothing runs it.

CREATE SCHEMA gateway;

CREATE TABLE gateway.device (
    id text NOT NULL,
    site text NOT NULL,
    kind text NOT NULL,
    lanes text[] DEFAULT '{}'::text[] NOT NULL,
    spots text[],
    secret_hash bytea NOT NULL,
    added_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    CONSTRAINT device_kind_check CHECK ((kind = ANY (ARRAY['camera'::text, 'gate'::text, 'counter'::text])))
);

CREATE TABLE gateway.device_health (
    device text NOT NULL,
    heard_at timestamp with time zone NOT NULL,
    offset_s integer,
    firmware text DEFAULT ''::text NOT NULL,
    readings bigint DEFAULT 0 NOT NULL,
    plates_read bigint DEFAULT 0 NOT NULL,
    plates_due bigint DEFAULT 0 NOT NULL,
    refused bigint DEFAULT 0 NOT NULL,
    seq_gaps bigint DEFAULT 0 NOT NULL,
    no_clock bigint DEFAULT 0 NOT NULL
);

CREATE TABLE gateway.held (
    device text NOT NULL,
    run uuid NOT NULL,
    connection uuid NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    written_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE gateway.run (
    id uuid NOT NULL,
    beat_at timestamp with time zone NOT NULL
);

CREATE VIEW gateway.online AS
 SELECT h.device
   FROM (gateway.held h
     JOIN gateway.run r ON (((r.id = h.run) AND (r.beat_at > (clock_timestamp() - '00:00:10'::interval)))));

CREATE TABLE gateway.refused (
    id bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    device text NOT NULL,
    site text NOT NULL,
    topic text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    payload bytea NOT NULL
);

ALTER TABLE gateway.refused ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME gateway.refused_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE gateway.site (
    id text NOT NULL,
    operator text NOT NULL
);

CREATE TABLE gateway.spot (
    id text NOT NULL,
    site text NOT NULL
);

CREATE TABLE gateway.unknown_device (
    username text NOT NULL,
    address text NOT NULL,
    reason text NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    tries bigint DEFAULT 1 NOT NULL
);

ALTER TABLE ONLY gateway.device_health
    ADD CONSTRAINT device_health_pkey PRIMARY KEY (device);

ALTER TABLE ONLY gateway.device
    ADD CONSTRAINT device_pkey PRIMARY KEY (id);

ALTER TABLE ONLY gateway.held
    ADD CONSTRAINT held_pkey PRIMARY KEY (device);

ALTER TABLE ONLY gateway.refused
    ADD CONSTRAINT refused_pkey PRIMARY KEY (id);

ALTER TABLE ONLY gateway.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);

ALTER TABLE ONLY gateway.site
    ADD CONSTRAINT site_pkey PRIMARY KEY (id);

ALTER TABLE ONLY gateway.spot
    ADD CONSTRAINT spot_pkey PRIMARY KEY (id);

ALTER TABLE ONLY gateway.unknown_device
    ADD CONSTRAINT unknown_device_pkey PRIMARY KEY (username, address);

CREATE INDEX device_site ON gateway.device USING btree (site);

CREATE INDEX held_run ON gateway.held USING btree (run);

CREATE INDEX held_written ON gateway.held USING btree (written_at);

CREATE INDEX refused_site ON gateway.refused USING btree (site, id);

CREATE INDEX refused_time ON gateway.refused USING btree (received_at);

CREATE INDEX spot_site ON gateway.spot USING btree (site);
