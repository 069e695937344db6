#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# report.sh — makes one page with plots from a JSON document of ci/bench.sh.
#   tests/bench/report.sh RESULTS.json DIRECTORY
# Writes DIRECTORY/report.html, and its plots: DIRECTORY/SECTION.svg (gnuplot), bars of medians with
# the lowest and the highest run.
set -euo pipefail
(($# == 2)) || { sed -n '4,6s/^# \{0,3\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
results=$1 directory=$2
mkdir -p "$directory"

# plot SECTION UNIT-REGEX: every figure with its spread, and what it is compared with.
plot() {
    local section=$1 data=$directory/$1.data
    jq -r --arg section "$section" 'def spread: [min, max] | map(tostring);
        .results[] | select(.section == $section) | select(.unit == "GB/s" or .unit == "GB per CPU second")
        | ([.name, "haul", .value] + ((.runs // [.value]) | spread)),
          (if .other then [.name, .other_name, .other] + ((.other_runs // [.other]) | spread) else empty end)
        | @tsv' "$results" >"$data"
    echo "<h2>$section</h2>"
    if [[ ! -s $data ]]; then
        rm -f "$data"
        table "$section"
        return
    fi
    local rows
    rows=$(wc -l <"$data")
    gnuplot <<END
set terminal svg size 900,$((90 + 24 * rows)) font 'sans,11' background 'white'
set output '$directory/$section.svg'
set datafile separator '\t'
set title '$section: medians, lowest and highest run'
set style fill solid 0.8
set xrange [0:*]
set xlabel 'GB/s, or GB per CPU second'
set yrange [$rows:-1]
set ytics font ',10'
set grid xtics
unset key
plot '$data' using (\$3/2):0:(\$3/2):(0.36):((strcol(2) eq 'haul') ? 0x2f6f9f : 0xb0b0b0):yticlabels(stringcolumn(1).': '.stringcolumn(2)) with boxxyerror linecolor rgb variable, \\
     '$data' using 3:0:4:5 with xerrorbars linecolor rgb '#000000' pointtype 0
END
    rm -f "$data"
    echo "<img src=\"$section.svg\" alt=\"$section\">"
    table "$section"
}

table() {
    echo '<table><tr><th>measured</th><th>haul</th><th>runs</th><th>against</th><th>runs</th><th>ratio</th><th>target</th><th></th><th>CPU s/GB source, target</th><th>wire bytes</th><th>peak MiB</th></tr>'
    jq -r --arg section "$1" 'def short: if . == null then "" else (. * 1000 | round) / 1000 end;
        def list: (. // []) | map(short | tostring) | join(" ");
        .results[] | select(.section == $section)
        | [.name + " [" + .unit + "]", (.value | short), (.runs | list),
           (if .other then "\(.other | short) \(.other_name)" else "" end), (.other_runs | list),
           (.ratio | short),
           (if .target == null then "" elif .better == "more" then "≥ \(.target)" else "≤ \(.target)" end),
           (if .met == null then "" elif .met then "met" else "missed" end),
           (if .source_cpu_seconds_per_gb then "\(.source_cpu_seconds_per_gb | short), \(.target_cpu_seconds_per_gb | short)" else "" end),
           (.wire_bytes // ""), (.peak_mib // "" | if type == "array" then join(", ") else . end)]
        | "<tr>" + (map("<td>" + (tostring | @html) + "</td>") | join("")) + "</tr>"' "$results"
    echo '</table>'
}

{
    echo '<!doctype html><meta charset="utf-8"><title>haul: measured</title>'
    echo '<style>body{font:14px sans-serif;max-width:75em;margin:2em auto}td,th{padding:2px 8px;text-align:left;border-bottom:1px solid #ddd}table{border-collapse:collapse;font-size:12px}</style>'
    echo '<h1>haul: measured</h1><p>'
    jq -r '.machine | "haul \(.commit), \(.date)<br>\(.cores) x \(.cpu), \(.memory_mib) MiB, \(.kernel), data on \(.file_system)<br>RocksDB \(.rocksdb), \(.compiler)<br>load before \(.load); \(.pairs) runs a side, in turn; medians"
        + (if .quick then "<br><b>--quick: shows that it works, not how fast it is</b>" else "" end)' "$results"
    echo '</p>'
    while read -r section; do plot "$section"; done < <(jq -r '[.results[].section] | unique | .[]' "$results")
} >"$directory/report.html"
