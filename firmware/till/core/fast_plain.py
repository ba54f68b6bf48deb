"""Plain twins of fast_viper.py, for ports without a native emitter. Same names, same results."""


def expand_pairs(dst, src, table, count):
    for i in range(count):
        pair = src[i] * 4
        dst[4 * i : 4 * i + 4] = table[pair : pair + 4]


def draw_bits(dst, at, stride, src, width, rows, pairs):
    i = 0
    for _ in range(rows):
        d = at
        for _ in range(width):
            b = src[i]
            i += 1
            dst[d] = pairs[b >> 6]
            dst[d + 1] = pairs[b >> 4 & 3]
            dst[d + 2] = pairs[b >> 2 & 3]
            dst[d + 3] = pairs[b & 3]
            d += 4
        at += stride


def enlarge(dst, src, width, scale):
    columns = 8 * width
    leg = 1 if scale == 2 else 2

    def ink(x, y):
        return 0 <= x < columns and 0 <= y < 16 and src[y * width + (x >> 3)] >> (7 - (x & 7)) & 1

    def cell(x, y, i, j):
        # Pixel (i, j) of the cell that font pixel (x, y) becomes, before it is made bolder.
        mid = ink(x, y)
        for dx, across in ((-1, i), (1, scale - 1 - i)):
            for dy, along in ((-1, j), (1, scale - 1 - j)):
                beside, above, diagonal = ink(x + dx, y), ink(x, y + dy), ink(x + dx, y + dy)
                if not mid and across + along < leg and beside and above and not diagonal:
                    return 1
                if mid and scale > 2 and across + along == 0 and not (beside or above or diagonal):
                    return 0
        return mid

    for i in range(width * scale * 16 * scale):
        dst[i] = 0
    stride = width * scale
    for y in range(16 * scale):
        for x in range(columns * scale):
            for back in range(min(scale // 2, x) + 1):
                at = x - back
                if cell(at // scale, y // scale, at % scale, y % scale):
                    dst[y * stride + (x >> 3)] |= 0x80 >> (x & 7)
                    break
