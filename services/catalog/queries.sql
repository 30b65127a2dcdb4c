-- name: keep_version -- the same content is the same version
INSERT INTO services.matter_version (code, version, content, published_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: live_version
SELECT version FROM services.matter WHERE code = $1 FOR UPDATE;

-- name: set_live
INSERT INTO services.matter (code, version, published_at, words, spelling) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (code) DO UPDATE
   SET version = excluded.version, published_at = excluded.published_at, words = excluded.words, spelling = excluded.spelling;

-- name: live_matters
SELECT m.version, v.content, m.words, m.spelling
  FROM services.matter m JOIN services.matter_version v USING (code, version) ORDER BY m.code;

-- name: some_live_matters
SELECT m.version, v.content, m.words, m.spelling
  FROM services.matter m JOIN services.matter_version v USING (code, version) WHERE m.code = ANY ($1);

-- name: matter_content
SELECT content FROM services.matter_version WHERE code = $1 AND version = $2;

-- name: was_published
SELECT EXISTS (SELECT FROM services.matter_version WHERE code = $1 AND version = $2);
