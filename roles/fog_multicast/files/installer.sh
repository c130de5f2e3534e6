# shellcheck shell=sh
# Run FOG's installer ($1) unattended and print the end of what it said. It prints passwords, and none of those that are in
# .fogsettings ($2) before or after it may leave the host. Ends with the installer's code, 126 or 127 when it was not started.

# What it says goes to a file: a daemon that it starts would keep a pipe open for ever. The files lose their names at once,
# so that nothing is left behind however this ends.
said=$(mktemp) || exit 126
exec 3> "$said"
exec 4< "$said"
rm -f "$said"
known=$(mktemp) || exit 126
exec 5> "$known"
exec 6< "$known"
rm -f "$known"

cat "$2" >&5 2> /dev/null
"$1" -Y < /dev/null >&3 2>&1 3>&- 4<&- 5>&- 6<&-
code=$?
cat "$2" >&5 2> /dev/null

awk '
function hidden(line, secret,    at, done) {
    while ((at = index(line, secret)) > 0) {
        done = done substr(line, 1, at - 1) "(hidden)"
        line = substr(line, at + length(secret))
    }
    return done line
}
# The longest first, because one may be a part of another. One of less than five letters would tear other words apart.
function remember(secret,    place) {
    if (length(secret) < 5) return
    for (place = secrets++; place > 0 && length(secret) > length(list[place]); place--) list[place + 1] = list[place]
    list[place + 1] = secret
}
FILENAME == "/dev/fd/6" {
    name = value = $0
    sub(/=.*/, "", name)
    if (tolower(name) !~ /pass|secret|token/ || !sub(/^[^=]*=[ \t]*/, "", value)) next
    sub(/[ \t\r]+$/, "", value)
    count = split(value, parts, /[\047"]/)
    for (part = 1; part <= count; part++) remember(parts[part])
    next
}
{
    lines[++last] = $0
    delete lines[last - 30]
}
END {
    for (number = last > 30 ? last - 29 : 1; number <= last; number++) {
        line = lines[number]
        for (place = 1; place <= secrets; place++) line = hidden(line, list[place])
        print line
    }
}
' /dev/fd/6 /dev/fd/4
exit "$code"
