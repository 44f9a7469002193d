"""What the tests of all objectives share: the tiny models as folders, and their chat format."""

import pytest

from runtime.engines.hf.chat import Chat
from runtime.engines.hf.loading import load_tokenizer


@pytest.fixture(scope="module")
def bases(tiny_bases):
    """Folders of tiny models by architecture."""
    return {name: base.hf for name, base in tiny_bases.items()}


@pytest.fixture(scope="module")
def chat(tiny):
    return Chat(load_tokenizer(tiny.hf), "tiny")
