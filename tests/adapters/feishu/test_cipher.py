"""What a webhook's events are encrypted with, against lark-oapi's own."""

import base64
import hashlib

import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st

from adapters.feishu import sdk
from adapters.feishu.cipher import Cipher


def encrypted(key: str, data: bytes, *, fill: int | None = None) -> str:
    """As Feishu does it: AES-256-CBC under the key's SHA-256, the vector first, PKCS#7 at the end."""
    missing = 16 - len(data) % 16
    vector = hashlib.md5(data).digest()
    cipher = AES.new(hashlib.sha256(key.encode()).digest(), AES.MODE_CBC, vector)
    padding = bytes([missing if fill is None else fill]) * missing
    return base64.b64encode(vector + cipher.encrypt(data + padding)).decode()


def test_what_feishu_encrypted_is_read() -> None:
    assert Cipher("a key").decrypt(encrypted("a key", '{"challenge": "画"}'.encode())) == '{"challenge": "画"}'


def test_the_example_of_feishus_own_documentation_is_read() -> None:
    assert Cipher("test key").decrypt("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=") == "hello world"


@given(all_words=st.lists(st.text(max_size=100), max_size=5))
def test_one_after_the_other_is_read_as_the_sdk_reads_it(all_words: list[str]) -> None:
    with sdk._hollow() as module:
        for name in ("core", "core.utils"):
            sdk._enter(f"{sdk.PACKAGE}.{name}")
        theirs = module("core.utils.decryptor").AESCipher("a key")
    ours = Cipher("a key")

    for words in all_words:
        ciphertext = encrypted("a key", words.encode())
        assert ours.decrypt(ciphertext) == theirs.decrypt_str(ciphertext) == words


BROKEN = [
    "",
    "AAAA",
    "not base64!",
    base64.b64encode(bytes(40)).decode(),
    encrypted("a key", b"words", fill=0),
    encrypted("a key", b"words", fill=17),
    encrypted("a key", b"\xff\xfe"),
    encrypted("another key", b"words " * 9),
]


@pytest.mark.parametrize("ciphertext", BROKEN)
def test_what_cannot_be_decrypted_is_a_value_error_and_spoils_nothing(ciphertext: str) -> None:
    cipher = Cipher("a key")
    with pytest.raises(ValueError):  # noqa: PT011 - as many different words as ways to fail
        cipher.decrypt(ciphertext)

    assert cipher.decrypt(encrypted("a key", b"words")) == "words"
