"""BLAKE3 in its plain hash mode with 32 bytes of output, after section 2 of the BLAKE3 paper. Plain, and slow."""

from struct import pack, unpack

BLOCK = 64
"""Bytes that one compression takes."""
CHUNK = 1024
"""Bytes of a leaf of the tree."""

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
COLUMNS_AND_DIAGONALS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8

Words = tuple[int, ...]


def blake3(data: bytes) -> bytes:
    """The 32 bytes of BLAKE3-256 of `data`."""
    return pack("<8I", *_node(data, 0, ROOT))


def _node(data: bytes, first_chunk: int, root: int) -> Words:
    """The chaining value of the tree over `data`, whose first chunk has that number."""
    if len(data) <= CHUNK:
        return _chunk(data, first_chunk, root)
    # The left part is the largest power of two of whole chunks that leaves something to the right.
    left = 1 << ((len(data) - 1) // CHUNK).bit_length() - 1
    values = _node(data[: left * CHUNK], first_chunk, 0) + _node(data[left * CHUNK :], first_chunk + left, 0)
    return _compress(IV, values, 0, BLOCK, PARENT | root)


def _chunk(data: bytes, number: int, root: int) -> Words:
    chaining: Words = IV
    for start in range(0, len(data) or 1, BLOCK):
        block = data[start : start + BLOCK]
        flags = CHUNK_START if start == 0 else 0
        if start + BLOCK >= len(data):
            flags |= CHUNK_END | root
        chaining = _compress(chaining, unpack("<16I", block.ljust(BLOCK, b"\0")), number, len(block), flags)
    return chaining


def _compress(chaining: Words, message: Words, counter: int, length: int, flags: int) -> Words:
    state = [*chaining, *IV[:4], counter & 0xFFFFFFFF, counter >> 32, length, flags]
    for _ in range(7):
        words = iter(message)
        for a, b, c, d in COLUMNS_AND_DIAGONALS:
            _mix(state, a, b, c, d, next(words), next(words))
        message = tuple(message[at] for at in ORDER)
    return tuple(state[at] ^ state[at + 8] for at in range(8))


def _mix(state: list[int], a: int, b: int, c: int, d: int, first: int, second: int) -> None:
    """The quarter round: two halves that differ in the word that goes in and in how far they turn."""
    va, vb, vc, vd = state[a], state[b], state[c], state[d]
    va = (va + vb + first) & 0xFFFFFFFF
    vd ^= va
    vd = (vd >> 16 | vd << 16) & 0xFFFFFFFF
    vc = (vc + vd) & 0xFFFFFFFF
    vb ^= vc
    vb = (vb >> 12 | vb << 20) & 0xFFFFFFFF
    va = (va + vb + second) & 0xFFFFFFFF
    vd ^= va
    vd = (vd >> 8 | vd << 24) & 0xFFFFFFFF
    vc = (vc + vd) & 0xFFFFFFFF
    vb ^= vc
    state[a], state[b], state[c], state[d] = va, (vb >> 7 | vb << 25) & 0xFFFFFFFF, vc, vd
