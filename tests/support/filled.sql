-- A database between two nights, for plans: as many cards of earlier nights as are due, 70 % of these new, 20 % reissued,
-- 10 % after a loss. As from intake, a recordUid begins with its instant (version 7).
-- Variables of psql: cards, how many are due; marked_at.

\set ON_ERROR_STOP on
SET auto_explain.log_min_duration = -1;

INSERT INTO customer SELECT '246001', n, 1 FROM generate_series(1, 2 * :cards) AS n;
INSERT INTO customer_version
SELECT '246001', n, 1,
       format('{"customerNumber":"C%s","locale":"fi_FI","name":{"firstName":"Aino","lastName":"Virtanen %s"},'
              '"address":{"address1":"Strandgatan %s","city":"Mariehamn","zipCode":"22100"},"temporaryAddress":null,'
              '"phoneNumber":null,"mobileNumber":"+358401234567"}', n, n, n), :marked_at
  FROM generate_series(1, 2 * :cards) AS n;

INSERT INTO account SELECT '246001', n, 1 FROM generate_series(1, 2 * :cards) AS n;
INSERT INTO account_version
SELECT '246001', n, 1, format('{"customerId":"%s","address":null}', n), :marked_at
  FROM generate_series(1, 2 * :cards) AS n;

INSERT INTO card
SELECT '246001', n, 1, n, n, 'HOUSE', sha512(n::text::bytea), sha256(n::text::bytea), '400000',
       lpad((n % 10000)::text, 4, '0')
  FROM generate_series(1, 2 * :cards) AS n;
INSERT INTO card_version
SELECT '246001', n, 1,
       format('{"customerId":"%s","accountId":"%s","role":"MAIN","productCode":"DEBIT","scheme":"MASTERCARD",'
              '"status":"CARD_OK","statusSince":"2026-11-19T10:00:00Z","pinStatus":"D",'
              '"embossing":{"firstName":"AINO","manufacturer":"HOUSE"},"segment":null,"digitalLayoutCode":null,'
              '"scheduledClosing":null,"cardAddress":null,"pinAddress":null,"cardDeliveryType":null,'
              '"pinDeliveryType":null,"replaces":null}', n, n), :marked_at
  FROM generate_series(1, 2 * :cards) AS n;

INSERT INTO plastic
SELECT '246001', n, n, 1, CASE WHEN n % 10 = 9 THEN 'NLOST' ELSE 'NCRD' END,
       CASE WHEN n > :cards AND n % 10 NOT IN (7, 8) THEN 'INACTIVE' ELSE 'ACTIVE' END, 202911, :marked_at, 'cvv-1',
       'cvv2-1', NULL
  FROM generate_series(1, 2 * :cards) AS n;
INSERT INTO plastic
SELECT '246001', 10000000 + n, n, 2, 'RPLRE', 'INACTIVE', 202911, :marked_at, 'cvv-1', 'cvv2-1', NULL
  FROM generate_series(:cards + 1, 2 * :cards) AS n WHERE n % 10 IN (7, 8);

UPDATE meta SET epoch = 100;
INSERT INTO run VALUES ('earlier', 100, 'NIGHT', '2026-11-19', 0, 0, 0, 0, 'host', '{}');
INSERT INTO file (file_id, night, run_id, institution, manufacturer, sequence_number, file_type, format, version, cut_off,
                  data_as_of, state, epoch, fill_seed, file_name, sha256, records)
VALUES ('00000000-0000-4000-8000-000000000001', '2026-11-19', 'earlier', '246001', 'HOUSE', 1, 'NORMAL', 'xml', 2, 0, 0,
        'SETTLED', 100, '', 'earlier.xml.pgp', 's', :cards);

INSERT INTO production_request (record_uid, institution, card_id, plastic_id, event, reproduction, marked_at, state, live,
                                file_id)
SELECT overlay(gen_random_uuid()::text PLACING regexp_replace(lpad(to_hex(:marked_at / 1000 + n), 12, '0'), '^(.{8})', '\1-') || '-7'
               FROM 1 FOR 15), '246001', n, n, CASE WHEN n % 10 = 9 THEN 'NLOST' ELSE 'NCRD' END, 0, :marked_at, 'SENT', 0,
       '00000000-0000-4000-8000-000000000001'
  FROM generate_series(1, :cards) AS n;
INSERT INTO production_request (record_uid, institution, card_id, plastic_id, event, reproduction, marked_at, state)
SELECT overlay(gen_random_uuid()::text PLACING regexp_replace(lpad(to_hex(:marked_at / 1000 + card_id), 12, '0'), '^(.{8})', '\1-') || '-7'
               FROM 1 FOR 15), '246001', card_id, plastic_id, event, 0, :marked_at, 'OPEN'
  FROM plastic WHERE status = 'INACTIVE' ORDER BY card_id;

INSERT INTO file_item
SELECT file_id, lpad(plastic_id::text, 18, '0'), 100, record_uid, institution, card_id, plastic_id, event, 0, 1, 'DEBIT',
       card_id, 1, card_id, 1, 'GENERATE', 1, 1, 'ACTIVE', 0, 1, NULL
  FROM production_request WHERE state = 'SENT';
INSERT INTO pin
SELECT institution, card_id, 1, record_uid, 'A', sha256(record_uid::bytea), '\x01', '1', 'pvk', :marked_at
  FROM production_request WHERE state = 'SENT';

VACUUM (ANALYZE);
