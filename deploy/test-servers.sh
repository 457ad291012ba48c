#!/usr/bin/env bash
# Makes sure that the real servers which the tests start are on this machine: installs them from Debian's packages where
# it has the right to, and says plainly what will not be tested where it has not. In CI a missing one is a failure.
set -u

declare -A package_of=(
  [mosquitto]=mosquitto
  [mosquitto_pub]=mosquitto-clients
  [postgres]=postgresql
  [influxd]=influxdb
  [chromium]=chromium
)
declare -A tested_by=(
  [mosquitto]="the collector against a real broker"
  [mosquitto_pub]="messages from another client"
  [postgres]="the relational side on PostgreSQL"
  [influxd]="the telemetry store on InfluxDB"
  [chromium]="the pages in a real browser"
)

find_program() {
  command -v "$1" >/dev/null 2>&1 && return 0
  [ -x "/usr/sbin/$1" ] && return 0
  ls /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1
}

has_cjk_font() { ls /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc >/dev/null 2>&1; }

missing_packages() {
  for program in "${!package_of[@]}"; do
    find_program "$program" || echo "${package_of[$program]}"
  done
  has_cjk_font || echo fonts-noto-cjk
}

wanted=$(missing_packages)
if [ -n "$wanted" ] && command -v apt-get >/dev/null 2>&1; then
  as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null && as_root="sudo -n" || as_root="none"
  fi
  if [ "$as_root" != none ]; then
    echo "Installing what the tests start: $(echo $wanted)"
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq >/dev/null 2>&1
    # Their own services must not start: the tests run them on free ports of their own.
    $as_root env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $wanted >/dev/null 2>&1
  fi
fi

failed=0
for program in "${!package_of[@]}"; do
  if ! find_program "$program"; then
    echo "NOT TESTED: ${tested_by[$program]} - '$program' is missing; install the package ${package_of[$program]}" >&2
    failed=1
  fi
done
if [ "$failed" -ne 0 ] && [ "${CI:-}" = true ]; then
  echo "In CI nothing may be left untested." >&2
  exit 1
fi
exit 0
