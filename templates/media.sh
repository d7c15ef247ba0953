#!/bin/sh
# media.sh USER SHARED FOLDER: the group of nginx may read what is in SHARED/FOLDER, and what comes there. Nothing is done as
# root: to its own files USER may give a group that it acts with.
exec setpriv --reuid="$1" --regid=www-data --clear-groups sh -c '
  cd "$2" && mkdir -p "$3" && cd "$3" && find . -user "$1" -exec chgrp -h www-data {} + &&
    find . -user "$1" ! -type l -exec chmod g+rX {} + && find . -user "$1" -type d -exec chmod g+s {} + && chmod 2750 .
' sh "$@"
