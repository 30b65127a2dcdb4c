-- name: add_file -- the same content for the same question of a case is the same file
INSERT INTO services.evidence_file (id, case_id, person, field, kind, bytes, about_sealed, content_sealed, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING;

-- name: files_of -- a case's, without their content
SELECT id, case_id, field, kind, bytes, about_sealed, at, submitted FROM services.evidence_file WHERE case_id = $1 ORDER BY at, id;

-- name: file_content
SELECT content_sealed FROM services.evidence_file WHERE id = $1;

-- name: spent_since -- how much a person stored
SELECT coalesce(sum(bytes), 0) FROM services.evidence_file WHERE person = $1 AND at >= $2;

-- name: submit_files
UPDATE services.evidence_file SET submitted = true WHERE case_id = $1 AND id = ANY ($2);

-- name: forget_files -- some that were never handed in
DELETE FROM services.evidence_file WHERE case_id = $1 AND id = ANY ($2) AND NOT submitted;

-- name: forget_rest -- all of a case that were never handed in
DELETE FROM services.evidence_file WHERE case_id = $1 AND NOT submitted;

-- name: forget_left_lying
DELETE FROM services.evidence_file WHERE NOT submitted AND at < $1;

-- name: forget_erased -- nothing of hers opens any more; here it makes room
DELETE FROM services.evidence_file USING services.person WHERE person.id = evidence_file.person AND person.erased_at IS NOT NULL;
