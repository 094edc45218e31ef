"""One moment of a demo as an SVG picture: for the README, and for whoever wants to show one."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from controller.demo.scene import Scene
from controller.demo.view import view

WIDTH, HEIGHT = 100, 30


def save_picture(scene: Scene, file: Path) -> None:
    """Draw the moment; without its notes, which name addresses of one run."""
    console = Console(
        record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True
    )
    console.print(view(replace(scene, notes=()), WIDTH, HEIGHT - 4))
    file.write_text(console.export_svg(title="hrsi demo"), encoding="utf-8")
