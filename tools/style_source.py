"""What one Python file contributes to the figures of the style gate: it reads and counts only.

Nothing is imported from the files, so that a broken one cannot break the gate.

A function is measured without its docstring; a nested one counts alone and again in the one
around it. Branches are McCabe's: one, plus one for each branch, handler, assertion, case,
comprehension, comprehension condition and further operand of ``and`` or ``or``. A module is pure
when it imports nothing of ``IMPURE`` and itself reads no clock, chance, file or terminal.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TEST_FOLDERS = {"tests", "test", "_tests"}
SKIPPED_FOLDERS = set(
    ".git .hg .nox .tox .venv venv __pycache__ node_modules site-packages bench benchmarks build"
    " demo demos dist doc docs example examples _vendor third_party typings vendor".split()
)
IMPURE = set(
    # the operating system, time, threads and event loops
    "asyncio concurrent fcntl glob multiprocessing os queue random sched secrets select selectors"
    " shutil signal socket socketserver ssl subprocess tempfile threading time anyio eventlet"
    " gevent trio"
    # protocols and clients
    " ftplib http smtplib urllib aio_pika aiohttp boto3 botocore aiobotocore consul docker etcd"
    " grpc httpcore httpx kazoo keystoneauth1 kombu kubernetes nomad openstack paramiko pika redis"
    " requests urllib3 websockets"
    # databases
    " sqlite3 aiopg alembic asyncpg pg8000 psycopg psycopg2 psycopg_pool pymongo sqlalchemy"
    # servers, scrape targets, command lines
    " argparse click django fastapi flask gunicorn prometheus_client starlette statsd typer"
    " uvicorn".split()
)
AMBIENT = re.compile(
    r"time\.(time|monotonic)(_ns)?|time\.(perf_counter|sleep)|random\.\w+|secrets\.\w+"
    r"|(datetime\.)?(datetime|date)\.(now|utcnow|today)|uuid\.uuid[14]|uuid4"
    r"|open|input|print|os\.getenv|os\.environ\.get"
)
MOCK = re.compile(
    r"(.*\.)?(patch(\.(object|dict|multiple))?|(Magic|Async|Property)?Mock"
    r"|create_autospec|(monkeypatch|mocker)\.\w+)"
)
HATCH = re.compile(
    r"#\s*(type:\s*ignore|noqa|pragma:\s*no\s*cover|pyright:\s*ignore|pylint:\s*disable)"
)
RECORD_MAKERS = {"attributes", "attrs", "dataclass", "define", "frozen", "mutable"}
RECORD_BASES = {"BaseModel", "NamedTuple", "Struct"}
ONE_BRANCH = (
    *(ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While),
    *(ast.ExceptHandler, ast.Assert, ast.match_case),
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine:
    """One function or method."""

    name: str
    line: int
    lines: int
    branches: int
    typed: bool
    public: bool
    documented: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file: its routines, and its marks: line and kind of everything else that is counted."""

    path: Path
    lines: int
    is_test: bool
    pure: bool
    routines: tuple[Routine, ...]
    marks: tuple[tuple[int, str], ...]

    def places(self, kind: str) -> list[str]:
        """Where the marks of a kind stand, as file:line."""
        return [f"{self.path}:{line}" for line, marked in self.marks if marked == kind]


def dotted(node: ast.AST) -> str:
    """The dotted name of an expression, calls seen through: ``a(b).c`` is ``a.c``."""
    parts: list[str] = []
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        else:
            node = node.func
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))


def last_names(nodes: Iterable[ast.expr]) -> set[str]:
    """The last parts of the names of decorators or base classes."""
    return {dotted(node).rpartition(".")[2] for node in nodes}


def branches(node: ast.AST) -> int:
    """What one node adds to the branches of the function around it."""
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    return int(isinstance(node, ONE_BRANCH))


def is_typed(function: Function) -> bool:
    """Whether every parameter but self and cls, and the result, is annotated."""
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    wanted = [each for each in named if each.arg not in {"self", "cls"}]
    wanted += [each for each in (given.vararg, given.kwarg) if each is not None]
    has_result = function.returns is not None or function.name == "__init__"
    return has_result and all(each.annotation is not None for each in wanted)


