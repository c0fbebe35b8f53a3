#!/bin/sh
# Installs what the tests run on real, from Debian's own packages: PostgreSQL,
# and the strangers that must agree with us, OpenSSL and curl. Harmless to
# repeat. Tests start their own server from its binaries (internal/store/pgtest),
# so the cluster that the package would make is not wanted: nothing is started
# here, and nothing listens.
set -eu

say() { printf '%s\n' "install-servers: $*"; }

# The same search as internal/store/pgtest.
initdb() {
    found=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1 || true)
    [ -n "$found" ] || found=$(command -v initdb || true)
    [ -n "$found" ] && printf '%s\n' "$found"
}

missing=
initdb >/dev/null || missing="$missing postgresql"
command -v openssl >/dev/null || missing="$missing openssl"
command -v curl >/dev/null || missing="$missing curl"

if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        say "############################################################"
        say "missing:$missing, and only root may install packages."
        say "Tests that need it will be SKIPPED (and fail under CI=true)."
        say "As root: apt-get install --no-install-recommends$missing"
        say "############################################################"
        exit 0
    fi
    if ! command -v apt-get >/dev/null; then
        say "no apt-get on this system; install by its own means:$missing"
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
    say "apt-get install$missing"
    # shellcheck disable=SC2086 # a list of package names
    apt-get install -y -qq --no-install-recommends $missing
fi
say "PostgreSQL is here: $("$(initdb)" --version)"
say "$(openssl version)"
say "$(curl --version | head -n 1)"
