package container

import (
	"strings"
	"testing"
)

// What a reader types into the clients of the databases, and what they see
// beneath it: a table's rows are given without their frame.
func TestSQL(t *testing.T) {
	const myError = "ERROR 1064 (42000): You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near "
	for _, c := range []struct {
		image, env, command, prompt string
		dialogue                    [][2]string // what is typed, what comes
	}{
		{"mysql:8.0", "MYSQL_ROOT_PASSWORD=x", "mysql -uroot -px", "mysql> ", [][2]string{
			{"create database shop;", "Query OK, 1 row affected"},
			{"create table t (id int);", "ERROR 1046 (3D000): No database selected"},
			{"use shop", "Database changed"},
			{"select 1+1;", "| 1+1 |\n+-----+\n|   2 |\n+-----+\n1 row in set (0.00 sec)"},
			{"select version(), user(), database();", "| 8.0.43    | root@localhost | shop       |"},
			{"create table users (id int auto_increment primary key,\n name varchar(50) not null, email varchar(100) unique, age int default 18);", "    -> Query OK, 0 rows affected"},
			{"insert into users (name,email) values (\"Ann\",'a@x'),('Bob','b@x');", "Records: 2  Duplicates: 0  Warnings: 0"},
			{"insert into users (name,email) values ('Al','a@x');", "ERROR 1062 (23000): Duplicate entry 'a@x' for key 'users.email'"},
			{"insert into users (email) values ('c@x');", "ERROR 1364 (HY000): Field 'name' doesn't have a default value"},
			{"insert into users values (1);", "ERROR 1136 (21S01): Column count doesn't match value count at row 1"},
			{"insert into users (name, age) values ('x', 'old');", "ERROR 1366 (HY000): Incorrect integer value: 'old' for column 'age' at row 1"},
			{"select name, age+1 as next from users where name like 'a%' or age > 20 order by id desc limit 1;", "| Ann  |   19 |"},
			{"update users set age=age+5 where name='Bob';", "Rows matched: 1  Changed: 1  Warnings: 0"},
			{"update users set nope=1;", "ERROR 1054 (42S22): Unknown column 'nope' in 'field list'"},
			{"select count(*), avg(age), max(name) from users;", "|        2 |  20.5000 | Bob       |"},
			{"create table orders (id int primary key, user_id int, total decimal(10,2), foreign key (user_id) references users(id));", "Query OK"},
			{"insert into orders values (1,1,9.5),(2,1,20);", "Query OK, 2 rows affected"},
			{"select u.name, o.total from users u join orders o on u.id=o.user_id order by o.total desc;", "| Ann  | 20.00 |\n| Ann  |  9.50 |"},
			{"select u.name, count(o.id) n from users u left join orders o on u.id=o.user_id group by u.name having n > 0;", "| Ann  | 2 |\n+------+---+\n1 row"},
			{"select u.name, count(o.id) n from users u left join orders o on u.id=o.user_id group by u.name order by n;", "| Bob  | 0 |\n| Ann  | 2 |"},
			{"select id from users join orders;", "ERROR 1052 (23000): Column 'id' in field list is ambiguous"},
			{"describe users;", "| age   | int          | YES  |     | 18      |                |"},
			{"select * from users where id in (select user_id from orders) and not age is null\\G", "*** 1. row ***************************\n   id: 1\n name: Ann\nemail: a@x\n  age: 18\n1 row in set"},
			{"selec 1;", myError + "'selec 1' at line 1"},
			{"select * form users;", myError + "'form users' at line 1"},
			{"select name from users union select name from users union all select 'Zoe' order by name desc limit 2;", "+------+\n| name |\n+------+\n| Zoe  |\n| Bob  |\n+------+\n2 rows"},
			{"select 1 union select 1, 2;", "ERROR 1222 (21000): The used SELECT statements have a different number of columns"},
			{"select name, case when id = 1 then 'one' else 'more' end n, case age when 1 then 'x' end from users order by id;", "| Ann  | one  | NULL "},
			{"select case id then 1 end from users;", myError + "'then 1 end from users' at line 1"},
			{"select name from users window w as ();", "this database is simulated and does not understand: select name"},
			{"select * from nope;", "ERROR 1146 (42S02): Table 'shop.nope' doesn't exist"},
			{"select 1/0, null = null, 'a' in ('A','b'), 7 between 1 and 9, coalesce(null, 'x');", "| NULL | NULL        |                1 |                 1 | x "},
			{"alter table users add column city varchar(20) default 'Rome';", "Query OK"},
			{"select city from users where id=2;", "| Rome |"},
			{"delete from users where id > 1;", "Query OK, 1 row affected"},
			{"drop table users, orders;", "Query OK"},
			{"show tables;", "Empty set"},
			{"create user 'app'@'%' identified by 'pw';", "Query OK"},
			{"'open\n';", "    '> ERROR 1064"},
			{"exit", "Bye"},
		}},
		{"mariadb:11.4", "MARIADB_ROOT_PASSWORD=x", "mariadb -uroot -px", "MariaDB [(none)]> ", [][2]string{
			{"show databases;", "| performance_schema |"},
			{"select version();", "11.4.8-MariaDB"},
			{"use mysql;", "Database changed\nMariaDB [mysql]> "},
		}},
		{"postgres:16", "POSTGRES_PASSWORD=x", "psql -U postgres", "postgres=# ", [][2]string{
			{"select 1+1;", " ?column? \n----------\n        2\n(1 row)\n\n"},
			{`\l`, "           |          |          |            |            | postgres=CTc/postgres\n(3 rows)"},
			{`\dt`, "Did not find any relations."},
			{"create table users (id serial primary key, name varchar(50) not null, email text unique, done boolean default false);", "CREATE TABLE"},
			{"insert into users (name, email) values ('Ann','a'),('Bob','b');", "INSERT 0 2"},
			{"insert into users (name, email) values ('Al','a');", "ERROR:  duplicate key value violates unique constraint \"users_email_key\"\nDETAIL:  Key (email)=(a) already exists."},
			{"insert into users (email) values ('z');", "DETAIL:  Failing row contains (4, null, z, f)."},
			{"insert into users (name) values (1, 2);", "ERROR:  INSERT has more expressions than target columns"},
			{`\d users`, " name   | character varying(50) |           | not null | \n"},
			{`\d users`, "Indexes:\n    \"users_pkey\" PRIMARY KEY, btree (id)"},
			{`\d nope`, "Did not find any relation named \"nope\"."},
			{"select\n * from nope;", "postgres-# ERROR:  relation \"nope\" does not exist\nLINE 2:  * from nope;\n                ^\n"},
			{"select nope from users;", "ERROR:  column \"nope\" does not exist\nLINE 1: select nope from users;\n               ^\n"},
			{"select name, done from users where not done and name ilike 'A%';", " Ann  | f\n(1 row)"},
			{"select 7/2, 7.0/2, 'a'||'b', now()::date = current_date;", "        3 | 3.5000000000000000 | ab"},
			{"select 1/0;", "ERROR:  division by zero"},
			{"selec 1;", "ERROR:  syntax error at or near \"selec\"\nLINE 1: selec 1;\n        ^\n"},
			{"select (select name from users);", "ERROR:  more than one row returned by a subquery used as an expression"},
			{"create database app;", "CREATE DATABASE"},
			{`\c app`, "You are now connected to database \"app\" as user \"postgres\".\napp=# "},
			{`\c nope`, "FATAL:  database \"nope\" does not exist\n"},
			{`\foo`, "invalid command \\foo\nTry \\? for help."},
			{`\q`, ""},
		}},
	} {
		s := store(t, c.image, c.env)
		var keys strings.Builder
		for _, d := range c.dialogue {
			keys.WriteString(d[0] + "\n")
		}
		out := converse(t, s, c.command, keys.String())
		if !strings.Contains(out, c.prompt) {
			t.Errorf("%s: no prompt %q in %q", c.command, c.prompt, out[:min(len(out), 500)])
		}
		for _, d := range c.dialogue {
			i := strings.Index(out, d[1])
			if i < 0 {
				t.Fatalf("%s: %s: no %q in what follows: %s", c.command, d[0], d[1], out)
			}
			if !strings.HasPrefix(d[0], `\d`) {
				out = out[i:]
			}
		}
	}
}

