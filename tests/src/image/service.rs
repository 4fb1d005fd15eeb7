//! Services that an application leans on, from Debian's packages.

use super::{Output, Recipe};

/// PostgreSQL 15, configured by the variables of the official image.
pub const POSTGRESQL: Recipe = Recipe {
    name: "postgresql",
    packages: &["postgresql-15"],
    script: concat!(
        "cat >/usr/local/bin/entrypoint <<'END'\n",
        include_str!("postgresql.sh"),
        "END\n\
         chmod 755 /usr/local/bin/entrypoint\n\
         pg_dropcluster 15 main\n\
         # The compiler of queries is larger than the database, and is done without if missing.\n\
         rm /usr/lib/postgresql/15/lib/llvmjit* /usr/lib/*/libLLVM-*\n\
         echo \"listen_addresses = '*'\" >>/usr/share/postgresql/15/postgresql.conf.sample\n\
         install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data\n",
    ),
    result: Output::Container,
    instructions: &[
        "ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin",
        "ENV PGDATA=/var/lib/postgresql/data",
        "USER postgres",
        "EXPOSE 5432",
        "VOLUME /var/lib/postgresql/data",
        // Fast shutdown; TERM would wait for every client to leave.
        "STOPSIGNAL SIGINT",
        "ENTRYPOINT [\"entrypoint\"]",
        "CMD [\"postgres\"]",
    ],
};

/// Redis 7, without a password and open to its network.
pub const REDIS: Recipe = Recipe {
    name: "redis",
    packages: &["redis-server"],
    script: "install -d -o redis -g redis -m 750 /data",
    result: Output::Container,
    instructions: &[
        "USER redis",
        "WORKDIR /data",
        "EXPOSE 6379",
        "VOLUME /data",
        "ENTRYPOINT []",
        "CMD [\"redis-server\", \"--protected-mode\", \"no\", \"--save\", \"\"]",
    ],
};

/// RabbitMQ 3.10, configured by the variables of the official image.
pub const RABBITMQ: Recipe = Recipe {
    name: "rabbitmq",
    packages: &["rabbitmq-server"],
    script: concat!(
        "cat >/usr/local/bin/entrypoint <<'END'\n",
        include_str!("rabbitmq.sh"),
        "END\n\
         chmod 755 /usr/local/bin/entrypoint\n\
         chown rabbitmq:rabbitmq /etc/rabbitmq\n\
         rm -rf /var/lib/rabbitmq/mnesia /var/lib/rabbitmq/.erlang.cookie\n",
    ),
    result: Output::Container,
    instructions: &[
        // As in the official image, its programs are those that need not be root.
        "ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/bin:/bin",
        "USER rabbitmq",
        "EXPOSE 5672",
        "VOLUME /var/lib/rabbitmq",
        "ENTRYPOINT [\"entrypoint\"]",
        "CMD [\"rabbitmq-server\"]",
    ],
};

/// nginx 1.22, laid out as the official image is, with one JSON line on standard output for each
/// request.
pub const NGINX: Recipe = Recipe {
    name: "nginx",
    packages: &["nginx-light"],
    script: concat!(
        "cat >/etc/nginx/nginx.conf <<'END'\n",
        include_str!("nginx.conf"),
        "END\n\
         echo 'server { listen 80; root /usr/share/nginx/html; }' >/etc/nginx/conf.d/default.conf\n\
         echo '<h1>It works</h1>' >/usr/share/nginx/html/index.html\n",
    ),
    result: Output::Container,
    instructions: &[
        "EXPOSE 80",
        // Requests under way are answered first.
        "STOPSIGNAL SIGQUIT",
        "ENTRYPOINT [\"nginx\"]",
        "CMD [\"-g\", \"daemon off;\"]",
    ],
};
