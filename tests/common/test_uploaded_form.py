"""The file in a form: found between other fields, byte for byte, or the form is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BadRequest
from common.uploaded_form import file_of
from common.uploads import Upload

BOUNDARY = b"----b0undary"


def form(*parts: tuple[bytes, bytes]) -> Upload:
    """Return a form of parts: the parameters of each disposition, and its content."""
    body = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\nContent-Type: text/csv\r\n\r\n%b\r\n"
        % (BOUNDARY, name, content)
        for name, content in parts
    )
    return Upload(content=body + b"--%b--\r\n" % BOUNDARY, content_type="multipart/form-data")


@given(content=st.binary(max_size=200).filter(lambda content: BOUNDARY not in content))
def test_the_first_file_is_returned_byte_for_byte(content: bytes) -> None:
    found = file_of(form((b'name="note"', b"x"), (b'name="file"; filename="C:\\\\a\\\\Queries.csv"', content)))
    assert found == Upload(content=content, content_type="text/csv", filename="Queries.csv")


def test_what_is_no_form_stays_as_it_is() -> None:
    upload = Upload(content=b"--x\r\n", content_type="text/csv")
    assert file_of(upload) is upload


@pytest.mark.parametrize(
    "content", [b"", b"keyword\r\na\r\n", b"--\r\n", b"--b\r\nContent-Disposition: form-data; filename=a\r\n\r\nab"]
)
def test_a_broken_form_is_refused(content: bytes) -> None:
    with pytest.raises(BadRequest) as refusal:
        file_of(Upload(content=content, content_type="multipart/form-data"))
    assert refusal.value.code == "malformed_form"


def test_a_form_without_a_file_is_refused() -> None:
    with pytest.raises(BadRequest):
        file_of(form((b'name="note"', b"x")))
