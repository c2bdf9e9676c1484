
for argument; do
  parse "$argument" && exists || continue
  value=$wanted
  if [ "$operator" = ">=" ]; then
    if ! true >>"$path"; then
      complain "it cannot be written"
      continue
    fi
    read_value && compare || continue
    if [ -z "$low" ]; then
      echo "$name = $found, which is at least $wanted"
      continue
    fi
    value=$raised
  fi
  if echo "$value" >"$path"; then
    echo "$name = $value"
  else
    complain "it cannot be set to \"$value\""
  fi
done
exit "$failed"
