# One argument is name=value or name>=value, either of them behind a "-". An argument is compared, cut and written. It is never run.
failed=0

complain() {
  echo "$name: $1" >&2
  failed=1
}

# parse takes an argument apart. The path can only be below /proc/sys: no word of a name is empty, and none consists of dots.
parse() {
  name=$1 optional= operator="="
  case "$name" in -*) optional=yes name=${name#-} ;; esac
  wanted=${name#*=}
  case "$name" in *=*) name=${name%%=*} ;; *) wanted= ;; esac
  case "$name" in *">") operator=">=" name=${name%">"} ;; esac
  case "$name" in
  '' | [!a-z0-9_]* | *[!A-Za-z0-9_./-]* | *[./][./]* | *[./])
    complain "this is no name of a sysctl"
    return 1
    ;;
  esac
  case "$wanted" in
  '' | *[!A-Za-z0-9_\ ,:./+-]* | -[neE]*)
    complain "\"$wanted\" is no value"
    return 1
    ;;
  esac
  # The first separator is a slash in the path too. The other one is a dot in the name of a network interface.
  path=$name first=${name%%[./]*}
  case "${name#$first}" in .*)
    path=${path//\//:}
    path=${path//./\/}
    path=${path//:/.}
    ;;
  esac
  path=/proc/sys/$path
}

# exists tells whether the kernel has the sysctl.
exists() {
  [ -f "$path" ] && return
  if [ -n "$optional" ] && [ ! -e "$path" ]; then
    echo "$name: left out, this kernel does not have it"
  else
    complain "this kernel does not have it${1:+, $1}"
  fi
  return 1
}

# read_value reads a value. The shell's own read takes a byte at a time, and the kernel gives out no more than the first one.
read_value() {
  if ! found=$(cat "$path"); then
    complain "it cannot be read${1:+, $1}"
    return 1
  fi
  found=${found//[$'\t\n']/ }
  while :; do
    case "$found" in *"  "*) found=${found//  / } ;; *) break ;; esac
  done
  found=${found# } found=${found% }
}

is_whole() {
  case "${1#-}" in
  '' | *[!0-9]*) return 1 ;;
  0*) [ "$1" = 0 ] ;;
  esac
}

# is_lower compares two whole numbers by their digits. The shell's own numbers end at 2^63.
is_lower() {
  case "$1 $2" in
  -*" -"*) is_lower "${2#-}" "${1#-}" ;;
  -*) return 0 ;;
  *" -"*) return 1 ;;
  *) [ "${#1}" -lt "${#2}" ] || { [ "${#1}" = "${#2}" ] && [ "$1" \< "$2" ]; } ;;
  esac
}

# compare sets raised to the higher of each pair of numbers, and low if a number that was found is lower than the one that is wanted.
compare() {
  low= raised= found_rest="$found " wanted_rest="$wanted "
  while [ -n "$found_rest" ] && [ -n "$wanted_rest" ]; do
    a=${found_rest%% *} b=${wanted_rest%% *}
    found_rest=${found_rest#* } wanted_rest=${wanted_rest#* }
    if ! is_whole "$a" || ! is_whole "$b"; then
      complain "\"$found\" cannot be compared with \"$wanted\", which takes whole numbers"
      return 1
    fi
    if is_lower "$a" "$b"; then
      low=yes a=$b
    fi
    raised="$raised${raised:+ }$a"
  done
  if [ -n "$found_rest$wanted_rest" ]; then
    complain "\"$found\" and \"$wanted\" have not as many numbers"
    return 1
  fi
}
