//! An application: Django under gunicorn under tini.

use super::{Output, Recipe};

/// A bakery: `/health/`, `/cakes/`, two workers, migrations on start unless `SKIP_MIGRATIONS` is
/// set, a JSON access log if `ACCESS_LOG` is, PostgreSQL if `DATABASE_URL` names one.
pub const DJANGO: Recipe = Recipe {
    name: "django",
    packages: &["python3-django", "python3-psycopg2", "gunicorn", "tini"],
    script: concat!(
        "mkdir -p /srv/bakery/bakery\n\
         cd /srv/bakery/bakery\n\
         touch __init__.py\n\
         cat >settings.py <<'END'\n",
        include_str!("django/settings.py"),
        "END\ncat >models.py <<'END'\n",
        include_str!("django/models.py"),
        "END\ncat >urls.py <<'END'\n",
        include_str!("django/urls.py"),
        "END\ncat >wsgi.py <<'END'\n",
        include_str!("django/wsgi.py"),
        "END\ncat >../gunicorn.conf.py <<'END'\n",
        include_str!("django/gunicorn.conf.py"),
        "END\ncat >/usr/local/bin/entrypoint <<'END'\n",
        include_str!("django/entrypoint.sh"),
        "END\n\
         chmod 755 /usr/local/bin/entrypoint\n\
         cd ..\n\
         export PYTHONPATH=/srv/bakery DJANGO_SETTINGS_MODULE=bakery.settings\n\
         django-admin makemigrations bakery\n\
         python3 -m compileall -q /srv/bakery\n\
         useradd --system --no-create-home --shell /usr/sbin/nologin baker\n\
         install -d -o baker -g baker -m 750 /var/lib/bakery\n",
    ),
    result: Output::Container,
    instructions: &[
        "ENV PYTHONPATH=/srv/bakery",
        "ENV PYTHONUNBUFFERED=1",
        "ENV DJANGO_SETTINGS_MODULE=bakery.settings",
        "LABEL org.opencontainers.image.title=bakery",
        "USER baker",
        "WORKDIR /srv/bakery",
        "EXPOSE 8000",
        "ENTRYPOINT [\"tini\", \"--\", \"entrypoint\"]",
        "CMD [\"gunicorn\", \"bakery.wsgi\"]",
    ],
};
