#!/bin/sh
# shared.sh SOURCE SHARED FOLDER: FOLDER of the source becomes a link to SHARED/FOLDER, so that what the application writes
# there outlives the release. Acts as the application's account.
umask 027
src=$1/$3 shared=$2/$3
refuse() { echo "app.shared: \"$3\" $4" >&2; exit 1; }
case /$3/ in
  */../* | */./* | *//*) refuse "$@" "is no folder below the source" ;;
esac
# Behind a link is what other releases have as well: nothing is made or removed there.
at=$(dirname "$src")
while [ ! -e "$at" ] && [ ! -L "$at" ]; do at=$(dirname "$at"); done
top=$(cd -P "$1" && pwd -P) && at=$(cd -P "$at" && pwd -P) || exit 1
case $at/ in
  "$top"/*) ;;
  *) refuse "$@" "lies behind a link that leads out of the source: name the outer folder alone" ;;
esac
if [ -e "$src" ] && [ ! -d "$src" ] && [ ! -L "$src" ]; then
  refuse "$@" "is a file in the source, and has to be a folder"
fi
mkdir -p "$shared" && (umask 022 && mkdir -p "$(dirname "$src")") || exit 1
if [ -d "$src" ] && [ ! -L "$src" ]; then
  # What is cut short leaves nothing half written behind: all is copied first, on the same disk, then each file moves at once.
  new=$shared/.tow-new
  rm -rf "$new" && (umask 077 && mkdir "$new") && cp -RP --preserve=timestamps "$src" "$new/files" || exit 1
  (cd "$new/files" && find . ! -name . -exec sh -c '
    for file; do
      to=$0/${file#./}
      if [ -e "$to" ] || [ -L "$to" ] || [ ! -d "${to%/*}" ]; then continue; fi
      if [ -d "$file" ] && [ ! -L "$file" ]; then mkdir "$to" || exit 1
      else ln -P "$file" "$to" 2>/dev/null || mv "$file" "$to" || exit 1; fi
    done' "$shared" {} +) && rm -rf "$new" || exit 1
fi
# git is not to take what has moved for somebody's changes.
if [ -d "$1/.git" ]; then
  git -C "$1" --literal-pathspecs ls-files -z -- "$3" | git -C "$1" update-index -z --skip-worktree --stdin || exit 1
fi
[ -L "$src" ] || rm -rf "$src" || exit 1
ln -sfn "$shared" "$src"
