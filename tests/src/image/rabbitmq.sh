#!/bin/sh
# Takes the variables that the official image of RabbitMQ takes.
set -eu
{
    echo 'loopback_users = none'
    echo 'log.console = true'
    printf 'default_user = %s\n' "${RABBITMQ_DEFAULT_USER:-guest}"
    printf 'default_pass = %s\n' "${RABBITMQ_DEFAULT_PASS:-guest}"
    printf 'default_vhost = %s\n' "${RABBITMQ_DEFAULT_VHOST:-/}"
} >/etc/rabbitmq/rabbitmq.conf
exec "$@"
