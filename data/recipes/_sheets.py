"""What the recipes of pictures share: many little ones on one sheet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIZE = 64
COLUMNS = 40


def sheet(pictures: list[Image.Image], **how: bool | int) -> bytes:
    """All pictures, COLUMNS a row, each SIZE pixels wide and high, as WebP; `how` is what Pillow is told of quality."""
    from PIL import Image

    rows = -(-len(pictures) // COLUMNS)
    whole = Image.new("RGBA", (COLUMNS * SIZE, rows * SIZE))
    for i, picture in enumerate(pictures):
        whole.paste(picture, (i % COLUMNS * SIZE, i // COLUMNS * SIZE))
    content = io.BytesIO()
    whole.save(content, "WEBP", method=6, **how)
    return content.getvalue()
