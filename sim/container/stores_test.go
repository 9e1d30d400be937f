package container

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim/network"
)

// Each line that is typed into mongosh, and what it answers.
func TestMongo(t *testing.T) {
	s := store(t, "mongo:7.0")
	var keys, want strings.Builder
	db := "test"
	for _, x := range [][2]string{
		{"show collections", ""},
		{"use shop", "switched to db shop\n"},
		{`db.users.insertOne({_id: 1, name: "Ann", age: 30, tags: ['a', "b"], address: {city: 'Rome'}})`, "{ acknowledged: true, insertedId: 1 }\n"},
		{"db.users.insertMany([{_id: 2, name: 'Bob', age: 20}, {_id: 3, name: 'Cy', at: new Date()}])", "{ acknowledged: true, insertedIds: { '0': 2, '1': 3 } }\n"},
		{"db.users.insertOne({_id: 2})", "MongoServerError: E11000 duplicate key error collection: shop.users index: _id_ dup key: { _id: 2 }\n"},
		{"db.users.insertOne()", "MongoInvalidArgumentError: Argument \"docs\" must be an array of documents\n"},
		{"db.users.find({age: {$gte: 20, $lt: 30}}, {name: 1, _id: 0})", "[ { name: 'Bob' } ]\n"},
		{"db.users.find({$or: [{name: /^c/i}, {tags: 'b'}]}, {name: 1}).sort({_id: -1}).skip(1).limit(5)", "[ { _id: 1, name: 'Ann' } ]\n"},
		{"db.users.find().sort({name: 1})", "[\n  {\n    _id: 1,\n    name: 'Ann',\n    age: 30,\n    tags: [ 'a', 'b' ],\n    address: { city: 'Rome' }\n  },\n  { _id: 2, name: 'Bob', age: 20 },\n  { _id: 3, name: 'Cy', at: ISODate('2026-01-01T00:00:00.800Z') }\n]\n"},
		{"db.users.find({name: 'Zoe'})", ""},
		{"db.users.findOne({name: 'Zoe'})", "null\n"},
		{"db.users.updateOne({name: 'Bob'}, {$set: {'address.city': 'Oslo'}, $inc: {age: 1}})", "{\n  acknowledged: true,\n  insertedId: null,\n  matchedCount: 1,\n  modifiedCount: 1,\n  upsertedCount: 0\n}\n"},
		{"db.users.findOne({'address.city': 'Oslo'})", "{ _id: 2, name: 'Bob', age: 21, address: { city: 'Oslo' } }\n"},
		{"db.users.updateOne({}, {age: 1})", "MongoInvalidArgumentError: Update document requires atomic operators\n"},
		{"db.users.updateMany({}, {$foo: {a: 1}})", "MongoServerError[FailedToParse]: Unknown modifier: $foo\n"},
		{"db.users.find({age: {$foo: 1}})", "MongoServerError[BadValue]: unknown operator: $foo\n"},
		{"db.users.deleteMany({age: {$exists: false}})", "{ acknowledged: true, deletedCount: 1 }\n"},
		{"db.users.deleteMany()", "MongoshInvalidInputError: [COMMON-10001] Missing required argument at position 0 (Collection.deleteMany)\n"},
		{"db.users.countDocuments()", "2\n"},
		{"db.users.distinct('name')", "[ 'Ann', 'Bob' ]\n"},
		{"db.getSiblingDB('shop').getCollection('users').find().count()", "2\n"},
		{"show collections", "users\n"},
		{"show dbs", "admin   40.00 KiB\nconfig  8.00 KiB\nlocal   40.00 KiB\nshop    40.00 KiB\n"},
		{"db; db.version()", "7.0.25\n"},
		{"db.runCommand({ping: 1})", "{ ok: 1 }\n"},
		{"db.users.foo()", "TypeError: db.users.foo is not a function\n"},
		{"foo.bar()", "ReferenceError: foo is not defined\n"},
		{"show foo", "MongoshInvalidInputError: [COMMON-10001] 'foo' is not a valid argument for \"show\".\n"},
		{"rs.status()", "MongoServerError[NoReplicationEnabled]: not running with --replSet\n"},
		{"db.dropDatabase()", "{ ok: 1, dropped: 'shop' }\n"},
		{"1 +", "SyntaxError: this shell is simulated and does not understand: +\n"},
	} {
		keys.WriteString(x[0] + "\n")
		want.WriteString(db + "> " + x[1])
		if x[0] == "use shop" {
			db = "shop"
		}
	}
	want.WriteString(db + "> ")
	_, got, _ := strings.Cut(converse(t, s, "mongosh", keys.String()+"exit\n"), "mongodb-shell/\n\n")
	if got != want.String() {
		t.Errorf("got\n%s\nwant\n%s", got, want.String())
	}

	locked := store(t, "mongo:7.0", "MONGO_INITDB_ROOT_USERNAME=root", "MONGO_INITDB_ROOT_PASSWORD=pw")
	for _, x := range [][2]string{
		{"mongosh --quiet --eval show\xa0dbs", "MongoServerError[Unauthorized]: Command listDatabases requires authentication\n[1]\n"},
		{"mongosh -u root -p no --eval db.version()", "MongoServerError: Authentication failed.\n[1]\n"},
		{"mongosh mongodb://root:pw@localhost:27017/app --eval db", "app\n"},
		{"mongosh --port 1 --eval db", "MongoNetworkError: connect ECONNREFUSED 127.0.0.1:1\n[1]\n"},
		{"mongosh nosuch:1/x --eval db", "MongoNetworkError: getaddrinfo ENOTFOUND nosuch\n[1]\n"},
	} {
		argv := strings.Fields(x[0])
		for i := range argv {
			argv[i] = strings.ReplaceAll(argv[i], "\xa0", " ")
		}
		if got := runArgs(locked, argv, "", nil); got != x[1] {
			t.Errorf("%q: got %q, want %q", x[0], got, x[1])
		}
	}
}

