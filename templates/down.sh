#!/bin/sh
# down.sh back RELEASE MIGRATE HEADS [COMMAND]: takes back what RELEASE has migrated, until the schema stands at HEADS, by the
# tool that MIGRATE runs, or by COMMAND, which finds $HEADS. down.sh forward RELEASE MIGRATE: migrates once more.
cd "$2/src" || exit 1
set -a
. "$2/.env"
PATH=$2/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HEADS=$4
set +a
[ "$1" = back ] || exec sh -c "$3"

# Words of a command line: only names as these tools give them, none that counts steps.
for head in $4; do
  case $head in -* | *[!A-Za-z0-9_.-]*) echo "$head is not the name of a migration" >&2; exit 1 ;; esac
done
[ -z "$5" ] || exec sh -c "$5"
case $3 in
*" upgrade"*)
  back=$(printf %s "$3" | sed -e 's/ upgrade/ downgrade/' -e 's/ heads\{0,1\}$//')
  for head in $4; do sh -c "$back $head" || exit 1; done
  ;;
*" migrate"*)
  # Of each application the last migration counts; what the target has none of goes to zero.
  for last in $(sh "${0%/*}/schema" "$2" "$3"); do
    to=zero
    for head in $4; do [ "${head%%.*}" != "${last%%.*}" ] || to=${head#*.}; done
    [ "$last" != "${last%%.*}.$to" ] || continue
    sh -c "$(printf %s "$3" | sed "s/ migrate.*/ migrate ${last%%.*} $to --noinput/")" || exit 1
  done
  ;;
*)
  echo "nobody knows how $3 is taken back: say it with app.migrate_down, which finds the heads to go to in \$HEADS" >&2
  exit 1
  ;;
esac
