#!/bin/sh
# Serves by the configuration file it is given, as the official image of the registry does.
set -eu
case "${1:-}" in
*.yml) exec docker-registry serve "$1" ;;
*) exec "$@" ;;
esac
