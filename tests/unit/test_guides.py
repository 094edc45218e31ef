"""What the README and the guide promise exists."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from controller.cli.places import loaded
from controller.config import load, require_for_controller

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/guide.md")
LINKED = tuple(
    sorted(
        page.relative_to(ROOT).as_posix()
        for page in (ROOT / "README.md", ROOT / "tests/README.md", *(ROOT / "docs").rglob("*.md"))
    )
)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def places_in(page: Path) -> set[str]:
    """What a link may name behind `#`: the headings, as they are shown on the web."""
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_to_places_that_are_there(page: str) -> None:
    for link, place in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", text_of(page)):
        there = (ROOT / page).parent / link if link else ROOT / page
        assert there.exists(), link
        assert not place or place in places_in(there), f"{link}#{place}"


def test_every_decision_record_is_listed_with_its_title() -> None:
    records = sorted((ROOT / "docs/adr").glob("0*.md"))
    titles = [record.read_text(encoding="utf-8").splitlines()[0] for record in records]
    listed = re.findall(
        r"^\| \[(\d+)\]\((.+?)\) \| (.*) \|$", text_of("docs/adr/README.md"), re.MULTILINE
    )
    told = [(f"# {number}. {title}", file) for number, file, title in listed]
    assert told == list(zip(titles, [record.name for record in records], strict=True))


def test_every_place_that_the_readme_sends_a_change_to_is_there() -> None:
    _, _, rows = text_of("README.md").partition("| You want to | Go to |")
    table, _, _ = rows.partition("\n\n")
    places = [place for place in re.findall(r"`([^`]+)`", table) if "/" in place]
    assert len(places) > 10
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_the_settings_in_the_readme_start_a_controller(tmp_path: Path) -> None:
    example = re.findall(r"```toml\n(.*?)```", text_of("README.md"), re.DOTALL)
    (tmp_path / "hrsi.toml").write_text(example[0])
    config = load(tmp_path / "hrsi.toml", {})
    require_for_controller(config)
    assert config.openstack.project == "hrsi-production"


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_text_exist(page: str) -> None:
    told = re.findall(r"`hrsi ((?:[a-z]+(?:-[a-z]+)* ?)+)", text_of(page))
    assert told
    for words in told:
        command: Any = TyperGroup(commands=loaded())
        for word in words.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, f"{page} tells of `hrsi {words}`"
            command = command.commands[word]


def test_the_picture_is_small_and_fetches_nothing() -> None:
    picture = (ROOT / "docs/img/demo.svg").read_text(encoding="utf-8")
    assert len(picture) < 200_000
    assert re.findall(r"""url\(["']?http|href=["']http|@import""", picture) == []
