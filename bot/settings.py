"""What can be set. `Settings` holds checked values and reads nothing: a test makes one with the values it wants.

`load` is the door to the outside. It turns every problem into one sentence for a person; no secret is ever part of a
sentence or of a repr.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal, Self, get_args
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from bot import platforms, sources
from bot.platforms import Platforms
from bot.roles import Role
from bot.sources import PREFIX, Setting, Source
from bot.vendors import (
    Apiframe,
    Apiyi,
    Compatible,
    ModelArk,
    Novita,
    Section,
    Vendor,
    Volcengine,
    field,
)
from bot.written import (
    UNITS,
    WINDOWS,
    Address,
    Allowance,
    BlobsUrl,
    DatabaseUrl,
    Folder,
    Hours,
    Key,
    Seconds,
    Size,
    Tiers,
    TimeZone,
    Words,
)

PROVIDERS = ("modelark", "volcengine", "apiyi", "apiframe", "novita", "compatible", "sandbox")


class SettingsError(ValueError):
    """The settings cannot be used; `problems` holds one sentence for each reason."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Web(Section):
    host: str = field("127.0.0.1", "Where the chat page listens; elsewhere than on this machine it needs a token.")
    port: int = field(8765, "Its port; 0 takes a free one.", ge=0, le=65535)
    token: SecretStr | None = field(None, "The word that opens the page to those who come from elsewhere.")
    public_url: Address | None = field(
        None,
        "The page's address as it is seen from outside; links to originals, and the calls of providers that can call "
        "back, lead below it.",
    )
    link_days: int = field(7, "How many days a link to an original is good.", ge=1)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The name by which people reach the page through a proxy."""
        name = urlsplit(self.public_url or "").hostname
        return (name,) if name else ()


class Limits(Section):
    person: Allowance = field(
        '{"images": {"day": 50, "month": 500}}',
        "What one person may use, by unit (`images`, `usd`) and window (`day`, `week`, `month`, `total`): a number, "
        '`"unlimited"` or `"none"`. What is not named is unlimited.',
    )
    space: Allowance = field(
        '{"images": {"month": 5000}, "usd": {"month": 200}}',
        "What the people of one space (a server, a tenant) may use together.",
    )
    all: Allowance = field("{}", "What everybody may use together.")

    def table(self) -> dict[tuple[str, str, str], int | None]:
        """The limit of every (kind, unit, window), in pictures or micro-USD; None is unlimited."""
        kinds = {"person": self.person, "space": self.space, "all": self.all}
        return {
            (kind, unit, window): allowance.get(unit, {}).get(window)
            for kind, allowance in kinds.items()
            for unit in UNITS
            for window in WINDOWS
        }


class Queue(Section):
    per_person: int = field(2, "How many requests of one person run at the same time.", ge=1)
    running: int = field(16, "How many requests run at the same time altogether.", ge=1)
    waiting: int = field(1000, "How many requests may wait; one more is refused.", ge=1)
    images_per_minute: int = field(500, "How many pictures a provider is asked for in a minute.", ge=1)
    lease: Seconds = field(
        "45s",
        "After how long without a sign of life a process counts as gone that shares the database, and others take over "
        "what it was doing; longer than any pause that it may make.",
    )
    drain: Seconds = field("90s", "How long a stop waits for what is running: longer than a picture takes.")
    retry_quick_5xx: bool = field(
        False,
        "Whether a request is sent again after a server error within 2 seconds; the vendor bills each one that it "
        "finished all the same.",
    )

    @field_validator("lease")
    @classmethod
    def _leaves_time(cls, lease: timedelta) -> timedelta:
        if lease < timedelta(seconds=3):
            raise ValueError('must be at least "3s", or living processes would count as gone')
        return lease


class Ask(Section):
    above_usd: Decimal = field("0.15", "A request that may cost more USD than this is confirmed first.", ge=0)
    above_images: int = field(4, "A request for more pictures than this is confirmed first.", ge=0)


class Unknown(Section):
    after: Hours = field("24h", "When a paid request is closed whose outcome never became known.")
    then: Literal["charge", "release"] = field("charge", "What becomes of its money then: `charge` or `release`.")


class Retention(Section):
    days: int = field(90, "How many days pictures are kept.", ge=1)
    total: Size = field("10GiB", "How much room they may take; beyond it the oldest go first.")


class S3(Section):
    endpoint: Address | None = field(
        None, "Where the store of `BOT_BLOBS_URL=s3://...` is reached, if it is not AWS: `https://minio.example:9000`."
    )
    region: str = field("", "Its region; if empty, what `AWS_REGION` says, else `us-east-1`.")
    access_key_id: Key = field(None, "The id of the key to it; if empty, the usual AWS variables and roles hold.")
    secret_access_key: Key = field(None, "The key itself.")
    path_style: bool = field(
        True,
        "Whether the bucket stands in the path of an address. Not so at stores that want it before the host: Alibaba "
        "OSS, Tencent COS, Volcengine TOS.",
    )
    public_endpoint: Address | None = field(
        None,
        "Where the store is reached from the internet, if it is; then originals and references are fetched from it "
        "by links that are good for a while.",
    )

    @property
    def access(self) -> dict[str, Any]:
        """As `bot.media.bucket` takes it."""
        keys = {"access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key}
        return {**self.model_dump(), **{name: key.get_secret_value() if key else "" for name, key in keys.items()}}

    @field_validator("region")
    @classmethod
    def _is_one_word(cls, region: str) -> str:
        if not re.fullmatch(r"[\w.-]*", region, re.ASCII):
            raise ValueError("must be one word such as eu-central-1")
        return region


class Media(Section):
    max_bytes: Size = field("30MiB", "How large a picture may be that somebody sends.")
    max_pixels: int = field(36_000_000, "How many pixels it may have.", ge=1)
    metadata: bool = field(True, "Whether the parameters are written into the pictures that are made.")


class Fetch(Section):
    allow: Words = field("[]", "Hosts or networks that pictures may be fetched from although they are not public.")


class Log(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = field("INFO", "The least that is logged.")
    format: Literal["auto", "console", "json"] = field(
        "auto", "`console` for people, `json` for machines; `auto` is `console` on a terminal and else `json`."
    )

    @field_validator("level", mode="before")
    @classmethod
    def _in_any_case(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level


class Settings(Platforms):
    data_dir: Folder = field("./data", "Where the database and the pictures are kept.")
    database_url: DatabaseUrl = Field(
        default_factory=lambda values: f"sqlite:///{values['data_dir']}/bot.db",
        repr=False,  # a secret although no SecretStr: it may hold a password
        description="The database, as `sqlite:///...` or `postgresql://user:password@host:5432/name`.",
    )
    blobs_url: BlobsUrl = Field(
        default_factory=lambda values: f"file://{quote(str(values['data_dir']), safe='/{}')}/blobs",
        description="The pictures' place: `file:///...` or `s3://bucket/prefix`.",
    )
    s3: S3 = S3()
    role: Role = field(
        "all",
        "What this process does: `all`, or where several share a database on PostgreSQL `gateway` (hears the chat "
        "platforms), `worker` (makes pictures and posts them) or `web` (the page, and what calls the bot).",
    )
    providers: Words | None = field(
        None,
        "Who makes the pictures, in order of preference: `modelark`, `volcengine`, `apiyi`, `apiframe`, `novita`, "
        "`compatible`, `sandbox`. By default the first one that has a key, else `sandbox`, which costs nothing.",
    )
    modelark: ModelArk = ModelArk()
    volcengine: Volcengine = Volcengine()
    apiyi: Apiyi = Apiyi()
    apiframe: Apiframe = Apiframe()
    novita: Novita = Novita()
    compatible: Compatible = Compatible()
    model: str = field("", "The model for those who name none; if empty, `seedream-4.5` or the provider's first.")
    language: Literal["en", "zh-CN"] = field(
        "en",
        "The language for those who have chosen none: `en` or `zh-CN`. If it is not set, a chat platform speaks what "
        "most of its people read.",
    )
    time_zone: TimeZone = field("UTC", "The time zone in which days, weeks and months begin.")
    admins: Words = field("[]", "Who is an admin everywhere: local people by their name, others as `platform/id`.")
    limits: Limits = Limits()
    tiers: Tiers = field(
        "{}",
        "Tiers that people can be given, by name: `rank` (the highest one counts), `limits` as a person has them, "
        "`models`, `size` (the largest), `references`, `series` (pictures at once), `in_flight` and `priority`.",
    )
    queue: Queue = Queue()
    ask: Ask = Ask()
    unknown: Unknown = Unknown()
    web: Web = Web()
    media: Media = Media()
    retention: Retention = Retention()
    fetch: Fetch = Fetch()
    log: Log = Log()

    @property
    def is_shared(self) -> bool:
        """Whether several processes may use the database at the same time."""
        return self.database_url.startswith("postgres")

    @property
    def provider_order(self) -> tuple[str, ...]:
        """The providers in use: those that are named and can be asked, else the first one with a key, else the sandbox.

        One of several that are named without their keys is left out; `doctor` says so.
        """
        if self.providers is not None:
            return tuple(name for name in self.providers if not self.lacks(name))
        return self.configured[:1] or ("sandbox",)

    @property
    def configured(self) -> tuple[str, ...]:
        """Every provider that could be asked over the network, in use or not."""
        return tuple(name for name in PROVIDERS if name != "sandbox" and not self.lacks(name))

    def vendor(self, provider: str) -> Vendor | None:
        """What is set of a provider; None for the sandbox, of which nothing is."""
        section = getattr(self, provider, None)
        return section if isinstance(section, Vendor) else None

    def lacks(self, provider: str) -> str:
        """The variable without which this provider cannot be asked, if that is missing."""
        vendor = self.vendor(provider)
        return f"{PREFIX}{provider.upper()}__{vendor.lacks}" if vendor and vendor.lacks else ""

    @field_validator("blobs_url")
    @classmethod
    def _names_a_bucket(cls, url: str) -> str:
        if url.startswith("s3://") and not re.fullmatch(r"s3://[\w.-]{3,63}(/[^\s?#]*)?", url, re.ASCII):
            raise ValueError("must name a bucket, and at most a prefix in it: s3://bucket/prefix")
        return url

    @field_validator("providers")
    @classmethod
    def _are_known(cls, providers: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in providers or ():
            if name not in PROVIDERS:
                raise ValueError(f"names {name}, but there are only {', '.join(PROVIDERS)}")
        if providers is not None and (not providers or len(set(providers)) < len(providers)):
            raise ValueError("must name at least one provider, and none twice")
        return providers

    @model_validator(mode="after")
    def _are_usable(self) -> Self:
        if self.providers is not None and not self.provider_order:
            names, lacking = " and ".join(self.providers), " and ".join(map(self.lacks, self.providers))
            verb = "is" if len(self.providers) == 1 else "are"
            raise ValueError(f"{PREFIX}PROVIDERS names {names}, but {lacking} {verb} not set")
        if self.role is not Role.ALL and not self.is_shared:
            raise ValueError(
                f"{PREFIX}ROLE is {self.role}, but only on PostgreSQL can processes share the work: set "
                f"{PREFIX}DATABASE_URL, or leave the role away"
            )
        if bool(self.s3.access_key_id) != bool(self.s3.secret_access_key):
            there, missing = "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"
            if self.s3.secret_access_key:
                there, missing = missing, there
            raise ValueError(f"{PREFIX}S3__{there} is set, but {PREFIX}S3__{missing} is not")
        if self.compatible.api_key and not self.compatible.base_url:
            raise ValueError(f"{PREFIX}COMPATIBLE__API_KEY is set, but {self.lacks('compatible')} is not")
        return self


def describe() -> Iterator[Setting]:
    """Every setting, in the order of the README's table."""
    for key, top in Settings.model_fields.items():
        if isinstance(top.annotation, type) and issubclass(top.annotation, Section):
            for inner, leaf in top.annotation.model_fields.items():
                yield _described((key, inner), leaf)
        else:
            yield _described((key,), top)
    yield Setting(
        name=sources.CONFIG,
        default=sources.DEFAULT_CONFIG,
        description="A file with the same settings as TOML (`[web]`, `port = 8080`); the default one may be missing.",
        path=(),
        secret=False,
    )


