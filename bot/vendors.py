"""What can be set of each provider that is reached over the network; read and checked as `bot.settings` says."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bot import catalogue, sources
from bot.written import Address, Ids, Key, OptionalAddress

ENDPOINT = "/images/generations"


def field(default: object, description: str, **rules: Any) -> Any:
    """A setting. Its default stands as a person would write it, and is read and checked like what a person wrote."""
    return Field(default, validate_default=True, description=description, **rules)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Vendor(Section):
    """What is set of a provider that is reached over the network, by its name."""

    name: ClassVar[str]

    api_key: Key
    base_url: Address | None
    models: Ids = field(
        "{}",
        "Its own ids of models where they differ, by the names that people use: "
        '`{"seedream-4.5": "ep-20260101000000-abcde"}`.',
    )

    @property
    def key(self) -> str:
        return self.api_key.get_secret_value() if self.api_key else ""

    @property
    def lacks(self) -> str:
        """The setting without which it cannot be asked, if that is missing."""
        return "" if self.api_key else "API_KEY"

    @field_validator("api_key", mode="before")
    @classmethod
    def _is_trimmed(cls, key: object) -> object:
        """What was copied along with it is no part of a key."""
        return key.strip() if isinstance(key, str) else key

    @field_validator("api_key")
    @classmethod
    def _is_one_word(cls, key: SecretStr | None) -> SecretStr | None:
        if key and not re.fullmatch("[!-~]+", key.get_secret_value()):
            raise ValueError("must be one word of plain letters, digits and signs, as the vendor shows it")
        return key

    @field_validator("base_url")
    @classmethod
    def _is_a_base(cls, address: str | None) -> str | None:
        if (address or "").endswith(ENDPOINT):
            raise ValueError(f"must be what stands before {ENDPOINT}")
        return address

    @field_validator("models")
    @classmethod
    def _are_offered(cls, models: Mapping[str, str]) -> Mapping[str, str]:
        if models:
            offered = tuple(model.name for model in catalogue.load().models(cls.name))
            for name in models:
                if name not in offered:
                    nearest = sources.nearest(name, offered)
                    raise ValueError(f"names {name}, a model that is not offered; the nearest is {nearest}")
        return models


LIKEWISE = "Its address, likewise."


class ModelArk(Vendor):
    name = "modelark"

    api_key: Key = field(None, "Key of BytePlus ModelArk.")
    base_url: Address = field(
        "https://ark.ap-southeast.bytepluses.com/api/v3", "Its address: what stands before `/images/generations`."
    )


class Volcengine(Vendor):
    name = "volcengine"

    api_key: Key = field(None, "Key of Volcengine Ark, the same service in mainland China.")
    base_url: Address = field("https://ark.cn-beijing.volces.com/api/v3", LIKEWISE)


class Apiyi(Vendor):
    name = "apiyi"

    api_key: Key = field(None, "Key of APIYI.")
    base_url: Address = field("https://api.apiyi.com/v1", LIKEWISE)
    backup_url: OptionalAddress = field(
        "https://vip.apiyi.com/v1", "Asked where no connection to that address comes about; `none` for nowhere."
    )


class Apiframe(Vendor):
    name = "apiframe"

    api_key: Key = field(None, "Key of Apiframe.")
    base_url: Address = field("https://api.apiframe.ai", "Its address: what stands before `/v2/`.")
    credit_usd: Decimal = field("0.01", "What one of its credits costs in USD.", ge=Decimal("0.000001"), le=1000)
    low_credits: int = field(100, "A warning is logged when fewer credits than this are left.", ge=0)

    @property
    def credit_price(self) -> int:
        """Micro-USD."""
        return round(self.credit_usd * 1_000_000)


class Novita(Vendor):
    name = "novita"

    api_key: Key = field(None, "Key of Novita AI, or of who sells the same API under another name.")
    base_url: Address = field("https://api.novita.ai", "Its address: what stands before `/v3/`.")


class Compatible(Vendor):
    name = "compatible"

    api_key: Key = field(None, "Key of a gateway of your choice that speaks ModelArk's or OpenAI's Images API.")
    base_url: Address | None = field(None, "The gateway's address, without which it is not asked.")
    models: Ids = field("{}", "Its own ids of models, likewise; where any are named, it has no others.")

    @property
    def lacks(self) -> str:
        return "" if self.base_url else "BASE_URL"  # a gateway of one's own may want no key
