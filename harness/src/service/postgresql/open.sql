SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true', datname)
FROM pg_database
WHERE NOT datistemplate AND datname NOT LIKE 'plimsoll-%'
\gexec
