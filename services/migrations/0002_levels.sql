-- Who somebody is by name: proved by the register (L2) or in presence (L3). Name and number lie under the person's own key, and dropping
-- that key forgets them wherever they were copied to, backups too.
ALTER TABLE services.person
  ADD COLUMN level_at    timestamptz,              -- When the level was last proved; its age is judged at use.
  ADD COLUMN level_way   text,                     -- By what: registry, counter …
  ADD COLUMN id_token    bytea UNIQUE,             -- One identity number, one account.
  ADD COLUMN id_sealed   bytea,
  ADD COLUMN name_sealed bytea,
  ADD CONSTRAINT person_proved_whole CHECK ((id_token IS NULL) = (id_sealed IS NULL) AND (id_token IS NULL) = (name_sealed IS NULL));

CREATE TABLE services.person_key (
  person     uuid        PRIMARY KEY REFERENCES services.person,
  wrapped    bytea,                                -- Sealed with a key outside of the database; NULL when it was dropped.
  made_at    timestamptz NOT NULL,
  dropped_at timestamptz CHECK ((wrapped IS NULL) = (dropped_at IS NOT NULL))
);

-- A right holds from and to dates that are compared when it is used: no late job opens or closes anything.
ALTER TABLE services.role
  ADD COLUMN valid_from timestamptz,
  ADD COLUMN valid_to   timestamptz CHECK (valid_to > valid_from);
UPDATE services.role SET valid_from = granted_at;
ALTER TABLE services.role ALTER COLUMN valid_from SET NOT NULL;
