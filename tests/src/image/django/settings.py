"""Configured by the environment alone."""

import os
from urllib.parse import unquote, urlsplit


def database(url):
    """The database of a URL; a file in the container where there is none."""
    if not url:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": "/var/lib/bakery/db.sqlite3"}
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": parts.port or 5432,
    }


SECRET_KEY = os.environ.get("SECRET_KEY", "not a secret: this is a test image")
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["bakery"]
ROOT_URLCONF = "bakery.urls"
WSGI_APPLICATION = "bakery.wsgi.application"
DATABASES = {"default": database(os.environ.get("DATABASE_URL"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
