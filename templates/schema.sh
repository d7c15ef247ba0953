#!/bin/sh
# schema.sh RELEASE MIGRATE: asks the database where it stands, by the tool that the command MIGRATE runs, and says
# the heads in one line: a rollback compares them. Of other tools nothing is known.
cd "$1/src" || exit 1
set -a
. "$1/.env"
PATH=$1/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
set +a
# Alembic and Flask-Migrate name the heads; Django lists all that was applied, of which the last of each application counts.
case $2 in
*" upgrade"*)
  said=$(sh -c "$(printf %s "$2" | sed -e 's/ upgrade/ current/' -e 's/ heads\{0,1\}$//')") || exit 1
  heads=$(printf '%s\n' "$said" | grep -E '^[[:alnum:]_-]+( \([a-z ]+\))*$' | cut -d ' ' -f 1 | sort)
  ;;
*" migrate"*)
  said=$(sh -c "$(printf %s "$2" | sed 's/ migrate.*/ showmigrations --plan/')") || exit 1
  heads=$(printf '%s\n' "$said" | awk '$1 == "[X]" { split($2, part, "."); last[part[1]] = $2 }
    END { for (name in last) print last[name] }' | sort)
  ;;
*) exit 0 ;;
esac
echo $heads
