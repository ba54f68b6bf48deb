"""Random bytes for keys and nonces: a hardware source under health tests, mixed with SHA-256. Never `random`."""

from hashlib import sha256

from micropython import const

from till.core.errors import CryptoError

# SP 800-90B §4.4, each sample one byte with 4 bits of min-entropy assumed (half of what a whitened source claims),
# a false alarm once in 2^30 samples or windows of a source that is no better than that.
_REPEATS = const(9)  # §4.4.1: 1 + ceil(30 / 4)
_WINDOW = const(512)  # §4.4.2, samples that are not binary
_PROPORTION = const(71)  # §4.4.2: 1 + critbinom(512, 2^-4, 1 - 2^-30)
_START = const(1024)  # §4.3: samples to test before the first output
_READ = const(64)  # 64 samples at 4 bits: 256 bits for each request
_DIGEST = const(32)
_MAX_BYTES = const(1024)


class Rng:
    """`bytes(n)` is what the firmware draws from. Once a health test has failed no bytes come out any more."""

    def __init__(self, source):
        """`source(n)` returns n bytes, as os.urandom does. Runs the start-up test; CryptoError when it fails."""
        self._source = source
        self._failed = False
        self._last = -1
        self._repeats = 0
        self._sample = -1
        self._seen = 0
        self._count = 0
        self._pool = bytes(_DIGEST)
        self.self_test()

    def self_test(self) -> None:
        """The start-up test (SP 800-90B §4.3) over 1024 fresh samples, kept in the pool; CryptoError on failure."""
        pool = sha256(self._pool)
        for _ in range(_START // _READ):
            pool.update(self._draw())
        self._pool = pool.digest()

    def bytes(self, n: int) -> bytes:
        """`n` random bytes (0 … 1024); CryptoError when the source fails or looks unhealthy."""
        if not 0 <= n <= _MAX_BYTES:
            raise CryptoError("random length")
        seed = sha256(b"\x00")
        seed.update(self._pool)
        seed.update(self._draw())
        seed = seed.digest()
        self._pool = sha256(b"\x01" + seed).digest()
        out = bytearray(n)
        for at in range(0, n, _DIGEST):
            end = min(at + _DIGEST, n)
            block = sha256(b"\x02" + seed + (at // _DIGEST).to_bytes(2, "big")).digest()
            out[at:end] = memoryview(block)[: end - at]
        return bytes(out)

    def _draw(self):
        """64 samples from the source, each through both continuous tests."""
        if self._failed:
            raise CryptoError("random source")
        self._failed = True  # until every sample has passed, whatever the source raises
        try:
            samples = self._source(_READ)
        except OSError:
            raise CryptoError("random source")
        if len(samples) != _READ:
            raise CryptoError("random source")
        for sample in samples:
            if sample == self._last:
                self._repeats += 1
                if self._repeats >= _REPEATS:
                    raise CryptoError("random source repeats")
            else:
                self._last = sample
                self._repeats = 1
            if self._seen == 0:
                self._sample = sample
                self._count = 0
            self._count += sample == self._sample
            if self._count >= _PROPORTION:
                raise CryptoError("random source is uneven")
            self._seen = (self._seen + 1) % _WINDOW
        self._failed = False
        return samples
