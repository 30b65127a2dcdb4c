-- name: load_tariffs
SELECT code, version, sha256, effective_to, body,
       (SELECT json_agg(json_build_object('sha256', c.sha256, 'body', c.body) ORDER BY c.corrected_at, c.sha256)
          FROM parking.tariff_correction c WHERE c.code = t.code AND c.version = t.version) AS corrections
  FROM parking.tariff t WHERE code = ANY ($1) ORDER BY code, version;

-- name: versions_of
SELECT version, sha256, body FROM parking.tariff WHERE code = $1 ORDER BY version;

-- name: end_open_version -- a version without an end ends where its successor begins
UPDATE parking.tariff SET effective_to = $2 WHERE code = $1 AND effective_to = 'infinity' AND effective_from < $2;

-- name: publish
INSERT INTO parking.tariff (code, version, sha256, effective_from, effective_to, body, published_at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: version
SELECT sha256, effective_from, effective_to FROM parking.tariff WHERE code = $1 AND version = $2;

-- name: add_correction -- answers its hash when it is new
INSERT INTO parking.tariff_correction (sha256, code, version, body, corrected_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (sha256) DO NOTHING RETURNING sha256;

-- name: all_tariffs
SELECT code, version, sha256, effective_to, body,
       (SELECT json_agg(json_build_object('sha256', c.sha256, 'body', c.body) ORDER BY c.corrected_at, c.sha256)
          FROM parking.tariff_correction c WHERE c.code = t.code AND c.version = t.version) AS corrections
  FROM parking.tariff t ORDER BY code, version;

-- name: sites_with_tariffs
SELECT id, tariff FROM parking.site;
