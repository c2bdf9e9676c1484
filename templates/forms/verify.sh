
for argument; do
  parse "$argument" || continue
  exists "wanted $operator \"$wanted\"" && read_value "wanted $operator \"$wanted\"" || continue
  if [ "$operator" = ">=" ]; then
    compare || continue
    [ -z "$low" ] || complain "found \"$found\", wanted at least \"$wanted\""
  else
    [ "$found" = "$wanted" ] || complain "found \"$found\", wanted \"$wanted\""
  fi
done
exit "$failed"
