from binascii import unhexlify as h

from till.core.errors import CryptoError
from till.crypto.cmac import CMAC

KEY_128 = h("2b7e151628aed2a6abf7158809cf4f3c")
KEY_256 = h("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
MESSAGE = h(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
# RFC 4493 §4, and NIST SP 800-38B example values for AES-256: message length, tag.
RFC_4493 = (
    (0, "bb1d6929e95937287fa37d129b756746"),
    (16, "070a16b46b4d4144f79bdd9dd04a287c"),
    (40, "dfa66747de9ae63030ca32611497c827"),
    (64, "51f0bebf7e3b9d92fc49741779363cfe"),
)
SP_800_38B = (
    (0, "028962f61b7bf89efc6b551f4667d983"),
    (16, "28a7023f452e8f82bd4bf28d8c37c35c"),
    (40, "aaf3d8f1de5640c232f5b169b9c911e6"),
    (64, "e1992190549f6ed5696a2c056c315410"),
)


def test_cmac_standard_vectors():
    for key, vectors in ((KEY_128, RFC_4493), (KEY_256, SP_800_38B)):
        cmac = CMAC(key)
        for length, tag in vectors:
            assert cmac.mac(MESSAGE[:length]) == h(tag), length


def test_cmac_keeps_nothing_from_the_message_before():
    cmac = CMAC(KEY_128)
    cmac.mac(MESSAGE)
    cmac.mac(b"x" * 300)
    assert cmac.mac(MESSAGE[:40]) == h(RFC_4493[2][1])


def test_cmac_of_parts_is_cmac_of_the_whole():
    long = bytes(range(256)) * 3
    cmac = CMAC(KEY_256)
    for length in (0, 1, 15, 16, 17, 255, 256, 257, 511, 512, 513, 768):
        whole = cmac.mac(long[:length])
        view = memoryview(bytearray(long[:length]))
        for cut in (0, 1, 16, 250, 256, 300):
            assert cmac.mac(view[:cut], b"", view[cut:]) == whole, (length, cut)


def test_cmac_refuses_other_key_lengths():
    for length in (0, 15, 24, 31, 33, 64):
        try:
            CMAC(bytes(length))
        except CryptoError:
            continue
        raise AssertionError(length)
