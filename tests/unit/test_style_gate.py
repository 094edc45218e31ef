"""The style gate: each bound is broken by a source that should break it, and by no other."""

from pathlib import Path
from textwrap import dedent

import pytest

from tools.style_gate import main, read_tree
from tools.style_source import Routine, read_module

ROOT = Path(__file__).parents[2]
# Enough pure, documented, typed lines that one planted mistake is the only one.
GOOD = '"""Good."""\n\n\ndef good(x: int) -> int:\n    """Twice x."""\n    return 2 * x\n'


def write(root: Path, name: str, source: str) -> Path:
    """Put a dedented source into a tree."""
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dedent(source), encoding="utf-8")
    return file


def only_routine(tmp_path: Path, source: str) -> Routine:
    """The figures of the first function of a source."""
    return read_module(write(tmp_path, "one.py", source), tmp_path).routines[0]


def kinds(tmp_path: Path, source: str) -> list[str]:
    """The marks of a source, in order of their kind."""
    return sorted(kind for _, kind in read_module(write(tmp_path, "m.py", source), tmp_path).marks)


def many(line: str, times: int) -> str:
    """A typed function of a docstring and that many lines."""
    return 'def long() -> None:\n    """Long."""\n' + f"    {line}\n" * times


@pytest.mark.parametrize(
    ("body", "branches"),
    [
        pytest.param("return 1", 1, id="straight"),
        pytest.param("if a:\n  pass\nelif b:\n  pass\nelse:\n  pass", 3, id="if-elif-else"),
        pytest.param("return a if b else c", 2, id="conditional-expression"),
        pytest.param("return a and b and c or a", 4, id="boolean-operands"),
        pytest.param("for _ in a:\n  while b:\n    pass", 3, id="loops"),
        pytest.param("return [x for x in a if x if b for y in c]", 5, id="comprehension"),
        pytest.param(
            "try:\n  a()\nexcept A:\n  b()\nexcept B:\n  c()\nfinally:\n  a()", 3, id="try"
        ),
        pytest.param("match a:\n  case 1:\n    pass\n  case _:\n    pass", 3, id="match"),
        pytest.param("assert a", 2, id="assert"),
        pytest.param("with a:\n  pass", 1, id="with-does-not-branch"),
        pytest.param("def inner():\n  if a:\n    pass", 2, id="nested-function-counts"),
    ],
)
def test_branches_are_mccabes(tmp_path: Path, body: str, branches: int) -> None:
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    assert only_routine(tmp_path, f"def f():\n{indented}\n").branches == branches


@pytest.mark.parametrize(
    ("head", "typed"),
    [
        pytest.param("def f() -> None: ...", True, id="nothing-to-annotate"),
        pytest.param("def f(): ...", False, id="no-result"),
        pytest.param("def __init__(self): ...", True, id="constructor-has-no-result"),
        pytest.param("def f(self, cls, x: int) -> None: ...", True, id="self-and-cls"),
        pytest.param("def f(x) -> None: ...", False, id="parameter"),
        pytest.param("def f(*x) -> None: ...", False, id="star"),
        pytest.param("def f(*, x) -> None: ...", False, id="keyword-only"),
        pytest.param("def f(x, /) -> None: ...", False, id="positional-only"),
        pytest.param("async def f(**x) -> None: ...", False, id="star-star"),
    ],
)
def test_annotations_are_wanted_for_each_parameter_and_the_result(
    tmp_path: Path, head: str, *, typed: bool
) -> None:
    assert only_routine(tmp_path, head).typed is typed


def test_a_function_is_measured_without_its_docstring(tmp_path: Path) -> None:
    assert only_routine(tmp_path, 'def f():\n    """One\n\n    two."""\n    a()\n').lines == 2


def test_overloads_are_left_out_and_nested_functions_are_not_public(tmp_path: Path) -> None:
    source = """
        @overload
        def f(x: int) -> int: ...
        class A:
            def method(self) -> None:
                def inner() -> None: ...
            def _hidden(self) -> None: ...
    """
    routines = read_module(write(tmp_path, "m.py", source), tmp_path).routines
    assert [(each.name, each.public) for each in routines] == [
        ("method", True),
        ("inner", False),
        ("_hidden", False),
    ]


@pytest.mark.parametrize(
    ("source", "pure"),
    [
        pytest.param("from datetime import datetime", True, id="types-of-time"),
        pytest.param("import os.path", False, id="os"),
        pytest.param("def f():\n    from sqlalchemy import text", False, id="import-inside"),
        pytest.param("from . import os", True, id="relative"),
        pytest.param("if TYPE_CHECKING:\n    import socket", True, id="for-type-checkers"),
        pytest.param("if TYPE_CHECKING:\n  pass\nelse:\n  import socket", False, id="else-of-it"),
        pytest.param("x = datetime.now(UTC)", False, id="clock"),
        pytest.param("x = uuid.uuid4()", False, id="chance"),
        pytest.param("x = uuid.UUID(y)", True, id="uuid-value"),
        pytest.param("open(x)", False, id="file"),
        pytest.param("self.open(x)", True, id="own-method-called-open"),
        pytest.param("print(x)", False, id="terminal"),
    ],
)
def test_purity_is_no_impure_import_and_no_ambient_read(
    tmp_path: Path, source: str, *, pure: bool
) -> None:
    assert read_module(write(tmp_path, "m.py", source), tmp_path).pure is pure


