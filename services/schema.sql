-- The present schema of services, for reading: `make schema` writes it from the migrations, nothing runs it.

CREATE SCHEMA services;

CREATE TABLE services.access (
    id uuid NOT NULL,
    person uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    agency text NOT NULL,
    staff uuid,
    purpose text NOT NULL,
    case_id uuid,
    fields text[] NOT NULL,
    CONSTRAINT access_fields_check CHECK ((cardinality(fields) > 0))
);

CREATE TABLE services.case_file (
    id uuid NOT NULL,
    person uuid NOT NULL,
    matter text NOT NULL,
    version text NOT NULL,
    agency text NOT NULL,
    state text NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    submitted_at timestamp with time zone,
    due_at timestamp with time zone,
    paused_at timestamp with time zone,
    decided_at timestamp with time zone,
    staff_waits boolean DEFAULT false NOT NULL,
    clerk uuid,
    CONSTRAINT case_file_state_check CHECK ((state = ANY (ARRAY['draft'::text, 'submitted'::text, 'in_review'::text, 'supplement'::text, 'approved'::text, 'rejected'::text, 'withdrawn'::text])))
);

CREATE TABLE services.case_recheck (
    case_id uuid NOT NULL,
    number integer NOT NULL,
    since timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    kept boolean,
    made_by text,
    actor uuid,
    reason bytea,
    CONSTRAINT case_recheck_check CHECK ((((closed_at IS NULL) = (kept IS NULL)) AND ((closed_at IS NULL) = (made_by IS NULL)))),
    CONSTRAINT case_recheck_made_by_check CHECK ((made_by = ANY (ARRAY['rule'::text, 'staff'::text])))
);

CREATE TABLE services.case_step (
    case_id uuid NOT NULL,
    number integer NOT NULL,
    task text NOT NULL,
    word text NOT NULL,
    made_by text NOT NULL,
    actor uuid,
    reason bytea,
    at timestamp with time zone NOT NULL,
    CONSTRAINT case_step_made_by_check CHECK ((made_by = ANY (ARRAY['rule'::text, 'staff'::text, 'applicant'::text, 'time'::text])))
);

CREATE TABLE services.case_timer (
    case_id uuid NOT NULL,
    kind text NOT NULL,
    task text DEFAULT ''::text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    CONSTRAINT case_timer_kind_check CHECK ((kind = ANY (ARRAY['flow'::text, 'pledge'::text, 'promise'::text])))
);

CREATE TABLE services.evidence_file (
    id uuid NOT NULL,
    case_id uuid NOT NULL,
    person uuid NOT NULL,
    field text NOT NULL,
    kind text NOT NULL,
    bytes integer NOT NULL,
    about_sealed bytea NOT NULL,
    content_sealed bytea NOT NULL,
    at timestamp with time zone NOT NULL,
    submitted boolean DEFAULT false NOT NULL,
    CONSTRAINT evidence_file_bytes_check CHECK ((bytes > 0)),
    CONSTRAINT evidence_file_kind_check CHECK ((kind = ANY (ARRAY['pdf'::text, 'jpeg'::text, 'png'::text])))
);
ALTER TABLE ONLY services.evidence_file ALTER COLUMN content_sealed SET STORAGE EXTERNAL;

CREATE TABLE services.letter (
    id uuid NOT NULL,
    case_id uuid NOT NULL,
    kind text NOT NULL,
    sealed bytea NOT NULL,
    at timestamp with time zone NOT NULL
);

CREATE TABLE services.licence (
    id uuid NOT NULL,
    case_id uuid NOT NULL,
    person uuid NOT NULL,
    class_code text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    agency text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone NOT NULL,
    claims_sealed bytea NOT NULL,
    plate_token bytea,
    zone text,
    permit_kind text,
    revoked_at timestamp with time zone,
    revoked_for text,
    version integer DEFAULT 1 NOT NULL,
    followed integer DEFAULT 0 NOT NULL,
    permit uuid,
    suspended_at timestamp with time zone,
    CONSTRAINT licence_check CHECK ((valid_to > valid_from)),
    CONSTRAINT licence_check1 CHECK ((((plate_token IS NULL) = (zone IS NULL)) AND ((plate_token IS NULL) = (permit_kind IS NULL)))),
    CONSTRAINT licence_check2 CHECK (((revoked_at IS NULL) = (revoked_for IS NULL)))
);

