-- A database can be copied while nobody uses it. What was kept before is given up.
SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS false', datname)
FROM pg_database
WHERE NOT datistemplate AND datname NOT LIKE 'plimsoll-%'
\gexec

SELECT format('DROP DATABASE %I', datname)
FROM pg_database
WHERE datname LIKE 'plimsoll-%'
\gexec

SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE datid IN (SELECT oid FROM pg_database WHERE NOT datistemplate)
\g /dev/null
