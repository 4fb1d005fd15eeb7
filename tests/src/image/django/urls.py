"""What the bakery answers."""

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
    """The cakes ordered so far; a POST orders one."""
    if request.method == "POST":
        Cake.objects.create(name=request.POST.get("name", "plain"))
    return JsonResponse({"cakes": list(Cake.objects.order_by("id").values_list("name", flat=True))})


urlpatterns = [path("health/", health), path("cakes/", cakes)]
