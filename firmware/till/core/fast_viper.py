"""The inner loops in viper. Masks to 31 bits: viper ints are 64 bits wide on the Unix port and 32 on the device."""

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


# P-256 field elements are 20 limbs of 13 bits, least significant first, two octets each, in Montgomery form (times
# 2^260): a column of 20 products stays below 2^31, and because p is -1 modulo 2^96 the factor that clears a limb is that limb.
# Nothing below branches on an element or addresses memory by one. Values stay below 1.25 p; p256_get takes them below p.
_P256 = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_P256_TO_MONTGOMERY = (0, (1 << 520) % _P256, 1)  # registers 0, 1 and 2
_P256_SCRATCH = 3


def p256_registers(count):
    """`count` field registers: 0 holds zero, 1 to 3 are this module's, the caller's start at 4."""
    registers = bytearray(40 * count)
    for i in range(3):
        p256_unpack(registers, i, _P256_TO_MONTGOMERY[i].to_bytes(34, "little"))
    return registers


def p256_put(registers, index, value):
    """Set a register to the int `value`, 0 … 2^256 - 1."""
    p256_unpack(registers, index, value.to_bytes(34, "little"))
    p256_run(registers, 4, 0, bytes((0, index, index, 1)))


def p256_get(registers, index):
    """The int, 0 … p - 1, that a register holds."""
    p256_run(registers, 4, 0, bytes((0, _P256_SCRATCH, index, 2)))
    octets = bytearray(34)
    p256_pack(registers, _P256_SCRATCH, octets)
    return int.from_bytes(octets, "little") % _P256


def p256_row(registers, first, count):
    """`count` registers from `first` on, as p256_pick reads them back."""
    return bytes(memoryview(registers)[40 * first : 40 * (first + count)])


@micropython.viper
def p256_unpack(registers: ptr16, index: int, octets: ptr8):
    """34 octets, least significant first, into the limbs of a register."""
    d = ptr16(int(registers) + 40 * index)
    at = 0
    for i in range(20):
        k = at >> 3
        d[i] = ((octets[k] | octets[k + 1] << 8 | octets[k + 2] << 16) >> (at & 7)) & 8191
        at += 13


@micropython.viper
def p256_pack(registers: ptr16, index: int, octets: ptr8):
    """The limbs of a register into 34 octets, least significant first."""
    a = ptr16(int(registers) + 40 * index)
    held = 0
    have = 0
    k = 0
    for i in range(20):
        held |= a[i] << have
        have += 13
        while have >= 8:
            octets[k] = held & 255
            held >>= 8
            have -= 8
            k += 1
    octets[k] = held


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
def p256_digit(bits: ptr8, position: int, spacing: int, teeth: int) -> int:
    """The `teeth` bits of `bits` (least significant octet first) at `position`, `position + spacing`, …"""
    digit = 0
    for i in range(teeth):
        digit |= ((bits[position >> 3] >> (position & 7)) & 1) << i
        position += spacing
    return digit


@micropython.viper
def p256_pick(registers: ptr32, first: int, row: ptr32, digit: int, teeth: int, coordinates: int) -> int:
    """Copy the entry that a signed digit names into the registers from `first` on, reading every entry.

    The top bit of `digit` (`teeth` bits) is 1 for plus; the others are the index, complemented for minus. `row`
    starts on a word and holds 2^(teeth - 1) entries of `coordinates` elements. Returns the operation for
    p256_run that applies the sign: 17 or 15.
    """
    entries = 1 << (teeth - 1)
    minus = (digit >> (teeth - 1)) - 1
    index = (digit ^ minus) & (entries - 1)
    start = int(registers) + 40 * first
    d = ptr32(start)
    for i in range(10 * coordinates):
        d[i] = 0
    for i in range(entries):
        keep = ((i ^ index) - 1) >> 31
        d = ptr32(start)
        for j in range(coordinates):
            d[0] = d[0] | (row[0] & keep)
            d[1] = d[1] | (row[1] & keep)
            d[2] = d[2] | (row[2] & keep)
            d[3] = d[3] | (row[3] & keep)
            d[4] = d[4] | (row[4] & keep)
            d[5] = d[5] | (row[5] & keep)
            d[6] = d[6] | (row[6] & keep)
            d[7] = d[7] | (row[7] & keep)
            d[8] = d[8] | (row[8] & keep)
            d[9] = d[9] | (row[9] & keep)
            d = ptr32(int(d) + 40)
            row = ptr32(int(row) + 40)
    return 17 + 2 * minus


@micropython.viper
def lehmer(x: ptr8, y: ptr8, out: ptr32):
    """As many steps of Euclid's algorithm on x ≥ y as their top 30 bits decide (Knuth, TAOCP 2, §4.5.2, Algorithm L).

    `x`, `y`: 32 octets each, most significant first. `out` (5 words) gets A, B, C, D and whether the number of steps
    is odd: the pair becomes (A·x - B·y, D·y - C·x), both negated when odd. B is 0 when no step could be decided.
    """
    k = 0
    while k < 27 and x[k] == 0:
        k += 1
    top = x[k] << 16 | x[k + 1] << 8 | x[k + 2]
    shift = 0
    while shift < 7 and (top << shift) < (1 << 23):
        shift += 1
    u = (top << (shift + 6)) | ((x[k + 3] << 8 | x[k + 4]) >> (10 - shift))
    v = ((y[k] << 16 | y[k + 1] << 8 | y[k + 2]) << (shift + 6)) | ((y[k + 3] << 8 | y[k + 4]) >> (10 - shift))
    a = 1
    b = 0
    c = 0
    d = 1
    odd = 0
    while v:
        q = u // v
        if q >> 14:
            break
        rest = u - q * v
        e = a + q * c
        f = b + q * d
        if rest < f or v - rest < f + d:  # Jebelean's condition, with the larger cofactor on both sides
            break
        u = v
        v = rest
        a = c
        b = d
        c = e
        d = f
        odd ^= 1
    out[0] = a
    out[1] = b
    out[2] = c
    out[3] = d
    out[4] = odd
