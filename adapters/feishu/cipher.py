"""How the platform encrypts what it sends to a webhook: AES-256 in CBC mode (contract section 2.4).

The key is the encrypt key's SHA-256; the vector stands in front, PKCS#7 at the end. lark-oapi makes a cipher anew for
each event, which takes longer than all the rest of it.
"""

from hashlib import sha256

import pybase64

BLOCK = 16  # bytes


class Cipher:
    """Not for several threads at once."""

    def __init__(self, key: str) -> None:
        from Crypto.Cipher import AES  # only a bot with a webhook pays for it
        from Crypto.Util.Padding import unpad

        self._aes = AES.new(sha256(key.encode()).digest(), AES.MODE_CBC, iv=bytes(BLOCK))
        self._unpad = unpad

    def decrypt(self, ciphertext: str) -> str:
        """Raises ValueError; what it returns is not proven to come from who has the key."""
        data = pybase64.b64decode(ciphertext, validate=True)
        if len(data) < 2 * BLOCK:
            raise ValueError("invalid ciphertext length")
        # A block is read with the help of the one before it, and of nothing else. So the vector is given as if it were
        # a block: what was decrypted before garbles only what stands in its place.
        return self._unpad(self._aes.decrypt(data)[BLOCK:], BLOCK).decode()
