#!/bin/sh
# Installs what the tests run on real, from Debian's own packages: PostgreSQL,
# and the ACME clients lego and certbot. Harmless to repeat. Tests start their
# own server from PostgreSQL's binaries (internal/store/pgtest), so the cluster
# that the package would make is not wanted: nothing is started here, and
# nothing listens. The certbot package brings a timer of its own, which has
# nothing to renew: the tests keep their accounts in temporary folders.
set -eu

say() { printf '%s\n' "install-servers: $*"; }

# The same search as internal/store/pgtest.
initdb() {
    found=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1 || true)
    [ -n "$found" ] || found=$(command -v initdb || true)
    [ -n "$found" ]
}

missing=
if initdb; then say "PostgreSQL is here: $("$found" --version)"; else missing="postgresql"; fi
for client in lego certbot; do
    if command -v "$client" >/dev/null; then say "$client is here"; else missing="$missing $client"; fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    say "############################################################"
    say "missing: $missing; only root may install packages."
    say "Tests that need them will be SKIPPED (and fail under CI=true)."
    say "As root: apt-get install --no-install-recommends $missing"
    say "############################################################"
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    say "no apt-get on this system; install by its own means: $missing"
    exit 0
fi

# Debian would create and start a cluster on port 5432; we bring our own.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' > /etc/postgresql-common/createcluster.conf
    say "wrote /etc/postgresql-common/createcluster.conf: no cluster at installation"
fi
export DEBIAN_FRONTEND=noninteractive
say "apt-get update"
apt-get update -qq
say "apt-get install $missing"
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing
initdb && say "PostgreSQL is here: $("$found" --version)"
