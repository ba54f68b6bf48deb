"""AES DUKPT against the samples of the ANSI X9.24-3:2017 supplement (X9.24-3-2017-Test-Vectors-20180129-1)."""

import pytest
from microtill.acquirer import dukpt

IKID = bytes.fromhex("1234567890123456")
BDK128 = bytes.fromhex("FEDCBA9876543210F1F1F1F1F1F1F1F1")
BDK256 = BDK128 * 2

INITIAL = {
    BDK128: "1273671EA26AC29AFA4D1084127652A1",
    BDK256: "CE9CE0C101D1138F97FB6CAD4DF045A7083D4EAE2D35A31789D01CCF0949550F",
}

# Transaction keys by counter: few bits, sixteen bits, and the last counters there are.
TRANSACTION = {
    BDK128: {
        0x00000001: "4F21B565BAD9835E112B6465635EAE44",
        0x00000003: "031504E530365CF81264238540518318",
        0x00000008: "718EE6CF0B27E53D5F7AF99C4D8146A2",
        0x0001FFFE: "E21E8C8D347F8561A2BE752DAA85A111",
        0x00020000: "F7AE9025468A25D37B7249CFFED224C8",
        0x00020001: "692C8EA4013645135B36497131DF9D2C",
        0xFFFF0000: "F6BA59389BD14A9855BE9727E7C52E3C",
    },
    BDK256: {
        0x00000001: "54AC2B32B145EA4A554CB8BC44B17467063A799856B1CCC2A138D36E8DBF78B3",
        0x00000002: "5DD5A0253842BBBE1D7C0DA27021412C6F1FAB53FB928DEAE56DA06090A9DE97",
        0x00000003: "8EEEF7C464AE415BB1D73FAED21993CD669F7999092A579EC6DD3CC680C65171",
        0x00000008: "20A796D5077D51B8E7613893A4F095B134E02917DC84BD391F3661D0873FF308",
        0x0001FFFE: "A289508CBF1228452CD86AB77B15CB35577AC828C18BB66681E5A16D6C9CCED3",
        0x00020000: "D62DDA94A47D7DA5D763443B4ECB15EA8DD62E0E4F915958BA459591F8312E37",
        0x00020001: "44110A1102748D4A3AC326F53D8CAC650212590CA7126D54546DDE0F20E89CEE",
        0xFFFE4000: "FF20E1BB575539ACCB44E3111BE8757F83AE8549A2DD71B441A4A424F7FFD4B1",
        0xFFFF0000: "6D6DB7AAAE8B3EA90E57A39E4BBA71E173B21B446B30A78D64BFC6A8806C55EE",
    },
}

# Working keys of counter 1.
WORKING = {
    BDK128: {
        (dukpt.USAGE_PIN, dukpt.AES128, 128): "AF8CB133A78F8DC2D1359F18527593FB",
        (dukpt.USAGE_MAC_GENERATION, dukpt.AES128, 128): "A2DC23DE6FDE0824A2BC321E08E4B8B7",
        (dukpt.USAGE_MAC_VERIFICATION, dukpt.AES128, 128): "DBB463945B286C07CD3AD82EE96FD9C9",
        (dukpt.USAGE_DATA_ENCRYPTION, dukpt.AES128, 128): "A35C412EFD41FDB98B69797C02DCD08F",
    },
    BDK256: {
        (dukpt.USAGE_PIN, dukpt.AES256, 256): "8C1AB7BEE973829E30242E0BBBDD4946D540C98FC1B5BDCF94790001A23FD502",
        (
            dukpt.USAGE_MAC_GENERATION,
            dukpt.AES256,
            256,
        ): "61DABDF4B340CF461EE860B1D1AB55357142BD2D6977306859CF49AEFE8F1549",
        (
            dukpt.USAGE_DATA_ENCRYPTION,
            dukpt.AES256,
            256,
        ): "71EB36C9A6B7F801D1D1700C29741FC5A5C4E9B45D742DA7AF6992B8AA29AF58",
    },
}


@pytest.mark.parametrize("bdk", [BDK128, BDK256], ids=["AES-128", "AES-256"])
def test_initial_key(bdk):
    assert dukpt.initial_key(bdk, IKID).hex().upper() == INITIAL[bdk]


@pytest.mark.parametrize(("bdk", "counter"), [(b, c) for b, keys in TRANSACTION.items() for c in keys])
def test_transaction_keys(bdk, counter):
    initial = dukpt.initial_key(bdk, IKID)
    assert dukpt.transaction_key(initial, IKID, counter).hex().upper() == TRANSACTION[bdk][counter]


@pytest.mark.parametrize(("bdk", "use"), [(b, u) for b, keys in WORKING.items() for u in keys])
def test_working_keys(bdk, use):
    key = dukpt.transaction_key(dukpt.initial_key(bdk, IKID), IKID, 1)
    assert dukpt.working_key(key, IKID, 1, *use).hex().upper() == WORKING[bdk][use]


def test_transaction_of_a_ksn():
    keys = dukpt.Transaction(BDK256, IKID + b"\0\0\0\1")
    assert keys.data_key().hex().upper() == WORKING[BDK256][dukpt.USAGE_DATA_ENCRYPTION, dukpt.AES256, 256]
    assert keys.pin_key().hex().upper() == WORKING[BDK256][dukpt.USAGE_PIN, dukpt.AES256, 256]
    # No published sample has HMAC keys of 256 bits: held against the derivation data of Annex B, octet by octet.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    transaction = bytes.fromhex(TRANSACTION[BDK256][1])
    blocks = [bytes.fromhex(f"01{i:02d}200100050100" + "90123456" + "00000001") for i in (1, 2)]
    cipher = Cipher(algorithms.AES(transaction), modes.ECB())
    assert keys.mac_key() == b"".join(cipher.encryptor().update(b) for b in blocks)


@pytest.mark.parametrize("counter", [0, 2**32, 0x1FFFF, 0xFFFFFFFF])
def test_counters_that_are_never_used(counter):
    assert not dukpt.counter_valid(counter)
    with pytest.raises(ValueError, match="counter"):
        dukpt.transaction_key(bytes(32), IKID, counter)


def test_wrong_lengths():
    with pytest.raises(ValueError, match="8 bytes"):
        dukpt.initial_key(BDK256, IKID + b"\0")
    with pytest.raises(ValueError, match="12-byte"):
        dukpt.Transaction(BDK256, IKID)
    with pytest.raises(ValueError, match="AES-256"):
        dukpt.Transaction(BDK128, IKID + bytes(4))
