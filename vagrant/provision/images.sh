#!/bin/sh
# Builds the container images from the working copy, gives them to this machine's containerd, and serves them to the workers.
# May be run again: what has not changed comes from buildah's layers.
set -eu
: "${CONTROL_ADDRESS:?}"
folder=/var/lib/heddle-images
port=8099

DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends buildah mmdebstrap python3
/heddle/deploy/images/build.sh
mkdir -p $folder
for name in controller agent; do
  rm -f "$folder/$name.tar.new"
  buildah push --quiet "localhost/heddle-$name:0.1.0" "docker-archive:$folder/$name.tar.new:localhost/heddle-$name:0.1.0"
  mv "$folder/$name.tar.new" "$folder/$name.tar"
  ctr --namespace k8s.io images import "$folder/$name.tar"
done

cat >/etc/systemd/system/heddle-images.service <<UNIT
[Unit]
Description=Container images for the workers of this lab
After=network-online.target
[Service]
ExecStart=/usr/bin/python3 -m http.server $port --bind $CONTROL_ADDRESS --directory $folder
DynamicUser=yes
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --quiet heddle-images
systemctl restart heddle-images
