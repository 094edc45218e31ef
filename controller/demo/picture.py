"""One moment of a demo as an SVG picture: for the README, and for whoever wants to show one."""

from __future__ import annotations

import io
import re
from dataclasses import replace

from rich.console import Console

from controller.demo.scene import Scene
from controller.demo.view import view

WIDTH, HEIGHT = 100, 30

# A picture that fetches its fonts from somebody's server tells them who looks at it.
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def draw(scene: Scene) -> str:
    """The moment as SVG; without its notes, which name addresses of one run."""
    console = Console(
        record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True
    )
    console.print(view(replace(scene, notes=()), WIDTH, HEIGHT - 4))
    return _FONT_FACE.sub("", console.export_svg(title="hrsi demo"))
