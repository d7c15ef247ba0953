#!/bin/sh
# shared.sh SOURCE SHARED FOLDER: FOLDER of the source becomes a link to SHARED/FOLDER, so that what the application writes
# there outlives the release. Acts as the application's account.
src=$1/$3 shared=$2/$3
case /$3/ in
  */../* | */./* | *//*) echo "app.shared: \"$3\" is no folder below the source" >&2; exit 1 ;;
esac
mkdir -p "$shared" "$(dirname "$src")" || exit 1
if [ -d "$src" ] && [ ! -L "$src" ]; then
  tar -C "$src" -cf - . | tar -C "$shared" --skip-old-files -xf - || exit 1
  # git is not to take what has moved for somebody's changes.
  if [ -d "$1/.git" ] && [ -n "$(git -C "$1" ls-files -- "$3")" ]; then
    git -C "$1" ls-files -z -- "$3" | git -C "$1" update-index -z --skip-worktree --stdin || exit 1
  fi
  rm -rf "$src" || exit 1
elif [ -e "$src" ] && [ ! -L "$src" ]; then
  echo "app.shared: \"$3\" is a file in the source, and has to be a folder" >&2
  exit 1
fi
ln -sfn "$shared" "$src"
