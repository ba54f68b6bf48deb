"""The inner loops in viper. Masks to 31 bits: viper ints are 64 bits wide on the Unix port and 32 on the device."""

# pyright: reportArgumentType=false
# (viper takes any object with a buffer where a parameter is a pointer)

import micropython


@micropython.viper
def expand_pairs(dst: ptr32, src: ptr8, table: ptr32, count: int):
    """`count` bytes of `src`, two 4-bit pixels each, become four bytes of `dst` each by `table` (256 × 4 bytes).

    `count` is a multiple of 8; `dst` and `table` start on a word.
    """
    # The first three locals live in registers: the pointers are moved, not copied.
    while count > 0:
        dst[0] = table[src[0]]
        dst[1] = table[src[1]]
        dst[2] = table[src[2]]
        dst[3] = table[src[3]]
        dst[4] = table[src[4]]
        dst[5] = table[src[5]]
        dst[6] = table[src[6]]
        dst[7] = table[src[7]]
        dst = ptr32(int(dst) + 32)
        src = ptr8(int(src) + 8)
        count -= 8


@micropython.viper
def draw_bits(dst: ptr8, src: ptr8, pairs: ptr8, at: int, stride: int, width: int, rows: int):
    """Draw a 1-bit picture, `width` bytes by `rows`, at byte `at` of a 4-bit buffer of `stride` bytes a row.

    `pairs[n]` is the byte of two pixels for the two bits `n`, left one high.
    """
    dst = ptr8(int(dst) + at)
    skip = stride - 4 * width
    while rows > 0:
        n = width
        while n > 0:
            b = src[0]
            dst[0] = pairs[b >> 6]
            dst[1] = pairs[(b >> 4) & 3]
            dst[2] = pairs[(b >> 2) & 3]
            dst[3] = pairs[b & 3]
            dst = ptr8(int(dst) + 4)
            src = ptr8(int(src) + 1)
            n -= 1
        dst = ptr8(int(dst) + skip)
        rows -= 1


@micropython.viper
def draw_glyphs(dst: ptr8, src: ptr8, pairs: ptr8, at: int, stride: int, slots: ptr8, count: int):
    """Draw `count` glyphs of 16 rows side by side, as `draw_bits` does.

    A slot is the glyph's place in `src` in units of 32 bytes, and 128 more where it is two bytes wide.
    """
    line = int(dst) + at
    room = int(src)
    while count > 0:
        slot = slots[0]
        dst = ptr8(line)
        src = ptr8(room + ((slot & 127) << 5))
        rows = 16
        if slot < 128:
            while rows > 0:
                b = src[0]
                dst[0] = pairs[b >> 6]
                dst[1] = pairs[(b >> 4) & 3]
                dst[2] = pairs[(b >> 2) & 3]
                dst[3] = pairs[b & 3]
                src = ptr8(int(src) + 1)
                dst = ptr8(int(dst) + stride)
                rows -= 1
            line += 4
        else:
            while rows > 0:
                b = src[0]
                dst[0] = pairs[b >> 6]
                dst[1] = pairs[(b >> 4) & 3]
                dst[2] = pairs[(b >> 2) & 3]
                dst[3] = pairs[b & 3]
                b = src[1]
                dst[4] = pairs[b >> 6]
                dst[5] = pairs[(b >> 4) & 3]
                dst[6] = pairs[(b >> 2) & 3]
                dst[7] = pairs[b & 3]
                src = ptr8(int(src) + 2)
                dst = ptr8(int(dst) + stride)
                rows -= 1
            line += 8
        slots = ptr8(int(slots) + 1)
        count -= 1


@micropython.viper
def code_points(dst: ptr16, src: ptr8, size: int) -> int:
    """Decode `size` bytes of valid UTF-8 into 16-bit code points (U+FFFD for those above); returns how many."""
    count = 0
    while size > 0:
        b = src[0]
        used = 1
        if b >= 0xF0:
            used = 4
            b = 0xFFFD
        elif b >= 0xE0:
            used = 3
            b = ((b & 15) << 12) | ((src[1] & 63) << 6) | (src[2] & 63)
        elif b >= 0xC0:
            used = 2
            b = ((b & 31) << 6) | (src[1] & 63)
        dst[count] = b
        count += 1
        src = ptr8(int(src) + used)
        size -= used
    return count


