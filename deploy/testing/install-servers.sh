#!/bin/sh
# Installs the servers that the tests run on real: PostgreSQL, from Debian's own
# packages. Harmless to repeat. Tests start their own server from its binaries
# (internal/store/pgtest), so the cluster that the package would make is not
# wanted: nothing is started here, and nothing listens.
set -eu

say() { printf '%s\n' "install-servers: $*"; }

# The same search as internal/store/pgtest.
found=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1 || true)
[ -n "$found" ] || found=$(command -v initdb || true)
if [ -n "$found" ]; then
    say "PostgreSQL is here: $("$found" --version)"
    exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
    say "############################################################"
    say "PostgreSQL is missing, and only root may install packages."
    say "Tests that need it will be SKIPPED (and fail under CI=true)."
    say "As root: apt-get install --no-install-recommends postgresql"
    say "############################################################"
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    say "no apt-get on this system; install PostgreSQL (initdb, pg_ctl) by its own means"
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
say "apt-get install postgresql"
apt-get install -y -qq --no-install-recommends postgresql
say "PostgreSQL is here: $(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)"
