"""Calls that take pictures and files in, and give them out."""

import io

from PIL import Image, UnidentifiedImageError

from tests.simulators.feishu import reading
from tests.simulators.feishu.model import Message
from tests.simulators.feishu.rest import Asked, Download, Part, Routes
from tests.simulators.feishu.rest_messages import OUTSIDE
from tests.simulators.feishu.wire import Json, Refused

MIB = 2**20
MOST_IMAGE, MOST_FILE, MOST_RESOURCE = 10 * MIB, 30 * MIB, 100 * MIB
MOST_SIDE, MOST_GIF_SIDE = 12_000, 2_000
FILE_TYPES = frozenset(("opus", "mp4", "pdf", "doc", "xls", "ppt", "stream"))
UNAUTHORIZED = Refused(234002, "Unauthorized. The resource is not this app's.")


async def upload_image(asked: Asked) -> Json:
    data = _file(asked, "image", MOST_IMAGE).data
    if asked.body.get("image_type") not in ("message", "avatar"):
        raise _invalid("image_type")
    kind = _picture(data)
    media = asked.fake.upload(data, "image", mine=True, content_type=f"image/{kind.lower()}")
    return {"image_key": media.key}


async def upload_file(asked: Asked) -> Json:
    part = _file(asked, "file", MOST_FILE)
    if asked.body.get("file_type") not in FILE_TYPES:
        raise _invalid("file_type")
    name = asked.body.get("file_name")
    if not name:
        raise _invalid("file_name")
    return {"file_key": asked.fake.upload(part.data, "file", mine=True, filename=name).key}


async def own_image(asked: Asked) -> Download:
    """Only what this app uploaded."""
    media = asked.fake.media.get(asked.param("image_key"))
    if media is None or not media.mine or media.kind != "image":
        raise UNAUTHORIZED
    return Download(media.data, media.content_type)


async def resource(asked: Asked) -> Download:
    """A picture or file of a message in a chat of the bot; not of cards, and not of what is forwarded (234043)."""
    fake, key = asked.fake, asked.param("file_key")
    kind = asked.call.query.get("type")
    if kind not in ("image", "file"):
        raise _invalid("type")
    message = fake.find_message(asked.param("message_id"), missing=234003)
    if message.kind in ("interactive", "merge_forward"):
        raise Refused(234043, "Unsupported message type.")
    if not message.chat.with_bot:
        raise Refused(234004, OUTSIDE)
    if message.gone or key not in _keys(message):
        raise Refused(234003, "File not in msg.")
    media = fake.media[key]
    if media.kind != kind:
        raise _invalid("type")
    if len(media.data) > MOST_RESOURCE:
        raise Refused(234037, "Downloaded file size exceeds limit.")
    return Download(media.data, media.content_type, media.filename)


def _keys(message: Message) -> list[str]:
    keys = reading.picture_keys(message.kind, message.content)
    return [*keys, message.content["file_key"]] if message.kind == "file" else keys


def _file(asked: Asked, name: str, most: int) -> Part:
    part = asked.files.get(name)
    if part is None:
        raise _invalid(name)
    if not part.data:
        raise Refused(234010, "File's size can't be 0.")
    if len(part.data) > most:
        asked.fake.complaints.append(f"{asked.call.api}: {len(part.data)} bytes")
        raise Refused(234006, "The file size exceeds the max value.")
    return part


def _picture(data: bytes) -> str:
    """The format; refused where the platform does not know it or it has too many pixels."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind, side = picture.format or "", max(picture.size)
    except UnidentifiedImageError:
        if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
            return "HEIC"
        raise Refused(234011, "Can't recognize image format.") from None
    if kind not in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "ICO", "TIFF", "MPO"):
        raise Refused(234011, "Can't recognize image format.")
    if side > (MOST_GIF_SIDE if kind == "GIF" else MOST_SIDE):
        raise Refused(234039, "Image resolution exceeds limit.")
    return kind


def _invalid(name: str) -> Refused:
    return Refused(234001, f"Invalid request param: {name}.")


ROUTES: Routes = {
    "im.image.create": ("POST", "/im/v1/images", upload_image),
    "im.image.get": ("GET", "/im/v1/images/{image_key}", own_image),
    "im.file.create": ("POST", "/im/v1/files", upload_file),
    "im.message.resource.get": ("GET", "/im/v1/messages/{message_id}/resources/{file_key}", resource),
}