@micropython.viper
def enlarge(dst: ptr8, src: ptr8, width: int, scale: int):
    """Enlarge a glyph of 16 rows by `width` (1 or 2) bytes to `scale` (2 … 4) times its size (rule: ui/font.py)."""
    columns = 8 * width
    full = (1 << columns) - 1
    block_full = (1 << scale) - 1
    leg = 2
    if scale == 2:
        leg = 1
    up = 0
    mid = int(src[0])
    if width == 2:
        mid = (mid << 8) | int(src[1])
    o = 0
    y = 0
    while y < 16:
        down = 0
        if y < 15:
            down = int(src[(y + 1) * width])
            if width == 2:
                down = (down << 8) | int(src[(y + 1) * width + 1])
        left = mid >> 1
        right = (mid << 1) & full
        # Blank cells beside a diagonal step: each has a corner to fill.
        gap_tl = (full ^ mid) & up & left & (full ^ (up >> 1))
        gap_tr = (full ^ mid) & up & right & (full ^ ((up << 1) & full))
        gap_bl = (full ^ mid) & down & left & (full ^ (down >> 1))
        gap_br = (full ^ mid) & down & right & (full ^ ((down << 1) & full))
        # Inked cells with nothing around a corner: it is rounded.
        tip_tl = 0
        tip_tr = 0
        tip_bl = 0
        tip_br = 0
        if scale > 2:
            tip_tl = mid & (full ^ (up | left | (up >> 1)))
            tip_tr = mid & (full ^ (up | right | ((up << 1) & full)))
            tip_bl = mid & (full ^ (down | left | (down >> 1)))
            tip_br = mid & (full ^ (down | right | ((down << 1) & full)))
        j = 0
        while j < scale:
            k = scale - 1 - j
            # The slice of a filled corner in this row of the cell, at its right and at its left end.
            top_r = 0
            top_l = 0
            if j < leg:
                top_r = (1 << (leg - j)) - 1
                top_l = top_r << (scale - leg + j)
            bottom_r = 0
            bottom_l = 0
            if k < leg:
                bottom_r = (1 << (leg - k)) - 1
                bottom_l = bottom_r << (scale - leg + k)
            acc = 0
            n = 0
            before = 0
            bit = 1 << (columns - 1)
            while bit:
                block = 0
                if mid & bit:
                    block = block_full
                    if j == 0:
                        if tip_tl & bit:
                            block = block & (block_full >> 1)
                        if tip_tr & bit:
                            block = block & (block_full - 1)
                    if k == 0:
                        if tip_bl & bit:
                            block = block & (block_full >> 1)
                        if tip_br & bit:
                            block = block & (block_full - 1)
                else:
                    if gap_tl & bit:
                        block = block | top_l
                    if gap_tr & bit:
                        block = block | top_r
                    if gap_bl & bit:
                        block = block | bottom_l
                    if gap_br & bit:
                        block = block | bottom_r
                # Half a font pixel bolder to the right, so that strokes do not look thin at this size.
                wide = (before << scale) | block
                bold = wide | (wide >> 1)
                if scale == 4:
                    bold = bold | (wide >> 2)
                before = block
                acc = (acc << scale) | (bold & block_full)
                n += scale
                if n >= 8:
                    n -= 8
                    dst[o] = acc >> n
                    o += 1
                    acc = acc & ((1 << n) - 1)
                bit = bit >> 1
            j += 1
        up = mid
        mid = down
        y += 1


# Numbers of up to 259 bits are 20 limbs of 13 bits, least significant first, two octets each. P-256 field elements are
# in Montgomery form (times 2^260): a column of 20 products stays below 2^31, and as p is -1 modulo 2^96, the factor
# that clears a limb is the limb itself. Elements stay below 1.25 p; p256_get takes them below p. Apart from the
# loops over public lengths nothing here branches on a number or addresses memory by one.
_P256 = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_P256_CONSTANTS = (0, (1 << 520) % _P256, 1)  # what registers 0, 1 and 2 hold, 1 and 2 as they are
_P256_ENTER = b"".join([bytes((0, i, i, 1)) for i in range(24)])  # register i times 2^520: into Montgomery form
_P256_LEAVE = b"".join([bytes((0, 3, i, 2)) for i in range(24)])  # register i times 1: out of it, into register 3


def p256_registers(count: int):
    """`count` field registers, at most 24: 0 holds zero, 1 to 3 are this module's, the caller's start at 4."""
    registers = bytearray(40 * count)
    for i in range(3):
        _limbs(registers, i, _P256_CONSTANTS[i].to_bytes(34, "little"))
    return registers


def p256_put(registers, index: int, value: int) -> None:
    """Set a register to `value`, 0 … 2^256 - 1."""
    _limbs(registers, index, value.to_bytes(34, "little"))
    p256_run(registers, 4 * index + 4, 4 * index, _P256_ENTER)


