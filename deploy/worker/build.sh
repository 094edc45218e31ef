#!/bin/bash
# Builds packages.tar.gz: this program and what it needs on a worker, each checked against the lock.
# Run it with the Python of the workers (its minor version), put the file where the template can
# fetch it, and give tools/worker_image.py its address and SHA-256.
#   deploy/worker/build.sh [FILE]
set -euo pipefail
file=$(realpath "${1:-packages.tar.gz}")
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/packages"
"$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/packages" .
"$python" -m tools.worker_packages > "$work/wanted.txt"
"$python" -m pip download --quiet --require-hashes --only-binary :all: \
  --dest "$work/packages" --requirement "$work/wanted.txt"
tar --create --gzip --file "$file" --directory "$work" packages
sha256sum "$file"
