-- Whether there is more than one empty database, which can be made again without being kept. Roles
-- of PostgreSQL's own have numbers below 16384; and if nothing has been written since the database
-- was created, its creation was the last transaction.
SELECT EXISTS (SELECT FROM pg_roles WHERE oid >= 16384)
    OR EXISTS (SELECT FROM pg_database
               WHERE NOT datistemplate AND datname NOT IN ('postgres', current_database()))
    OR txid_snapshot_xmax(txid_current_snapshot())
       <> (SELECT xmin::text::bigint + 1 FROM pg_database WHERE datname = current_database())
    AS furnished
\gset
\if :furnished
