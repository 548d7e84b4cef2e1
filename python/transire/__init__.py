"""Codec and validator for the migration streams of assigned devices.

A stream comes in, its source is known from the first bytes, and the target's answer with its reasons is there before
any payload has passed:

>>> import transire
>>> target = transire.Target(vendor="mtty", attributes={"nr_ports": 1})
>>> source = transire.Profile(vendor="mtty", attributes={"nr_ports": 2})
>>> transire.check(source, target).outcome
<Outcome.INCOMPATIBLE: 'incompatible'>
"""

from transire._native import (
    Answer,
    AttributeInfo,
    Explanation,
    Field,
    FormatInfo,
    Gate,
    Inspection,
    Origin,
    Prediction,
    Profile,
    Reason,
    Structure,
    Target,
    VendorInfo,
    Verdict,
    __version__,
    check,
    explain,
    formats,
    gate,
    inspect,
    predict,
    profile_of,
    reason_ids,
    seal,
    targets_from_compatible,
    template,
    unseal,
    vendors,
    verify,
)
from transire.errors import (
    Corrupt,
    Incompatible,
    ProfileError,
    TransireError,
    Truncated,
    Undecided,
    Unrecognized,
)
from transire.outcome import Outcome
from transire.stream import Record, Stream, decode, encode

__all__ = [
    "Answer",
    "AttributeInfo",
    "Corrupt",
    "Explanation",
    "Field",
    "FormatInfo",
    "Gate",
    "Incompatible",
    "Inspection",
    "Origin",
    "Outcome",
    "Prediction",
    "Profile",
    "ProfileError",
    "Reason",
    "Record",
    "Stream",
    "Structure",
    "Target",
    "TransireError",
    "Truncated",
    "Undecided",
    "Unrecognized",
    "VendorInfo",
    "Verdict",
    "__version__",
    "check",
    "decode",
    "encode",
    "explain",
    "formats",
    "gate",
    "inspect",
    "predict",
    "profile_of",
    "reason_ids",
    "seal",
    "targets_from_compatible",
    "template",
    "unseal",
    "vendors",
    "verify",
]
