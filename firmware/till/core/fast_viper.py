"""The inner loops in viper. Masks to 31 bits: viper ints are 64 bits wide on the Unix port and 32 on the device."""

import micropython


@micropython.viper
def expand_pairs(dst: ptr8, src: ptr8, table: ptr8, count: int):
    """`count` bytes of `src`, two 4-bit pixels each, become four bytes of `dst` each by `table` (256 × 4 bytes).

    `count` is a multiple of 8; `dst` and `table` start on a word.
    """
    d = ptr32(int(dst))
    t = ptr32(int(table))
    s = ptr8(int(src))
    while count > 0:
        d[0] = t[s[0]]
        d[1] = t[s[1]]
        d[2] = t[s[2]]
        d[3] = t[s[3]]
        d[4] = t[s[4]]
        d[5] = t[s[5]]
        d[6] = t[s[6]]
        d[7] = t[s[7]]
        d = ptr32(int(d) + 32)
        s = ptr8(int(s) + 8)
        count -= 8


@micropython.viper
def draw_bits(dst: ptr8, at: int, stride: int, src: ptr8, width: int, rows: int, pairs: ptr8):
    """Draw a 1-bit picture, `width` bytes by `rows`, at byte `at` of a 4-bit buffer of `stride` bytes a row.

    `pairs[n]` is the byte of two pixels for the two bits `n`, left one high.
    """
    s = ptr8(int(src))
    line = ptr8(int(dst) + at)
    while rows > 0:
        d = ptr8(int(line))
        n = width
        while n > 0:
            b = s[0]
            d[0] = pairs[b >> 6]
            d[1] = pairs[(b >> 4) & 3]
            d[2] = pairs[(b >> 2) & 3]
            d[3] = pairs[b & 3]
            d = ptr8(int(d) + 4)
            s = ptr8(int(s) + 1)
            n -= 1
        line = ptr8(int(line) + stride)
        rows -= 1


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
