#!/usr/bin/env bash
# Install what only the tests need and Debian has: RabbitMQ and a container engine. Does nothing when
# all is there; two at once wait for each other. No service is started: the tests run their own.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/say.sh
. scripts/say.sh

policy=/usr/sbin/policy-rc.d

missing() {
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || echo rabbitmq-server
  command -v podman >/dev/null || echo podman
  command -v crun >/dev/null || echo crun
  [ -x /bin/busybox ] || echo busybox-static
}

[ -n "$(missing)" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  fail "Not installed, and some tests need it: $(missing | xargs)." \
    "Install it (Debian: sudo apt install $(missing | xargs); no service need run)."
fi

exec 9>"${TMPDIR:-/tmp}/hrsi-test-packages.lock"
flock 9
packages=$(missing | xargs)
[ -n "$packages" ] || exit 0

say "installing $packages for the tests"
# A package's service is started when it is installed, unless this file says no.
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt() {
  apt-get -qq -o DPkg::Lock::Timeout=200 -o Acquire::Retries=3 "$@"
}
apt update || say "the lists of packages could not be renewed; the old ones are used"
# shellcheck disable=SC2086  # several names
apt install -y --no-install-recommends -o Dpkg::Use-Pty=0 $packages >/dev/null ||
  fail "apt could not install $packages." "See apt's lines above, then run the tests again."