func FuzzMongo(f *testing.F) {
	for _, s := range []string{"db.t.find({a: {$gt: 1}}).sort({a: -1})", "db.t.insertOne({a: [1, {b: 'x'}], 'c.d': null})", "db.t.updateMany({}, {$set: {'a.b': 1}, $push: {c: 2}, $unset: {d: ''}}, {upsert: true})", "db['t'].distinct('a')", "use x; show dbs", "{a: /x/i, b: ObjectId('1')}", "db.a.b.c.find(", "new Date("} {
		f.Add(s)
	}
	s := store(f, "mongo")
	f.Fuzz(func(t *testing.T, text string) {
		body, _ := json.Marshal(mongoRequest{DB: "test", Line: "db.t.insertOne({_id: 0, a: 2}); " + text})
		if s.serveMongo(nil, &network.Request{Method: network.Raw, Body: body}) == nil {
			t.Fatal("no answer")
		}
		// What is shown can be read again.
		p := &mongoParser{s: text}
		if v, err := p.value(); err == nil {
			again, err := (&mongoParser{s: inspect(v, 0)}).value()
			if err != nil || order(v, again) != 0 {
				t.Errorf("%q is shown as %s: %v", text, inspect(v, 0), err)
			}
		}
	})
}

func TestMemcached(t *testing.T) {
	s := store(t, "memcached")
	for _, x := range [][2]string{
		{"get a\r\n", "END\r\n"},
		{"set a 5 0 5\r\nhello\r\nget a\r\n", "STORED\r\nVALUE a 5 5\r\nhello\r\nEND\r\n"},
		{"add a 0 0 1\r\nx\r\nreplace b 0 0 1\r\nx\r\n", "NOT_STORED\r\nNOT_STORED\r\n"},
		{"append a 0 0 1\r\n!\r\ngets a b\r\n", "STORED\r\nVALUE a 5 6 2\r\nhello!\r\nEND\r\n"},
		{"set n 0 0 2\r\n10\r\nincr n 5\r\ndecr n 100\r\nincr a 1\r\nincr x 1\r\n", "STORED\r\n15\r\n0\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\nNOT_FOUND\r\n"},
		{"set c 0 0 1\r\nlong\r\n", "CLIENT_ERROR bad data chunk\r\nERROR\r\n"},
		{"set c 0 0 x\r\nset c 0 0 -1\r\nset c\r\nfoo\r\n\r\n", "CLIENT_ERROR bad data chunk\r\nCLIENT_ERROR bad data chunk\r\nERROR\r\nERROR\r\nERROR\r\n"},
		{"set c 0 0 2000000\r\n", "SERVER_ERROR object too large for cache\r\n"},
		{"delete a noreply\r\ndelete a\r\n", "NOT_FOUND\r\n"},
		{"set e 0 -1 1\r\nx\r\nget e\r\n", "STORED\r\nEND\r\n"},
		{"flush_all\r\nversion\r\nquit\r\nversion\r\n", "OK\r\nVERSION 1.6.39\r\n"},
	} {
		if got := s.serveMemcached(nil, &network.Request{Method: network.Raw, Body: []byte(x[0])}); string(got.Body) != x[1] {
			t.Errorf("%q: got %q, want %q", x[0], got.Body, x[1])
		}
	}
	// A command that comes in pieces.
	for _, x := range [][2]string{{"set p 0 0 3\r", ""}, {"\nab", ""}, {"c\r\nge", "STORED\r\n"}, {"t p\n", "VALUE p 0 3\r\nabc\r\nEND\r\n"}} {
		if got := s.serveMemcached(nil, &network.Request{Method: network.Raw, Body: []byte(x[0])}); string(got.Body) != x[1] {
			t.Errorf("%q: got %q, want %q", x[0], got.Body, x[1])
		}
	}
	if got := s.serveMemcached(nil, &network.Request{Method: network.Raw, Body: []byte("stats\r\n")}); !strings.Contains(string(got.Body), "STAT curr_items 1\r\n") {
		t.Errorf("stats: %q", got.Body)
	}
}

