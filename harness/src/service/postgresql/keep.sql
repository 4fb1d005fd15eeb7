-- Keeps every database as a template that nobody can connect to, unless that was done before.
SELECT format('CREATE DATABASE %I TEMPLATE %I OWNER %I ALLOW_CONNECTIONS false',
              'plimsoll-' || md5(datname), datname, pg_get_userbyid(datdba)),
       -- A name can be as long as that of the template.
       format('COMMENT ON DATABASE %I IS %L', 'plimsoll-' || md5(datname), datname)
FROM pg_database
WHERE NOT datistemplate
  AND NOT EXISTS (SELECT FROM pg_database WHERE datname LIKE 'plimsoll-%')
\gexec
