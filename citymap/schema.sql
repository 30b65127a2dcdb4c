-- The present schema of citymap, for reading: `make schema` writes it from the migrations, nothing runs it.

CREATE SCHEMA citymap;

CREATE TABLE citymap.device (
    number integer NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    site text NOT NULL,
    heard_at timestamp with time zone NOT NULL,
    connections jsonb DEFAULT '[]'::jsonb NOT NULL
)
WITH (fillfactor='80');

ALTER TABLE citymap.device ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME citymap.device_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE citymap.listing (
    source text NOT NULL,
    site text NOT NULL,
    file bigint NOT NULL,
    confirmed_at timestamp with time zone NOT NULL
);

CREATE TABLE citymap.moment (
    site integer NOT NULL,
    at timestamp with time zone NOT NULL,
    free integer NOT NULL,
    occupied integer NOT NULL,
    capacity integer NOT NULL,
    CONSTRAINT moment_check CHECK ((capacity >= (free + occupied))),
    CONSTRAINT moment_free_check CHECK ((free >= 0)),
    CONSTRAINT moment_occupied_check CHECK ((occupied >= 0))
);

CREATE TABLE citymap.passage (
    site text NOT NULL,
    id bytea NOT NULL,
    at timestamp with time zone NOT NULL,
    change smallint NOT NULL,
    vehicle bytea NOT NULL,
    CONSTRAINT passage_change_check CHECK ((change = ANY (ARRAY['-1'::integer, 1])))
);

CREATE TABLE citymap.site (
    number integer NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    name jsonb NOT NULL,
    type text NOT NULL,
    operator text NOT NULL,
    counted_by text NOT NULL,
    capacity integer NOT NULL,
    tariff text NOT NULL,
    zone text NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    max_height_cm integer,
    max_stay_s integer,
    opening_hours text NOT NULL,
    entrances jsonb NOT NULL,
    count_at timestamp with time zone,
    count_seq bigint DEFAULT 0 NOT NULL,
    count_device text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    count_id bytea DEFAULT '\x'::bytea NOT NULL,
    count_occupied integer DEFAULT 0 NOT NULL,
    count_capacity integer,
    CONSTRAINT site_capacity_check CHECK ((capacity >= 0)),
    CONSTRAINT site_counted_by_check CHECK ((counted_by = ANY (ARRAY['spots'::text, 'gates'::text, 'counter'::text]))),
    CONSTRAINT site_type_check CHECK ((type = ANY (ARRAY['on_street'::text, 'surface'::text, 'structure'::text, 'underground'::text])))
)
WITH (fillfactor='80');

ALTER TABLE citymap.site ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME citymap.site_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE citymap.source (
    name text NOT NULL,
    file bigint NOT NULL,
    listed_at timestamp with time zone NOT NULL,
    listed integer NOT NULL
);

CREATE TABLE citymap.spot (
    id text NOT NULL COLLATE pg_catalog."C",
    site integer NOT NULL,
    class text NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    last_state smallint DEFAULT 2 NOT NULL,
    last_at timestamp with time zone,
    last_seq bigint DEFAULT 0 NOT NULL,
    last_device integer,
    last_id bytea DEFAULT '\x00000000000000000000000000000000'::bytea NOT NULL,
    CONSTRAINT spot_class_check CHECK ((class = ANY (ARRAY['standard'::text, 'electric'::text, 'accessible'::text, 'family'::text, 'loading'::text, 'motorcycle'::text]))),
    CONSTRAINT spot_last_id_check CHECK ((octet_length(last_id) = 16)),
    CONSTRAINT spot_last_state_check CHECK (((last_state >= 0) AND (last_state <= 3)))
)
WITH (fillfactor='80');

ALTER TABLE ONLY citymap.device
    ADD CONSTRAINT device_id_key UNIQUE (id);

ALTER TABLE ONLY citymap.device
    ADD CONSTRAINT device_pkey PRIMARY KEY (number);

ALTER TABLE ONLY citymap.listing
    ADD CONSTRAINT listing_pkey PRIMARY KEY (source, site);

ALTER TABLE ONLY citymap.moment
    ADD CONSTRAINT moment_pkey PRIMARY KEY (site, at);

ALTER TABLE ONLY citymap.passage
    ADD CONSTRAINT passage_pkey PRIMARY KEY (site, id);

ALTER TABLE ONLY citymap.site
    ADD CONSTRAINT site_id_key UNIQUE (id);

ALTER TABLE ONLY citymap.site
    ADD CONSTRAINT site_pkey PRIMARY KEY (number);

ALTER TABLE ONLY citymap.source
    ADD CONSTRAINT source_pkey PRIMARY KEY (name);

ALTER TABLE ONLY citymap.spot
    ADD CONSTRAINT spot_pkey PRIMARY KEY (id);

CREATE INDEX moment_at ON citymap.moment USING btree (at);

CREATE INDEX passage_at ON citymap.passage USING btree (at);

CREATE UNIQUE INDEX spot_site ON citymap.spot USING btree (site, id);

ALTER TABLE ONLY citymap.moment
    ADD CONSTRAINT moment_site_fkey FOREIGN KEY (site) REFERENCES citymap.site(number);

ALTER TABLE ONLY citymap.spot
    ADD CONSTRAINT spot_last_device_fkey FOREIGN KEY (last_device) REFERENCES citymap.device(number);

ALTER TABLE ONLY citymap.spot
    ADD CONSTRAINT spot_site_fkey FOREIGN KEY (site) REFERENCES citymap.site(number);
