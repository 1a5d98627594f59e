#!/bin/sh
# Makes the base of the container images from Debian's packages alone, for machines that reach no image registry, and gives it
# the name that is handed in as BASE. Where debian:12-slim can be pulled this is not needed.
#   deploy/images/base.sh localhost/heddle-base
# Needs root, mmdebstrap and buildah.
set -eu
name=${1:?usage: base.sh NAME}
suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
security=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}

for program in mmdebstrap buildah; do
  command -v "$program" >/dev/null || { echo "base.sh: $program is missing; apt-get install $program" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

# What the slim images of Debian leave out too: nobody reads manuals in a container.
mmdebstrap --quiet --variant=minbase --include=ca-certificates \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
  "$suite" "$work/rootfs.tar" \
  "deb $mirror $suite main" "deb $mirror $suite-updates main" "deb $security $suite-security main"

container=$(buildah from scratch)
trap 'buildah rm "$container" >/dev/null; rm -rf "$work"' EXIT
buildah add --quiet "$container" "$work/rootfs.tar" / >/dev/null
buildah config --cmd /bin/bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --quiet "$container" "$name" >/dev/null
echo "made $name"
