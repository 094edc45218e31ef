"""Products on their way to the product bucket, over HTTP: which requests, and by whose keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from controller.act.press import Press
from controller.bootstrap.publication import press
from controller.cli.app import app
from controller.clock import SystemClock
from controller.config import load
from controller.observe import Parameters
from models.announcement import folder_of, thumbnail_of
from models.errors import ConfigurationError
from models.manifest import Manifest, prefix_of
from models.objects import Place
from simulator.buckets import SECRET_KEY, ServedBuckets
from simulator.ids import SeededIds
from simulator.press import content_of
from simulator.store import MemoryStore
from simulator.timeline import Timeline
from tests.plugins.doorway import Gate
from tests.plugins.pressroom import names, written

pytestmark = pytest.mark.integration

UNIQUE, RUN = UUID(int=1), UUID(int=2)
RESULTS_KEY, SHOP_KEY = "key-of-the-results", "key-of-the-products"
OWN_KEYS = {"HRSI_PUBLICATION_ACCESS_KEY": SHOP_KEY, "HRSI_PUBLICATION_SECRET_KEY": SECRET_KEY}


@dataclass
class Way:
    """Two buckets behind a gate, what lies in the first, and what brings it to the second."""

    gate: Gate
    served: ServedBuckets
    results: str
    products: str
    opened: ExitStack
    manifest: Manifest = field(init=False)

    def __post_init__(self) -> None:
        made = tuple(written(name) for name in names(0))
        self.manifest = Manifest(
            unique_id=UNIQUE,
            run_id=RUN,
            attempt=1,
            claim=1,
            prefix=prefix_of(UNIQUE, 1, 1),
            products=made,
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings of a controller."""
        return {
            **self.served.environment(),
            "AWS_ACCESS_KEY_ID": RESULTS_KEY,
            "HRSI_RESULTS_BUCKET": self.results,
            "HRSI_PUBLICATION_BUCKET": self.products,
        }

    def press(self, **settings: str) -> Press:
        """What publishes by these settings; the files of the run are there by then."""
        config = load(None, {**self.environment, **settings})
        outbox = MemoryStore(Timeline(), SeededIds())
        found = press(config, outbox, Parameters(), SystemClock(), self.opened)
        assert found is not None
        for product in self.manifest.products:
            for file in product.files:
                place = Place(bucket=self.results, key=f"{self.manifest.prefix}{file.key}")
                found.results.put(place, content_of(file.key))
        self.gate.heard.clear()
        return found

    def bring(self, press: Press, *, anew: bool = False) -> None:
        """All files of both products."""
        for errands in press.errands(self.manifest, self.manifest.products):
            press.bring(errands, anew=anew)

    def all_is_there(self, press: Press) -> None:
        """Every file lies where users look for it, as it was made."""
        for product in self.manifest.products:
            for file in product.files:
                key = f"{folder_of(product)}/{file.key.split('/')[-1]}"
                if file.key == product.quicklook:
                    key = thumbnail_of(product)
                found = press.products.read(Place(bucket=self.products, key=key))
                assert found == content_of(file.key)

    @property
    def files(self) -> int:
        """How many there are to bring."""
        return sum(len(product.files) for product in self.manifest.products)

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(product.size for product in self.manifest.products)

    def passed(self) -> tuple[int, int]:
        """Bytes of objects that were read from the results bucket, and written to the other one."""
        heard = self.gate.heard
        read = sum(each.given for each in heard if (each.method, each.bucket) == self._get)
        return read, self.gate.sent_to(self.products)

    @property
    def _get(self) -> tuple[str, str]:
        return "GET", self.results

    def copies(self) -> int:
        """How often the service was asked to copy a file itself."""
        return self.gate.count(method="PUT", bucket=self.products, copied_from=self.results)


@pytest.fixture
def way(new_bucket: Callable[[str], str]) -> Iterator[Way]:
    gate = Gate()
    with gate.served() as served, ExitStack() as opened:
        yield Way(
            gate=gate,
            served=served,
            results=new_bucket("results"),
            products=new_bucket("products"),
            opened=opened,
        )


