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

# Whether the account that throwaway servers run as can get at a directory.
# Only root runs them as somebody else.
servers_reach() {
    [ "$(id -u)" -eq 0 ] || return 0
    local account
    account=$(id -un nobody 2>/dev/null || echo postgres)
    as_root runuser -u "$account" -- test -r "$1" -a -x "$1" 2>/dev/null
}