CREATE TABLE services.licence_shown (
    number uuid NOT NULL,
    licence uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    version integer DEFAULT 1 NOT NULL
);

CREATE TABLE services.matter (
    code text NOT NULL,
    version text NOT NULL,
    published_at timestamp with time zone NOT NULL,
    words text[] DEFAULT '{}'::text[] NOT NULL,
    spelling smallint DEFAULT 0 NOT NULL
);

CREATE TABLE services.matter_version (
    code text NOT NULL,
    version text NOT NULL,
    content bytea NOT NULL,
    published_at timestamp with time zone NOT NULL,
    CONSTRAINT matter_version_version_check CHECK ((length(version) = 64))
);

CREATE TABLE services.one_time_code (
    id uuid NOT NULL,
    phone_token bytea NOT NULL,
    address_token bytea NOT NULL,
    hash bytea NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    tries smallint DEFAULT 0 NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT one_time_code_tries_check CHECK (((tries >= 0) AND (tries <= 5)))
);

CREATE TABLE services.person (
    id uuid NOT NULL,
    phone_token bytea NOT NULL,
    phone_sealed bytea,
    level text DEFAULT 'L1'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    locked_at timestamp with time zone,
    level_at timestamp with time zone,
    level_way text,
    id_token bytea,
    id_sealed bytea,
    name_sealed bytea,
    erased_at timestamp with time zone,
    CONSTRAINT person_level_check CHECK ((level = ANY (ARRAY['L1'::text, 'L2'::text, 'L3'::text]))),
    CONSTRAINT person_proved_whole CHECK ((((id_token IS NULL) = (id_sealed IS NULL)) AND ((id_token IS NULL) = (name_sealed IS NULL))))
);

CREATE TABLE services.person_key (
    person uuid NOT NULL,
    wrapped bytea,
    made_at timestamp with time zone NOT NULL,
    dropped_at timestamp with time zone,
    CONSTRAINT person_key_check CHECK (((wrapped IS NULL) = (dropped_at IS NOT NULL)))
);

CREATE TABLE services.plate (
    id uuid NOT NULL,
    person uuid NOT NULL,
    plate_token bytea NOT NULL,
    plate_sealed bytea NOT NULL,
    colour text NOT NULL,
    nickname_sealed bytea,
    added_at timestamp with time zone NOT NULL,
    proved_at timestamp with time zone,
    auto_pay boolean DEFAULT false NOT NULL,
    removed_at timestamp with time zone,
    taken boolean DEFAULT false NOT NULL,
    CONSTRAINT plate_check CHECK (((proved_at IS NOT NULL) OR (NOT auto_pay))),
    CONSTRAINT plate_check1 CHECK (((NOT taken) OR (removed_at IS NOT NULL)))
);

CREATE TABLE services.proof_try (
    id uuid NOT NULL,
    person uuid NOT NULL,
    what text NOT NULL,
    at timestamp with time zone NOT NULL
);

CREATE TABLE services.role (
    person uuid NOT NULL,
    role text NOT NULL,
    scope text NOT NULL,
    granted_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone,
    CONSTRAINT role_check CHECK (((role = 'admin'::text) = (scope = ''::text))),
    CONSTRAINT role_check1 CHECK ((valid_to > valid_from)),
    CONSTRAINT role_role_check CHECK ((role = ANY (ARRAY['operator'::text, 'staff'::text, 'admin'::text])))
);

