"""Two workers, and an access log in JSON for those who ask for one."""

import os

bind = "0.0.0.0:8000"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
graceful_timeout = 5
if os.environ.get("ACCESS_LOG"):
    accesslog = "-"
    access_log_format = (
        '{"remote_addr":"%(h)s","method":"%(m)s","path":"%(U)s","status":%(s)s,'
        '"bytes":%(B)s,"user_agent":"%(a)s"}'
    )


def post_worker_init(worker):
    """Says when a worker takes requests and signals: it has been booting until then."""
    worker.log.info("Worker ready")
