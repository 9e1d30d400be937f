package sim

import (
	"strings"
	"testing"
)

// imagePods run while TestImages looks at them: name, image and what kubectl
// run is given beside.
var imagePods = [][3]string{
	{"box", "curlimages/curl:8.5.0", "--command -- sleep 36000"},
	{"httpd", "httpd:2.4", ""},
	{"bootcamp", "gcr.io/google-samples/kubernetes-bootcamp:v1", ""},
	{"jocatalin", "docker.io/jocatalin/kubernetes-bootcamp:v2", ""},
	{"hello-app", "gcr.io/google-samples/hello-app:2.0", ""},
	{"hpa-example", "registry.k8s.io/hpa-example", ""},
	{"echoserver", "registry.k8s.io/echoserver:1.10", ""},
	{"netexec", "registry.k8s.io/e2e-test-images/agnhost:2.39", "-- netexec --http-port=8081"},
	{"serve-hostname", "registry.k8s.io/e2e-test-images/agnhost:2.39", "-- serve-hostname"},
	{"agnpause", "registry.k8s.io/e2e-test-images/agnhost:2.39", ""},
	{"agnother", "registry.k8s.io/e2e-test-images/agnhost:2.39", "--restart=Never -- dns-suffix"},
	{"whoami", "traefik/whoami", ""},
	{"http-echo", "hashicorp/http-echo", "-- -text=hi -listen=:8080"},
	{"httpbin", "mccutchen/go-httpbin", ""},
	{"python", "python:3.12-slim", "--command -- python -m http.server 8000"},
	{"node", "node:20.19", "--restart=Never --command -- node app.js"},
	{"golang", "golang:1.25", "--restart=Never --command -- go version"},
	{"pi", "perl:5.34.0", `--restart=Never -- perl -Mbignum=bpi -wle 'print bpi(60)'`},
	{"redis", "redis:8.0.2", "-- redis-server --maxmemory 2mb"},
	{"replica", "redis:8.0.2", "-- redis-server --replicaof redis 6379"},
	{"mysql", "mysql:8.0", "--env=MYSQL_ROOT_PASSWORD=pw --env=MYSQL_DATABASE=app"},
	{"mysql-bare", "mysql:8.0", "--restart=Never"},
	{"mariadb", "mariadb:11.4", "--env=MARIADB_ROOT_PASSWORD=pw"},
	{"postgres", "postgres:16", "--env=POSTGRES_PASSWORD=pw"},
	{"postgres-bare", "postgres:16", "--restart=Never"},
	{"mongo", "mongo:7.0", ""},
	{"memcached", "memcached", ""},
	{"rabbitmq", "rabbitmq:3-management", ""},
	{"fluentd", "fluentd", ""},
	{"slim", "registry.k8s.io/nginx-slim:0.8", ""},
	{"ubuntu", "ubuntu:22.04", "--command -- sleep 36000"},
	{"noshell", "registry.k8s.io/pause:3.10", ""},
	{"digest", "nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", ""},
}