def p256_get(registers, index: int) -> int:
    """What a register holds, 0 … p - 1."""
    p256_run(registers, 4 * index + 4, 4 * index, _P256_LEAVE)
    _octets(registers, 3)
    return int.from_bytes(registers[120:153], "little") % _P256


def p256_row(registers, first: int, count: int) -> bytes:
    """`count` registers from `first` on, as p256_pick reads them back."""
    return bytes(registers[40 * first : 40 * (first + count)])


def modular_inverse(value: int, modulus: int) -> int:
    """1/value modulo an odd prime below 2^256; 0 for 0. `value` is 0 … modulus - 1; takes the same time for each."""
    x = bytearray(200)
    octets = modulus.to_bytes(34, "little")
    _limbs(x, 0, octets)
    _limbs(x, 4, octets)
    _limbs(x, 1, value.to_bytes(34, "little"))
    x[120] = 1
    _divide_steps(0, 0, 0, x)
    _octets(x, 2)
    return int.from_bytes(x[80:113], "little") % modulus


@micropython.viper
def _limbs(registers: ptr16, index: int, octets: ptr8):
    """34 octets, least significant first, into the limbs of a register."""
    d = ptr16(int(registers) + 40 * index)
    at = 0
    for i in range(20):
        k = at >> 3
        d[i] = ((octets[k] | octets[k + 1] << 8 | octets[k + 2] << 16) >> (at & 7)) & 8191
        at += 13


@micropython.viper
def _octets(registers: ptr16, index: int):
    """The limbs of a register into 34 octets, least significant first, in the same place."""
    a = ptr16(int(registers) + 40 * index)
    d = ptr8(int(a))
    held = 0
    have = 0
    k = 0
    for i in range(20):
        held |= a[i] << have
        have += 13
        while have >= 8:
            d[k] = held & 255
            held >>= 8
            have -= 8
            k += 1
    d[k] = held


@micropython.viper
def _divide_steps(a: int, b: int, i: int, x: ptr16):
    """Bernstein and Yang's divsteps ("Fast constant-time gcd computation and modular inversion", 2019), δ = 1/2.

    Registers 0 to 4 of `x` are f (the modulus), g (the value), d (0), e (1) and the modulus; register 2 ends as
    the inverse, 0 … 4 times the modulus. 590 steps are enough for 256 bits; here are 46 rounds of 13, each on the
    lowest limbs alone, then its matrix on all limbs. Top limbs are signed. Of the parameters only `x` is one: the
    first three locals live in machine registers.
    """
    f = ptr16(int(x))
    g = ptr16(int(x) + 40)
    d = ptr16(int(x) + 80)
    e = ptr16(int(x) + 120)
    m = ptr16(int(x) + 160)
    n = m[0]  # 1/modulus modulo 2^13, by Newton: 3 bits, 6, 12, 13
    for _ in range(3):
        n = n * ((2 - m[0] * n) & 8191) & 8191
    zeta = -1  # -(δ + 1/2)
    rounds = 46
    while rounds:
        rounds -= 1
        u = 1
        v = 0
        q = 0
        r = 1
        a = f[0]
        b = g[0]
        i = 13
        while i:
            i -= 1
            swap = zeta >> 31
            odd = 0 - (b & 1)
            b += ((a ^ swap) - swap) & odd
            q += ((u ^ swap) - swap) & odd
            r += ((v ^ swap) - swap) & odd
            swap &= odd
            zeta = (zeta ^ swap) - 1
            a += b & swap
            u = (u + (q & swap)) << 1
            v = (v + (r & swap)) << 1
            b >>= 1
        # f, g = (u f + v g, q f + r g) / 2^13
        a = (u * f[0] + v * g[0]) >> 13
        b = (q * f[0] + r * g[0]) >> 13
        i = 1
        while i < 19:
            s = f[i]
            t = g[i]
            a += u * s + v * t
            b += q * s + r * t
            f[i - 1] = a & 8191
            g[i - 1] = b & 8191
            a >>= 13
            b >>= 13
            i += 1
        s = (f[19] ^ 32768) - 32768
        t = (g[19] ^ 32768) - 32768
        a += u * s + v * t
        b += q * s + r * t
        f[18] = a & 8191
        g[18] = b & 8191
        f[19] = a >> 13
        g[19] = b >> 13
        # d, e = (u d + v e, q d + r e) / 2^13 modulo the modulus, -2 … 1 times which they stay within
        s = (d[19] ^ 32768) - 32768
        t = (e[19] ^ 32768) - 32768
        k = (u & (s >> 31)) + (v & (t >> 31))
        j = (q & (s >> 31)) + (r & (t >> 31))
        a = u * d[0] + v * e[0]
        b = q * d[0] + r * e[0]
        k -= (n * (a & 8191) + k) & 8191
        j -= (n * (b & 8191) + j) & 8191
        a = (a + k * m[0]) >> 13
        b = (b + j * m[0]) >> 13
        i = 1
        while i < 19:
            p = d[i]
            o = e[i]
            h = m[i]
            a += u * p + v * o + k * h
            b += q * p + r * o + j * h
            d[i - 1] = a & 8191
            e[i - 1] = b & 8191
            a >>= 13
            b >>= 13
            i += 1
        a += u * s + v * t + k * m[19]
        b += q * s + r * t + j * m[19]
        d[18] = a & 8191
        e[18] = b & 8191
        d[19] = a >> 13
        e[19] = b >> 13
    # f is now 1 or -1: d times f, plus twice the modulus.
    swap = ((f[19] ^ 32768) - 32768) >> 31
    a = 0
    for i in range(19):
        a += (d[i] ^ swap) - swap + 2 * m[i]
        d[i] = a & 8191
        a >>= 13
    d[19] = a + (((d[19] ^ 32768) - 32768) ^ swap) - swap + 2 * m[19]


