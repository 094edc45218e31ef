#!/usr/bin/env bash
# Install RabbitMQ (Debian's package) where it is missing. Nothing is started: the tests run a
# private broker of their own. Does nothing when it is there; two at once wait for each other.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/say.sh
. scripts/say.sh

server=/usr/lib/rabbitmq/bin/rabbitmq-server
policy=/usr/sbin/policy-rc.d

[ ! -x "$server" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  fail "RabbitMQ is not installed ($server is missing)." \
    "Install it (Debian: sudo apt install rabbitmq-server; its service need not run)."
fi

exec 9>"${TMPDIR:-/tmp}/hrsi-rabbitmq-install.lock"
flock 9
[ ! -x "$server" ] || exit 0

say "installing RabbitMQ for the tests"
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
apt install -y --no-install-recommends -o Dpkg::Use-Pty=0 rabbitmq-server >/dev/null ||
  fail "apt could not install rabbitmq-server." "See apt's lines above, then run the tests again."
