"""OpenStack Swift with its S3 API on one port of this machine, in a process of its own: `s3.py` starts it.

Swift's four servers, which elsewhere stand on machines of their own, are one process here, with one disk and one copy.
"""

import os
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

from swift.common import utils

utils.eventlet_monkey_patch()

from eventlet import listen, spawn, tpool, wsgi  # noqa: E402
from swift.account.server import AccountController  # noqa: E402
from swift.common.ring import RingData  # noqa: E402
from swift.common.swob import Request  # noqa: E402
from swift.common.utils import NullLogger  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402
from swift.container.server import ContainerController  # noqa: E402
from swift.obj.server import ObjectController  # noqa: E402

BACKENDS = {"account": AccountController, "container": ContainerController, "object": ObjectController}
# `s3api` wants `slo` for uploads in several parts, and `tempauth` knows its one key.
PROXY = """
[DEFAULT]
swift_dir = {folder}
log_level = CRITICAL

[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
node_timeout = 60

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:gatekeeper]
use = egg:swift#gatekeeper

[filter:listing_formats]
use = egg:swift#listing_formats

[filter:s3api]
use = egg:swift#s3api
location = {region}
storage_domain = store.example

[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin

[filter:slo]
use = egg:swift#slo
"""


def serve(folder: Path, *, key: str, secret: str, region: str, bucket: str) -> None:
    """Serve until standard input ends; says its address on standard output as soon as it answers."""
    spawn(_end_with_the_asker)
    utils.HASH_PATH_SUFFIX = b"for tests"
    (folder / "disk").mkdir()
    conf = {"devices": str(folder), "swift_dir": str(folder), "mount_check": "false", "log_level": "CRITICAL"}
    sockets = {name: listen(("127.0.0.1", 0)) for name in BACKENDS}
    for name, socket in sockets.items():
        device = {"id": 0, "zone": 0, "region": 1, "device": "disk", "ip": "127.0.0.1", "port": socket.getsockname()[1]}
        RingData([[0]], [device], 32).save(str(folder / f"{name}.ring.gz"))
    for name, server in BACKENDS.items():
        spawn(wsgi.server, sockets[name], server(conf), NullLogger(), protocol=SwiftHttpProtocol)
    account, user = key.split(":")
    with NamedTemporaryFile("w", dir=folder, suffix=".conf", delete=False) as file:
        file.write(PROXY.format(folder=folder, region=region, account=account, user=user, secret=secret))
    app = loadapp(file.name)
    made = Request.blank(f"/v1/AUTH_{account}/{bucket}", method="PUT").get_response(app._pipeline_final_app)
    assert made.status_int == 201, made.status
    front = listen(("127.0.0.1", 0))
    sys.stdout.write(f"http://127.0.0.1:{front.getsockname()[1]}\n")
    sys.stdout.flush()
    wsgi.server(front, app, NullLogger(), protocol=SwiftHttpProtocol, capitalize_response_headers=False)


def _end_with_the_asker() -> None:
    tpool.execute(os.read, sys.stdin.fileno(), 1)
    os._exit(0)


if __name__ == "__main__":
    place, own_key, own_secret, own_region, own_bucket = sys.argv[1:]
    serve(Path(place), key=own_key, secret=own_secret, region=own_region, bucket=own_bucket)