@pytest.mark.parametrize(
    ("source", "marks"),
    [
        pytest.param("try:\n  a()\nexcept Exception:\n  b()", ["broad"], id="catch-all"),
        pytest.param("try:\n  a()\nexcept:\n  b()", ["broad"], id="bare"),
        pytest.param("try:\n  a()\nexcept (A, B):\n  b()", [], id="named-errors"),
        pytest.param("try:\n  a()\nexcept A:\n  raise B()", ["unchained"], id="cause-lost"),
        pytest.param("try:\n  a()\nexcept A as e:\n  raise B() from e", ["chained"], id="chained"),
        pytest.param("try:\n  a()\nexcept A:\n  raise", [], id="passed-on"),
        pytest.param("raise B()", [], id="raised-outside-a-handler"),
        pytest.param("@dataclass\nclass A: ...", ["thawed"], id="dataclass"),
        pytest.param("@dataclass(frozen=True)\nclass A: ...", ["frozen"], id="frozen-dataclass"),
        pytest.param("@dataclass(frozen=False)\nclass A: ...", ["thawed"], id="frozen-false"),
        pytest.param("@attrs.frozen\nclass A: ...", ["frozen"], id="attrs"),
        pytest.param("class A(NamedTuple): ...", ["frozen"], id="named-tuple"),
        pytest.param("class A(Struct, frozen=True): ...", ["frozen"], id="frozen-struct"),
        pytest.param("class A(Struct): ...", ["thawed"], id="struct"),
        pytest.param("class A(Exception): ...", [], id="no-record"),
        pytest.param("x = y  # type" + ": ignore", ["hatch"], id="type-ignore"),
        pytest.param("x = y  # no" + "qa: E501", ["hatch"], id="lint-silenced"),
        pytest.param("@patch('x')\ndef f(): ...", ["mock"], id="patch"),
        pytest.param("monkeypatch.setattr(a, b, c)", ["mock"], id="monkeypatch"),
        pytest.param("x = mock.MagicMock()", ["mock"], id="magic"),
        pytest.param("@pytest.mark.parametrize(a, b)\ndef test_x(): ...", ["table"], id="table"),
        pytest.param(
            "@pytest.mark.parametrize(a, b)\ndef helper(): ...", [], id="table-of-no-test"
        ),
    ],
)
def test_marks(tmp_path: Path, source: str, marks: list[str]) -> None:
    assert kinds(tmp_path, source) == marks


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        pytest.param("m.py", "x = 1\n" * 401, "m.py:1: 401 lines, more than 400", id="module"),
        pytest.param("m.py", many("x = 1", 60), "m.py:1: long has 61 lines", id="function"),
        pytest.param("m.py", many("assert x", 12), "m.py:1: long has 13 branches", id="branches"),
        pytest.param("m.py", "\n\ndef f(x): ...", "m.py:3: f lacks annotations", id="untyped"),
        pytest.param("m.py", "import os\n" * 10, "m.py:1 (10 lines)", id="impure"),
        pytest.param("m.py", "try:\n  a()\nexcept:\n  b()", "m.py:3", id="catch-all"),
        pytest.param("m.py", "try:\n  a()\nexcept A:\n  raise B()", "m.py:4", id="unchained"),
        pytest.param("m.py", "@dataclass\nclass A: ...", "m.py:2", id="not-frozen"),
        pytest.param("m.py", "def f() -> None: ...", "m.py:1 f", id="undocumented"),
        pytest.param("m.py", "x = 1  # no" + "qa", "m.py:1", id="hatch"),
        pytest.param("tests/test_m.py", "def test_x(): Mock()", "test_m.py:1", id="mock"),
        pytest.param("m.py", "def f(:", "m.py:1: this is no Python", id="broken-file"),
    ],
)
def test_a_breach_is_named_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, source: str, said: str
) -> None:
    write(tmp_path, "part/good.py", GOOD)
    write(tmp_path, f"part/{name}", source)
    assert main([str(tmp_path / "part")]) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "source"),
    [
        pytest.param("m.py", many("x = 1", 59), id="function-at-the-bound"),
        pytest.param("m.py", many("assert x", 11), id="branches-at-the-bound"),
        pytest.param("m.py", "x = 1\n" * 400, id="module-at-the-bound"),
        pytest.param("tests/test_m.py", "import os\n\ndef test_x(y): ...\n" * 300, id="tests"),
        pytest.param("demo/m.py", "def f(x): ...", id="folder-left-out"),
    ],
)
def test_what_is_within_the_bounds_passes_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, source: str
) -> None:
    write(tmp_path, "part/good.py", GOOD)
    write(tmp_path, f"part/{name}", source)
    status = main([str(tmp_path / "part")])
    assert (status, capsys.readouterr().out) == (0, "")


def test_an_empty_tree_breaks_nothing(tmp_path: Path) -> None:
    write(tmp_path, "part/__init__.py", "")
    assert main([str(tmp_path / "part")]) == 0


def test_figures_are_printed_when_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "part/good.py", GOOD)
    write(tmp_path, "part/test_good.py", "def test_good(): ...")
    assert main(["--figures", str(tmp_path / "part")]) == 0
    printed = capsys.readouterr().out
    assert "modules 1, lines 6, tests 1" in printed
    assert "pure lines, % 100 (>= 45)" in printed
    assert "records frozen, % - (>= 80)" in printed
    assert "test lines per source line 0.17\n" in printed


def test_a_folder_that_is_not_there_stops_the_gate(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["no/such/folder"])
    assert "not there: no/such/folder" in capsys.readouterr().err


def test_the_gate_keeps_its_own_bounds_on_size() -> None:
    routines = [each for module in read_tree([ROOT / "tools"]).source for each in module.routines]
    assert routines
    assert max(each.lines for each in routines) <= 60
    assert max(each.branches for each in routines) <= 12
    assert all(each.typed and (each.documented or not each.public) for each in routines)
