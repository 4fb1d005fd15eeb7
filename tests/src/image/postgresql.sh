#!/bin/sh
# Takes the variables that the official image of PostgreSQL takes.
set -eu
user="${POSTGRES_USER:-postgres}"
database="${POSTGRES_DB:-$user}"
if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo 'set POSTGRES_PASSWORD: the database is not created without a password' >&2
        exit 64
    fi
    umask 077
    printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
    # shellcheck disable=SC2086 # Several words.
    initdb --no-sync --username="$user" --pwfile=/tmp/password --auth-local=trust \
        --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-} >&2
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE "%s"\n' "$(printf %s "$database" | sed 's/"/""/g')" |
            postgres --single -jE postgres >&2
    fi
    # As there, scripts have a server of their own, which only they can reach.
    for script in /docker-entrypoint-initdb.d/*.sql; do
        [ -e "$script" ] || break
        pg_ctl --wait -o "-c listen_addresses=" start >&2
        psql -v ON_ERROR_STOP=1 -U "$user" -d "$database" -f "$script" >&2
        pg_ctl --wait -m fast stop >&2
    done
fi
exec "$@"
