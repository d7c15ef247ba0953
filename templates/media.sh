#!/bin/sh
# media.sh USER SHARED FOLDER: the group of nginx may read what is in SHARED/FOLDER, and what comes there; through the
# folders above it, it may only pass. Nothing is done as root: to its own files USER may give a group that it acts with.
case /$3/ in
  */../* | */./* | *//*) echo "app.media: \"$3\" is no folder below $2" >&2; exit 1 ;;
esac
exec setpriv --reuid="$1" --regid=www-data --clear-groups sh -c '
  umask 067
  cd "$2" && mkdir -p "$3" && at=$3 || exit 1
  while case $at in */*) ;; *) false ;; esac; do
    at=${at%/*}
    case $(stat -c %U:%G:%A "$at") in
      "$1":www-data:??????[xs]*) ;;
      "$1":*) chgrp www-data "$at" && chmod g=x "$at" || exit 1 ;;
    esac
  done
  # What somebody else has there, such as the lost+found of a disk, stays as it is.
  cd "$3" && find . ! -user "$1" -prune -o -exec chgrp -h www-data {} + &&
    find . ! -user "$1" -prune -o ! -type l -exec chmod g+rX {} + &&
    find . ! -user "$1" -prune -o -type d -exec chmod g+s {} + && chmod 2750 .
' sh "$@"
