# Makes, runs and removes one throwaway cluster. Lives exactly as long as its
# standard input stays open: however backstop ends (kill -9 included), the pipe
# closes, the server is stopped and the directory removed.
#
# supervise BIN BASE ENCODING SUPERUSER HOST_AUTH LOCALE... -- POSTGRES_OPTION...
# The superuser's password is the first line of standard input.
# Exit: 2 no directory, 3 initdb failed, 4 the server ended; the log's tail is
# printed first.
set -u
umask 077
# Only the end of standard input ends us. HUP: the system sends it to a group
# whose leader's parent is gone. PIPE: the shell tells how a killed child ended
# to a reader that is gone as well.
trap '' HUP INT TERM PIPE
exec 2>&1 3<&0 </dev/null
bin=$1 base=$2 encoding=$3 superuser=$4 host_auth=$5
shift 5
IFS= read -r password <&3 || exit 2
mkdir -- "$base" || exit 2
log=$base/log

leave() {
    # Less than a pipe takes, since nobody may be reading.
    tail -n 20 "$log" | tail -c 8000
    rm -rf -- "$base"
    exit "$1"
}

printf '%s\n' "$password" >"$base/password"
locale=
for argument; do
    shift
    [ "$argument" = -- ] && break
    [ -z "$locale" ] || continue
    if "$bin/initdb" --pgdata="$base/data" --no-sync --encoding="$encoding" --locale="$argument" \
        --lc-messages=C --username="$superuser" --pwfile="$base/password" \
        --auth-local=trust --auth-host="$host_auth" >"$log" 2>&1; then
        locale=$argument
    else
        # The next locale helps only where this one was the trouble.
        grep -q -e 'invalid locale' -e 'encoding mismatch' "$log" || leave 3
    fi
done
rm -f -- "$base/password"
[ -n "$locale" ] || leave 3

"$bin/postgres" -D "$base/data" "$@" >"$log" 2>&1 3<&- &
server=$!
{
    # Read by the shell itself, so that no process of ours outlives the server.
    while IFS= read -r _ <&3; do :; done
    # Immediate shutdown: nothing in there is worth a checkpoint. Again and
    # again, because a server that has just begun still ignores it.
    while kill -QUIT "$server"; do sleep 0.2; done
} >/dev/null 2>&1 &
watch=$!
wait "$server"
kill -KILL "$watch" 2>/dev/null
leave 4
