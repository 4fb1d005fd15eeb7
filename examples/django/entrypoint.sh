#!/bin/sh
set -eu
# The volume outlives the image: pages of the last release still find their files in it.
cp -R /srv/bakery/static/. /srv/static/
# Standard output is for the access log alone.
if [ "${SKIP_MIGRATIONS:-}" != 1 ]; then
    django-admin migrate --no-color >&2
fi
exec "$@"