func TestRabbit(t *testing.T) {
	s := store(t, "rabbitmq:3-management", "RABBITMQ_DEFAULT_USER=me", "RABBITMQ_DEFAULT_PASS=pw")
	for _, x := range [][2]string{
		{"rabbitmqctl list_users", "Listing users ...\nuser\ttags\nme\t[administrator]\n"},
		{"rabbitmqctl add_user ann secret", "Adding user \"ann\" ...\nDone. Don't forget to grant the user permissions to some virtual hosts! See 'rabbitmqctl help set_permissions' to learn more.\n"},
		{"rabbitmqctl add_user ann secret", "Error:\nUser \"ann\" already exists\n[70]\n"},
		{"rabbitmqctl set_user_tags ann monitoring policymaker", "Setting tags for user \"ann\" to [monitoring, policymaker] ...\n"},
		{"rabbitmqctl set_permissions -p / ann .* .* .*", "Setting permissions for user \"ann\" in vhost \"/\" ...\n"},
		{"rabbitmqctl -q list_permissions", "ann\t.*\t.*\t.*\nme\t.*\t.*\t.*\n"},
		{"rabbitmqctl set_permissions nobody .* .* .*", "Error:\nUser \"nobody\" does not exist\n[67]\n"},
		{"rabbitmqctl list_queues -p nope", "Error:\nVirtual host 'nope' does not exist\n[65]\n"},
		{"rabbitmqctl authenticate_user ann wrong", "Authenticating user \"ann\" ...\nError: failed to authenticate user \"ann\"\n[65]\n"},
		{"rabbitmqctl list_users --formatter json", "Listing users ...\n[{\"tags\":\"[monitoring, policymaker]\",\"user\":\"ann\"},{\"tags\":\"[administrator]\",\"user\":\"me\"}]\n"},
		{"rabbitmqctl list_queues", "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n"},
		{"rabbitmqctl foo", "Command 'foo' not found. \n[64]\n"},
		{"rabbitmq-diagnostics -q ping", ""},
	} {
		if got := run(s, x[0], "", nil); got != x[1] {
			t.Errorf("%s:\ngot  %q\nwant %q", x[0], got, x[1])
		}
	}
}
