#!/bin/sh
# Tests the installed library, as a program outside this tree meets it: `make capi` calls it.
#
#     run.sh PREFIX STAGED SCRATCH
#
# PREFIX is where `make install-capi` has put it, STAGED a DESTDIR where it did so for /usr with libraries in
# /usr/lib64, SCRATCH an empty folder. What is not there is named and left out; with TRANSIRE_CAPI_ALL=1, as in CI, that
# fails.
set -eu
prefix=$1
staged=$2
scratch=$3
cd "$(dirname "$0")/.."
fixtures=../../fixtures/mtty
missing=

there() { # PROGRAM PACKAGE: whether it can be run
    if command -v "$1" >/dev/null; then
        return 0
    fi
    echo "missing: $1 (on Debian: apt install $2); what it would test is left out"
    missing="$missing $1"
    return 1
}

say() {
    printf '%s\n' "-- $*"
}

for program in cc pkg-config nm readelf; do
    command -v "$program" >/dev/null || {
        echo "missing: $program (on Debian: apt install gcc libc6-dev pkg-config binutils)" >&2
        exit 1
    }
done

say 'the exported symbols and the name of the library are the recorded ones'
nm -D --defined-only "$prefix/lib/libtransire.so" | awk '{ print $3 }' | LC_ALL=C sort >"$scratch/exported"
sed -n 's/^function .*[ *]\(transire_[a-z_]*\)(.*/\1/p' abi.txt | LC_ALL=C sort | diff - "$scratch/exported"
major=$(sed -n 's/^constant TRANSIRE_ABI_MAJOR //p' abi.txt)
minor=$(sed -n 's/^constant TRANSIRE_ABI_MINOR //p' abi.txt)
readelf -d "$prefix/lib/libtransire.so" | grep -qF "Library soname: [libtransire.so.$major]"
[ "$(readlink -f "$prefix/lib/libtransire.so")" = "$(readlink -f "$prefix/lib")/libtransire.so.$major.$minor" ]
[ "$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --variable=abi transire)" = "$major.$minor" ]

say 'the header is clean C99 and C++11, and says nothing to any warning'
printf '#include <transire.h>\n#include <transire.h>\nint main(void) { return transire_abi_version() == 7; }\n' >"$scratch/only.c"
cp "$scratch/only.c" "$scratch/only.cpp"
strict='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'
for compiler in 'cc c99 c gcc' 'gcc c99 c gcc' 'clang c99 c clang' 'g++ c++11 cpp g++' 'clang++ c++11 cpp clang'; do
    # shellcheck disable=SC2086  # four words
    set -- $compiler
    # shellcheck disable=SC2086  # one word an option
    if there "$1" "$4"; then
        "$1" "-std=$2" $strict -I"$prefix/include" -c "$scratch/only.$3" -o "$scratch/only.o"
    fi
done

say 'an installation below DESTDIR is found as packagers look for it'
# shellcheck disable=SC2046  # one word an option
cc "$scratch/only.c" -o "$scratch/only" $(
    PKG_CONFIG_SYSROOT_DIR=$staged PKG_CONFIG_LIBDIR=$staged/usr/lib64/pkgconfig pkg-config --cflags --libs transire
)
LD_LIBRARY_PATH=$staged/usr/lib64 "$scratch/only"

# How a program outside finds the library. The programs below are built in this way and in no other.
PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export PKG_CONFIG_PATH
flags="-std=c99 -Wall -Wextra -Wpedantic -Werror -g -O1"
shared=$(pkg-config --cflags --libs transire)
# libtransire.a by its name: the shared library stands beside it.
static="$(pkg-config --cflags transire) $(pkg-config --variable=libdir transire)/libtransire.a $(
    pkg-config --static --libs-only-l transire | sed 's/-ltransire//'
)"
LD_LIBRARY_PATH=$prefix/lib
export LD_LIBRARY_PATH

# shellcheck disable=SC2086  # one word an option, here and below
{
    say 'every function, linked to the shared library'
    cc $flags tests/functions.c -o "$scratch/functions" $shared -pthread
    "$scratch/functions" $fixtures

    say 'every function where there is no memory'
    "$scratch/functions" $fixtures memory

    if there valgrind valgrind; then
        say 'every function under valgrind'
        valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=all --show-leak-kinds=all \
            "$scratch/functions" $fixtures
    fi

    for compiler in gcc clang; do
        if there $compiler $compiler; then
            say "every function, linked to the static library, under the sanitizers of $compiler"
            $compiler $flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
                tests/functions.c -o "$scratch/functions-$compiler" $static
            "$scratch/functions-$compiler" $fixtures
        fi
    done

    say 'the example, each of its runs, with the documented exit code'
    cc $flags examples/migrate.c -o "$scratch/migrate" $shared
    cc $flags -fsanitize=address,undefined -fno-sanitize-recover=all examples/migrate.c -o "$scratch/migrate-static" $static
}
for run in 'good 0' 'refused 1' 'aborted 5' 'cut 5'; do
    for program in migrate migrate-static; do
        code=0
        timeout 60 "$scratch/$program" "${run% *}" $fixtures/precopy >"$scratch/said" || code=$?
        if [ $code != "${run#* }" ]; then
            cat "$scratch/said"
            echo "migrate ${run% *}: exit code $code, expected ${run#* }" >&2
            exit 1
        fi
    done
    cat "$scratch/said"
    # What is printed is what is kept beside the program.
    diff "examples/migrate.${run% *}.txt" "$scratch/said"
done
if command -v valgrind >/dev/null; then
    say 'the example under valgrind'
    for run in good refused aborted cut; do
        code=0
        valgrind --quiet --error-exitcode=9 --leak-check=full \
            "$scratch/migrate" $run $fixtures/precopy >"$scratch/said" || code=$?
        [ $code != 9 ]
        diff "examples/migrate.$run.txt" "$scratch/said"
    done
fi
say 'the example in Rust says the same, with the same exit codes'
for run in 'good 0' 'refused 1' 'aborted 5' 'cut 5'; do
    code=0
    timeout 600 cargo run --locked --quiet --package transire-core --example migrate -- \
        "${run% *}" $fixtures/precopy >"$scratch/said" || code=$?
    [ $code = "${run#* }" ]
    diff "examples/migrate.${run% *}.txt" "$scratch/said"
done
code=0
"$scratch/migrate" 2>/dev/null || code=$?
[ $code = 2 ]

if [ -z "$missing" ]; then
    echo 'the C library: all passed'
else
    echo "the C library: passed, but for what was left out for want of:$missing"
    [ "${TRANSIRE_CAPI_ALL:-0}" != 1 ]
fi
