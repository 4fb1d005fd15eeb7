-- What is newer than the kept databases has a higher number than they. If none is kept, there
-- was nothing but one empty database; PostgreSQL's own roles have numbers below 16384.
SELECT coalesce(max(oid)::bigint, 16383) AS kept, count(*) > 0 AS any
FROM pg_database
WHERE datname LIKE 'plimsoll-%'
\gset

SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname)
FROM pg_database
WHERE datistemplate AND oid > :kept
\gexec

SELECT format('DROP DATABASE %I WITH (FORCE)', datname)
FROM pg_database
WHERE NOT datistemplate AND datname NOT LIKE 'plimsoll-%' AND (:'any' OR datname <> 'postgres')
\gexec

SELECT format('CREATE DATABASE %I TEMPLATE %I OWNER %I',
              shobj_description(oid, 'pg_database'), datname, pg_get_userbyid(datdba))
FROM pg_database
WHERE datname LIKE 'plimsoll-%'
\gexec

\if :any
\else
CREATE DATABASE :"database";
-- A copy takes time, and hardly anybody uses this one.
SELECT count(*) = 0 AS used FROM pg_database WHERE datname = 'postgres'
\gset
\if :used
\else
\connect postgres
SELECT EXISTS (SELECT FROM pg_class WHERE oid >= 16384)
    OR EXISTS (SELECT FROM pg_namespace WHERE oid >= 16384)
    OR EXISTS (SELECT FROM pg_proc WHERE oid >= 16384)
    OR EXISTS (SELECT FROM pg_type WHERE oid >= 16384)
    OR EXISTS (SELECT FROM pg_extension WHERE oid >= 16384)
    OR EXISTS (SELECT FROM pg_largeobject_metadata)
    AS used
\gset
\connect template1
\endif
\if :used
DROP DATABASE IF EXISTS postgres WITH (FORCE);
CREATE DATABASE postgres;
\endif
\endif

SELECT format('DROP OWNED BY %I', rolname), format('DROP ROLE %I', rolname)
FROM pg_roles
WHERE oid > :kept
\gexec