def each_its_own(way: Way) -> Callable[[str, str, bool], bool]:
    """The key of the results reads and writes there and nowhere else, and so does the other."""
    return lambda user, bucket, _: user == {way.results: RESULTS_KEY}.get(bucket, SHOP_KEY)


@pytest.mark.parametrize(
    "keys", [pytest.param({}, id="one-pair-of-keys"), pytest.param(OWN_KEYS, id="own-keys")]
)
def test_where_the_keys_may_the_service_copies_and_no_byte_passes_through_here(
    way: Way, keys: Mapping[str, str]
) -> None:
    press = way.press(**keys)
    way.bring(press, anew=True)
    assert (way.copies(), way.passed()) == (way.files, (0, 0))
    assert len(way.gate.heard) == 4 * way.files  # looked at, looked at, copied, looked at
    writers = {each.user for each in way.gate.heard if each.method == "PUT"}
    assert writers == {SHOP_KEY if keys else RESULTS_KEY}
    way.all_is_there(press)
    # What may be there already is looked at first, and neither copied nor carried again.
    way.gate.heard.clear()
    way.bring(press)
    assert {each.method for each in way.gate.heard} == {"HEAD"}
    assert len(way.gate.heard) == way.files


@pytest.mark.parametrize("unseen", [False, True], ids=["denied", "not-even-seen"])
def test_where_the_keys_may_not_files_pass_through_here_once(way: Way, unseen: bool) -> None:
    press = way.press(**OWN_KEYS)
    way.gate.may, way.gate.unseen = each_its_own(way), unseen
    way.bring(press)
    assert way.passed() == (way.size, way.size)
    assert way.copies() == 0  # the look at the source that goes before is refused already
    way.all_is_there(press)


def test_a_copy_that_the_service_refuses_is_carried(way: Way) -> None:
    press = way.press()
    way.gate.copies = False
    way.bring(press)
    assert (way.copies(), way.passed()) == (way.files, (way.size, way.size))
    way.all_is_there(press)


def test_to_another_service_nothing_is_copied_and_its_keys_go_there_alone(way: Way) -> None:
    other = Gate(may=lambda user, _bucket, _reads: user == SHOP_KEY)
    way.gate.may = lambda user, _bucket, _reads: user == RESULTS_KEY
    with other.served() as elsewhere:
        press = way.press(HRSI_PUBLICATION_ENDPOINT=elsewhere.url, **OWN_KEYS)
        way.bring(press)
        way.all_is_there(press)
    assert not any(each.copied_from for each in (*other.heard, *way.gate.heard))
    assert {each.user for each in other.heard} == {SHOP_KEY}
    assert {each.user for each in way.gate.heard} == {RESULTS_KEY}
    assert other.sent_to(way.products) == way.size


@pytest.mark.parametrize("which", ["HRSI_PUBLICATION_ACCESS_KEY", "HRSI_PUBLICATION_SECRET_KEY"])
def test_half_a_pair_of_keys_is_refused(way: Way, which: str) -> None:
    with pytest.raises(ConfigurationError, match="only one of them is set"):
        way.press(**{which: OWN_KEYS[which]})


def test_another_service_without_keys_of_its_own_is_refused(way: Way) -> None:
    with pytest.raises(ConfigurationError, match="shown to no other service"):
        way.press(HRSI_PUBLICATION_ENDPOINT="http://127.0.0.1:1")


def test_the_doctor_opens_each_bucket_with_its_own_keys(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    way.gate.may = each_its_own(way)
    told = CliRunner().invoke(app, ["doctor", "--json"], env={**way.environment, **OWN_KEYS})
    health = {
        each["name"]: each["health"]
        for each in json.loads(told.stdout)["checks"]
        if each["about"] == "s3"
    }
    assert health == dict.fromkeys(
        (
            "results bucket",
            "results bucket written",
            "product bucket",
            "product bucket written",
        ),
        "ok",
    )
