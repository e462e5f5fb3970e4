#!/bin/sh
# Installs the Debian packages of commands that are missing: install-packages.sh COMMAND:PACKAGE...
# No service is started by it: the lab runs its own daemons, and a service that cannot start would fail the installation.
set -eu
PATH=$PATH:/usr/sbin:/sbin

packages=
for pair in "$@"; do
  command -v "${pair%%:*}" >/dev/null || packages="$packages ${pair#*:}"
done
[ -n "$packages" ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "root is needed to install:$packages" >&2
  exit 1
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $packages
