"""`migrate`, which says in one line that there is no database."""

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connection


class Command(migrate.Command):
    """Ends with 69, which `sysexits.h` calls a service that is not available."""

    def handle(self, *args, **options):
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise CommandError(f"cannot reach the database: {error}".rstrip(), returncode=69)
        super().handle(*args, **options)
