"""A socket for nginx, workers by the environment, and one JSON line for each request."""

import json
import os
from datetime import datetime, timezone

from gunicorn.glogging import Logger

bind = os.environ.get("BIND", "unix:/run/bakery/web.sock")
# For the socket: its owner and its group may use it.
umask = 0o117
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Loaded once and then forked: what is wrong with it ends the container at once.
preload_app = True
graceful_timeout = 10
# Files of workers that tell that they live; memory needs no disk.
worker_tmp_dir = "/dev/shm"
accesslog = "-"


class JsonLogger(Logger):
    """The access log as JSON, whatever is in the request."""

    def access(self, resp, req, environ, request_time):
        line = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            # nginx says who; without it there is an address.
            "client": environ.get("HTTP_X_FORWARDED_FOR", environ.get("REMOTE_ADDR", "")),
            "method": environ["REQUEST_METHOD"],
            "path": environ["RAW_URI"],
            "status": int(str(resp.status).split(None, 1)[0]),
            "bytes": resp.sent,
            "seconds": request_time.total_seconds(),
            "user_agent": environ.get("HTTP_USER_AGENT", ""),
        }
        self.access_log.info("%s", json.dumps(line))


logger_class = JsonLogger


def post_worker_init(worker):
    """Says when a worker takes requests and signals: it has been booting until then."""
    worker.log.info("Worker ready")
