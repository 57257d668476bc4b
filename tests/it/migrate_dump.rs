//! Dumps, between two servers that really run where they are installed.

use std::net::TcpListener;

use crate::migrate_data::{Move, installed};

/// A port that nothing listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Stops the servers of a test, however it ends.
struct Stops<'m>(&'m Move, &'static str);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.sh(&self.0.here(self.1));
    }
}

const POSTGRESQL: &str = r#"
as=
if [ "$(id -u)" = 0 ]; then as='setpriv --reuid=postgres --regid=postgres --clear-groups'; fi
for side in there here; do
  mkdir -p T/pg-$side
  if [ "$(id -u)" = 0 ]; then chown postgres T/pg-$side; fi
  cd T/pg-$side
  user=postgres
  if [ $side = there ]; then user=owner; fi
  $as initdb -D T/pg-$side/data -A trust -U $user > log-init 2>&1
  $as pg_ctl -w -D T/pg-$side/data -o "-c listen_addresses='' -c fsync=off -k T/pg-$side" -l T/pg-$side/log start > log-start
  printf 'export PGHOST=%s\n' T/pg-$side > T/env-$side
done
cd T/
printf 'export PGHOST=%s POSTGRES_USER=owner\n' T/pg-there > there
printf 'export PGHOST=%s\n' T/pg-here > here
PGHOST=T/pg-there PGUSER=owner psql -q -d postgres << 'SQL'
create role "an app" login password 'x';
create database "an app" owner "an app";
create database "empty=one";
create table aside(i int);
insert into aside values (1);
\c "an app"
create schema "s x";
create table "s x"."t'1" (i int);
insert into "s x"."t'1" select generate_series(1, 1000);
create table none_yet(x text);
create view v as select 1;
create sequence q;
SQL
# What NixOS has made before.
PGHOST=T/pg-here PGUSER=postgres psql -q -d postgres -c 'create role "an app" login' -c 'create database "an app" owner "an app"'
"#;

const STOP_POSTGRESQL: &str = r#"
as=
if [ "$(id -u)" = 0 ]; then as='setpriv --reuid=postgres --regid=postgres --clear-groups'; fi
for side in there here; do cd T/pg-$side; $as pg_ctl -D T/pg-$side/data -m immediate stop > log-stop 2>&1 || true; done
"#;

#[test]
fn a_database_of_postgresql_is_rehearsed_dumped_restored_and_counted() {
    if !["initdb", "pg_ctl", "pg_dumpall", "psql"].into_iter().all(installed) {
        return;
    }
    let tables = "[services.postgresql.migrates-from]\ncluster = \"home\"\nworkload = \"apps/StatefulSet/pg\"\n\
                  volumes = [{ claim = \"pg\", to = \"T/pg\", dump = \"postgresql\" }]\n";
    let moved = Move::with("dash", "claim = \"files\", to = \"T/to\"", tables);
    let stops = Stops(&moved, STOP_POSTGRESQL);
    moved.sh(&moved.here(POSTGRESQL));
    let here = |sql: &str| {
        moved.sh(&moved.here(&format!("PGHOST=T/pg-here PGUSER=postgres psql -q -v ON_ERROR_STOP=1 {sql}")));
    };
    moved.step_of("apps-pg", "prepare").ok();
    moved.step_of("apps-pg", "first").ok();
    assert!(moved.read("units").contains("stop -- postgresql.service"), "it rests after the rehearsal");
    here("-d 'an app' -c 'create table left_by_the_rehearsal(i int)'");
    moved.sh(&moved.here("PGHOST=T/pg-there PGUSER=owner psql -q -d postgres -c 'insert into aside values (2)'"));
    moved.step_of("apps-pg", "final").ok();
    moved.step_of("apps-pg", "verify").ok();
    let record: serde_json::Value =
        serde_json::from_str(&moved.read("fleet/state/lufta/migrate/verified-apps-pg.json")).unwrap();
    assert_eq!((record["dump"].as_str(), record["counted"].as_u64()), (Some("postgresql"), Some(7)));
    moved.step_of("apps-pg", "first").refuses("verified already");
    here("-d postgres -c 'delete from aside where i = 2'");
    let said = moved.step_of("apps-pg", "verify").refuses("differences between the volume and");
    said.says("there: postgres.public.aside 2").says("here: postgres.public.aside 1");
    // What the new server cannot take is said, and nothing passes as restored.
    moved.step_of("apps-pg", "again").ok();
    moved.sh("echo 'create extension nobody_has_this;' >> work/apps-pg.d/dump; cd work/apps-pg.d; sha256sum < dump | cut -d ' ' -f 1 > dump.sha256");
    let line = moved.here("cd work; PATH=T/bin:$PATH dash target.sh apps-pg restore final 2> T/said || exit 0; exit 1");
    moved.sh(&line);
    assert!(moved.read("said").contains("nobody_has_this"), "{}", moved.read("said"));
    drop(stops);
}

