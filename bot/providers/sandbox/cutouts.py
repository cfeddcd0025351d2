"""Pictures with nothing around what they show: the layers of a picture, and what keeps a transparent background."""

import io

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from bot.providers.sandbox.layers import Layer


def layer(picture: bytes, layers: tuple[Layer, ...], index: int) -> Image.Image:
    """The base opaque, with what lay behind the pieces guessed; a piece transparent around its oval."""
    wanted = layers[index]
    whole = ImageOps.fit(flat(upright(picture)), wanted.canvas)
    if wanted.box:
        piece = whole.crop(wanted.box)
        piece.putalpha(oval(piece.size))
        return piece
    # Behind a piece are the colours around it, softened until nothing of the piece can be seen.
    soft = whole.resize((16, 16), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(2)).resize(wanted.canvas)
    for one in layers:
        if one.box:
            # Only where the piece hides all of it: the smooth edge of both would show as a ring.
            hidden = oval(one.size).point([0] * 255 + [255])
            whole.paste(soft.crop(one.box), one.box[:2], hidden)
    return whole


def upright(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as opened:
        return ImageOps.exif_transpose(opened).convert("RGBA")


def flat(image: Image.Image) -> Image.Image:
    """On white, where it is transparent."""
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def oval(size: tuple[int, int]) -> Image.Image:
    """A mask that is white within the largest oval, with a smooth edge."""
    large = Image.new("L", (size[0] * 2, size[1] * 2))
    ImageDraw.Draw(large).ellipse((0, 0, large.width - 1, large.height - 1), fill=255)
    return large.reduce(2)
