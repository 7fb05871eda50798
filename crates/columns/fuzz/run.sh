#!/usr/bin/env bash
# Runs every fuzz target for a while: run.sh [seconds per target] [target...]. Linux x64, stable Rust.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-30}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(append_traces append_metrics append_logs json encode steps otap)
fixtures=../../../test/fixtures

for signal in traces metrics logs; do
  mkdir -p "corpus/append_$signal"
  cp "$fixtures/$signal"-*.binpb "corpus/append_$signal/"
done
mkdir -p corpus/json corpus/encode corpus/steps corpus/otap
# The signal, then each batch behind its length in four bytes, the lowest first.
batch() {
  local size
  size=$(wc -c <"$1")
  printf '%b' "$(printf '\\0%03o\\0%03o\\0%03o\\0%03o' $((size & 255)) $((size >> 8 & 255)) $((size >> 16 & 255)) $((size >> 24)))"
  cat "$1"
}
for signal in 0:traces 1:metrics 2:logs; do
  for step in initial reuse; do
    { printf '%b' "\\000${signal%%:*}" && batch "$fixtures/otap/${signal##*:}-initial.bar" && { [ $step = initial ] || batch "$fixtures/otap/${signal##*:}-reuse.bar"; }; } \
      >"corpus/otap/${signal##*:}-$step"
  done
done
{ printf '%b' '\0002' && batch "$fixtures/otap/logs-zstd.bar"; } >corpus/otap/logs-zstd
for file in "$fixtures"/*.request.json; do
  name=$(basename "$file")
  case $name in traces-*) first=0 ;; metrics-*) first=1 ;; *) first=2 ;; esac
  # The first byte chooses the signal: '0', '1' and '2' are 48, 49 and 50, multiples of three and on.
  { printf '%s' "$first"; cat "$file"; } >"corpus/json/$name"
done
printf '%s\n' 'si' '{"a":1}' '{"s":{"@bytes":"/w=="}}' 'server' 'di' '{"m":[1.5,{"@double":"NaN"}]}' '{}' 'SsD' 'text' 's' '{"@@x":null}' '{}' >corpus/encode/columns
# Lengths of text and bytes, these two, and steps: a key, an attribute with a text, and two messages around some bytes.
printf '%b' '\0001\0006\0000\0000' 'keytxt' '\0005\0140\0000\0000' '\0107\0011\0000\0000\0003\0000\0000\0000' >corpus/steps/attribute
printf '%b' '\0001\0000\0000\0002' 'ab' '\0100\0001\0000\0000' '\0100\0002\0000\0000' '\0123\0103\0000\0000' '\0001\0000\0000\0000' '\0001\0000\0000\0000' >corpus/steps/messages
grep -oE '(one|many|optional|member)\("[a-zA-Z]+"' ../src/json/table.rs | sed -E 's/.*"(.*)"/"\\"\1\\":"/' | sort -u >json.dict

export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
target=x86_64-unknown-linux-gnu
cargo build --quiet --release --target "$target"
for name in "${targets[@]}"; do
  extra=()
  [ "$name" != json ] || extra=(-dict=json.dict)
  mkdir -p "artifacts/$name"
  echo "== $name"
  # 512 MB for inputs of 64 KiB: columns may take 8 MiB here. One input may take ten seconds, on a busy machine too.
  "target/$target/release/$name" "corpus/$name" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=512 -timeout=10 \
    -artifact_prefix="artifacts/$name/" -print_final_stats=1 "${extra[@]}" 2>&1 | grep -vE '^(#[0-9]+\s+(NEW|REDUCE|pulse|RELOAD)|"|#{3,})' | tail -n 25
done