def read_routine(function: Function, *, outermost: bool) -> Routine:
    """The figures of one function."""
    documented = ast.get_docstring(function, clean=False) is not None
    first = function.body[0]
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return Routine(
        name=function.name,
        line=function.lineno,
        lines=(function.end_lineno or function.lineno) - function.lineno + 1 - docstring,
        branches=1 + sum(branches(node) for node in ast.walk(function)),
        typed=is_typed(function),
        public=outermost and not function.name.startswith("_"),
        documented=documented,
    )


def routines(node: ast.AST, *, outermost: bool = True) -> Iterator[Routine]:
    """Every function below a node but overloads, which only repeat the one they describe."""
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, Function)
        if isinstance(child, Function) and "overload" not in last_names(child.decorator_list):
            yield read_routine(child, outermost=outermost)
        yield from routines(child, outermost=outermost and not is_function)


def imported(node: ast.AST) -> Iterator[str]:
    """The first part of every absolute import but those for type checkers alone."""
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and dotted(node.test).rpartition(".")[2] == "TYPE_CHECKING":
        children = node.orelse
    elif isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield (node.module or "").partition(".")[0]
    for child in children:
        yield from imported(child)


def class_marks(node: ast.ClassDef) -> Iterator[str]:
    """Whether a class is a record, and frozen or thawed."""
    makers = RECORD_MAKERS & last_names(node.decorator_list)
    bases = last_names(node.bases)
    if makers or RECORD_BASES & bases:
        calls = [each for each in node.decorator_list if isinstance(each, ast.Call)]
        keywords = [*node.keywords, *(each for call in calls for each in call.keywords)]
        said = any(each.arg == "frozen" and is_true(each.value) for each in keywords)
        is_frozen = said or "frozen" in makers or "NamedTuple" in bases
        yield "frozen" if is_frozen else "thawed"


def is_true(node: ast.expr) -> bool:
    """Whether an expression is the constant True."""
    return isinstance(node, ast.Constant) and node.value is True


def handler_marks(handler: ast.ExceptHandler) -> Iterator[tuple[int, str]]:
    """Whether a handler catches everything, and whether what it raises keeps its cause."""
    if handler.type is None or dotted(handler.type) in {"Exception", "BaseException"}:
        yield handler.lineno, "broad"
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield node.lineno, "unchained" if node.cause is None else "chained"


def marks(node: ast.AST) -> Iterator[tuple[int, str]]:
    """What one node adds to the counts."""
    if isinstance(node, ast.ClassDef):
        yield from ((node.lineno, mark) for mark in class_marks(node))
    elif isinstance(node, ast.ExceptHandler):
        yield from handler_marks(node)
    elif isinstance(node, Function):
        if node.name.startswith("test") and "parametrize" in last_names(node.decorator_list):
            yield node.lineno, "table"
    elif isinstance(node, ast.Call):
        name = dotted(node)
        if AMBIENT.fullmatch(name):
            yield node.lineno, "ambient"
        if MOCK.fullmatch(name):
            yield node.lineno, "mock"


def is_test(path: Path, root: Path) -> bool:
    """Whether a file is a test, by its own name or that of a folder up to the root."""
    named = path.stem == "conftest" or path.stem.startswith("test_") or path.stem.endswith("_test")
    return named or not TEST_FOLDERS.isdisjoint(path.relative_to(root.parent).parts[:-1])


def read_module(path: Path, root: Path) -> Module:
    """The figures of one file; SyntaxError where it is no Python."""
    text = path.read_text(encoding="utf-8", errors="replace")
    tree = ast.parse(text, filename=str(path))
    lines = text.splitlines()
    found = [mark for node in ast.walk(tree) for mark in marks(node)]
    found += [(at, "hatch") for at, line in enumerate(lines, start=1) if HATCH.search(line)]
    ambient = any(kind == "ambient" for _, kind in found)
    return Module(
        path=path,
        lines=len(lines),
        is_test=is_test(path, root),
        # A package that is named like a library does not import that library by its own name.
        pure=not ambient and (IMPURE - {root.name}).isdisjoint(imported(tree)),
        routines=tuple(routines(tree)),
        marks=tuple(found),
    )


def read_modules(root: Path) -> Iterator[Module]:
    """Every file with content below a root (which may be a file itself), in a fixed order."""
    for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
        inside = path.relative_to(root).parts
        if path.is_file() and path.stat().st_size and SKIPPED_FOLDERS.isdisjoint(inside):
            yield read_module(path, root)
