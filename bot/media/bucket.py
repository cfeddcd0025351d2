"""A bucket of an S3-compatible store: how it is reached, what its refusals mean, and links that it answers itself.

What it says of an error may repeat signatures and keys, so none of its words are told: only its status and code.
"""

import asyncio
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.errors import Unavailable
from bot.i18n import text

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

CONNECT = timedelta(seconds=5)
SILENCE = timedelta(seconds=30)  # after which a connection on which nothing moves is given up
LONGEST = timedelta(hours=1)  # of one answer: who reads it may be slow
# Who looks at a picture asks again himself; what was paid for has no second chance.
READING = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}
WRITING = {"max_retries": 10, "retry_timeout": timedelta(minutes=2), "backoff": {"max_backoff": timedelta(seconds=15)}}
PART = 5 * 2**20  # of an upload; the least that S3 takes
PARTS_AT_ONCE = 2  # each is held in memory
LONGEST_LINK = 7 * 86_400.0  # seconds, as S3 has it
LOOK = 10.0  # seconds in which it has to show that it is well: somebody waits for it

_SET_KEY = "set BOT_S3__ACCESS_KEY_ID and BOT_S3__SECRET_ACCESS_KEY"
_FIRST = "AWS_ENDPOINT_URL_S3"
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_WRONG_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidSecurity"}
_WRONG_REGION = {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}
_METADATA = re.compile("/latest/(api|meta-data)")  # where machines at AWS find their keys; asked last of all


Link = Callable[[str, float], Awaitable[str | None]]
"""Says where a blob can be fetched from outside, for so many seconds; None for nowhere."""


async def nowhere(blob: str, seconds: float) -> None:
    """What lies in a folder is fetched from us."""


class StoreUnavailable(Unavailable):
    """What is wrong and its cure are for the operator."""

    def __init__(self, wrong: str, cure: str) -> None:
        super().__init__(text("The pictures' store cannot be reached just now; please try again later."), detail=wrong)
        self.wrong = wrong
        self.cure = cure


