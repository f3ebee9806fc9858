-- The database of emboss on PostgreSQL 15 or newer, its roles, and the least each needs. Run once, as an administrator
-- who may create roles and databases, in psql, which also loads ../schemas/sql/postgres.sql:
--
--     psql --dbname=postgres --file=deploy/postgres-roles.sql
--
-- The database is called emboss; --set=database=NAME calls it otherwise. Afterwards give the program its password with
-- \password emboss, and a person who may look: GRANT emboss_reader TO anna;
--
-- emboss_owner   owns the tables; nobody enters as it, and nothing but a change of the schema needs it
-- emboss         the program: adds rows, and changes the columns below; deletes nothing, anywhere; what was written
--                once (versions of customers, accounts and cards, PINs, answers, events, the audit) it cannot change;
--                of a PIN, only that it is void; what stands sealed it seals anew where the data key is rotated
-- emboss_reader  looks at what happened, without card numbers, PINs, key material, names and addresses
--
-- It may be run again: after a change of the schema it grants what is new.

\set ON_ERROR_STOP on
\if :{?database} \else \set database emboss \endif

SELECT format('CREATE ROLE %I %s', role, kind)
  FROM (VALUES ('emboss_owner', 'NOLOGIN'), ('emboss', 'LOGIN'), ('emboss_reader', 'NOLOGIN')) AS wanted (role, kind)
 WHERE role NOT IN (SELECT rolname FROM pg_roles)
\gexec
SELECT format('CREATE DATABASE %I OWNER emboss_owner TEMPLATE template0 ENCODING ''UTF8''', :'database')
 WHERE :'database' NOT IN (SELECT datname FROM pg_database)
\gexec

\connect :"database"

REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO emboss, emboss_reader;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO emboss, emboss_reader;

SET ROLE emboss_owner;

SELECT to_regclass('public.meta') IS NULL AS is_new \gset
\if :is_new
BEGIN;
\ir ../schemas/sql/postgres.sql
COMMIT;
\endif

BEGIN;

-- Nothing stays of an earlier version of this file.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM emboss, emboss_reader;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

-- The program ----------------------------------------------------------------------------------------------------

GRANT SELECT ON ALL TABLES IN SCHEMA public TO emboss;

-- Written once.
GRANT INSERT ON order_answer, customer_version, account_version, card_version, event, audit TO emboss;

-- Written, and changed in these columns only.
GRANT UPDATE (epoch) ON meta TO emboss;
GRANT INSERT, UPDATE (value) ON marker TO emboss;
GRANT INSERT, UPDATE (holder, since, backend) ON run_lock TO emboss;
GRANT INSERT, UPDATE (last) ON id_counter TO emboss;
GRANT INSERT, UPDATE (void, stored, pvv) ON pin TO emboss;
GRANT INSERT, UPDATE (version) ON customer TO emboss;
GRANT INSERT, UPDATE (version) ON account TO emboss;
GRANT INSERT, UPDATE (version, customer_id, account_id, manufacturer, pan) ON card TO emboss;
GRANT INSERT, UPDATE (status, embossing_date) ON plastic TO emboss;
GRANT INSERT, UPDATE (state, live, file_id, reason) ON production_request TO emboss;
GRANT INSERT, UPDATE (ended_at, exit_code, report) ON run TO emboss;
GRANT INSERT, UPDATE (state, reason, detail, run_id) ON agreement_night TO emboss;
GRANT INSERT, UPDATE (night, run_id, format, version, cut_off, data_as_of, state, epoch, items_sha256, sealed_epoch,
    fill_seed, file_name, sha256, size_bytes, records, cards, pin_only, by_production_event, key_fingerprints, delivery_number,
    rename_attempted, abandoned, trouble, published_at, settled_at) ON file TO emboss;
GRANT INSERT, UPDATE (state, attempt, temporary_name, identity, rename_attempt, started_at, published_at)
    ON delivery TO emboss;
GRANT INSERT, UPDATE (file_id, live, reason) ON file_item TO emboss;
GRANT INSERT, UPDATE (at, identity, answers) ON probe TO emboss;
GRANT INSERT, UPDATE (last_night, times) ON standing TO emboss;

-- Who only looks -------------------------------------------------------------------------------------------------

GRANT SELECT ON meta, run_lock, run, agreement_night, delivery, file_item, production_request, standing, plastic, customer,
    account, card_history, event, audit, probe TO emboss_reader;
GRANT SELECT (institution, order_id, op, at, card_id, answer) ON order_answer TO emboss_reader;
GRANT SELECT (institution, card_id, version, customer_id, account_id, manufacturer, bin, last4) ON card TO emboss_reader;
GRANT SELECT (institution, customer_id, version, made_at) ON customer_version TO emboss_reader;
GRANT SELECT (institution, account_id, version, made_at) ON account_version TO emboss_reader;
GRANT SELECT (institution, card_id, version, made_at) ON card_version TO emboss_reader;
GRANT SELECT (institution, card_id, version, record_uid, scheme, made_at, void) ON pin TO emboss_reader;
GRANT SELECT (file_id, night, run_id, institution, manufacturer, sequence_number, previous_file_id, file_type, resend_of,
    format, version, cut_off, data_as_of, state, epoch, items_sha256, sealed_epoch, file_name, sha256, size_bytes, records, cards,
    pin_only, by_production_event, key_fingerprints, delivery_number, rename_attempted, abandoned, trouble, published_at,
    settled_at) ON file TO emboss_reader;

COMMIT;