// Clients that nobody types into.
func TestSQLBatch(t *testing.T) {
	my, pg := store(t, "mysql:8.0", "MYSQL_ROOT_PASSWORD=x", "MYSQL_DATABASE=d"), store(t, "postgres:16", "POSTGRES_PASSWORD=x")
	for _, c := range []struct {
		s                    *server
		command, input, want string
	}{
		{my, "mysql -uroot -px d", "create table t (a int);\ninsert into t values (1);\nselect * from t", "a\n1\n"},
		{my, "mysql -uroot -px d", "select 1;\n\nselect * from no;\nselect 2;", "1\n1\nERROR 1146 (42S02) at line 3: Table 'd.no' doesn't exist\n[1]\n"},
		{my, "mysql -uroot -pno", "select 1", "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)\n[1]\n"},
		{my, "mysql -uroot -px no", "", "ERROR 1049 (42000): Unknown database 'no'\n[1]\n"},
		{pg, "psql -U postgres -t", "select 1;\nselec;\nselect 2;", "1\nERROR:  syntax error at or near \"selec\"\nLINE 1: selec;\n        ^\n2\n"},
		{pg, "psql postgres no", "", "psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: FATAL:  role \"no\" does not exist\n[2]\n"},
		{pg, "psql postgresql://postgres:bad@localhost:5433/postgres", "", "psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.5433\" failed: No such file or directory\n\tIs the server running locally and accepting connections on that socket?\n[2]\n"},
		{pg, "psql -U postgres -f /no", "", "psql: error: /no: No such file or directory\n[1]\n"},
	} {
		got := strings.Replace(run(c.s, c.command, c.input, nil), "mysql: [Warning] Using a password on the command line interface can be insecure.\n", "", 1)
		if got != c.want {
			t.Errorf("%s <<< %q:\n%s\nwant\n%s", c.command, c.input, got, c.want)
		}
	}
}
