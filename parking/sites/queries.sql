-- name: save_site
INSERT INTO parking.site AS s (id, operator, type, counted_by, capacity, tariff, zone) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET operator = $2, type = $3, counted_by = $4, capacity = $5, tariff = $6, zone = $7;

-- name: load_sites
SELECT id, operator, type, tariff, zone, gated FROM parking.site WHERE id = ANY ($1);

-- name: mark_gated
UPDATE parking.site SET gated = true WHERE id = ANY ($1) AND NOT gated;

-- name: newest_site_facts -- of these sites
SELECT DISTINCT ON (key) key, body FROM journal.fact WHERE kind = 'site_changed' AND key = ANY ($1) ORDER BY key, position DESC;
