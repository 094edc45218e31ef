"""The envelope that a run is handed through Nomad."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import Malformed
from models.payload import MAX_BYTES, Payload, decode, encode, run_token

RUN = UUID("12345678-1234-4234-8234-123456789abc")
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


@given(st.text(), st.dictionaries(st.text(max_size=10), SCALARS, max_size=5))
def test_what_was_encoded_is_decoded(token: str, given_input: dict[str, Any]) -> None:
    payload = Payload(token=token, input=given_input)

    assert decode(encode(payload)) == payload


def test_a_token_is_that_of_one_run_and_one_key() -> None:
    token = run_token(b"key", RUN)

    assert token == run_token(b"key", RUN)
    assert len({token, run_token(b"other", RUN), run_token(b"key", UUID(int=1))}) == 3


def test_a_payload_does_not_show_its_token() -> None:
    assert "hunter2" not in repr(Payload(token="hunter2"))


def test_an_input_that_nomad_would_refuse_is_refused_here() -> None:
    with pytest.raises(Malformed, match="keep large inputs in the object store"):
        encode(Payload(token="", input={"x": "y" * MAX_BYTES}))


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"token": 1, "input": 3}', b"\xff"])
def test_what_is_no_payload_of_ours_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed, match="not one of ours"):
        decode(text)
