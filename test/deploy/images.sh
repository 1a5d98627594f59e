#!/bin/sh
# Runs what deploy/ installs, from the container images, as a kubelet would: every container of the manifests with its own
# user, capabilities, volumes and probes, by an OCI runtime, on a node that is a network namespace. The API server is the small one
# of test/support. Opt-in (`make test-images`), since the images must be built before: `make images`.
# Needs root, and Debian's buildah and crun.
set -eu
cd "$(dirname "$0")/../.."
controller=${HEDDLE_CONTROLLER_IMAGE:-localhost/heddle-controller:0.1.0}
agent=${HEDDLE_AGENT_IMAGE:-localhost/heddle-agent:0.1.0}

if [ "${1:-}" != inside ]; then
  for program in buildah crun nft unshare; do
    command -v "$program" >/dev/null || { echo "skipped: no $program"; exit 0; }
  done
  [ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 0; }
  work=$(mktemp -d)
  containers=
  # shellcheck disable=SC2317 # called by the trap
  clean_up() {
    for c in $containers; do buildah umount "$c" >/dev/null; buildah rm "$c" >/dev/null; done
    rm -rf "$work"
  }
  trap clean_up EXIT
  trap 'exit 1' INT TERM HUP
  for image in controller:"$controller" agent:"$agent"; do
    c=$(buildah from --pull-never "${image#*:}") || { echo "skipped: no image ${image#*:}; make images"; exit 0; }
    containers="$containers $c"
    mkdir "$work/${image%%:*}"
    buildah mount "$c" >"$work/${image%%:*}.path"
  done
  buildah images | grep -E '^(REPOSITORY|localhost/heddle-(agent|controller) )'
  # Mounts, network and processes of this run end with it, whatever happens.
  unshare --mount --propagation private --pid --fork --kill-child --mount-proc sh "$0" inside "$work"
  exit
fi

work=$2
for image in controller agent; do mount --bind "$(cat "$work/$image.path")" "$work/$image"; done
# The folders of the node that hostPaths name, empty and our own.
for dir in /etc /usr/lib; do
  upper=$work$dir.upper
  mkdir -p "$upper/new" "$upper/work"
  mount -t overlay overlay -o "lowerdir=$dir,upperdir=$upper/new,workdir=$upper/work" "$dir"
done
rm -rf /etc/cni
# crun knows no mixture of the two versions of control groups.
[ -f /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
for dir in /run /opt /var/lib; do mount -t tmpfs tmpfs "$dir"; done
mkdir /run/netns
mount --make-shared /run

ip netns add underlay
ip netns add node1
ip link add eth0 netns node1 type veth peer name u1 netns underlay
ip -n underlay link set u1 up
ip -n underlay addr add 172.31.97.254/24 dev u1
ip -n node1 link set lo up
ip -n node1 link set eth0 up
ip -n node1 addr add 172.31.97.1/24 dev eth0
ip -n node1 route add default via 172.31.97.254
# Senders that reach a userspace datapath by a veth must make whole checksums.
ip netns exec underlay ethtool -K u1 tx off >/dev/null 2>&1 || true

HEDDLE_IMAGES=$work exec nsenter --net=/run/netns/node1 node_modules/.bin/node node_modules/vitest/vitest.mjs run --project images
