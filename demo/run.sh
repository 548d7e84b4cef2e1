#!/bin/sh
# A captured stream of a serial card with two ports: inspected, judged, sealed, passed through the gate, damaged, refused.
# Ends with an error if any step does not do what it should. `make demo` runs it.
set -eu
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

stream=$scratch/card.bin
sealed=$scratch/card.sealed
damaged=$scratch/card.damaged
arrived=$scratch/card.arrived
cp fixtures/mtty/mtty2-both-ports.bin "$stream"

title() {
    printf '\n# %s\n\n' "$*"
}

# Shows a command as it is typed in the scratch directory, and runs it; it must end with exit code $1.
step() {
    expected=$1
    shift
    printf '$ %s\n' "$*" | sed "s|$scratch/||g"
    code=0
    (eval "$*") >"$scratch/output" 2>&1 || code=$?
    sed "s|$scratch/||g" "$scratch/output"
    if [ "$code" != "$expected" ]; then
        printf 'demo: exit code %s, expected %s\n' "$code" "$expected" >&2
        exit 1
    fi
    [ "$code" = 0 ] || printf '(exit code %s)\n' "$code"
    printf '\n'
}

# The last output must say this.
says() {
    if ! grep -q -e "$1" "$scratch/output"; then
        printf 'demo: the output does not say "%s"\n' "$1" >&2
        exit 1
    fi
}

title 'What a kernel driver saved: a card with two serial ports'
step 0 "transire inspect $stream"
says nr_ports
says well-formed

title 'A target with two ports takes it'
step 0 "transire verify $stream --target demo/two-ports.toml"
says compatible

title 'A target with one port does not, and this is why'
step 1 "transire verify $stream --target demo/one-port.toml"
says incompatible
says nr_ports.not-equal

title 'Sealed: the same stream with the profile of its source, checksums, a digest and an end'
step 0 "transire seal --profile demo/two-ports.toml < $stream > $sealed"

title 'Through the gate: the verdict first, then the payload, byte for byte'
step 0 "transire gate --target demo/two-ports.toml < $sealed > $arrived"
says compatible
step 0 "cmp $stream $arrived && echo the same"

title 'One bit flipped on the way: refused, with the offset, and nothing is delivered'
# Byte 186 is payload: the first of the card's second port.
flip='import sys; from pathlib import Path; sealed, damaged = map(Path, sys.argv[1:])
stream = bytearray(sealed.read_bytes()); stream[186] ^= 1; damaged.write_bytes(stream)'
step 0 "python -c '$flip' $sealed $damaged"
step 4 "transire gate --target demo/two-ports.toml < $damaged > $arrived"
says 'frame.crc'
says 'at offset'
step 0 "test ! -s $arrived && echo nothing was delivered"