CREATE TABLE services.session (
    id uuid NOT NULL,
    person uuid NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    unsure boolean DEFAULT false NOT NULL,
    what text DEFAULT ''::text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    CONSTRAINT session_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

CREATE TABLE services.wrong_code (
    address_token bytea NOT NULL,
    at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY services.access
    ADD CONSTRAINT access_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.case_file
    ADD CONSTRAINT case_file_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.case_recheck
    ADD CONSTRAINT case_recheck_pkey PRIMARY KEY (case_id, number);

ALTER TABLE ONLY services.case_step
    ADD CONSTRAINT case_step_pkey PRIMARY KEY (case_id, number);

ALTER TABLE ONLY services.case_timer
    ADD CONSTRAINT case_timer_pkey PRIMARY KEY (case_id, kind, task);

ALTER TABLE ONLY services.evidence_file
    ADD CONSTRAINT evidence_file_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.letter
    ADD CONSTRAINT letter_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.licence
    ADD CONSTRAINT licence_case_id_key UNIQUE (case_id);

ALTER TABLE ONLY services.licence
    ADD CONSTRAINT licence_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.licence_shown
    ADD CONSTRAINT licence_shown_pkey PRIMARY KEY (number);

ALTER TABLE ONLY services.matter
    ADD CONSTRAINT matter_pkey PRIMARY KEY (code);

ALTER TABLE ONLY services.matter_version
    ADD CONSTRAINT matter_version_pkey PRIMARY KEY (code, version);

ALTER TABLE ONLY services.one_time_code
    ADD CONSTRAINT one_time_code_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.person
    ADD CONSTRAINT person_id_token_key UNIQUE (id_token);

ALTER TABLE ONLY services.person_key
    ADD CONSTRAINT person_key_pkey PRIMARY KEY (person);

ALTER TABLE ONLY services.person
    ADD CONSTRAINT person_phone_token_key UNIQUE (phone_token);

ALTER TABLE ONLY services.person
    ADD CONSTRAINT person_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.plate
    ADD CONSTRAINT plate_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.proof_try
    ADD CONSTRAINT proof_try_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (id);

ALTER TABLE ONLY services.session
    ADD CONSTRAINT session_token_hash_key UNIQUE (token_hash);

CREATE INDEX access_at ON services.access USING btree (at);

CREATE INDEX access_person ON services.access USING btree (person, id DESC);

CREATE INDEX case_decided ON services.case_file USING btree (agency, decided_at DESC, id DESC) WHERE (decided_at IS NOT NULL);

CREATE INDEX case_inbox ON services.case_file USING btree (agency, due_at, id) WHERE staff_waits;

CREATE INDEX case_person ON services.case_file USING btree (person, id);

CREATE UNIQUE INDEX case_recheck_open ON services.case_recheck USING btree (case_id) WHERE (closed_at IS NULL);

CREATE INDEX case_timer_due ON services.case_timer USING btree (due_at);

CREATE INDEX evidence_file_case ON services.evidence_file USING btree (case_id);

CREATE INDEX evidence_file_left_lying ON services.evidence_file USING btree (at) WHERE (NOT submitted);

CREATE INDEX evidence_file_person ON services.evidence_file USING btree (person, at);

CREATE INDEX letter_case ON services.letter USING btree (case_id, at);

CREATE INDEX licence_person ON services.licence USING btree (person, issued_at DESC, id DESC);

CREATE INDEX licence_plate ON services.licence USING btree (plate_token) WHERE (plate_token IS NOT NULL);

CREATE INDEX licence_shown_expires ON services.licence_shown USING btree (expires_at);

CREATE INDEX licence_shown_licence ON services.licence_shown USING btree (licence, expires_at);

CREATE INDEX one_time_code_address ON services.one_time_code USING btree (address_token, asked_at DESC);

CREATE INDEX one_time_code_asked ON services.one_time_code USING btree (asked_at DESC);

CREATE INDEX one_time_code_phone ON services.one_time_code USING btree (phone_token, asked_at DESC);

CREATE UNIQUE INDEX plate_once_each ON services.plate USING btree (person, plate_token) WHERE (removed_at IS NULL);

CREATE UNIQUE INDEX plate_one_holder ON services.plate USING btree (plate_token) WHERE ((proved_at IS NOT NULL) AND (removed_at IS NULL));

CREATE INDEX plate_person ON services.plate USING btree (person, id);

CREATE INDEX proof_try_at ON services.proof_try USING btree (at);

CREATE INDEX proof_try_person ON services.proof_try USING btree (person, what, at);

CREATE UNIQUE INDEX role_once ON services.role USING btree (person, role, scope) WHERE (revoked_at IS NULL);

CREATE INDEX session_person ON services.session USING btree (person, id);

CREATE INDEX session_seen ON services.session USING btree (seen_at);

CREATE INDEX wrong_code_address ON services.wrong_code USING btree (address_token, at DESC);

CREATE INDEX wrong_code_at ON services.wrong_code USING btree (at);

ALTER TABLE ONLY services.access
    ADD CONSTRAINT access_person_fkey FOREIGN KEY (person) REFERENCES services.person(id);

ALTER TABLE ONLY services.case_file
    ADD CONSTRAINT case_file_matter_version_fkey FOREIGN KEY (matter, version) REFERENCES services.matter_version(code, version);

ALTER TABLE ONLY services.case_file
    ADD CONSTRAINT case_file_person_fkey FOREIGN KEY (person) REFERENCES services.person(id);

ALTER TABLE ONLY services.case_recheck
    ADD CONSTRAINT case_recheck_case_id_fkey FOREIGN KEY (case_id) REFERENCES services.case_file(id) ON DELETE CASCADE;

ALTER TABLE ONLY services.case_step
    ADD CONSTRAINT case_step_case_id_fkey FOREIGN KEY (case_id) REFERENCES services.case_file(id) ON DELETE CASCADE;

ALTER TABLE ONLY services.case_timer
    ADD CONSTRAINT case_timer_case_id_fkey FOREIGN KEY (case_id) REFERENCES services.case_file(id) ON DELETE CASCADE;

ALTER TABLE ONLY services.evidence_file
    ADD CONSTRAINT evidence_file_case_id_fkey FOREIGN KEY (case_id) REFERENCES services.case_file(id) ON DELETE CASCADE;

ALTER TABLE ONLY services.evidence_file
    ADD CONSTRAINT evidence_file_person_fkey FOREIGN KEY (person) REFERENCES services.person(id);

ALTER TABLE ONLY services.letter
    ADD CONSTRAINT letter_case_id_fkey FOREIGN KEY (case_id) REFERENCES services.case_file(id) ON DELETE CASCADE;

ALTER TABLE ONLY services.licence
    ADD CONSTRAINT licence_person_fkey FOREIGN KEY (person) REFERENCES services.person(id);

ALTER TABLE ONLY services.licence_shown
    ADD CONSTRAINT licence_shown_licence_fkey FOREIGN KEY (licence) REFERENCES services.licence(id);

ALTER TABLE ONLY services.matter
    ADD CONSTRAINT matter_code_version_fkey FOREIGN KEY (code, version) REFERENCES services.matter_version(code, version);

ALTER TABLE ONLY services.person_key
    ADD CONSTRAINT person_key_person_fkey FOREIGN KEY (person) REFERENCES services.person(id);

ALTER TABLE ONLY services.plate
    ADD CONSTRAINT plate_person_fkey FOREIGN KEY (person) REFERENCES services.person(id);

ALTER TABLE ONLY services.proof_try
    ADD CONSTRAINT proof_try_person_fkey FOREIGN KEY (person) REFERENCES services.person(id);

ALTER TABLE ONLY services.role
    ADD CONSTRAINT role_person_fkey FOREIGN KEY (person) REFERENCES services.person(id);

ALTER TABLE ONLY services.session
    ADD CONSTRAINT session_person_fkey FOREIGN KEY (person) REFERENCES services.person(id);
