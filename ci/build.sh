#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build.sh — configures and builds.
#   ci/build.sh [DIR] [--target NAME] [CMAKE FLAG...]
#     DIR     $HAUL_BUILD_DIR or build/ in the repository by default
#     NAME    only this target
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

directory=$build target=all
if (($#)) && [[ $1 != -* ]]; then
    directory=$1
    shift
fi
if (($# > 1)) && [[ $1 == --target ]]; then
    target=$2
    shift 2
fi
mkdir -p "$directory"
log=$directory/build.log
if ! { cmake -S "$root" -B "$directory" "$@" && cmake --build "$directory" -j "$jobs" --target "$target"; } \
        >"$log" 2>&1; then
    grep -E -A 5 'error|Error|undefined reference' "$log" | head -n 60 >&2 || tail -n 40 "$log" >&2
    die "the build failed; all of its output is in $log"
fi
