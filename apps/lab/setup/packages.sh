#!/bin/sh
# Installs the Debian packages that the lab and the tests need, only those that are absent.
# An Open vSwitch that runs already is left as it is; one that comes with the installation is not started: every node of the lab has its own.
set -eu
wanted="openvswitch-switch ethtool nftables iproute2 iputils-ping openssl procps curl containernetworking-plugins iptables"
# A test checks the shell scripts and the Vagrantfile where these are there (half a minute, 90 MB); nothing else needs them.
[ -z "${CI:-}" ] || wanted="$wanted shellcheck vagrant vagrant-libvirt"

command -v dpkg-query >/dev/null || {
  echo "This is no Debian; make sure that these are there: $wanted" >&2
  exit 0
}
missing=
for package in $wanted; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || {
  echo "missing Debian packages:$missing; run as root, or: sudo apt-get install$missing" >&2
  exit 1
}

echo "Installing Debian packages:$missing"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM HUP
  # Asked by Debian's maintainer scripts before they start a service; 101 means "not allowed".
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
install() { apt-get install -y -q --no-install-recommends $missing; }
# The package lists may be absent or old on a fresh machine.
install || { apt-get update -q && install; }
