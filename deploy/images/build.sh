#!/bin/sh
# Builds the two container images with buildah, for the machine's own architecture:
#   deploy/images/build.sh [controller] [agent]
#   BASE       the image to start from (default: docker.io/library/debian:12-slim if it can be had, else one made by base.sh)
#   REGISTRY   first part of the names (default localhost)
#   VERSION    tag (default: that of package.json)
# Certificates in /usr/local/share/ca-certificates are trusted while it builds.
set -eu
cd "$(dirname "$0")/../.."
command -v buildah >/dev/null || { echo "build.sh: buildah is missing; apt-get install buildah" >&2; exit 1; }
registry=${REGISTRY:-localhost}
version=${VERSION:-$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)}

base=${BASE:-}
if [ -z "$base" ]; then
  base=docker.io/library/debian:12-slim
  buildah pull --quiet --policy missing "$base" >/dev/null 2>&1 || {
    base=localhost/heddle-base
    buildah inspect --type image "$base" >/dev/null 2>&1 || deploy/images/base.sh "$base"
  }
fi

[ $# -gt 0 ] || set -- controller agent
for name; do
  echo "Building $registry/heddle-$name:$version from $base"
  # chroot: needs no user namespaces and no runtime, so that it works inside of containers too.
  buildah build --isolation chroot --layers --pull-never --build-arg "BASE=$base" --ignorefile .dockerignore \
    --volume /usr/local/share/ca-certificates:/usr/local/share/ca-certificates:ro \
    --file "deploy/images/$name.Containerfile" --tag "$registry/heddle-$name:$version" .
done
buildah images | grep -E "^(REPOSITORY|$registry/heddle-)"
