#!/bin/sh
set -eu
if [ -z "${SKIP_MIGRATIONS:-}" ]; then
    django-admin migrate --verbosity 1
fi
exec "$@"
