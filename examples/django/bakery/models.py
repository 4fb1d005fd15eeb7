"""What the bakery keeps."""

from django.db import models


class Cake(models.Model):
    """A cake that somebody has ordered."""

    name = models.CharField(max_length=100)

    def __str__(self):
        return self.name
