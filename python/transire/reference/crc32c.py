"""CRC-32C from its definition: polynomial 0x1EDC6F41, reflected, all ones before and after."""

POLYNOMIAL = 0x82F63B78
"""0x1EDC6F41 with its bits in reverse order."""


def _of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


TABLE = tuple(_of_byte(byte) for byte in range(256))
"""What each byte contributes, so that eight bits take one step."""


def crc32c(data: bytes) -> int:
    """The CRC of `data`; 0xE3069283 for the nine ASCII digits from 1 to 9."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
