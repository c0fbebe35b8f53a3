#!/bin/sh
# Installs the real programs that the tests run against, from Debian's own
# packages: PostgreSQL, Chromium, ACME clients, PDF tools, nginx, rsyslog. Harmless to
# repeat. Tests start their own servers on loopback from these binaries
# (internal/store/pgtest); nothing is started here, and nothing listens.
set -eu

say() { printf '%s\n' "install-servers: $*"; }

# have_initdb: the same search as internal/store/pgtest.
have_initdb() { ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1; }

missing=""
need() { # command package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
have_initdb || missing="$missing postgresql"
need chromium chromium
need openssl openssl
need pdfsig poppler-utils
need qpdf qpdf
need curl curl
need gnutls-cli gnutls-bin
need lego lego
need certbot certbot
need python3 python3-minimal
need nginx nginx-light
need systemd-analyze systemd
need rsyslogd "rsyslog rsyslog-gnutls"

# The step CLI is a Go program: CI builds it once, others bring their own. It
# stays in the folder where tests look after PATH.
bin=$(go env GOPATH)/bin
if [ "${CI:-}" = true ] && ! command -v step >/dev/null 2>&1 && ! [ -x "$bin/step" ]; then
    say "go install step v0.30.2 into $bin (minutes, once)"
    GOFLAGS=-mod=mod GOBIN=$bin go install github.com/smallstep/cli/cmd/step@v0.30.2
fi

if [ -z "$missing" ]; then
    say "all programs are here"
    exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
    say "############################################################"
    say "missing:$missing"
    say "Only root may install packages. Tests that need them will be"
    say "SKIPPED (and fail under CI=true). As root:"
    say "apt-get install --no-install-recommends$missing"
    say "############################################################"
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    say "no apt-get on this system; install by its own means:$missing"
    exit 0
fi

# Debian would create and start a cluster on port 5432; we bring our own.
if ! have_initdb && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' > /etc/postgresql-common/createcluster.conf
    say "wrote /etc/postgresql-common/createcluster.conf: no cluster at installation"
fi
# Packages of servers would start them; tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 0755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
say "apt-get update"
apt-get update -qq
say "apt-get install$missing"
# shellcheck disable=SC2086 # a list of package names
apt-get install -y -qq --no-install-recommends $missing
say "done"
