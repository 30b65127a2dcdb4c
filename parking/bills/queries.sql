-- name: lock_bills
SELECT * FROM parking.bill WHERE session = ANY ($1) ORDER BY id FOR UPDATE;

-- name: lock_bill
SELECT * FROM parking.bill WHERE id = $1 FOR UPDATE;

-- name: save_bill
INSERT INTO parking.bill (id, session, site, operator, person, plate_token, plate_sealed, plate_colour, vehicle_type, certainty, collect, entered_at, left_at,
                          issued_at, total, paid, owed, version, state, tariff, tariff_version, tariff_sha256, provisional, lines)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
ON CONFLICT (id) DO UPDATE SET site = $3, operator = $4, person = $5, plate_token = $6, plate_sealed = $7, plate_colour = $8, vehicle_type = $9,
  certainty = $10, collect = $11, entered_at = $12, left_at = $13, total = $15, paid = $16, owed = $17, version = $18, state = $19, tariff = $20,
  tariff_version = $21, tariff_sha256 = $22, provisional = $23, lines = $24;

-- name: save_bill_version
INSERT INTO parking.bill_version (bill, version, at, total, entered_at, left_at, tariff_sha256, lines) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: save_payment
INSERT INTO parking.payment (posting, bill, payer, rail, amount, at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: payers -- who has paid how much of these bills, the latest last
SELECT bill, payer, sum(amount)::bigint AS amount FROM parking.payment WHERE bill = ANY ($1) GROUP BY bill, payer HAVING sum(amount) > 0
 ORDER BY bill, max(at), payer;

-- name: visits_before -- earlier visits of a plate to a site, or to the sites of a tariff where one is named, oldest first
SELECT w.session AS of, b.entered_at, b.left_at, b.site
  FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::timestamptz[]) AS w(session, plate_token, site, line, entered_at)
  JOIN parking.bill b ON b.plate_token = w.plate_token AND b.entered_at < w.entered_at AND b.left_at > w.entered_at - $6::interval
   AND (b.site = w.site OR b.tariff = nullif(w.line, ''))
 WHERE b.state <> 'void' AND b.session <> w.session ORDER BY w.session, b.entered_at, b.left_at, b.id;

-- name: visits_after -- bills that may stand in one chain with a stay that changed
SELECT DISTINCT ON (b.id) b.*
  FROM unnest($1::bytea[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[]) AS w(plate_token, site, line, since, until)
  JOIN parking.bill b ON b.plate_token = w.plate_token AND b.entered_at > w.since AND b.entered_at < w.until
   AND (b.site = w.site OR b.tariff = nullif(w.line, ''))
 WHERE b.state <> 'void' ORDER BY b.id;

-- name: set_paid
UPDATE parking.bill SET paid = paid + $2, owed = owed - $2, state = $3 WHERE id = $1;

-- name: bill_of_person
SELECT * FROM parking.bill WHERE id = $1 AND person = $2;

-- name: bills_of_person -- newest first
SELECT * FROM parking.bill WHERE person = $1 AND ($2::text IS NULL OR state = $2)
   AND ($3::timestamptz IS NULL OR (issued_at, id) < ($3, $4::uuid)) ORDER BY issued_at DESC, id DESC LIMIT $5;

-- name: bills_of_operators -- newest first
SELECT * FROM parking.bill WHERE ($1::text[] IS NULL OR operator = ANY ($1)) AND ($2::text IS NULL OR state = $2)
   AND ($3::timestamptz IS NULL OR (issued_at, id) < ($3, $4::uuid)) ORDER BY issued_at DESC, id DESC LIMIT $5;

-- name: payments_of_bills
SELECT bill, rail, amount, at FROM parking.payment WHERE bill = ANY ($1) ORDER BY at, posting;

-- name: bills_of_sessions
SELECT session, id FROM parking.bill WHERE session = ANY ($1);

-- name: dues -- what plates owe, whoever holds them: amounts only to hold
SELECT plate_token, sum(owed)::bigint AS owed FROM parking.bill WHERE plate_token = ANY ($1) AND owed > 0 GROUP BY plate_token;

-- name: lock_dues -- oldest first
SELECT * FROM parking.bill WHERE plate_token = $1 AND owed > 0 ORDER BY entered_at, id FOR UPDATE;

-- name: debts_of_person -- what may be taken from the wallet unasked, oldest first
SELECT * FROM parking.bill WHERE person = $1 AND owed > 0 AND collect ORDER BY entered_at, id FOR UPDATE;
