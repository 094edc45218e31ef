#!/usr/bin/env bash
# Make .venv hold exactly what requirements.lock names, and this project. Does nothing when it does.
#
# PYTHON=python3.12 chooses the interpreter; without it the first of python3, python3.13,
# python3.12 and python3.11 that is new enough is taken.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/say.sh
. scripts/say.sh

venv=.venv
stamp=$venv/.setup-done

wanted() {
  cksum requirements.lock pyproject.toml scripts/setup.sh
}

# An environment that was copied or moved still runs the commands of the place it came from, and
# one whose interpreter was removed runs nothing.
is_usable() {
  [ "$(cat $venv/.made-in 2>/dev/null)" = "$PWD" ] &&
    { [ -z "${PYTHON:-}" ] || [ "$(cat $venv/.made-with)" = "$PYTHON" ]; } &&
    $venv/bin/python -c 'import pip' 2>/dev/null
}

is_current() {
  [ "$(cat $stamp 2>/dev/null)" = "$(wanted)" ] && is_usable
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  if [ -n "${PYTHON:-}" ]; then
    fail "PYTHON=$PYTHON is no Python 3.11 or newer." "Name one that is, or leave PYTHON out."
  fi
  fail "No Python 3.11 or newer was found (python3, python3.13, python3.12, python3.11)." \
    "Install one (Debian: apt install python3), or name one: make setup PYTHON=/path/to/python3"
}

# Debian ships Python without the part that puts pip into a new environment.
ensure_venv_module() {
  local python=$1 package
  "$python" -c 'import ensurepip, venv' 2>/dev/null && return
  package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    fail "$python cannot make virtual environments: its module ensurepip is missing." \
      "Install it (Debian: sudo apt install $package), then run 'make setup' again."
  fi
  say "installing $package, which Debian splits from Python"
  apt_install "$package" || fail "apt could not install $package." \
    "See apt's lines above; once it is installed, run 'make setup' again."
}

make_venv() {
  local python
  python=$(find_python)
  ensure_venv_module "$python"
  say "making $venv with $("$python" --version) ($python)"
  "$python" -m venv --clear $venv
  echo "${PYTHON:-$python}" >$venv/.made-with
  echo "$PWD" >$venv/.made-in
}

install_packages() {
  local pip=("$venv/bin/python" -m pip --quiet --no-input --disable-pip-version-check)
  say "installing the packages of requirements.lock"
  # Wheels only: building one from source would fetch build tools that the lock does not name.
  "${pip[@]}" install --require-hashes --only-binary=:all: --requirement requirements.lock ||
    fail "The packages of requirements.lock could not be installed." \
      "See pip's lines above. Without network nothing can be fetched; for a Python too new for" \
      "a package, name another: make setup PYTHON=python3.12"
  "${pip[@]}" install --no-deps --no-build-isolation --editable . ||
    fail "The project itself could not be installed." "See pip's lines above, most likely" \
      "a mistake in pyproject.toml."
}

is_current && exit 0
# Two setups in one checkout take turns; the second then finds nothing to do.
exec 9>.setup.lock
if command -v flock >/dev/null; then flock 9; fi
is_current && exit 0
is_usable || make_venv
install_packages
wanted >$stamp
say "ready: $($venv/bin/python --version) in $venv"
