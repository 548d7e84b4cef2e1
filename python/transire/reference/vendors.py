"""The vendors and the native formats that the reference knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from transire.reference import ap, ccw, gvt_g, hisi_acc, mlx5, mtty, nvidia, nvme, nvme_states, pds, qat, virtio, xe
from transire.reference.verdict import Like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from transire.reference.attributes import Stated, Value
    from transire.reference.judge import Vendor
    from transire.reference.verdict import Chosen, Reason


class Format(NamedTuple):
    """A native format: whose it is, what its first bytes look like, and its reader."""

    vendor: str
    like: Callable[[bytes, bool], Like]
    """Of the first 64 bytes, or all that there are; and whether nothing follows them."""
    read: Callable[[bytes, bool, Chosen], Iterator[Reason | dict[str, Stated]]]
    """What is found in the beginning of a stream, whether it is all, and what is chosen of the format's options."""
    settle: Callable[[Mapping[str, Value]], Chosen] = lambda _: {}
    """What the attributes of a target, or of a header, settle of the options."""
    of_target: bool = False
    """Whether it is what a target says of itself, and no stream."""


def begins_with(magic: bytes) -> Callable[[bytes, bool], Like]:
    """The likeness of a format with a magic."""

    def like(data: bytes, _: bool) -> Like:
        if data[: len(magic)] == magic:
            return Like.CERTAIN
        return Like.SHORT if magic.startswith(data) else Like.NO

    return like


VENDORS: dict[str, Vendor] = {
    "mtty": mtty.VENDOR,
    "gvt-g": gvt_g.VENDOR,
    "nvme": nvme.VENDOR,
    "qat": qat.VENDOR,
    "mlx5": mlx5.VENDOR,
    "virtio": virtio.VENDOR,
    "ccw": ccw.VENDOR,
    "ap": ap.VENDOR,
    "nvidia": nvidia.VENDOR,
    "hisi-acc": hisi_acc.VENDOR,
    "pds": pds.VENDOR,
    "xe": xe.VENDOR,
}
"""By the value of the attribute `vendor`."""
FORMATS = {
    "mtty": Format("mtty", begins_with(mtty.MAGIC), mtty.read),
    "qat": Format("qat", begins_with(qat.MAGIC), qat.read),
    "hisi-acc": Format("hisi-acc", hisi_acc.like, hisi_acc.read),
    "pds": Format("pds", pds.like, pds.read),
    "nvme-2.1": Format("nvme", nvme_states.like_standard, nvme_states.read_standard, nvme_states.settle),
    "nvme-rfc-2025": Format("nvme", nvme_states.like_rfc, nvme_states.read_rfc, nvme_states.settle),
    "nvme-spdk": Format("nvme", nvme_states.like_spdk, nvme_states.refuse_spdk),
    "nvme-ipu-2022": Format("nvme", nvme_states.like_blob, nvme_states.refuse_blob),
    "xe": Format("xe", xe.like, xe.read),
    "mlx5": Format("mlx5", mlx5.like, mlx5.read, mlx5.settle),
    "virtio": Format("virtio", virtio.like, virtio.read),
    "gvt-g": Format("gvt-g", gvt_g.like, gvt_g.read, gvt_g.settle),
    "ap": Format("ap", ap.like, ap.read),
    "nvidia-vgpu-metadata": Format("nvidia", nvidia.like_vgpu, nvidia.read_vgpu),
    "nvidia-pgpu-metadata": Format("nvidia", nvidia.like_pgpu, nvidia.read_pgpu, of_target=True),
}
"""By the value of the attribute `payload_format`."""
