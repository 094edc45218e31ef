# shellcheck shell=bash
# Sourced by the other scripts: one way to tell people what happens and what went wrong.

say() {
  printf '\033[1m==>\033[0m %s\n' "$*" >&2
}

# fail WHAT-HAPPENED WHAT-TO-DO...: print both and stop.
fail() {
  printf '\033[31merror:\033[0m %s\n' "$1" >&2
  shift
  printf '       %s\n' "$@" >&2
  exit 1
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >&2
}