@micropython.viper
def p256_run(b: ptr16, c: int, i: int, program: ptr8):
    """Run `program` from octet `i` up to octet `c` over the registers `b`.

    An instruction is four octets: operation, target, left, right. Operation 0 multiplies; any other adds to left
    the right one (operation - 16) times, -8 … 8. Target may be a source. The first three locals live in machine
    registers, hence the order of the parameters and their second use as multiplicand, multiplier and index.
    """
    base = int(b)
    end = c
    at = i
    while at < end:
        d = ptr16(base + 40 * program[at + 1])
        a = ptr16(base + 40 * program[at + 2])
        b = ptr16(base + 40 * program[at + 3])
        factor = program[at]
        at += 4
        if factor:
            factor -= 16
            # As many times p as leaves the sum between 0 and 1.04 p, whatever the lower limbs carry.
            i = (a[19] + factor * b[19] - 10) >> 9
            c = factor * b[0] + a[0] + i
            d[0] = c & 8191
            c = factor * b[1] + a[1] + (c >> 13)
            d[1] = c & 8191
            c = factor * b[2] + a[2] + (c >> 13)
            d[2] = c & 8191
            c = factor * b[3] + a[3] + (c >> 13)
            d[3] = c & 8191
            c = factor * b[4] + a[4] + (c >> 13)
            d[4] = c & 8191
            c = factor * b[5] + a[5] + (c >> 13)
            d[5] = c & 8191
            c = factor * b[6] + a[6] + (c >> 13)
            d[6] = c & 8191
            c = factor * b[7] + a[7] + (c >> 13) - (i << 5)
            d[7] = c & 8191
            c = factor * b[8] + a[8] + (c >> 13)
            d[8] = c & 8191
            c = factor * b[9] + a[9] + (c >> 13)
            d[9] = c & 8191
            c = factor * b[10] + a[10] + (c >> 13)
            d[10] = c & 8191
            c = factor * b[11] + a[11] + (c >> 13)
            d[11] = c & 8191
            c = factor * b[12] + a[12] + (c >> 13)
            d[12] = c & 8191
            c = factor * b[13] + a[13] + (c >> 13)
            d[13] = c & 8191
            c = factor * b[14] + a[14] + (c >> 13) - (i << 10)
            d[14] = c & 8191
            c = factor * b[15] + a[15] + (c >> 13)
            d[15] = c & 8191
            c = factor * b[16] + a[16] + (c >> 13)
            d[16] = c & 8191
            c = factor * b[17] + a[17] + (c >> 13) + (i << 3)
            d[17] = c & 8191
            c = factor * b[18] + a[18] + (c >> 13)
            d[18] = c & 8191
            c = factor * b[19] + a[19] + (c >> 13) - (i << 9)
            d[19] = c
        else:  # row by row, each row shifting the sum down by the limb it has cleared
            t0 = 0
            t1 = 0
            t2 = 0
            t3 = 0
            t4 = 0
            t5 = 0
            t6 = 0
            t7 = 0
            t8 = 0
            t9 = 0
            t10 = 0
            t11 = 0
            t12 = 0
            t13 = 0
            t14 = 0
            t15 = 0
            t16 = 0
            t17 = 0
            t18 = 0
            i = 0
            while i < 20:
                c = a[i]
                s = c * b[0] + t0
                q = s & 8191
                t0 = c * b[1] + t1 + (s >> 13)
                t1 = c * b[2] + t2
                t2 = c * b[3] + t3
                t3 = c * b[4] + t4
                t4 = c * b[5] + t5
                t5 = c * b[6] + t6
                t6 = c * b[7] + t7 + (q << 5)
                t7 = c * b[8] + t8
                t8 = c * b[9] + t9
                t9 = c * b[10] + t10
                t10 = c * b[11] + t11
                t11 = c * b[12] + t12
                t12 = c * b[13] + t13
                t13 = c * b[14] + t14 + (q << 10)
                t14 = c * b[15] + t15
                t15 = c * b[16] + t16
                t16 = c * b[17] + t17 - (q << 3)
                t17 = c * b[18] + t18
                t18 = c * b[19] + (q << 9)
                i += 1
            c = t0
            d[0] = c & 8191
            c = (c >> 13) + t1
            d[1] = c & 8191
            c = (c >> 13) + t2
            d[2] = c & 8191
            c = (c >> 13) + t3
            d[3] = c & 8191
            c = (c >> 13) + t4
            d[4] = c & 8191
            c = (c >> 13) + t5
            d[5] = c & 8191
            c = (c >> 13) + t6
            d[6] = c & 8191
            c = (c >> 13) + t7
            d[7] = c & 8191
            c = (c >> 13) + t8
            d[8] = c & 8191
            c = (c >> 13) + t9
            d[9] = c & 8191
            c = (c >> 13) + t10
            d[10] = c & 8191
            c = (c >> 13) + t11
            d[11] = c & 8191
            c = (c >> 13) + t12
            d[12] = c & 8191
            c = (c >> 13) + t13
            d[13] = c & 8191
            c = (c >> 13) + t14
            d[14] = c & 8191
            c = (c >> 13) + t15
            d[15] = c & 8191
            c = (c >> 13) + t16
            d[16] = c & 8191
            c = (c >> 13) + t17
            d[17] = c & 8191
            c = (c >> 13) + t18
            d[18] = c & 8191
            d[19] = c >> 13


