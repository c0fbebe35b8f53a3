#!/bin/sh
# Installs the real programs that the tests run against: PostgreSQL, and poppler's
# pdfsig as a second opinion on PDF signatures, from Debian's own packages. Harmless to repeat. Tests start their own server from its binaries
# (internal/store/pgtest), so the cluster that the package would make is not
# wanted: nothing is started here, and nothing listens.
set -eu

say() { printf '%s\n' "install-servers: $*"; }

# The same search as internal/store/pgtest.
found=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1 || true)
[ -n "$found" ] || found=$(command -v initdb || true)
missing=
[ -n "$found" ] || missing="postgresql"
command -v pdfsig >/dev/null || missing="$missing poppler-utils"
if [ -z "$missing" ]; then
    say "PostgreSQL is here: $("$found" --version)"
    say "pdfsig is here: $(pdfsig -v 2>&1 | head -n 1)"
    exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
    say "############################################################"
    say "Missing, and only root may install packages: $missing"
    say "Tests that need them will be SKIPPED (and fail under CI=true)."
    say "As root: apt-get install --no-install-recommends $missing"
    say "############################################################"
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    say "no apt-get on this system; install by its own means: PostgreSQL (initdb, pg_ctl), poppler (pdfsig)"
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
# shellcheck disable=SC2086 # a list of packages
apt-get install -y -qq --no-install-recommends $missing
say "installed: $missing"
