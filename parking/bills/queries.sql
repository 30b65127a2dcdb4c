-- name: lock_bills
SELECT * FROM parking.bill WHERE session = ANY ($1) ORDER BY id FOR UPDATE;

-- name: lock_bill
SELECT * FROM parking.bill WHERE id = $1 FOR UPDATE;

-- name: save_bill
INSERT INTO parking.bill (id, session, site, operator, person, plate_token, plate_sealed, plate_colour, vehicle_type, certainty, entered_at, left_at,
                          issued_at, total, paid, owed, version, state, tariff, tariff_version, tariff_sha256, provisional, lines)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
ON CONFLICT (id) DO UPDATE SET site = $3, operator = $4, person = $5, plate_token = $6, plate_sealed = $7, plate_colour = $8, vehicle_type = $9,
  certainty = $10, entered_at = $11, left_at = $12, total = $14, paid = $15, owed = $16, version = $17, state = $18, tariff = $19, tariff_version = $20,
  tariff_sha256 = $21, provisional = $22, lines = $23;

-- name: save_bill_version
INSERT INTO parking.bill_version (bill, version, at, total, entered_at, left_at, tariff_sha256, lines) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: save_payment
INSERT INTO parking.payment (posting, bill, payer, rail, amount, at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: payers -- who has paid how much of these bills, the latest last
SELECT bill, payer, sum(amount)::bigint AS amount FROM parking.payment WHERE bill = ANY ($1) GROUP BY bill, payer HAVING sum(amount) > 0
 ORDER BY bill, max(at), payer;

-- name: visits_before -- earlier stays of a plate at a site within a day and more, oldest first
SELECT entered_at, left_at FROM parking.bill
 WHERE plate_token = $1 AND site = $2 AND entered_at < $3 AND entered_at > $3::timestamptz - interval '3 days' AND state <> 'void' AND session <> $4
 ORDER BY entered_at;

-- name: visits_after -- bills that may stand in one chain with a stay that changed
SELECT * FROM parking.bill
 WHERE plate_token = $1 AND site = $2 AND entered_at > $3 AND entered_at <= $4 AND state <> 'void' ORDER BY entered_at LIMIT 50;

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

-- name: debts_of_person -- what may be collected by itself: sure, oldest first
SELECT * FROM parking.bill WHERE person = $1 AND owed > 0 AND certainty = 'sure' ORDER BY entered_at, id FOR UPDATE;
