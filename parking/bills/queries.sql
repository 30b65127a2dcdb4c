-- name: lock_bills
SELECT * FROM parking.bill WHERE session = ANY ($1) ORDER BY id FOR UPDATE;

-- name: lock_bill
SELECT * FROM parking.bill WHERE id = $1 FOR UPDATE;

-- name: save_bills
INSERT INTO parking.bill (id, session, site, operator, person, plate_token, plate_sealed, plate_colour, vehicle_type, certainty, collect,
  entered_at, left_at, issued_at, total, paid, owed, version, state, tariff, tariff_version, tariff_sha256, provisional, lines)
SELECT id, session, site, operator, person, plate_token, plate_sealed, plate_colour, vehicle_type, certainty, collect, entered_at, left_at,
       issued_at, total, paid, owed, version, state, tariff, tariff_version, tariff_sha256, provisional, lines::json
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::bytea[], $7::bytea[], $8::text[], $9::text[], $10::text[],
              $11::boolean[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::bigint[], $16::bigint[], $17::bigint[],
              $18::int[], $19::text[], $20::text[], $21::int[], $22::text[], $23::boolean[], $24::text[])
    AS b(id, session, site, operator, person, plate_token, plate_sealed, plate_colour, vehicle_type, certainty, collect, entered_at,
         left_at, issued_at, total, paid, owed, version, state, tariff, tariff_version, tariff_sha256, provisional, lines)
ON CONFLICT (id) DO UPDATE SET site = excluded.site, operator = excluded.operator, person = excluded.person,
  plate_token = excluded.plate_token, plate_sealed = excluded.plate_sealed, plate_colour = excluded.plate_colour,
  vehicle_type = excluded.vehicle_type, certainty = excluded.certainty, collect = excluded.collect, entered_at = excluded.entered_at,
  left_at = excluded.left_at, total = excluded.total, paid = excluded.paid, owed = excluded.owed, version = excluded.version,
  state = excluded.state, tariff = excluded.tariff, tariff_version = excluded.tariff_version, tariff_sha256 = excluded.tariff_sha256,
  provisional = excluded.provisional, lines = excluded.lines;

-- name: save_bill_versions
INSERT INTO parking.bill_version (bill, version, at, total, entered_at, left_at, tariff_sha256, lines)
SELECT bill, version, at, total, entered_at, left_at, tariff_sha256, lines::json
  FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[])
    AS b(bill, version, at, total, entered_at, left_at, tariff_sha256, lines);

-- name: save_payments
INSERT INTO parking.payment (posting, bill, payer, rail, amount, at)
SELECT posting, bill, payer, rail, amount, at
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::timestamptz[])
    AS b(posting, bill, payer, rail, amount, at);

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

-- name: bills_of_version -- that a version of a tariff priced
SELECT session, total FROM parking.bill WHERE tariff = $1 AND tariff_version = $2 AND session > $3 AND state <> 'void' ORDER BY session LIMIT $4;

-- name: totals_of_sessions
SELECT session, total FROM parking.bill WHERE session = ANY ($1);

-- name: set_paid
UPDATE parking.bill SET paid = paid + $2, owed = owed - $2, state = $3 WHERE id = $1;

-- name: bill_of_person
SELECT * FROM parking.bill WHERE id = $1 AND person = $2;

-- name: bills_of_person -- newest first
SELECT * FROM parking.bill WHERE person = $1 AND ($2::text IS NULL OR state = $2)
   AND ($3::timestamptz IS NULL OR (issued_at, id) < ($3, $4::uuid)) ORDER BY issued_at DESC, id DESC LIMIT $5;

-- name: bills_of_operators -- newest first, of all their sites or of one
SELECT * FROM parking.bill WHERE ($1::text[] IS NULL OR operator = ANY ($1)) AND ($2::text IS NULL OR state = $2)
   AND ($6::text IS NULL OR site = $6)
   AND ($3::timestamptz IS NULL OR (issued_at, id) < ($3, $4::uuid)) ORDER BY issued_at DESC, id DESC LIMIT $5;

-- name: payments_of_bills
SELECT bill, rail, amount, at FROM parking.payment WHERE bill = ANY ($1) ORDER BY at, posting;

-- name: bills_of_sessions
SELECT session, id FROM parking.bill WHERE session = ANY ($1);

-- name: open_of_person -- what is still open between a person and the car parks
SELECT (SELECT coalesce(sum(owed), 0)::bigint FROM parking.bill WHERE person = $1 AND owed > 0) AS owed,
       (SELECT count(*) FROM parking.bill WHERE person = $1 AND owed > 0) AS bills,
       (SELECT count(*) FROM parking.session WHERE person = $1 AND state = 'open') AS stays,
       (SELECT count(*) FROM parking.topup WHERE person = $1 AND state NOT IN ('paid', 'failed')) AS topups;

-- name: dues -- what plates owe, whoever holds them: amounts only to hold
SELECT plate_token, sum(owed)::bigint AS owed FROM parking.bill WHERE plate_token = ANY ($1) AND owed > 0 GROUP BY plate_token;

-- name: lock_dues -- oldest first
SELECT * FROM parking.bill WHERE plate_token = $1 AND owed > 0 ORDER BY entered_at, id FOR UPDATE;

-- name: debts_of_person -- what may be taken from the wallet unasked, oldest first
SELECT * FROM parking.bill WHERE person = $1 AND owed > 0 AND collect ORDER BY entered_at, id FOR UPDATE;
