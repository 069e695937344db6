#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# report_test.sh — a page and a plot of two figures.
set -euo pipefail
work=$(mktemp -d "${TMPDIR:-/tmp}/haul-report.XXXXXX")
trap 'rm -rf "$work"' EXIT
cat >"$work/results.json" <<'END'
{"machine": {"commit": "abc", "date": "today", "cores": 2, "cpu": "some", "memory_mib": 1, "kernel": "k",
  "file_system": "f", "rocksdb": "r", "compiler": "c", "load": "0", "pairs": 2, "quick": false},
 "results": [
  {"section": "tcp", "name": "a <b> & c", "unit": "GB/s", "value": 3, "runs": [2.5, 3], "other": 4,
   "other_runs": [4, 4.5], "other_name": "iperf3", "ratio": 0.75, "target": 0.9, "better": "more", "met": false},
  {"section": "live", "name": "pause", "unit": "ms", "value": 7, "runs": [7], "ratio": null, "target": 50,
   "better": "less", "met": true}]}
END
"$(dirname "${BASH_SOURCE[0]}")/report.sh" "$work/results.json" "$work/out"
grep -q 'a &lt;b&gt; &amp; c' "$work/out/report.html"
grep -q '<td>missed</td>' "$work/out/report.html"
grep -q '<td>met</td>' "$work/out/report.html"
grep -q '<svg' "$work/out/tcp.svg"
grep -q iperf3 "$work/out/tcp.svg"
[[ ! -e $work/out/live.svg ]] # milliseconds are not a speed
grep -q 'pause' "$work/out/report.html"
