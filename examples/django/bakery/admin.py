"""What the people of the bakery see."""

from django.contrib import admin

from bakery.models import Cake

admin.site.site_header = "Bakery"
admin.site.register(Cake)
