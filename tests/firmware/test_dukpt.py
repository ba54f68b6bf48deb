# Vectors: supplement to ANSI X9.24-3-2017 (x9.org, "X9.24 Part 3 Test Vectors"), base derivation key
# FEDCBA9876543210F1F1F1F1F1F1F1F1 (twice for AES-256), initial key id 1234567890123456, as public tests hold them:
# github.com/openemv/dukpt test/dukpt_aes{128,256}_test.c, github.com/moov-io/dukpt pkg/aes/aes_test.go. The supplement
# has none for HMAC keys; those of moov-io (MACs of "4012345678909D987") stand in for AES-128.
from binascii import hexlify
from binascii import unhexlify as h
from struct import pack

from cryptolib import aes
from till.core.errors import CryptoError, KeysExhausted
from till.crypto.dukpt import Dukpt, next_counter
from till.crypto.hmac import hmac_sha256

IKID = h("1234567890123456")
IK_128 = h("1273671EA26AC29AFA4D1084127652A1")
IK_256 = h("CE9CE0C101D1138F97FB6CAD4DF045A7083D4EAE2D35A31789D01CCF0949550F")
TEXT = b"4012345678909D987"

# AES-256: counters 1…8, intermediate key, PIN key (AES-256), data key (AES-256).
FIRST_256 = (
    (
        "54AC2B32B145EA4A554CB8BC44B17467063A799856B1CCC2A138D36E8DBF78B3",
        "8C1AB7BEE973829E30242E0BBBDD4946D540C98FC1B5BDCF94790001A23FD502",
        "71EB36C9A6B7F801D1D1700C29741FC5A5C4E9B45D742DA7AF6992B8AA29AF58",
    ),
    (
        "5DD5A0253842BBBE1D7C0DA27021412C6F1FAB53FB928DEAE56DA06090A9DE97",
        "3583D6CD02FC38822CC71A8D7678E04F4A8556335E6CC66863D3DADC5AEE2C62",
        "D0AC9F71F875FFFF3A83778F72F39EBB0924A5A526617AF669665E0A19725465",
    ),
    (
        "8EEEF7C464AE415BB1D73FAED21993CD669F7999092A579EC6DD3CC680C65171",
        "96A1AB5D37CB7CF81DDE64F66C46E0389B833E7AD5F4E44C791F04FAFDA6DA0E",
        "8E70D5DF53F48ED2F2A0B54FC4F45C844579BE96F6F161222CDD50193E2F737F",
    ),
    (
        "C18CBED570B3B89ECADA7CEC9C224CD5A86ECF3DE377D3EFAB720F8C4D76B9D0",
        "420AA584BF215C4777E93009B56D08DE80687021D07ED96349FF71379CE5636D",
        "41D23F7D78E22A978D726BC71D266374263120EE49146CE5C1291FD0EE7DDD31",
    ),
    (
        "6B3C3C93307151C25DC2309456F01C5C3108DAD571C321899A9B7E0C009FD2EB",
        "B1E9E3D918952E6E5F67917F0FE77060F865AE27DCAD5742DDF90F61453B98BA",
        "813D156C142E5BB8F136427EBD0A1AC4DC9B2B5963C481F5E0A58F4BF33BD185",
    ),
    (
        "B8BB61AE3E2D5CD8C699E0C578FB2C7B89B0C0CF02DBAB60864D8049C986C844",
        "8714EB94E3BFD3018EC99D0434D9C94F071AF2EEBF4332FB14F5179793AA582C",
        "F1FB0591AA2E45E1CE4C5D970C7396C4A87E53E5900C4A6D95C174140CC0AC9C",
    ),
    (
        "88D0ACA287B3066F5DE0C93396337D4C2DA8D92C1F720A576D62CEB4C979E01E",
        "693C893A1E81D280302E0A47E7E634337B9A9B26E7CC6064D807E08FF911AFAC",
        "69BC5C9AFB2C93CC30C3F7529360B34D7B64B7206E0F0940D8654378C54824F2",
    ),
    (
        "20A796D5077D51B8E7613893A4F095B134E02917DC84BD391F3661D0873FF308",
        "173A45284262A3E292D86D08FD6DE9167963214450D1D48F6103BD2EB08E61B5",
        "0BF8789A21D068410A16C9F7FCBF65A7B4FF73203ADC0F1B4B5E5BF8050E4284",
    ),
)
# AES-128: counters 1…8, HMAC (answer) and CBC under the data key of TEXT, the latter zero-padded with a zero IV.
FIRST_128 = (
    (
        "DDE7CB7BDE05AC9A934919B5D94C37954F2376BAF5D45031A56FE74D94C4B64D",
        "E5AFA5B408A3310E3D779C8A9A2AE29448BD5B4232582090DB703AF647205A79",
    ),
    (
        "32C4EEBF5FB820C4E90A580C0769E5BF8188007191AFAEF53F7C585B03285314",
        "A17A9658EE0F451D6CA11B65B592EF9C5F90BB175D926F1457B63B3273042476",
    ),
    (
        "255E08E91BB5AFFD26C695110FAB5167AB36C9A3C61C78BD2401292A8EFE7C0A",
        "E289C32A084A39419A6C147DE40B53A67BABE2BD22DC3D5EE09B002E83B93ACE",
    ),
    (
        "6493E4DB82E4ACFB3AA3830EBEF7365A31B0D7E3B463304FB3EBBC372A866292",
        "D074C0F81866781B92D008C8EA6A3947319B94361C7ECD3C1736020E0D57E629",
    ),
    (
        "401CBB584E48C3E08A212A3117E087520D38E4EC054749747D1435B421C9DCE6",
        "8F222D79AE7F942BF74D3EA9E364C0000D0C94AD7EA0A8CCF23330FCA4B1D0D0",
    ),
    (
        "6644594E7C867C2BF0FBA7F00CAF2E184823AE0D9C40FCAA6F48A3605737094D",
        "19C254B0498CBD32E597D882B7D993513994EE913836E65711EA41F8D4B34728",
    ),
    (
        "55F096E89E56A27438F6D01A6DCBF9D396E29EA076C3CC9823B2BB5996ED17EE",
        "0710C8F0EB136629E30ADFB148562F6F80B786EC1074428B7C7511B7301EAAF0",
    ),
    (
        "32403C170DD07A7C823247DF37649D49FDE905482D1B1C6A62E03E735FA2E384",
        "304EC254A7B528D9892E47F7C1315D498C0D88EA8CD71CA52D38F362721AEA67",
    ),
)
# Intermediate keys further on: counter, AES-128, AES-256. 0x1FFFF has 17 one bits and is skipped.
LATER = (
    (
        0x1FFFE,
        "E21E8C8D347F8561A2BE752DAA85A111",
        "A289508CBF1228452CD86AB77B15CB35577AC828C18BB66681E5A16D6C9CCED3",
    ),
    (
        0x20000,
        "F7AE9025468A25D37B7249CFFED224C8",
        "D62DDA94A47D7DA5D763443B4ECB15EA8DD62E0E4F915958BA459591F8312E37",
    ),
    (
        0x20001,
        "692C8EA4013645135B36497131DF9D2C",
        "44110A1102748D4A3AC326F53D8CAC650212590CA7126D54546DDE0F20E89CEE",
    ),
    (
        0xFFFE2000,
        "48E585B694EB0B18D5C35443E163C0BA",
        "4625EB06E4886D4AFCC9AE37ED4F4E4E1653C9E60E3F24742A87A26AA96AB7A6",
    ),
    (
        0xFFFE4000,
        "396C2C7CA1EA701C03B86B7D41F0C562",
        "FF20E1BB575539ACCB44E3111BE8757F83AE8549A2DD71B441A4A424F7FFD4B1",
    ),
    (
        0xFFFE8000,
        "0387625F189B58AE03EF0E8CCA41105E",
        "630535C9C53E1EC6524016930B56F6728909C45403536B419AEBCB25B7351C07",
    ),
    (
        0xFFFF0000,
        "F6BA59389BD14A9855BE9727E7C52E3C",
        "6D6DB7AAAE8B3EA90E57A39E4BBA71E173B21B446B30A78D64BFC6A8806C55EE",
    ),
)


