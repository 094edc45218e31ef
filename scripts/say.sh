# shellcheck shell=bash
# Sourced by the other scripts: one way to tell people what happens and what went wrong.

say() {
  printf '==> %s\n' "$*" >&2
}

# fail WHAT-HAPPENED WHAT-TO-DO...: print both and stop.
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  printf '       %s\n' "$@" >&2
  exit 1
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq &&
    apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
}
