"""Links to results as the vendor's object store signs them: they work for a day, then answer 403."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlencode

LIFETIME = timedelta(hours=24)
_STAMP = "%Y%m%dT%H%M%SZ"


class Links:
    """Signs and checks paths; the secret is the process's own, so links end with it."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, path: str, now: datetime) -> str:
        """The path with its query."""
        stamp = now.astimezone(UTC).strftime(_STAMP)
        query = {
            "X-Tos-Algorithm": "TOS4-HMAC-SHA256",
            "X-Tos-Credential": f"sandbox/{stamp[:8]}/local/tos/request",
            "X-Tos-Date": stamp,
            "X-Tos-Expires": str(int(LIFETIME.total_seconds())),
            "X-Tos-Signature": self._signature(path, stamp),
            "X-Tos-SignedHeaders": "host",
        }
        return f"{path}?{urlencode(query)}"

    def holds(self, path: str, query: Mapping[str, str], now: datetime) -> bool:
        stamp = query.get("X-Tos-Date", "")
        given = query.get("X-Tos-Signature", "").encode()
        if not hmac.compare_digest(given, self._signature(path, stamp).encode()):
            return False
        signed = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        return now < signed + LIFETIME

    def _signature(self, path: str, stamp: str) -> str:
        return hmac.new(self._secret, f"{path}\n{stamp}".encode(), sha256).hexdigest()