def _described(path: tuple[str, ...], info: FieldInfo) -> Setting:
    default = info.get_default(call_default_factory=True, validated_data={"data_dir": "{data_dir}"})
    match default:
        case None:
            default = ""
        case bool():
            default = str(default).lower()
    return Setting(
        name=PREFIX + "__".join(path).upper(),
        default=str(default),
        description=info.description or "",
        path=path,
        secret=not info.repr or SecretStr in get_args(info.annotation),
    )


def load(**arguments: Any) -> Settings:
    """Settings from everywhere; an argument that is None counts as not given. Raises `SettingsError`."""
    given = {name: value for name, value in arguments.items() if value is not None}
    read, problems = sources.read_sources(given, describe())
    try:
        settings = Settings(**sources.merge(read))
    except ValidationError as error:
        problems += [
            _sentence(problem["loc"], problem["msg"], read)
            for problem in error.errors(include_url=False, include_input=False)
            if problem["type"] != "default_factory_not_called"  # only says once more that data_dir is wrong
        ]
    if problems:
        raise SettingsError(*problems)
    return settings


# What the command line takes, by the names that it has there.
_TYPED = {"data_dir": "--data-dir", "role": "--role", "web.port": "--port", **platforms.TYPED}


def _sentence(location: Sequence[object], message: str, read: Sequence[Source]) -> str:
    """A problem in the words of the source that the value is from."""
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    if not location:  # a rule between settings, which says it all
        return f"{message}."
    names = {".".join(setting.path): setting.name for setting in describe() if setting.path}
    path = ".".join(map(str, location))
    source = next((source for source in read if source.has(location)), read[0])
    called = source.calls.format(name=names.get(path, ""), path=path)
    if source is read[0] and source.has(location):
        called = _TYPED.get(path, called)
    if path in names:
        return f"{called} {message}."
    if path in Settings.model_fields:
        return f"{called} must be a table."
    return f"{called} is not a setting; the nearest is {sources.nearest(path, names)}."