#[test]
fn a_dump_that_is_cut_or_fails_is_no_dump() {
    let moved = Move::new("dash", "dump = [\"sh\", \"-c\", \"echo 'all data'; test ! -e T/broken\"]");
    moved.step("prepare").ok();
    moved.write("broken", "");
    moved.step("final").refuses("was cut on its way, or what makes it failed");
    assert!(!moved.path("work/apps-files.d/dump").exists());
    moved.sh("rm broken");
    moved.step("final").ok().says("the dump lies on the host as");
    assert_eq!(moved.read("work/apps-files.d/dump"), "all data\n");
    moved.step("verify").refuses("bring the dump");
    moved.write("fleet/state/lufta/migrate/restored-apps-files", "");
    moved.step("verify").ok().says("\"restored\": \"by a person\"");
}

#[test]
fn keys_of_redis_come_over_and_are_counted() {
    if !["redis-server", "redis-cli"].into_iter().all(installed) {
        return;
    }
    let (there, here) = (free_port(), free_port());
    let moved = Move::new("dash", "dump = \"redis\"");
    moved.write("there", &format!("export REDIS_PORT_NUMBER={there}\n"));
    moved.write("here", &format!("export REDIS_PORT_NUMBER={here}\n"));
    moved.write(
        "start",
        &moved.here(&format!("redis-server --port {here} --dir T/to --save '' --daemonize yes > /dev/null")),
    );
    moved.write("stop", &format!("redis-cli -p {here} shutdown nosave 2> /dev/null || true; sleep 1"));
    moved.sh(&moved.here(&format!(
        "mkdir T/redis; redis-server --port {there} --dir T/redis --save '' --daemonize yes > /dev/null; sleep 1; \
         redis-cli -p {there} set a b; redis-cli -p {there} set c d ex 10000; redis-cli -p {there} -n 3 lpush l 1 2"
    )));
    for verb in ["prepare", "first", "final", "verify"] {
        moved.step(verb).ok();
    }
    moved.sh(&format!("redis-cli -p {here} -n 3 del l > /dev/null"));
    moved.step("verify").refuses("differences between the volume and").says("there: db3 1");
    moved.sh(&format!("redis-cli -p {here} shutdown nosave; redis-cli -p {there} shutdown nosave || true"));
}

const MARIADB: &str = r#"
for side in there here; do
  mkdir T/my-$side
  mariadb-install-db --no-defaults --user="$(id -un)" --datadir=T/my-$side/data --skip-test-db --auth-root-authentication-method=socket > T/my-$side/init 2>&1
  mariadbd --no-defaults --user="$(id -un)" --datadir=T/my-$side/data --socket=T/my-$side/s --skip-networking --pid-file=T/my-$side/pid > T/my-$side/log 2>&1 &
  printf 'export MYSQL_UNIX_PORT=%s\n' T/my-$side/s > T/$side
  tries=0
  until MYSQL_UNIX_PORT=T/my-$side/s mariadb -u root -e 'select 1' > /dev/null 2>&1; do
    tries=$((tries + 1)); [ $tries -lt 30 ] || exit 1; sleep 1
  done
done
MYSQL_UNIX_PORT=T/my-there/s mariadb -u root --default-character-set=utf8mb4 << 'SQL'
create database `an app`; use `an app`;
create table `t``1 x`(i int, b blob); insert into `t``1 x` values (1, unhex('00ff0a27')), (2, null);
create view v as select 1; create procedure p() select 1;
create user 'app'@'%' identified by 'x'; grant all on `an app`.* to 'app'@'%';
SQL
"#;

#[test]
fn databases_and_accounts_of_mariadb_come_over_and_are_counted() {
    if !["mariadbd", "mariadb-install-db", "mariadb-dump", "mariadb"].into_iter().all(installed) {
        return;
    }
    let moved = Move::new("dash", "dump = \"mysql\"");
    let stops = Stops(&moved, "for pid in T/my-*/pid; do kill $(cat \"$pid\") || true; done; sleep 2");
    moved.sh(&moved.here(MARIADB));
    for verb in ["prepare", "first", "final", "verify"] {
        moved.step(verb).ok();
    }
    moved.sh(&moved.here("MYSQL_UNIX_PORT=T/my-here/s mariadb -u root -e 'show grants for app' > T/grants"));
    assert!(moved.read("grants").contains("GRANT ALL PRIVILEGES ON `an app`.*"));
    moved.sh(&moved.here("MYSQL_UNIX_PORT=T/my-here/s mariadb -u root -e 'delete from `an app`.`t``1 x` where i = 2'"));
    moved.step("verify").refuses("differences between the volume and").says("there: an app.t`1 x 2");
    drop(stops);
}