// TestImages is what readers see of the images that tutorials lean on. In a
// line, @NAME stands for the pod's address and NAME> for kubectl exec.
func TestImages(t *testing.T) {
	c, err := New(Options{Seed: 1, ImagesPresent: true, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var script strings.Builder
	for _, p := range imagePods {
		script.WriteString("kubectl run " + p[0] + " --image=" + p[1] + " " + p[2] + " >/dev/null\n")
	}
	do(t, c, "1", script.String()+"kubectl expose pod redis --port=6379 >/dev/null; kubectl expose pod mysql --port=3306 >/dev/null; sleep 30")
	for _, x := range []struct{ line, want string }{
		{"kubectl get pods --no-headers | grep -v Running | awk '{print $1, $3}'", "agnother Error\ngolang Completed\nmysql-bare Error\nnode Error\npi Completed\npostgres-bare Error\n"},
		{"box> curl -s @httpd", "<html><body><h1>It works!</h1></body></html>\n"},
		{"box> curl -s @bootcamp:8080", "Hello Kubernetes bootcamp! | Running on: bootcamp | v=1\n"},
		{"box> curl -s @jocatalin:8080", "Hello Kubernetes bootcamp! | Running on: jocatalin | v=2\n"},
		{"box> curl -s @hello-app:8080", "Hello, world!\nVersion: 2.0.0\nHostname: hello-app\n"},
		{"box> curl -s @hpa-example", "OK!"},
		{"box> curl -s @echoserver:8080/a?b=c | grep -E 'Hostname|query|real path'", "Hostname: echoserver\n\treal path=/a?b=c\n\tquery=b=c\n"},
		{"box> curl -s @netexec:8081/hostname", "netexec"},
		{"box> curl -s '@netexec:8081/echo?msg=a%20b'", "a b"},
		{"box> curl -s '@netexec:8081/shell?cmd=echo%20x%3Bexit%203'", `{"error":"exit status 3","output":"x\n"}`},
		{"box> curl -s @serve-hostname:9376", "serve-hostname"},
		{"kubectl logs agnpause; kubectl logs agnother", "Paused\nthis container is simulated: of agnhost there are netexec, serve-hostname, test-webserver, guestbook, liveness and pause\n"},
		{"box> curl -s @whoami | head -1", "Hostname: whoami\n"},
		{"box> curl -s @http-echo:8080", "hi\n"},
		{"box> curl -s -o /dev/null -w '%{http_code}' @httpbin:8080/status/418", "418"},
		{"box> curl -s @httpbin:8080/user-agent", "{\n  \"user-agent\": \"curl/8.5.0\"\n}\n"},
		{"box> curl -s -d a=b @httpbin:8080/post | grep '\"a\"'", "    \"a\": \"b\"\n"},
		{"python> python --version; python> python -c 'print(1)'", "Python 3.12.12\npython3: this container is simulated: there is no Python interpreter in it, only --version and -m http.server work\ncommand terminated with exit code 1\n"},
		{"box> curl -s @python:8000/etc/debian_version; kubectl logs python | grep -o 'GET.*'", "12.11\nGET /etc/debian_version HTTP/1.1\" 200 -\n"},
		{"kubectl logs node; kubectl logs golang", "node: this container is simulated: there is no JavaScript engine in it, only --version works\ngo version go1.25.3 linux/amd64\n"},
		{"kubectl logs pi", "3.14159265358979323846264338327950288419716939937510582097494\n"},
		{"redis> redis-cli set a 1; redis> redis-cli incr a; replica> redis-cli get a; replica> redis-cli set a 3", "OK\n2\n2\nREADONLY You can't write against a read only replica.\n\n"},
		{"redis> redis-cli config get maxmemory", "maxmemory\n2097152\n"},
		{"redis> redis-cli -h nowhere ping", "Could not connect to Redis at nowhere:6379: Name or service not known\ncommand terminated with exit code 1\n"},
		{"kubectl logs mysql-bare | cut -c21- | head -1", "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n"},
		{`mysql> mysql -uroot -ppw app -e "create table t (id int auto_increment primary key, name text); insert into t (name) values ('a'),('b'); select * from t where id=2; select count(*) from t" 2>/dev/null`, "id\tname\n2\tb\ncount(*)\n2\n"},
		{`mysql> mysql -uroot -ppw -e "update app.t set name='c' where name='b'; delete from app.t where id=1; select name from app.t order by id desc" 2>/dev/null`, "name\nc\n"},
		{"mysql> mysql -uroot -pno -e 'select 1' 2>&1 | tail -2", "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)\ncommand terminated with exit code 1\n"},
		{"mysql> mysql -uroot -ppw -e 'select * from app.no' 2>&1 | sed -n 2p", "ERROR 1146 (42S02) at line 1: Table 'app.no' doesn't exist\n"},
		{"mariadb> mariadb -h mysql -uroot -ppw -e 'select database(), 1'; mariadb> mariadb-admin ping", "database()\t1\nNULL\t1\nmysqld is alive\n"},
		{"kubectl logs postgres-bare | head -1", "Error: Database is uninitialized and superuser password is not specified.\n"},
		{"postgres> psql -U postgres -c 'select 1'; postgres> pg_isready", " ?column? \n----------\n        1\n(1 row)\n\n/var/run/postgresql:5432 - accepting connections\n"},
		{`postgres> psql -U postgres -tAc "select 'x'"; postgres> psql -U nobody -c 'select 1'`, "x\npsql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: FATAL:  role \"nobody\" does not exist\ncommand terminated with exit code 2\n"},
		{`mongo> mongosh --quiet --eval "db.adminCommand('ping')"; rabbitmq> rabbitmq-diagnostics status | grep version`, "{ ok: 1 }\nRabbitMQ version: 3.13.7\n"},
		{"box> sh -c 'curl -s -m 1 telnet://@memcached:11211 </dev/null; nc -zv @memcached 11211'", "@memcached (@memcached:11211) open\n"},
		{"box> curl -s @slim | grep -c title", "1\n"},
		{"ubuntu> bash -c 'for i in 1 2; do echo $i; done'", "1\n2\n"},
		{"noshell> sh 2>&1 | grep -o 'exec: \"sh.*'", "exec: \"sh\": executable file not found in $PATH\n"},
		{"kubectl run bad --image=redis:99 >/dev/null; sleep 3; kubectl get pod bad -o jsonpath='{.status.containerStatuses[0].state.waiting.message}'", "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/redis:99\": failed to resolve image: docker.io/library/redis:99: not found"},
	} {
		line, want := x.line, x.want
		for _, p := range imagePods {
			line = strings.ReplaceAll(line, p[0]+"> ", "kubectl exec "+p[0]+" -- ")
			if at := "@" + p[0]; strings.Contains(line, at) {
				ip := do(t, c, "1", "kubectl get pod "+p[0]+" -o jsonpath='{.status.podIP}'")
				line, want = strings.ReplaceAll(line, at, ip), strings.ReplaceAll(want, at, ip)
			}
		}
		if got := do(t, c, "1", line); got != want {
			t.Errorf("$ %s\n got %q\nwant %q", line, got, want)
		}
	}
}
