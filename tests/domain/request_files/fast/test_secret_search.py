"""The search of a block finds every secret that the search of a single line finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.domain.request_files.fast.secret_search import may_have_secret
from batchapp.domain.request_files.rules.request_warnings import find_secret

SECRETS = [
    b"AKIA" + b"Z7" * 8,
    b"ghp_" + b"aB3" * 12,
    b"github_pat_" + b"aB3_" * 15,
    b"xoxb-" + b"123-" * 5,
    b"AIza" + b"x_-9Z" * 7,
    b"hf_" + b"aZ" * 17,
    b"sk-" + b"proj-a9" * 4,
    b"-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA7bq",
]
PIECES = [
    *(secret[:end] for secret in SECRETS for end in (None, -1, 9)),
    *(b" ", b"n", b"\\n", b"-", b"_", b"\xc3\xa9", b'"', b"word ", b"a" * 25, b"sk-", b"\n", b""),
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_wherever_it_is(secret):
    block = b'{"a": "one\\n%s"}\n' % secret

    assert may_have_secret(block)
    assert may_have_secret(b"x " * 50_000 + block + b"y\n")
    assert may_have_secret(secret)


@pytest.mark.parametrize("text", [b"", b"s", b"sk-", b"the usual words of a line\n" * 99])
def test_a_block_without_a_secret_has_none(text):
    assert not may_have_secret(text)


@settings(max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_no_secret_is_missed(pieces):
    block = b"".join(pieces)

    assert may_have_secret(block) or not any(map(find_secret, block.split(b"\n")))
