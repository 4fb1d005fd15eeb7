"""What the bakery answers."""

from django.contrib import admin
from django.db import connection
from django.http import JsonResponse
from django.urls import path

from bakery.models import Cake


def health(request):
    """Whether the database answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


def cakes(request):
    """The cakes that have been ordered."""
    return JsonResponse({"cakes": list(Cake.objects.order_by("id").values_list("name", flat=True))})


urlpatterns = [path("health/", health), path("cakes/", cakes), path("admin/", admin.site.urls)]
