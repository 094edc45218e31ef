#!/usr/bin/env bash
# Write requirements.lock anew from pyproject.toml: versions and hashes, for Python 3.11 and later.
#
# A package already locked keeps its version unless its name is given: scripts/lock.sh ruff mypy,
# or all are asked for: scripts/lock.sh --upgrade
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/say.sh
. scripts/say.sh

options=()
for argument in "$@"; do
  case $argument in
    -*) options+=("$argument") ;;
    *) options+=(--upgrade-package "$argument") ;;
  esac
done
uv=$(command -v .venv/bin/uv || command -v uv) ||
  fail "uv, which resolves the lock, is not there." "Run 'make setup' first."
say "resolving pyproject.toml into requirements.lock"
# The lock names no index: whoever installs takes the packages from the index that is set up there.
"$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  --no-emit-index-url --no-emit-find-links --all-extras --group dev --group build \
  ${options[@]+"${options[@]}"} --output-file requirements.lock pyproject.toml
if grep -nE '://|--(find-links|index-url|extra-index-url)' requirements.lock >&2; then
  fail "requirements.lock names an address (above)." "Remove it: the lock must hold no address."
fi
say "requirements.lock names $(grep -c '==' requirements.lock) packages"
