-- What is newer than the kept databases has a higher number than they.
SELECT max(oid) AS kept FROM pg_database WHERE datname LIKE 'plimsoll-%'
\gset

SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname)
FROM pg_database
WHERE datistemplate AND oid > :kept
\gexec

SELECT format('DROP DATABASE %I WITH (FORCE)', datname)
FROM pg_database
WHERE NOT datistemplate AND datname NOT LIKE 'plimsoll-%'
\gexec

SELECT format('CREATE DATABASE %I TEMPLATE %I OWNER %I',
              shobj_description(oid, 'pg_database'), datname, pg_get_userbyid(datdba))
FROM pg_database
WHERE datname LIKE 'plimsoll-%'
\gexec

SELECT format('DROP OWNED BY %I', rolname), format('DROP ROLE %I', rolname)
FROM pg_roles
WHERE oid > :kept
\gexec
