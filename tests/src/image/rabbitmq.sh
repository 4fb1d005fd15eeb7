#!/bin/sh
# The server itself takes the variables that the official image takes.
set -eu
printf 'loopback_users = none\nlog.console = true\n' >/etc/rabbitmq/rabbitmq.conf
exec "$@"