@micropython.viper
def p256_pick(
    d: ptr32, i: int, row: ptr32, bits: ptr8, position: int, spacing: int, teeth: int, coordinates: int
) -> int:
    """Copy the entry that a signed digit names into the registers `d` from number `i` on, reading every entry.

    The digit is the `teeth` bits of `bits` (least significant octet first) at `position`, `position + spacing`, …
    Its top bit is 1 for plus; the others are the index, complemented for minus. `row` starts on a word and holds
    2^(teeth - 1) entries of `coordinates` elements. Returns the operation for p256_run that applies the sign: 17
    or 15. The parameters as in p256_run.
    """
    index = 0
    at = 0
    while at < teeth:
        index |= ((bits[position >> 3] >> (position & 7)) & 1) << at
        position += spacing
        at += 1
    entries = 1 << (teeth - 1)
    minus = (index >> (teeth - 1)) - 1
    index = (index ^ minus) & (entries - 1)
    d = ptr32(int(d) + 40 * i)
    start = int(row)
    stride = 40 * coordinates
    while coordinates:
        t0 = 0
        t1 = 0
        t2 = 0
        t3 = 0
        t4 = 0
        t5 = 0
        t6 = 0
        t7 = 0
        t8 = 0
        t9 = 0
        row = ptr32(start)
        entry = 0
        while entry < entries:
            i = ((entry ^ index) - 1) >> 31
            t0 = (row[0] & i) | t0
            t1 = (row[1] & i) | t1
            t2 = (row[2] & i) | t2
            t3 = (row[3] & i) | t3
            t4 = (row[4] & i) | t4
            t5 = (row[5] & i) | t5
            t6 = (row[6] & i) | t6
            t7 = (row[7] & i) | t7
            t8 = (row[8] & i) | t8
            t9 = (row[9] & i) | t9
            row = ptr32(int(row) + stride)
            entry += 1
        d[0] = t0
        d[1] = t1
        d[2] = t2
        d[3] = t3
        d[4] = t4
        d[5] = t5
        d[6] = t6
        d[7] = t7
        d[8] = t8
        d[9] = t9
        d = ptr32(int(d) + 40)
        start += 40
        coordinates -= 1
    return 17 + 2 * minus
