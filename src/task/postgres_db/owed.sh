# Says so when the server has not read its file since that changed.
owed() {
  at=$(stat -c %.Y "$file") &&
    $psql -c "SELECT 'owed' WHERE to_timestamp($at) > pg_conf_load_time() AND to_timestamp($at) <= now()"
}