class Bucket:
    """url: `s3://bucket/prefix`. endpoint: None for AWS, or for what the usual AWS variables say.

    path_style: whether the bucket stands in the path of an address. public_endpoint: under which the store is reached
    from outside; None where it is not.
    """

    def __init__(
        self,
        url: str,
        *,
        endpoint: str | None = None,
        region: str = "",
        access_key_id: str = "",
        secret_access_key: str = "",
        path_style: bool = True,
        public_endpoint: str | None = None,
    ) -> None:
        self._url = url
        self._name = urlsplit(url).netloc
        self._endpoint = endpoint
        self._public_endpoint = public_endpoint
        self._path_style = path_style
        self._region = region
        self._key = (access_key_id, secret_access_key) if access_key_id else None

    @cached_property
    def reading(self) -> "S3Store":
        return self._open(self._endpoint, READING)

    @cached_property
    def _writing(self) -> "S3Store":
        return self._open(self._endpoint, WRITING)

    @cached_property
    def _linking(self) -> "S3Store":
        return self._open(self._public_endpoint, READING)

    async def put(self, path: str, file: Path, *, media_type: str) -> None:
        """All of the file or nothing is to be seen. Asks again for two minutes; the same file twice does no harm."""
        # Whoever follows a link gets these headers; ours, which name the generation, it cannot have.
        attributes = {
            "Content-Type": media_type or "application/octet-stream",
            "Content-Disposition": f'inline; filename="{path[-64:][:12]}.{media_type.rpartition("/")[2] or "bin"}"',
        }
        with self.answering("put"):
            await self._writing.put_async(
                path, file, attributes=attributes, chunk_size=PART, max_concurrency=PARTS_AT_ONCE
            )

    @property
    def is_public(self) -> bool:
        return self._public_endpoint is not None

    async def link(self, path: str, seconds: float) -> str | None:
        """An address that opens this one blob to everybody for so long.

        None for what would not be shown as the picture that it is: it was put there by somebody else.
        """
        from obstore import sign_async

        with self.answering():
            found = await self.reading.get_async(path, options={"range": (0, 1)})
            if not found.attributes.get("Content-Type", "").startswith("image/"):
                return None
            return await sign_async(self._linking, "GET", path, timedelta(seconds=min(seconds, LONGEST_LINK)))

    async def probe(self) -> None:
        """Keep a few bytes, read them and remove them again. Raises `StoreUnavailable`."""
        try:
            async with asyncio.timeout(LOOK):
                await self._probe()
        except TimeoutError as error:
            cure = "see what keeps it so long"
            if self._key is None:  # and who asks a machine elsewhere for its role at AWS waits in vain
                cure += f"; if this machine has no role at AWS, {_SET_KEY}"
            raise StoreUnavailable(f"{self} does not answer", cure) from error

    async def really_missing(self, path: str) -> None:
        """The answer to HEAD says only "not there", be it the bucket: raises `StoreUnavailable` if it is that."""
        with self.answering():
            try:
                await self.reading.get_async(path)
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise

    @contextmanager
    def answering(self, verb: str = "") -> Iterator[None]:
        """Raises `FileNotFoundError` for what is not there, and `StoreUnavailable` for all else that goes wrong.

        verb: what could not be done, for the operator.
        """
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket" or verb:
                raise self._unavailable(error, verb) from None
            raise
        except BaseError as error:
            raise self._unavailable(error, verb) from None

    def __str__(self) -> str:
        host = urlsplit(self._endpoint).netloc.rpartition("@")[2] if self._endpoint else ""
        return f"the bucket {self._name} at {host}" if host else f"the bucket {self._name}"

    async def _probe(self) -> None:
        path, missing = (f".probe/{secrets.token_hex(16)}" for _ in range(2))
        with self.answering("put"):
            await self.reading.put_async(path, path.encode())
        with self.answering("read"):
            kept = await (await self.reading.get_async(path)).bytes_async()
        with self.answering("remove"):
            await self.reading.delete_async(path)
        with self.answering("list"):  # AWS says of what is not there to who may not list that he may not read it
            await self.reading.list_with_delimiter_async(".probe")
            await self.really_missing(missing)
        if bytes(kept) != path.encode():
            raise StoreUnavailable(f"{self} gave back other bytes than it was given", "look into what stands before it")

    def _open(self, endpoint: str | None, retries: dict[str, Any]) -> "S3Store":
        from obstore.store import S3Store

        config: dict[str, Any] = {
            "virtual_hosted_style_request": not self._path_style,
            "disable_bulk_delete": True,  # not every store knows it, and one at a time is all that is asked
        }
        if self._region:
            config["region"] = self._region
        # Plain HTTP is spoken only where an address says so.
        client: dict[str, Any] = {"allow_http": True, "connect_timeout": CONNECT, "read_timeout": SILENCE}
        client["timeout"] = LONGEST
        if endpoint:
            if os.environ.get(_FIRST):  # the library listens to it before all else, and to nobody who says otherwise
                raise StoreUnavailable(f"{_FIRST} is set, which goes before what is set of the bot", "unset it")
            config["endpoint"] = endpoint if self._path_style else _with_host(endpoint, self._name)
        return S3Store.from_url(
            self._url,
            config=config,  # type: ignore[arg-type]
            client_options=client,  # type: ignore[arg-type]
            retry_config=retries,  # type: ignore[arg-type]
            credential_provider=self._own_key if self._key else None,
        )

    def _own_key(self) -> "S3Credential":
        """The whole of it: a token among the AWS variables belongs to another key."""
        assert self._key
        name, secret = self._key
        return {"access_key_id": name, "secret_access_key": secret, "token": None, "expires_at": None}

    def _unavailable(self, error: Exception, verb: str) -> StoreUnavailable:
        wrong, cure = self._explained(error, verb)
        return StoreUnavailable(wrong, cure)

    def _explained(self, error: Exception, verb: str) -> tuple[str, str]:
        found, code = _STATUS.search(str(error)), _code(error)
        status = found[1] if found else ""
        if _METADATA.search(str(error)):
            return f"there is no key for {self}", _SET_KEY
        if code == "NoSuchBucket":
            return f"there is not {self}", "make it, or correct BOT_BLOBS_URL"
        if code in _WRONG_KEY:
            cure = "correct BOT_S3__ACCESS_KEY_ID and BOT_S3__SECRET_ACCESS_KEY"
            return f"{self} refuses the key ({status} {code})", cure
        if code in _WRONG_REGION or status == "301":
            return f"{self} is in another region ({status} {code})".replace(" )", ")"), "set BOT_S3__REGION"
        if code == "RequestTimeTooSkewed":
            return f"{self} refuses this machine's time ({status} {code})", "set the clock"
        if status in ("401", "403"):
            what = f"{verb} pictures" if verb else "do this"
            return (
                f"{self} does not let this key {what} ({status} {code})".replace(" )", ")"),
                "allow it to get, put and delete objects and to list the bucket",
            )
        if status:
            return f"{self} answers {status} {code}".rstrip(), "look into the store's own log"
        return f"{self} does not answer", "see whether it runs, and whether BOT_S3__ENDPOINT is its address"


def _code(error: Exception) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""


def _with_host(endpoint: str, bucket: str) -> str:
    scheme, _, rest = endpoint.partition("://")
    return f"{scheme}://{bucket}.{rest}"
