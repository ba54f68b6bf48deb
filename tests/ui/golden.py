"""The golden screens: `python -m tests.ui.golden` compares, `--record` makes them anew; see build/golden.html.

Each is what the virtual panel shows after the real screens drew it through the real driver on the Unix port.
"""

import argparse
import base64
import html
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from microtill.paths import BUILD
from PIL import Image, ImageChops

from tests.ui.panel import SIZES, frames

GOLDEN = Path(__file__).parent / "golden"
PAGE = BUILD / "golden.html"
LANGUAGES = ("zh", "en")

_HEAD = """<!doctype html><meta charset="utf-8"><title>Golden screens</title>
<style>body{font:14px system-ui;background:#e8ebee;margin:24px}figure{display:inline-block;margin:0 16px 24px 0}
figcaption{margin-bottom:4px}img{image-rendering:pixelated;border:1px solid #8a97a3;margin-right:4px}
.changed figcaption{color:#b4231f;font-weight:bold}h2{margin:24px 0 12px}</style>
"""


def folder(language: str, panel: str = "colour") -> Path:
    return GOLDEN / language if panel == "colour" else GOLDEN / panel / language


def golden(language: str, name: str, panel: str = "colour") -> Image.Image | None:
    path = folder(language, panel) / f"{name}.png"
    return Image.open(path).convert("RGB") if path.exists() else None


def compare(language: str, panel: str = "colour") -> Iterator[tuple[str, Image.Image | None, Image.Image]]:
    """`(name, old, new)` of each screen; `old` None where there is no golden one."""
    for name, frame, _ in frames(language, panel=panel):
        yield name, golden(language, name, panel), Image.frombytes("RGB", SIZES[panel], frame)


def same(old: Image.Image | None, new: Image.Image) -> bool:
    return old is not None and old.tobytes() == new.tobytes()


def _inline(picture: Image.Image) -> str:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return f'<img width="240" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'


def page(found: dict[tuple[str, str], list[tuple[str, Image.Image | None, Image.Image]]]) -> str:
    """Old beside new beside what differs; unchanged screens once."""
    parts = [_HEAD]
    for (panel, language), screens in found.items():
        parts.append(f"<h2>{panel}, {language}</h2>")
        for name, old, new in sorted(screens, key=lambda s: same(s[1], s[2])):
            if same(old, new):
                parts.append(f"<figure><figcaption>{html.escape(name)}</figcaption>{_inline(new)}</figure>")
                continue
            pictures = [_inline(old), _inline(new)] if old else [_inline(new)]
            if old and old.size == new.size:
                different = ImageChops.difference(old, new).convert("L").point(lambda value: 255 if value else 0)
                pictures.append(_inline(different))
            caption = f"{html.escape(name)}: old, new, difference" if old else f"{html.escape(name)}: new"
            parts.append(f'<figure class="changed"><figcaption>{caption}</figcaption>{"".join(pictures)}</figure>')
    return "".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.ui.golden", description=__doc__)
    parser.add_argument("--record", action="store_true", help="make the golden screens anew")
    record = parser.parse_args().record
    found = {(panel, language): list(compare(language, panel)) for panel in SIZES for language in LANGUAGES}
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(found), "utf-8")
    changed = [
        f"{folder(language, panel).relative_to(GOLDEN)}/{name}"
        for (panel, language), screens in found.items()
        for name, old, new in screens
        if not same(old, new)
    ]
    if record:
        for (panel, language), screens in found.items():
            kept = folder(language, panel)
            kept.mkdir(parents=True, exist_ok=True)
            for stale in set(kept.glob("*.png")) - {kept / f"{name}.png" for name, _, _ in screens}:
                stale.unlink()
            for name, old, new in screens:
                if not same(old, new):
                    new.save(kept / f"{name}.png", optimize=True)
    print(f"{len(changed)} {'recorded' if record else 'changed'}: {' '.join(changed) or 'none'}")
    print(f"see {PAGE}")
    return 0 if record or not changed else 1


if __name__ == "__main__":
    sys.exit(main())
