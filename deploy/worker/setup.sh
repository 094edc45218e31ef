#!/bin/bash
# Makes of a new server the template that the image of workers is made of; cloud-init runs it once.
# Its last line on the console is what the pool waits for before it makes the image.
set -euo pipefail
exec > >(tee /dev/console) 2>&1
trap 'echo "init_instance_failed at line $LINENO: $BASH_COMMAND"' ERR

# shellcheck source=/dev/null
. /etc/hrsi/build.env

fetch() { # URL SHA256 FILE
  curl --fail --silent --show-error --location --retry 5 --output "$3" "$1"
  echo "$2  $3" | sha256sum --check --quiet
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends ca-certificates curl docker.io python3-venv unzip

fetch "$NOMAD_URL" "$NOMAD_SHA256" "$work/nomad.zip"
unzip -o -q "$work/nomad.zip" nomad -d /usr/local/bin
chmod 0755 /usr/local/bin/nomad

fetch "$PACKAGES_URL" "$PACKAGES_SHA256" "$work/packages.tar.gz"
tar --extract --gzip --no-same-owner --file "$work/packages.tar.gz" --directory "$work"
python3 -m venv /opt/hrsi
/opt/hrsi/bin/pip install --no-index --find-links "$work/packages" hrsi-controller
/opt/hrsi/bin/python -c 'import sys; assert sys.version_info >= (3, 11), sys.version'

# Enabled, not started: the client of the template itself joins nothing.
systemctl daemon-reload
systemctl enable docker.service hrsi-node.service nomad.service
rm -f /etc/nomad.d/hrsi.json
sync
echo init_instance_finished_with_success
