-- Who may use the embedded server, said again at every start (so lost or changed roles are mended); psql runs it as the superuser.
-- owner_password and app_password are set before it.

-- One role runs migrations and owns every table, the other is what the city works as: it cannot change a table's shape.
SELECT 'CREATE ROLE onelot' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'onelot') \gexec
SELECT 'CREATE ROLE onelot_app' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'onelot_app') \gexec
ALTER ROLE onelot LOGIN CREATEDB NOSUPERUSER NOCREATEROLE PASSWORD :'owner_password';
ALTER ROLE onelot_app LOGIN NOCREATEDB NOSUPERUSER NOCREATEROLE PASSWORD :'app_password';

-- A forgotten transaction would hold the journal's lock and with it the whole city.
ALTER ROLE onelot_app SET idle_in_transaction_session_timeout = '5s';

SELECT 'CREATE DATABASE onelot OWNER onelot' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'onelot') \gexec
REVOKE ALL ON DATABASE onelot FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE onelot TO onelot_app;

-- Migrations grant the application's role to the owner, who connects once and steps down.
GRANT onelot_app TO onelot WITH ADMIN OPTION;
