"""What the page may send, checked at the edge."""

from pydantic import BaseModel, ConfigDict, Field

from adapters.web.messages import Upload

MOST_PICTURES = 14
MOST_WORDS = 20_000
MOST_BYTES = 40 * 2**20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SentUpload(_Strict):
    name: str = Field(max_length=200)
    blob: str = Field(pattern=r"\A[0-9a-f]{64}\z")
    media_type: str = Field(pattern=r"\Aimage/[a-z]{2,8}\z")
    size: int = Field(ge=0, le=MOST_BYTES)

    def upload(self) -> Upload:
        return Upload(name=self.name, blob=self.blob, media_type=self.media_type, size=self.size)


class SentMessage(_Strict):
    """A message or a pressed button. The page makes the id, so that sending again is harmless."""

    id: str = Field(pattern=r"\A[0-9A-Za-z_-]{12,64}\z")
    person: str = Field(max_length=100)
    room: str = Field(max_length=100)
    words: str = Field(default="", max_length=MOST_WORDS)
    uploads: tuple[SentUpload, ...] = Field(default=(), max_length=MOST_PICTURES)
    reply_to: str = Field(default="", max_length=64)
    press: str = Field(default="", max_length=100, pattern=r"\A([0-9a-z_-]+:[0-9A-Za-z_-]*:\d+)?\z")
    values: dict[str, str] = Field(default={}, max_length=8)

    @property
    def empty(self) -> bool:
        return not (self.words.strip() or self.uploads or self.press)