def derive(key, usage, algorithm, bits, counter):
    """X9.24-3 §6.3.1 written a second time, block by block."""
    out = b""
    for block in range(1, bits // 128 + 1):
        data = pack(">BBHHH4sI", 1, block, usage, algorithm, bits, IKID[4:], counter)
        out += aes(key, 1).encrypt(data)
    return out


def path(key, counter):
    """The intermediate key of `counter`, from the initial key down (§6.1)."""
    bits, so_far = 8 * len(key), 0
    for i in range(31, -1, -1):
        if counter >> i & 1:
            so_far |= 1 << i
            key = derive(key, 0x8000, bits // 64, bits, so_far)
    return key


def state_at(ik, counter):
    """The record as it stands when `counter` was burned: a register for each bit that a later counter sets."""
    n = len(ik)
    out = bytes([1, n // 8]) + IKID + pack(">I", counter)
    for i in range(32):
        higher = counter >> i << i
        later = not counter >> i & 1 and bin(higher).count("1") < 16
        out += path(ik, higher | 1 << i) if later else bytes(n)
    return out


def working(key, counter):
    bits = 8 * len(key)
    return [
        derive(key, usage, algorithm, bits, counter)
        for usage, algorithm in ((0x2001, 5), (0x3000, bits // 64), (0x1000, bits // 64))
    ]


def keys(transaction):
    return [transaction.mac_key(), transaction.data_key(), transaction.pin_key()]


def raises(error, call, *args):
    try:
        call(*args)
    except error as e:
        return type(e) is error
    return False


def test_dukpt_aes_256_first_eight():
    dukpt = Dukpt.load(IKID, IK_256)
    for i, (intermediate, pin, data) in enumerate(FIRST_256):
        transaction = dukpt.burn()
        assert transaction.counter == i + 1
        assert transaction.ksn == IKID + bytes([0, 0, 0, i + 1])
        assert transaction.data_key() == h(data), i
        assert transaction.pin_key() == h(pin), i
        assert transaction.mac_key() == derive(h(intermediate), 0x2001, 5, 256, i + 1), i


def test_dukpt_aes_128_first_eight():
    dukpt = Dukpt.load(IKID, IK_128)
    for i, (mac, data) in enumerate(FIRST_128):
        transaction = dukpt.burn()
        assert hmac_sha256(transaction.mac_key(), TEXT) == h(mac), i
        assert aes(transaction.data_key(), 2, bytes(16)).encrypt(TEXT + bytes(15)) == h(data), i
        assert len(transaction.pin_key()) == 16


def test_dukpt_later_counters():
    for counter, key_128, key_256 in LATER:
        for ik, intermediate in ((IK_128, key_128), (IK_256, key_256)):
            assert path(ik, counter) == h(intermediate), hex(counter)
            before = counter - 1
            while bin(before).count("1") > 16:
                before -= 1
            transaction = Dukpt(state_at(ik, before)).burn()
            assert transaction.counter == counter
            assert keys(transaction) == working(h(intermediate), counter), hex(counter)


def test_dukpt_counter_skips_what_has_more_than_16_one_bits():
    assert next_counter(0) == 1
    assert next_counter(0x1FFFE) == 0x20000
    assert next_counter(0xFFFE8000) == 0xFFFF0000
    counter = 0x3FFF0000 - 40
    for _ in range(60):
        after = next_counter(counter)
        wanted = counter + 1
        while bin(wanted).count("1") > 16:
            wanted += 1
        assert after == wanted
        counter = after


def test_dukpt_walk_agrees_with_the_path_and_the_record():
    """Every step from some awkward places: the keys are the path's, the registers exactly those still needed."""
    for ik in (IK_128, IK_256):
        for start, steps in ((0, 40), (0xFFE, 5), (0x1FFF0, 18), (0xFE0F3E, 12), (0xFFFD8000, 6)):
            dukpt = Dukpt(state_at(ik, start)) if start else Dukpt.load(IKID, ik)
            for _ in range(steps):
                transaction = dukpt.burn()
                assert keys(transaction) == working(path(ik, transaction.counter), transaction.counter)
                assert dukpt.state() == state_at(ik, transaction.counter), hex(transaction.counter)


def test_dukpt_state_survives_and_forgets():
    dukpt = Dukpt.load(IKID, IK_256)
    assert IK_256 not in dukpt.state()
    used = []
    for _ in range(40):
        record = dukpt.state()
        assert len(record) == 1038
        dukpt = Dukpt(memoryview(bytearray(record)))
        assert dukpt.ikid == IKID
        transaction = dukpt.burn()
        used += keys(transaction)
        used.append(path(IK_256, transaction.counter))
        for key in used:
            assert key not in dukpt.state()
    assert dukpt.counter == 40
    assert len(set(used)) == len(used)


def test_dukpt_transaction_keys_are_erased_on_demand():
    transaction = Dukpt.load(IKID, IK_256).burn()
    key = transaction.mac_key()
    transaction.erase()
    assert not any(transaction._keys)
    for call in (transaction.mac_key, transaction.data_key, transaction.pin_key):
        assert raises(CryptoError, call)
    assert any(key)
    assert hexlify(transaction.ksn) == b"123456789012345600000001"


def test_dukpt_end_of_the_counter_is_a_typed_error():
    dukpt = Dukpt(state_at(IK_256, 0xFFFE8000))
    assert dukpt.burn().counter == 0xFFFF0000
    last = dukpt.state()
    for _ in range(2):
        assert raises(KeysExhausted, dukpt.burn)
        assert dukpt.state() == last
    assert raises(KeysExhausted, Dukpt(last).burn)


def test_dukpt_never_burns_from_an_empty_register():
    """A record put together wrongly must not give keys derived from zeros."""
    assert raises(CryptoError, Dukpt(bytes([1, 4]) + IKID + bytes(4 + 1024)).burn)


def test_dukpt_refuses_a_bad_record_or_key():
    good = Dukpt.load(IKID, IK_256).state()
    for bad in (
        b"",
        good[:13],
        good[:-1],
        good + b"\x00",
        b"\x02" + good[1:],
        good[:1] + b"\x03" + good[2:],
        good[:1] + b"\x02" + good[2:],
        good[:10] + b"\x00\x01\xff\xff" + good[14:],
    ):
        assert raises(CryptoError, Dukpt, bad), len(bad)
    for ikid, key in ((IKID[:7], IK_256), (IKID + b"\x00", IK_256), (IKID, IK_256[:24]), (IKID, b"")):
        assert raises(CryptoError, Dukpt.load, ikid, key)
